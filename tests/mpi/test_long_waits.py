"""A rank that waits long for others reports it while it waits."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from mpi_programs import program

SEVERAL = [pytest.param(2, marks=pytest.mark.slow), 3]

WAITS = program("checks/wait_for_a_rank.py")


def succeeded(result):
    assert result.returncode == 0, result.stdout + result.stderr
    return json.loads(result.stdout.splitlines()[-1])


@pytest.mark.parametrize(("limit_s", "check"), [(60, 1), (1, 0)])
@pytest.mark.parametrize("n", SEVERAL)
def test_a_long_wait_is_reported_at_each_doubling_and_when_it_is_over(run_ranks, n, limit_s, check):
    all_events = succeeded(run_ranks(n, WAITS, 0.2, limit_s, check))
    waiting = [rank for rank in range(n) if rank != 1]
    for rank in waiting:
        events = all_events[rank]
        assert {(e["kind"], e["rank"], e["world_size"]) for e in events} == {("waiting", rank, n)}
        assert {e["what"] for e in events} == {"barrier()" if check else "barrier"}
        assert [e.get("over", False) for e in events] == [False] * (len(events) - 1) + [True]
        lengths = [e["seconds"] for e in events]
        assert lengths[0] > 0.2
        assert all(b >= 2 * a for a, b in pairwise(lengths[:-1]))
        assert lengths[-1] >= lengths[-2]


def test_a_wait_below_the_threshold_is_not_reported(run_ranks):
    assert succeeded(run_ranks(2, WAITS, "", 60, 0)) == [[], []]


def test_by_default_the_threshold_follows_the_longest_wait_so_far(run_ranks):
    reported = succeeded(run_ranks(1, program("checks/default_threshold.py")))
    assert reported == [10.1, 20.3, 600.0, 40.1, 41.0]


def test_a_threshold_that_is_not_a_number_of_seconds_is_refused(run_ranks):
    texts = ["soon", "-1", "0", "nan"]
    result = run_ranks(
        1,
        """
        import os, sys
        from matexapps.comm.checks.long_waits import LongWaits
        from matexapps.errors import PreflightError
        for text in sys.argv[1:]:
            os.environ["MATEXAPPS_HANG_AFTER_S"] = text
            try:
                LongWaits()
            except PreflightError as error:
                print(error)
        """,
        *texts,
    )
    lines = result.stdout.splitlines()
    for text, line in zip(texts, lines, strict=True):
        assert f"MATEXAPPS_HANG_AFTER_S is {text!r}, which is not a number of seconds" in line
