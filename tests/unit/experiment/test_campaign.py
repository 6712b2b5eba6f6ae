"""Campaigns on one rank: what is refused, retried, resumed and ended."""

from __future__ import annotations

import csv
import math
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import toy_tasks
from processes import descendants, runs
from toy_tasks import CannotStart, Fragile, fails, returns, run_program, toy

from matexapps import progress
from matexapps.errors import CampaignError
from matexapps.experiment.campaign.campaign import Campaign
from matexapps.experiment.campaign.rounds import deal
from matexapps.experiment.campaign.task import task_seed


def run(folder, function, tasks, **settings):
    campaign = Campaign("trying", function, folder, **{"time_limit_s": 20.0, **settings})
    return campaign.run(tasks)


def squares(*numbers):
    return [(f"number {n}", ("squares", n)) for n in numbers]


def wait_for(path: Path) -> list[int]:
    """Return the process numbers in a file, when they are there."""
    deadline = time.monotonic() + 20
    while not (path.exists() and path.read_text().count(" ")):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return [int(word) for word in path.read_text().split()]


def all_end(pids: list[int]) -> bool:
    """Whether these processes, which have been killed, are gone soon."""
    deadline = time.monotonic() + 5
    while any(runs(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.01)
    return not any(runs(pid) for pid in pids)


def test_ranks_are_dealt_each_task_in_one_place_and_idle_ranks_come_first():
    pending = [f"{n}" for n in range(8)]
    running = ["1", None, "4"]
    hands = [deal(pending, running, rank) for rank in range(3)]
    assert sorted(key for hand in hands for key in hand) == ["0", "2", "3", "5", "6", "7"]
    assert hands[1][0] == "0"
    assert deal(["1", "4", "9"], running, 1) == ["9"]
    assert deal(["1", "4", "9"], running, 0) == []


def test_seeds_depend_on_campaign_and_key():
    seeds = {task_seed(seed, key) for seed in range(3) for key in ("a", "b")}
    assert len(seeds) == 6
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert task_seed(1, "a") == task_seed(1, "a")


def test_values_come_back_in_the_order_of_the_tasks_and_are_computed_once(tmp_path):
    first = run(tmp_path, toy, squares(3, 1))
    assert [outcome.value["square"] for outcome in first.outcomes] == [9, 1]
    assert first.arrays(first.outcomes[0])["powers"].tolist() == [0.0, 1.0, 8.0]
    again = run(tmp_path, toy, squares(1, 2, 3))
    assert [outcome.value["square"] for outcome in again.outcomes] == [1, 4, 9]
    assert (again.known_before, again.summary()["computed"]) == (2, 1)
    assert run(tmp_path, toy, []).outcomes == []


def test_failures_are_listed_in_their_own_words(tmp_path):
    tasks = [("r", ("raises", 7)), ("l", ("leaves", 8)), ("k", ("is killed", 9)), *squares(2)]
    results = run(tmp_path, toy, tasks)
    reasons = {outcome.key: outcome.reason for outcome in results.outcomes}
    assert reasons == {
        "r": "ValueError: 7 is not a number that anybody likes",
        "l": "crashed (exit status 3): no space left on the moon",
        "k": "crashed (SIGSEGV)",
        "number 2": "",
    }
    with open(tmp_path / "failures.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["key"], row["status"], row["error"]) for row in rows] == [
        ("r", "failed", "ValueError"),
        ("l", "crashed", "exit status 3"),
        ("k", "crashed", "SIGSEGV"),
    ]
    assert rows[0]["at"].startswith(toy_tasks.__file__)
    assert rows[0]["at"].endswith("in toy")
    with pytest.raises(CampaignError, match=r"3 of 4 tasks are not done; the first is r: ValueErr"):
        results.require_all_done()
    run(tmp_path, toy, squares(2)).require_all_done()


def test_what_cannot_be_kept_is_a_failure(tmp_path):
    results = run(
        tmp_path, returns, [(key, None) for key in ("nothing", "objects", "a set", "nan")]
    )
    nothing, objects, a_set, nan = results.outcomes
    assert (nothing.status, nothing.value) == ("done", None)
    assert "the array 'array' holds Python objects" in objects.reason
    assert "a task returned set, which is no JSON value" in a_set.reason
    assert math.isnan(nan.value[0])
    assert nan.value[1] == 0.5


def test_a_child_that_earlier_tasks_have_upset_is_no_task_s_failure(tmp_path):
    results = run(tmp_path, Fragile, [(f"{n}", n) for n in range(4)])
    assert [(outcome.value, outcome.tries) for outcome in results.outcomes] == [
        (n, 1) for n in range(4)
    ]


def test_a_function_of_a_notebook_reaches_the_child(tmp_path):
    assert [o.value for o in run(tmp_path, lambda task: -task.spec, [("a", 1)]).outcomes] == [-1]


def test_failures_are_tried_again_only_with_more_tries_or_more_time(tmp_path):
    def attempts(**settings):
        (outcome,) = run(tmp_path, fails, [("a", None)], **settings).outcomes
        return outcome.message, outcome.tries

    assert attempts(tries=2) == ("attempt 1", 2)
    written = len(list(tmp_path.glob("*.jsonl")))
    assert attempts(tries=1) == ("attempt 1", 2)
    assert attempts(tries=3) == ("attempt 2", 3)
    assert attempts(tries=3, time_limit_s=10.0) == ("attempt 2", 3)
    assert attempts(tries=3, time_limit_s=30.0) == ("attempt 2", 3)
    lines = [path.read_text() for path in sorted(tmp_path.glob("*.jsonl"))]
    assert [bool(text) for text in lines] == [True, False, True, False, True]
    assert written == 1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"seed": 1}, "seed was 0 and is 1 now"),
        ({"depends_on": {"version": [2, 1]}}, r"version was \[2, 0\] and is \[2, 1\] now"),
        ({"function": returns}, "function was '[0-9a-f]{16}' and is '[0-9a-f]{16}' now"),
    ],
)
def test_outcomes_of_another_campaign_are_not_mixed_in(tmp_path, settings, message):
    settings = {"function": toy, "depends_on": {"version": (2, 0)}, **settings}
    run(tmp_path, toy, squares(1), depends_on={"version": (2, 0)})
    with pytest.raises(CampaignError, match=f"holds values of another campaign: {message}"):
        run(tmp_path, tasks=squares(1), **settings)


@pytest.mark.parametrize(
    ("tasks", "settings", "message"),
    [
        (squares(1, 2, 1), {}, "two tasks have the key 'number 1'"),
        ([], {"tries": 0}, "tries must be at least 1, got 0"),
        ([], {"time_limit_s": math.inf}, "time_limit_s must be above 0 and finite, got inf"),
    ],
)
def test_what_cannot_be_run_is_refused(tmp_path, tasks, settings, message):
    with pytest.raises(CampaignError, match=message):
        run(tmp_path, toy, tasks, **settings)


def test_a_function_that_cannot_be_loaded_ends_the_campaign(tmp_path):
    before = descendants()
    with pytest.raises(
        CampaignError,
        match=r"the process that runs the tasks cannot start: FileNotFoundError: no model in the",
    ):
        run(tmp_path, CannotStart, [("a", None)])
    assert descendants() <= before


def test_a_hanging_task_and_the_program_that_it_started_are_ended(tmp_path):
    pids = tmp_path / "pids"
    results = run(tmp_path / "folder", run_program, [("a", str(pids))], time_limit_s=0.5)
    assert results.outcomes[0].reason == "not done within 0.5 s"
    assert all_end(wait_for(pids))


def test_an_interrupt_ends_children_and_leaves_a_good_journal(tmp_path):
    pids = tmp_path / "pids"

    def interrupt() -> None:
        wait_for(pids)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "folder", run_program, [("a", str(pids))])
    thread.join()
    assert all_end(wait_for(pids))
    (journal,) = (tmp_path / "folder").glob("*.jsonl")
    assert journal.read_text() == ""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_child_does_not_stay_behind_when_its_rank_is_killed(tmp_path, number):
    helpers = Path(toy_tasks.__file__).parent
    program = f"""
import sys
sys.path.insert(0, {str(helpers)!r})
from toy_tasks import run_program
from matexapps.experiment.campaign.campaign import Campaign
Campaign("trying", run_program, "folder", time_limit_s=60).run([("a", "pids")])
"""
    with subprocess.Popen([sys.executable, "-c", program], cwd=tmp_path) as rank:
        child, sleeping = wait_for(tmp_path / "pids")
        rank.send_signal(number)
    assert all_end([child])
    os.kill(sleeping, signal.SIGKILL)


def test_progress_ends_with_all_tasks_of_this_run(tmp_path):
    events = []
    run(tmp_path, toy, squares(1))
    with progress.reporting_to(events.append):
        run(tmp_path, toy, squares(1, 2, 3), unit="numbers")
    assert {event["total"] for event in events} == {2}
    assert events[-1] == {
        "kind": "work",
        "rank": 0,
        "world_size": 1,
        "what": "trying",
        "done": 2,
        "total": 2,
        "unit": "numbers",
    }
