"""How the output of ranks is put together."""

import pytest

from matexapps.cluster.output.grouped import format_groups, terminal_lines
from matexapps.cluster.output.lines import LineOutput
from matexapps.cluster.output.rank_names import rank_names


def plain(text: str) -> list[str]:
    """Lines without colors."""
    for code in ("\x1b[1m", "\x1b[2m", "\x1b[0m"):
        text = text.replace(code, "")
    return text.splitlines()


@pytest.mark.parametrize(
    ("ranks", "name"),
    [
        ([2], "rank 2"),
        ([0, 1, 2, 3], "ranks 0-3"),
        ([2, 0], "ranks 0, 2"),
        ([5, 0, 1, 7, 8], "ranks 0-1, 5, 7-8"),
    ],
)
def test_ranks_are_named_in_short(ranks, name):
    assert rank_names(ranks) == name


def test_what_all_ranks_print_comes_first_and_only_once():
    texts = {0: ["open", "low"], 1: ["open", "high"], 2: ["open", "low"]}
    assert plain(format_groups(texts, True, 10, "logs")) == [
        "[ranks 0-2] open",
        "[ranks 0, 2] low",
        "[rank 1] high",
    ]


def test_longer_groups_have_their_heading_on_its_own_line():
    texts = {0: ["a", "b", "c"], 1: ["a", "b", "d"]}
    assert plain(format_groups(texts, True, 10, "logs")) == [
        "[ranks 0-1]", "a", "b", "[rank 0]", "c", "[rank 1]", "d",
    ]  # fmt: skip


def test_ranks_that_print_nothing_are_not_named():
    assert plain(format_groups({0: [], 1: ["here"]}, True, 10, "logs")) == ["[rank 1] here"]


def test_one_rank_alone_has_no_heading():
    assert plain(format_groups({0: ["a", "b"]}, False, 10, "logs")) == ["a", "b"]


def test_long_output_keeps_its_end_and_names_the_logs():
    lines = [str(number) for number in range(100)]
    shown = plain(format_groups({0: lines}, False, 3, "the/logs"))
    assert shown == ["... the last 3 lines; all of them are in the/logs", "97", "98", "99"]


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("", []),
        ("a\nb\n", ["a", "b"]),
        ("10%\r50%\r100%\ndone", ["100%", "done"]),
        ("dos\r\nlines\r\n", ["dos", "lines"]),
        ("\n\n", ["", ""]),
    ],
)
def test_carriage_returns_overwrite(text, lines):
    assert terminal_lines(text) == lines


def test_plain_lines_are_complete_and_equal_ones_come_only_once(capsys):
    output = LineOutput([0, 1], headings=True)
    output.show([{"stdout": "same\nhal", "stderr": ""}, {"stdout": "same\n", "stderr": ""}])
    assert plain(capsys.readouterr().out) == ["[ranks 0-1] same"]
    requests = [{"stdout": "same\nhalf\n", "stderr": "careful\n"},
                {"stdout": "same\nother", "stderr": "careful\n"}]  # fmt: skip
    output.show(requests, final=True)
    printed = capsys.readouterr()
    assert plain(printed.out) == ["[rank 0] half", "[rank 1] other"]
    assert plain(printed.err) == ["[rank 0] careful"]
