"""Ranks that run different collectives raise an error that names both calls and their lines."""

from __future__ import annotations

import json
import re

import pytest
from mpi_programs import program

RANKS = [2, 3]
SEVERAL = [pytest.param(2, marks=pytest.mark.slow), 3]

MISMATCHES = program("checks/mismatches.py")

CALLS = {
    "order": ("all_reduce(sum) of float64 (3,)", "barrier()"),
    "operation": ("broadcast_object(root=0)", "all_gather_object()"),
    "reduce op": ("all_reduce(sum) of float64 (3,)", "all_reduce(max) of float64 (3,)"),
    "shape": ("all_reduce(sum) of float64 (3,)", "all_reduce(sum) of float64 (4,)"),
    "dtype": ("broadcast(root=0) of float64 (3,)", "broadcast(root=0) of float32 (3,)"),
    "root": ("broadcast(root=0) of float64 (3,)", "broadcast(root=1) of float64 (3,)"),
    "root of an object": ("broadcast_object(root=0)", "broadcast_object(root=1)"),
    "shape of rows": (
        "all_gather_rows(twos) of float64 rows (3,)",
        "all_gather_rows(twos) of float64 rows (4,)",
    ),
    "on_all, on_root": ("all_gather_object()", "broadcast_object(root=0)"),
    "inside on_root": ("barrier()", "broadcast_object(root=0)"),
    "inside on_all": ("barrier()", "all_gather_object()"),
    "length of a mean": ("mean_buffer(3, float32)", "mean_buffer(4, float32)"),
    "dtype of a mean": ("mean_buffer(3, float32)", "mean_buffer(3, float64)"),
    "average": ("average() of mean buffer 1 of float32 (3,)", "barrier()"),
    "two means": (
        "average() of mean buffer 1 of float32 (3,)",
        "average() of mean buffer 2 of float32 (3,)",
    ),
    "library": ("c_library(none.so)", "barrier()"),
    "close": ("close()", "all_reduce(sum) of float64 (3,)"),
}


def succeeded(result):
    assert result.returncode == 0, result.stdout + result.stderr
    return json.loads(result.stdout.splitlines()[-1])


@pytest.mark.parametrize("n", RANKS)
def test_each_kind_of_mismatch_is_reported_on_every_rank_and_a_new_world_works(run_ranks, n):
    seen = succeeded(run_ranks(n, MISMATCHES, json.dumps(list(CALLS))))
    others = "rank 1" if n == 2 else "ranks 1, 2"
    twos = ", ".join(["2"] * n)
    for name, calls in CALLS.items():
        first, second = (call.replace("twos", twos) for call in calls)
        assert seen[name] == [seen[name][0]] * n
        headline, mine, theirs, advice = seen[name][0].splitlines()
        assert headline == "ranks do not run the same collective:"
        assert mine.startswith(f"  rank 0: {first} at ranks.py:")
        assert theirs.startswith(f"  {others}: {second} at ranks.py:")
        assert "`if` that depends on the rank" in advice


def test_the_reported_line_is_the_one_that_calls(run_ranks, tmp_path):
    names = ["order", "on_all, on_root", "inside on_root"]
    seen = succeeded(run_ranks(3, MISMATCHES, json.dumps(names)))
    lines = (tmp_path / "ranks.py").read_text().splitlines()
    for text in seen.values():
        lines_named = re.findall(r" at ranks\.py:(\d+): (.*)", text[0])
        assert len(lines_named) == 2
        for number, line in lines_named:
            assert lines[int(number) - 1].strip() == line
    assert "comm.all_reduce(three)" in seen["order"][0]
    assert "comm.on_root(lambda: 1)" in seen["on_all, on_root"][0]


@pytest.mark.parametrize("n", SEVERAL)
def test_closing_the_world_early_is_a_mismatch_on_every_rank(run_ranks, n):
    seen = succeeded(run_ranks(n, program("checks/close_early.py")))
    assert seen == [seen[0]] * n
    assert re.search(r"rank 1: close\(\) at ranks.py:\d+: with open_world\(", seen[0])
    assert re.search(r"ranks? 0(, 2)?: all_reduce\(sum\) of float64 \(2,\) at ranks.py", seen[0])


@pytest.mark.parametrize("n", SEVERAL)
def test_an_exception_leaves_the_world_without_a_wait_and_frees_the_others(run_ranks, n):
    result = run_ranks(n, program("checks/leave_by_exception.py"))
    assert result.returncode == 0, result.stderr
    assert result.stdout.count("left") == 1
    assert len(re.findall("freed: rank 1 on .* ValueError: the third row", result.stdout)) == n - 1


@pytest.mark.parametrize(("setting", "expected"), [("1", "MismatchedCollectives"), ("0", "passed")])
def test_an_environment_variable_turns_checks_on(run_ranks, setting, expected):
    result = run_ranks(
        2,
        """
        import os, sys
        os.environ["MATEXAPPS_CHECK_COLLECTIVES"] = sys.argv[1]
        import numpy as np
        from matexapps.comm.world import open_world
        from matexapps.errors import CommunicationError

        comm = open_world(timeout_s=60)
        try:
            comm.all_reduce(np.zeros(3), "sum" if comm.rank == 0 else "max")
            print("passed", flush=True)
        except CommunicationError as error:
            print(type(error).__name__, flush=True)
        """,
        setting,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.count(expected) == 2


def test_all_ranks_check_if_one_asks_for_it(run_ranks):
    result = run_ranks(
        3,
        """
        from matexapps.comm.world import open_world
        from matexapps.errors import MismatchedCollectives

        comm = open_world(timeout_s=60, check=open_world().rank == 2)
        try:
            comm.barrier() if comm.rank == 0 else comm.all_gather_object(1)
        except MismatchedCollectives:
            print("reported", flush=True)
        """,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.count("reported") == 3


@pytest.mark.parametrize("n", [1, *SEVERAL])
def test_matching_programs_give_their_results_without_an_error(run_ranks, n):
    seen = succeeded(run_ranks(n, program("checks/matching_collectives.py")))
    means = [[n, (n - 1) / 2 * (step + 1)] for _ in range(2) for step in range(5)]
    objects = [1000 * r for r in range(n)]
    rows = [r for r in range(n) for _ in range(r)]
    result = [True, n - 1, objects, rows, "x" * 10 * n, None, means, 5]
    assert seen == [result] * n


@pytest.fixture(scope="module", params=SEVERAL)
def trained(request, run_ranks_once):
    """A number of ranks, and what came of training on them."""
    return request.param, succeeded(
        run_ranks_once(request.param, program("checks/train_with_checks.py"))
    )


def test_checks_do_not_change_what_is_learned(trained):
    _, seen = trained
    assert len(seen["plain"][1]) == 6 * 24 + 24 + 24 + 1
    assert seen["checked"] == seen["plain"]


def test_a_callback_that_evaluates_on_one_rank_is_reported_with_the_users_line(trained):
    n, texts = trained[0], trained[1]["texts"]
    assert texts == [texts[0]] * n
    rank_0, others = re.split(r"\n  ranks? 1", texts[0])
    assert re.search(r"rank 0: .* at matexapps/train/\w+\.py:\d+: ", rank_0)
    assert re.search(
        r"\n +called from ranks\.py:\d+: trainer\.evaluate\(data_set\(\)\.validation\)$", rank_0
    )
    assert re.search(r"average\(\) of mean buffer 1 .* at matexapps/train/gradients\.py", others)
    assert "called from ranks.py" in others
    assert "trainer.fit(data_set(), epochs=3)" in others
