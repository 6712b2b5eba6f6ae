"""What a command line runs on ranks: settings as JSON, results from rank 0.

``python -m matexapps.experiment.command '{"domain": "package.module:NAME", "verb": "train",
"settings": {"epochs": 20}}'`` trains, keeps the model where the settings say, and prints. With
``{"function": "package.module:NAME", "settings": {}}`` a function of settings and ranks is called,
and what it returns is printed as JSON.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from matexapps import devices, progress
from matexapps.comm.communicator import Communicator
from matexapps.comm.failures.fault_tolerant import run_fault_tolerant
from matexapps.comm.single import SingleProcess
from matexapps.comm.world import open_world
from matexapps.errors import MatexError
from matexapps.experiment.domain import Domain
from matexapps.experiment.model.folder import check_folder
from matexapps.experiment.model.model import Model
from matexapps.experiment.model.prediction import predict_file
from matexapps.experiment.ranks import LONGEST_WAIT_S, Ranks
from matexapps.experiment.reference import load_domain
from matexapps.experiment.report import BETTER, with_better_baselines
from matexapps.experiment.runner import run_study
from matexapps.experiment.settings import from_plain
from matexapps.train.state.reinit_state import reinit

Result = dict[str, Any]

_LINE_EVERY_S = 5.0


def main(arguments: list[str]) -> int:
    """Train, predict, or call a function on all ranks; return the exit status."""
    given = json.loads(arguments[0])
    settings = given["settings"]
    if "function" in given:
        module, _, name = given["function"].partition(":")
        function = getattr(importlib.import_module(module), name)
        return _run(settings, lambda comm: function(settings, Ranks(comm)), "rows", json.dumps)
    domain = load_domain(given["domain"])
    work, table = {"train": (_train, _trained), "predict": (_predict, _predicted)}[given["verb"]]

    def to_text(result: Result) -> str:
        return with_better_baselines(table(domain, result), result[BETTER])

    return _run(
        settings,
        partial(work, domain, settings),
        domain.unit,
        json.dumps if given.get("json") else to_text,
    )


def _run(
    settings: dict[str, Any],
    work: Callable[[Communicator], Result],
    unit: str,
    to_text: Callable[[Result], str],
) -> int:
    comm: Communicator = SingleProcess()

    def entry() -> Result:
        nonlocal comm
        with open_world(LONGEST_WAIT_S) as comm:
            return work(comm)

    try:
        with progress.reporting_to(progress_lines(unit)):
            result = reinit(entry) if settings.get("recovery") == "reinit" else entry()
    except MatexError as error:
        if comm.rank == 0:
            print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    if comm.rank == 0:
        print(to_text(result), flush=True)
    return 0


def _train(domain: Domain[Any, Any], given: dict[str, Any], comm: Communicator) -> Result:
    settings, ranks = from_plain(domain.settings, given), Ranks(comm)
    _write_placement(comm)
    if (out := settings.out) is not None:
        ranks.run("before the start", lambda: ranks.on_root(lambda: check_folder(out)))
    study = run_study(domain, settings, comm)

    def finish() -> Result:
        if out is not None:
            study.save(out)
        return study.summary()

    return ranks.run("at the end", lambda: ranks.on_root(finish))


def _predict(domain: Domain[Any, Any], given: dict[str, Any], comm: Communicator) -> Result:
    options = dict(given)
    folder, rows, out = (options.pop(name) for name in ("model", "rows", "out"))
    source = domain.source(rows, **options)
    model = comm.on_all(lambda: Model.load(folder, domain))
    return {**predict_file(model, source, out, comm), BETTER: model.facts.get(BETTER, [])}


def _trained(domain: Domain[Any, Any], result: Result) -> str:
    return domain.as_table(result)


def _predicted(domain: Domain[Any, Any], result: Result) -> str:
    return (
        f"{result['rows'] - result['bad']:,} of {result['rows']:,} {domain.unit} predicted in "
        f"{result['seconds']:.1f} s: {result['out']}"
    )


def _write_placement(comm: Communicator) -> None:
    """Write a line on standard error about hosts, devices and threads. Collective."""
    placed = devices.summary(run_fault_tolerant(comm, lambda _: devices.describe(comm)))
    if comm.rank == 0:
        _write(placed)


def progress_lines(unit: str) -> progress.Sink:
    """Return what writes lines on standard error, from rank 0.

    At the end of each epoch, how the training goes; every few seconds of other work, how far it is
    and how fast, where ranks have shares of their own about that of rank 0; and ranks that are
    lost.

    Parameters
    ----------
    unit : str
        What is learned from, as in "rows".
    """
    written: dict[str, float] = {}
    began: dict[str, tuple[float, int]] = {}

    def write(event: dict[str, Any]) -> None:
        if event.get("rank") != 0:
            return
        report_failure_line(event)
        if event["kind"] == "train" and event["step"] == event["steps"] and event["metrics"]:
            _write(_epoch_line(event, unit))
        elif event["kind"] == "work":
            what, now = event["what"], time.monotonic()
            start, done = began.setdefault(what, (now, event["done"]))
            if now - written.setdefault(what, now) >= _LINE_EVERY_S:
                written[what] = now
                _write(_work_line(event, (event["done"] - done) / (now - start)))

    return write


def report_failure_line(event: dict[str, Any]) -> None:
    """Write on standard error, from rank 0, that ranks were lost, if the event says so."""
    if event["kind"] == "rank_failure" and event["rank"] == 0:
        _write(event["event"])


def _epoch_line(event: dict[str, Any], unit: str) -> str:
    which = f"{event['what']}: " if "what" in event else ""
    figures = "  ".join(f"{name} {value:.4f}" for name, value in event["metrics"].items())
    return (
        f"{which}epoch {event['epoch']}/{event['epochs']}  loss {event['loss']:.4f}  {figures}  "
        f"{event['rows_per_s']:,.0f} {unit}/s"
    )


def _work_line(event: dict[str, Any], rate: float) -> str:
    total, ranks = event["total"], event["world_size"]
    who = f"rank 0 of {ranks}: " if total is not None and ranks > 1 else ""
    of = "" if total is None else f" of {total:,}"
    speed = f"{rate:,.{0 if rate >= 10 else 1}f} a second"
    return f"{who}{event['what']}: {event['done']:,}{of} {event['unit']}, {speed}"


def _write(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
