"""Events of many ranks are merged into one state."""

import pytest
from progress_events import training, work

from matexapps.cluster.view.merged_progress import MergedProgress, RankState, format_duration
from matexapps.cluster.view.panel import panel_html


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_the_least_advanced_rank_counts():
    progress = MergedProgress()
    progress.update(training(0, epoch=3, rows=500))
    assert progress.fraction == pytest.approx(2.5 / 4)
    progress.update(training(1, epoch=2, rows=0))
    assert progress.fraction == pytest.approx(1 / 4)


def test_the_slowest_rank_is_the_one_that_waits_least():
    progress = MergedProgress()
    for rank, wait_s in enumerate([1.0, 0.2, 3.0]):
        progress.update(training(rank, wait_s=wait_s, compute_s=4.0 - wait_s))
    assert progress.slowest_rank == 1
    assert "slowest rank 1 (others wait 70%)" in progress.parts()


def test_one_rank_is_not_called_the_slowest():
    progress = MergedProgress()
    progress.update(training(0))
    assert progress.slowest_rank is None
    assert "slowest" not in progress.text()


def test_the_line_has_epoch_loss_metric_and_rate():
    progress = MergedProgress()
    progress.update(training(0, epoch=2, rows=1000))
    assert progress.text().split("  ")[:5] == [
        " 50%",
        "epoch 2/4",
        "loss 0.5123",
        "accuracy 0.875",
        "12,346 rows/s",
    ]


def test_the_line_names_a_training_among_several():
    progress = MergedProgress()
    progress.update({**training(0, epoch=2), "what": "random split, seed 1"})
    assert progress.text().split("  ")[1:3] == ["random split, seed 1", "epoch 2/4"]


def test_metrics_stay_visible_until_the_next_epochs_end():
    progress = MergedProgress()
    progress.update(training(0, epoch=1, rows=1000))
    progress.update(training(0, epoch=2, rows=100, metrics={}))
    assert "accuracy 0.875" in progress.parts()
    progress.update(training(0, epoch=2, rows=1000, metrics={"accuracy": 0.9}))
    assert "accuracy 0.9" in progress.parts()


def test_time_left_follows_the_rate_since_the_first_event():
    clock = Clock()
    progress = MergedProgress(clock)
    progress.update(training(0, epoch=1, rows=0))
    assert progress.seconds_left is None
    clock.now += 10.0
    progress.update(training(0, epoch=2, rows=0))
    assert progress.seconds_left == pytest.approx(30.0)
    assert "30 s left" in progress.parts()


def test_other_work_is_summed_over_ranks():
    progress = MergedProgress()
    for rank in range(2):
        progress.update(work(rank, 600, 1000))
    assert progress.fraction == pytest.approx(0.6)
    assert progress.parts()[:2] == ["simulating events", "1,200 of 2,000 events"]
    assert progress.ranks == []


@pytest.mark.parametrize(
    ("done", "total", "text"),
    [
        (123_456_789, 300_000_000, "123 of 300 MB"),
        (1_250_000, 4_000_000, "1.2 of 4.0 MB"),
        (123_456_789, None, "123 MB"),
    ],
)
def test_bytes_are_shown_in_megabytes(done, total, text):
    progress = MergedProgress()
    progress.update(work(0, done, total, "bytes"))
    assert progress.parts()[1] == text


def test_work_of_unknown_size_has_no_fraction_and_no_time_left():
    clock = Clock()
    progress = MergedProgress(clock)
    for done in (5, 10):
        progress.update(work(0, done, None))
        clock.now += 1.0
    assert progress.fraction == 0.0
    assert progress.parts() == ["simulating events", "10 events"]


def test_after_a_rank_failure_the_remaining_ranks_are_shown_and_the_epoch_is_marked():
    progress = MergedProgress()
    for rank in range(3):
        progress.update(training(rank, epoch=2, rows=500))
    event = {"event": "rank 1 on node lost at epoch 2, step 6; 2 ranks go on", "lost": [1]}
    for rank in range(2):
        progress.remove_ranks({"kind": "rank_failure", **event, "rank": rank, "ranks": 2})
    progress.update(training(2, epoch=2, rows=500))  # sent before the failure
    progress.update(training(0, epoch=2, rows=600, world_size=2))
    assert [state.rank for state in progress.ranks] == [0, 1]
    assert progress.notices == [event["event"]]
    (chart, *_) = progress.curves.charts()
    assert [(mark.epoch, mark.label) for mark in chart.marks] == [(1.5, "rank 1 lost")]
    assert progress.curves.text().endswith("\nrank 1 lost after epoch 1.5")
    assert event["event"] in panel_html(progress, "")


def test_a_rank_failure_in_a_step_is_marked_at_that_step():
    progress = MergedProgress()
    progress.update(training(0, epoch=2, rows=1000))
    event = {"kind": "rank_failure", "event": "rank 1 on node lost", "lost": [1], "ranks": 2}
    progress.remove_ranks({**event, "rank": 0, "epoch": 3, "step": 5})
    (chart, *_) = progress.curves.charts()
    assert [mark.epoch for mark in chart.marks] == [pytest.approx(2.4)]
    assert progress.curves.text().endswith("\nrank 1 lost at epoch 3, step 5")


def test_each_rank_has_its_share_of_rows_its_waiting_and_its_memory():
    progress = MergedProgress()
    progress.update(training(1, wait_s=1.0, compute_s=3.0, rss_bytes=3 * 2**29, rows_per_s=900.0))
    progress.update(training(0, wait_s=0.0, compute_s=0.0, rows_per_s=600.0))
    assert progress.ranks == [
        RankState(rank=0, rows_per_s=200.0, waiting=0.0, memory_bytes=None),
        RankState(rank=1, rows_per_s=300.0, waiting=0.25, memory_bytes=3 * 2**29),
    ]


def test_an_outcome_replaces_the_time_left():
    clock = Clock()
    progress = MergedProgress(clock)
    progress.update(training(0, epoch=1, rows=0))
    clock.now += 10.0
    progress.update(training(0, epoch=2, rows=0))
    assert progress.parts()[-1] == "30 s left"
    assert progress.parts("stopped after 10 s")[-1] == "stopped after 10 s"
    assert not any("left" in part for part in progress.parts("stopped after 10 s"))


def test_new_work_starts_from_zero():
    clock = Clock()
    progress = MergedProgress(clock)
    progress.update(training(1, epoch=4, rows=1000))
    event = {"kind": "work", "rank": 0, "what": "reading", "done": 0, "total": 9, "unit": "files"}
    progress.update(event)
    assert progress.fraction == 0.0
    assert progress.seconds_left is None


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (59.6, "1 min 0 s"), (200, "3 min 20 s"), (7500, "2 h 5 min")],
)
def test_durations_are_given_in_words(seconds, text):
    assert format_duration(seconds) == text
