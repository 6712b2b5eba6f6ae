"""A campaign gives the same outcomes on any number of ranks, whatever becomes of them."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from pathlib import Path

import pytest
import toy_campaign
from toy_tasks import toy_tasks

SCRIPT = "import toy_campaign\ntoy_campaign.main()\n"


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """What one process computes."""
    folder = tmp_path_factory.mktemp("alone")
    results = toy_campaign.toy_campaign(folder).run(toy_tasks())
    return json.loads(json.dumps(toy_campaign.as_plain(results)))


def keys_written(folder: Path) -> list[str]:
    return [
        json.loads(line)["key"]
        for path in folder.glob("*.jsonl")
        for line in path.read_text().splitlines(keepends=True)
        if line.endswith("\n")
    ]


def outcomes_of(done: subprocess.CompletedProcess[str]):
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_the_outcomes_are_those_of_the_tasks(undisturbed):
    count = Counter(outcome["status"] for outcome in undisturbed)
    assert count == {"done": 196, "failed": 1, "crashed": 2, "timed out": 1}
    assert [outcome["key"] for outcome in undisturbed] == [f"number {n}" for n in range(200)]
    assert undisturbed[9]["value"]["square"] == 81
    assert undisturbed[2]["arrays"] == {"powers": [0.0, 1.0, 4.0]}


def test_killed_in_the_middle_and_resumed_on_other_ranks(run_ranks, tmp_path, undisturbed):
    assert run_ranks(3, SCRIPT, tmp_path, 50, json.dumps([2, 1, 0])).returncode != 0
    before = keys_written(tmp_path)
    assert 50 <= len(before) < 200
    torn = sorted(tmp_path.glob("*.jsonl"))[0]
    torn.write_text(torn.read_text() + '{"key": "number 199", "sta')
    summary, outcomes = outcomes_of(run_ranks(2, SCRIPT, tmp_path, 0, "[]"))
    assert outcomes == undisturbed
    assert summary["known_before"] == len(before)
    assert summary["computed"] == 200 - len(before)
    assert sorted(keys_written(tmp_path)) == sorted(outcome["key"] for outcome in undisturbed)


@pytest.mark.open_mpi
def test_a_rank_is_killed_and_the_others_take_over(run_ranks, tmp_path, undisturbed):
    done = run_ranks(3, SCRIPT, tmp_path, 50, "[1]", fault_tolerant=True)
    summary, outcomes = outcomes_of(done)
    assert outcomes == undisturbed
    assert (summary["known_before"], summary["computed"]) == (0, 200)
    assert sorted(keys_written(tmp_path)) == sorted(outcome["key"] for outcome in undisturbed)


@pytest.mark.slow
@pytest.mark.open_mpi
@pytest.mark.timeout(900)
@pytest.mark.parametrize("rank", [0, 2])
def test_a_rank_may_be_killed_at_any_moment(run_ranks, tmp_path, undisturbed, rank):
    script = SCRIPT.replace("main()", "die_in_a_wait()")

    def run(moment: int):
        folder = tmp_path / str(moment)
        return outcomes_of(run_ranks(3, script, folder, rank, moment, fault_tolerant=True))

    waits, world_size, outcomes = run(0)
    assert (world_size, outcomes) == (3, undisturbed[:40])
    for moment in range(1, 22, 4):
        _, world_size, outcomes = run(moment)
        assert (world_size, outcomes) == (2, undisturbed[:40])
    # How many rounds there are is a matter of time, so a late moment may not come.
    for moment in range(waits - 8, waits, 2):
        _, world_size, outcomes = run(moment)
        assert world_size in (2, 3)
        assert outcomes == undisturbed[:40]
