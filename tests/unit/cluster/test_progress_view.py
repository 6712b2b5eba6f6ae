"""Progress as plain lines."""

from progress_events import training

from matexapps.cluster.view import progress_view
from matexapps.cluster.view.merged_progress import MergedProgress
from matexapps.cluster.view.progress_view import LineView


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


def test_a_line_is_not_written_again_until_something_is_new(monkeypatch):
    monkeypatch.setattr(progress_view, "_FIRST_LINE_S", 0.0)
    monkeypatch.setattr(progress_view, "_LINE_GROWTH", 0.0)
    lines = []
    view, progress = LineView(lines.append), MergedProgress()
    for epoch in (1, 1, 2, 2):
        progress.update(training(0, epoch=epoch, rows=1000))
        view.show(progress)
        view.show(progress)
    assert ["1/4" in line for line in lines] == [True, False]
