"""Work that is shared out among ranks, as it reports."""

from __future__ import annotations

from matexapps import progress
from matexapps.experiment import ranks
from matexapps.experiment.ranks import Ranks


def test_long_work_gives_signs_of_life_before_it_is_done(monkeypatch):
    monkeypatch.setattr(ranks, "_SIGN_EVERY_S", 0.01)
    events: list[dict] = []

    def compute_until_noticed(number: int) -> int:
        while len(events) < 2:
            sum(range(1000))
        return number

    with progress.reporting_to(events.append):
        results = Ranks.single().map(compute_until_noticed, [3, 4], doing="fitting", unit="fits")
    assert results == [3, 4]
    assert [(event["done"], event["total"]) for event in events[:2]] == [(0, 2), (0, 2)]
    assert (events[-1]["done"], events[-1]["what"]) == (2, "fitting")


def test_expected_waits_are_not_reported_and_other_events_are():
    events: list[dict] = []
    with progress.reporting_to(events.append):
        with progress.expecting_waits():
            progress.report({"kind": "waiting"})
            progress.report({"kind": "work"})
        progress.report({"kind": "waiting"})
    assert [event["kind"] for event in events] == ["work", "waiting"]
