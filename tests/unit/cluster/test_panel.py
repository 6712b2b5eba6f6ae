"""The panel's HTML."""

import re

from progress_events import training, work

from matexapps.cluster.view.merged_progress import MergedProgress
from matexapps.cluster.view.panel import panel_html


def rows(page: str) -> list[list[str]]:
    """The table's cells, row by row."""
    texts = re.findall(r"<tr.*?</tr>", page)
    return [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", text) for text in texts]


def panel(*events, outcome=""):
    progress = MergedProgress()
    for event in events:
        progress.update(event)
    return panel_html(progress, outcome)


def test_names_from_outside_cannot_break_the_page():
    page = panel(training(0, metrics={"<script>": 1.0}), outcome="done after 1 s")
    assert "<script>" not in page
    assert "&lt;script&gt; 1" in page


def test_the_table_has_a_row_for_each_rank_in_order():
    page = panel(
        training(1, wait_s=1.0, compute_s=3.0, rows_per_s=36_000.0, rss_bytes=2**30),
        training(0, wait_s=0.0, compute_s=4.0, rows_per_s=30_000.0, rss_bytes=3 * 2**29),
    )
    assert rows(page) == [
        ["rank", "rows/s", "waiting", "memory"],
        ["0", "10,000", "0%", "1.50 GiB"],
        ["1", "12,000", "25%", "1.00 GiB"],
    ]


def test_memory_that_no_rank_reports_has_no_column():
    assert rows(panel(training(0)))[0] == ["rank", "rows/s", "waiting"]


def test_of_many_ranks_those_that_wait_least_are_shown():
    waits = {rank: 1.0 if rank % 2 else 3.0 for rank in range(20)}
    page = panel(*(training(rank, wait_s=wait, compute_s=1.0) for rank, wait in waits.items()))
    shown = [int(row[0]) for row in rows(page)[1:]]
    assert len(shown) == 16
    assert shown == sorted(shown)
    assert set(range(1, 20, 2)) <= set(shown)
    assert "and 4 more ranks, which wait longer" in page


def test_other_work_has_a_bar_and_no_table():
    page = panel(work(0, 1, 4))
    assert "width:25.0%" in page
    assert rows(page) == []


def test_the_color_of_the_bar_shows_how_it_ended():
    pages = [
        panel(work(0, 1, 4), outcome=f"{how} after 1 s") for how in ("done", "failed", "stopped")
    ]
    colors = [re.search(r"background:(#\w+)", page)[1] for page in pages]
    assert len(set(colors)) == 3
