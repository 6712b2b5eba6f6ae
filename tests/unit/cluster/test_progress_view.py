"""Events of many ranks become one line."""

import pytest

from matexapps.cluster.progress_view import LineView, MergedProgress, bar_html, duration


def training(rank, epoch=1, rows=0, wait_s=1.0, **more):
    event = {
        "kind": "train",
        "rank": rank,
        "world_size": 3,
        "host": "node",
        "epoch": epoch,
        "epochs": 4,
        "step": 1,
        "steps": 10,
        "rows": rows,
        "rows_total": 1000,
        "rows_per_s": 12_345.6,
        "compute_s": 3.0,
        "wait_s": wait_s,
        "loss": 0.51234,
        "metrics": {"accuracy": 0.875},
    }
    return {**event, **more}


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


def test_the_line_says_epoch_loss_metric_and_rate():
    progress = MergedProgress()
    progress.update(training(0, epoch=2, rows=1000))
    assert progress.text().split("  ")[:5] == [
        " 50%",
        "epoch 2/4",
        "loss 0.5123",
        "accuracy 0.875",
        "12,346 rows/s",
    ]


def test_metrics_stay_in_sight_until_the_next_epochs_end():
    progress = MergedProgress()
    progress.update(training(0, epoch=1, rows=1000))
    progress.update(training(0, epoch=2, rows=100, metrics={}))
    assert "accuracy 0.875" in progress.parts()
    progress.update(training(0, epoch=2, rows=1000, metrics={"accuracy": 0.9}))
    assert "accuracy 0.9" in progress.parts()


def test_time_left_follows_the_pace_since_the_first_event():
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
        progress.update(
            {
                "kind": "work",
                "rank": rank,
                "world_size": 2,
                "what": "simulating events",
                "done": 600,
                "total": 1000,
                "unit": "events",
            }
        )
    assert progress.fraction == pytest.approx(0.6)
    assert progress.parts()[:2] == ["simulating events", "1,200 of 2,000 events"]


def test_new_work_starts_from_zero():
    clock = Clock()
    progress = MergedProgress(clock)
    progress.update(training(1, epoch=4, rows=1000))
    work = {"kind": "work", "rank": 0, "what": "reading", "done": 0, "total": 9, "unit": "files"}
    progress.update(work)
    assert progress.fraction == 0.0
    assert progress.seconds_left is None


def test_nothing_is_written_before_the_first_event():
    lines = []
    view = LineView(lines.append)
    view.show(MergedProgress())
    view.close(MergedProgress(), "done")
    assert lines == []


def test_the_last_line_says_how_it_ended():
    lines = []
    progress = MergedProgress()
    progress.update(training(0, epoch=4, rows=1000))
    LineView(lines.append).close(progress, "done")
    assert len(lines) == 1
    assert lines[0].startswith("100%  epoch 4/4")
    assert "done after 0 s" in lines[0]


def test_names_from_outside_cannot_break_the_page():
    progress = MergedProgress()
    progress.update(training(0, metrics={"<script>": 1.0}))
    page = bar_html(progress, "done after 1 s")
    assert "<script>" not in page
    assert "&lt;script&gt; 1" in page


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (59.6, "1 min 0 s"), (200, "3 min 20 s"), (7500, "2 h 5 min")],
)
def test_durations_are_said_as_people_do(seconds, text):
    assert duration(seconds) == text
