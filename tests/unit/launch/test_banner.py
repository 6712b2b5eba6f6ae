"""The launcher's block about exit statuses is removed, and nothing else."""

import pytest

from matexapps.launch.banner import strip_banner

RULE = "-" * 74 + "\n"
BANNER = (
    RULE
    + "prterun detected that one or more processes exited with non-zero status,\n"
    + "thus causing the job to be terminated. The first process to do so was:\n\n"
    + "   Process name: [prterun-node-4711@1,0]\n   Exit code:    1\n"
    + RULE
)
CUT_SHORT = (
    "NBC_Progress: an error 75 was found during schedule 0x5585 at row-offset 0 - "
    "aborting the schedule\n\n"
)
ENDED = RULE + "prterun noticed that process rank 1 exited on signal 11.\n" + RULE
KILLED = RULE + "prterun noticed that process rank 1 exited on\nsignal 9 (Killed).\n" + RULE


def passed_on(text, size):
    data = text.encode()
    chunks = (data[start : start + size] for start in range(0, len(data), size))
    return b"".join(strip_banner(chunks)).decode()


@pytest.mark.parametrize("size", [1, 7, 64, 10_000])
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("DataError: no file\n" + BANNER, "DataError: no file\n"),
        (BANNER + "after\n", "after\n"),
        (BANNER.removesuffix(RULE), ""),
        (ENDED, ENDED),
        ("a\n" + ENDED + BANNER + "b", "a\n" + ENDED + "b"),
        ("a\n" + KILLED, "a\n"),
        ("table\n----- ----\n1 2\n", "table\n----- ----\n1 2\n"),
        ("a\n" + CUT_SHORT + CUT_SHORT + "b\n", "a\nb\n"),
        (CUT_SHORT.strip() + "\n", ""),
        ("NBC_Progress: an error 12 was found", "NBC_Progress: an error 12 was found"),
        ("50 %\r100 %\r\n--", "50 %\r100 %\r\n--"),
    ],
)
def test_only_the_redundant_block_is_removed(text, expected, size):
    assert passed_on(text, size) == expected


def test_an_unfinished_line_of_progress_is_passed_on_at_once():
    seen = strip_banner(iter([b"\r10 %", b"\r20 %"]))
    assert next(seen) == b"\r10 %"
