"""Progress as plain lines."""

from progress_events import training

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
