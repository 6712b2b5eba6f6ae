"""``python -m matexapps.apps.higgs '{"data": "HIGGS.csv.gz", "epochs": 20}'``.

Alone or under ``mpiexec -n N``. The settings are those of
:class:`matexapps.apps.higgs.settings.ExperimentSettings`, and ``json``: whether rank 0 prints the
results as one JSON object on its last line (true unless it is set to false) or as a table.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from matexapps import devices, progress
from matexapps.apps.higgs.experiment import LONGEST_WAIT_S, run
from matexapps.apps.higgs.settings import ExperimentSettings
from matexapps.comm.communicator import Communicator
from matexapps.comm.single import SingleProcess
from matexapps.comm.survival import survive
from matexapps.comm.world import open_world
from matexapps.errors import MatexError
from matexapps.train.memory import reinit


def as_table(summary: dict[str, Any]) -> str:
    """Return the results for a person."""
    rows = summary["rows"]
    low, high = summary["auc_interval"]
    lines = [
        f"{summary['data']}: {rows['train']:,} training, {rows['validation']:,} validation, "
        f"{rows['test']:,} test rows; {summary['ranks']} ranks, {summary['seconds']:.0f} s, "
        f"{summary['rows_per_s']:,.0f} rows/s",
        f"{'model':<34}{'test AUC':>9}  {'95 % interval':<17}  network gains",
        f"{summary['network']:<34}{summary['auc']:>9.4f}  {low:.4f} to {high:.4f}",
    ]
    for name, baseline in summary["baselines"].items():
        low, high = baseline["auc_interval"]
        worst, best = baseline["network_gain_interval"]
        lines.append(
            f"{name:<34}{baseline['auc']:>9.4f}  {low:.4f} to {high:.4f}  "
            f"{baseline['network_gain']:+.4f} ({worst:+.4f} to {best:+.4f})"
        )
    expected = summary["expected_events"]
    lines.append(
        f"significance {summary['ams']:.2f} standard deviations for {expected['signal']:,.0f} "
        f"signal and {expected['background']:,.0f} background events; cut chosen on validation rows"
    )
    return "\n".join(lines)


def _print_news(event: dict[str, Any]) -> None:
    """Write a line on standard error, from rank 0, at each epoch's end and when ranks are lost."""
    if event["kind"] == "loss" and event["rank"] == 0:
        print(event["event"], file=sys.stderr, flush=True)
    if event["kind"] != "train" or event["rank"] != 0 or event["step"] != event["steps"]:
        return
    figures = "  ".join(f"{name} {value:.4f}" for name, value in event["metrics"].items())
    if figures:
        print(
            f"epoch {event['epoch']}/{event['epochs']}  loss {event['loss']:.4f}  {figures}  "
            f"{event['rows_per_s']:,.0f} rows/s",
            file=sys.stderr,
            flush=True,
        )


def main(arguments: list[str]) -> int:
    """Run from the command line and return the exit status."""
    if len(arguments) != 1 or arguments[0] in ("-h", "--help"):
        print(__doc__)
        return 0 if arguments in (["-h"], ["--help"]) else 2
    try:
        settings = json.loads(arguments[0])
    except json.JSONDecodeError as error:
        print(f"the settings are not JSON ({error}): {arguments[0]}", file=sys.stderr)
        return 2
    show_json = settings.pop("json", True)
    comm: Communicator = SingleProcess()

    def train() -> dict[str, Any]:
        nonlocal comm
        with open_world(LONGEST_WAIT_S) as comm:
            ExperimentSettings.from_dict(settings)  # an error in them comes before anything else
            placed = devices.summary(survive(comm, lambda _: devices.describe(comm)))
            if comm.rank == 0:
                print(placed, file=sys.stderr, flush=True)
            return run(settings, comm)

    try:
        with progress.reporting_to(_print_news):
            summary = reinit(train) if settings.get("recovery") == "reinit" else train()
    except MatexError as error:
        if comm.rank == 0:
            print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    if comm.rank == 0:
        print(json.dumps(summary) if show_json else as_table(summary), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
