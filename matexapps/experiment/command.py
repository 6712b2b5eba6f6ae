"""What a command line runs on ranks: settings as JSON, results from rank 0.

``python -m matexapps.experiment.command '{"domain": "package.module:NAME", "verb": "train",
"settings": {"epochs": 20}}'`` trains, keeps the model where the settings say, and prints.
"""

from __future__ import annotations

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
from matexapps.experiment.report import BETTER, as_text, better_baseline_lines
from matexapps.experiment.runner import run_study
from matexapps.experiment.settings import from_plain
from matexapps.train.state.reinit_state import reinit

Result = dict[str, Any]

_LINE_EVERY_S = 5.0


def run_command(
    arguments: list[str],
    usage: str | None,
    work: Callable[[dict[str, Any], Communicator], Result],
    news: progress.Sink,
    *,
    restarts: bool = False,
) -> int:
    """Run ``work`` on all ranks, print what it returns as JSON, and return the exit status.

    Parameters
    ----------
    arguments : list of str
        The settings as JSON, or a wish for help.
    usage : str or None
    work : callable
        Takes the settings and the ranks.
    news : callable
        Is told of progress.
    restarts : bool
        Whether the setting ``recovery`` may be "reinit".
    """
    if len(arguments) != 1 or arguments[0] in ("-h", "--help"):
        print(usage)
        return 0 if arguments in (["-h"], ["--help"]) else 2
    try:
        settings = json.loads(arguments[0])
    except json.JSONDecodeError as error:
        print(f"the settings are not JSON ({error}): {arguments[0]}", file=sys.stderr)
        return 2
    starts_again = restarts and settings.get("recovery") == "reinit"
    return _run(partial(work, settings), news, json.dumps, starts_again)


def _run(
    work: Callable[[Communicator], Result],
    news: progress.Sink,
    to_text: Callable[[Result], str],
    starts_again: bool = False,
) -> int:
    comm: Communicator = SingleProcess()

    def entry() -> Result:
        nonlocal comm
        with open_world(LONGEST_WAIT_S) as comm:
            return work(comm)

    try:
        with progress.reporting_to(news):
            result = reinit(entry) if starts_again else entry()
    except MatexError as error:
        if comm.rank == 0:
            print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    if comm.rank == 0:
        print(to_text(result), flush=True)
    return 0


def report_placement(comm: Communicator) -> None:
    """Write a line on standard error about hosts, devices and threads. Collective."""
    placed = devices.summary(run_fault_tolerant(comm, lambda _: devices.describe(comm)))
    if comm.rank == 0:
        print(placed, file=sys.stderr, flush=True)


def epoch_lines(unit: str) -> progress.Sink:
    """Return what writes a line on standard error at each epoch's end and when ranks are lost.

    Parameters
    ----------
    unit : str
        What is learned from, as in "rows".
    """

    def write(event: dict[str, Any]) -> None:
        report_failure_line(event)
        if event["kind"] != "train" or event["rank"] != 0 or event["step"] != event["steps"]:
            return
        figures = "  ".join(f"{name} {value:.4f}" for name, value in event["metrics"].items())
        if figures:
            which = f"{event['what']}: " if "what" in event else ""
            print(
                f"{which}epoch {event['epoch']}/{event['epochs']}  loss {event['loss']:.4f}  "
                f"{figures}  {event['rows_per_s']:,.0f} {unit}/s",
                file=sys.stderr,
                flush=True,
            )

    return write


def report_failure_line(event: dict[str, Any]) -> None:
    """Write on standard error, from rank 0, that ranks were lost, if the event says so."""
    if event["kind"] == "rank_failure" and event["rank"] == 0:
        print(event["event"], file=sys.stderr, flush=True)


def work_lines(what: str) -> progress.Sink:
    """Return what writes a line on standard error every few seconds: how far work is, how fast.

    Parameters
    ----------
    what : str
        The work, as :func:`~matexapps.progress.report_work` is told. Where ranks have shares of
        their own, the line is about rank 0's.
    """
    began = reported = time.monotonic()

    def write(event: dict[str, Any]) -> None:
        nonlocal reported
        report_failure_line(event)
        now = time.monotonic()
        if event.get("what") != what or event["rank"] != 0 or now - reported < _LINE_EVERY_S:
            return
        reported = now
        done, total, ranks = event["done"], event["total"], event["world_size"]
        who = f"rank 0 of {ranks}: " if total is not None and ranks > 1 else ""
        of = "" if total is None else f" of {total:,}"
        rate = done / (now - began)
        print(
            f"{who}{done:,}{of} {event['unit']}, {rate:,.{0 if rate >= 10 else 1}f} a second",
            file=sys.stderr,
            flush=True,
        )

    return write


def main(arguments: list[str]) -> int:
    """Train or predict on all ranks, and return the exit status."""
    given = json.loads(arguments[0])
    domain, settings = load_domain(given["domain"]), given["settings"]
    if given["verb"] == "train":
        return _run(
            partial(_train, domain, settings),
            epoch_lines(domain.unit),
            json.dumps if given.get("json") else partial(as_text, domain),
            settings.get("recovery") == "reinit",
        )
    return _run(
        partial(_predict, domain, settings),
        work_lines(f"predicting {domain.unit}"),
        json.dumps if given.get("json") else partial(_predicted, domain),
    )


def _predicted(domain: Domain[Any, Any], result: Result) -> str:
    done = (
        f"{result['rows'] - result['bad']:,} of {result['rows']:,} {domain.unit} predicted in "
        f"{result['seconds']:.1f} s: {result['out']}"
    )
    return "\n".join([done, *better_baseline_lines(result[BETTER])])


def _train(domain: Domain[Any, Any], given: dict[str, Any], comm: Communicator) -> Result:
    settings, ranks = from_plain(domain.settings, given), Ranks(comm)
    report_placement(comm)
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


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
