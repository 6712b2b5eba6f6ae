"""``python -m matexapps.apps.molecules '{"data": "solubility.csv", "epochs": 20}'``.

Alone or under ``mpiexec -n N``. The settings are those of
:class:`matexapps.apps.molecules.settings.ExperimentSettings`, and ``json``: whether rank 0 prints
the results as one JSON object on its last line (true unless it is set to false) or as a table.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from matexapps import devices, progress
from matexapps.apps.molecules.experiment import LONGEST_WAIT_S, run
from matexapps.apps.molecules.settings import ExperimentSettings
from matexapps.comm.communicator import Communicator
from matexapps.comm.single import SingleProcess
from matexapps.comm.survival import survive
from matexapps.comm.world import open_world
from matexapps.errors import MatexError

_REJECTED_SHOWN = 10


def as_table(summary: dict[str, Any]) -> str:
    """Return the results for a person."""
    lines = [
        f"{summary['data']}: {summary['molecules']:,} molecules, {summary['rejected']:,} rows "
        f"rejected, {summary['merged_rows']:,} merged, {len(summary['conflicts']):,} conflicts; "
        f"{summary['ranks']} ranks, {summary['seconds']:.0f} s"
    ]
    for row in summary["rejected_rows"][:_REJECTED_SHOWN]:
        lines.append(f"  rejected: row {row['row']}: {row['smiles']!r}: {row['reason']}")
    for name, floor in summary["noise_floor"].items():
        if floor is not None:
            lines.append(
                f"noise floor of {name}: {floor['deviation']:.3g}, from {floor['molecules']:,} "
                "molecules measured more than once"
            )
    lines.append(f"{'split':<10}{'target':<20}{'model':<15}{'test RMSE (95 % interval)':<30}gain")
    for kind, split in summary["splits"].items():
        for name, found in split["targets"].items():
            named = f"{name} ({found['unit']})" if found["unit"] else name
            lines.append(_line(kind, named, summary["network"], found))
            for baseline, other in found["baselines"].items():
                worst, best = other["network_gain_interval"]
                gain = f"{other['network_gain']:+.3f} ({worst:+.3f} to {best:+.3f})"
                lines.append(_line(kind, named, baseline, other) + gain)
            if found["interval_coverage"] is not None:
                lines.append(
                    f"{'':<30}90 % intervals, {found['interval_width']:.2f} wide on average, hold "
                    f"{100 * found['interval_coverage']:.1f} % of the test values"
                )
        leakage = split["leakage"]
        lines.append(
            f"{'':<10}{leakage['test']:,} test molecules: {len(leakage['identical'])} identical, "
            f"{leakage['same_skeleton']} isomers and {leakage['near']} near neighbours among those "
            f"learned from; median similarity {leakage['median_similarity']:.2f}"
        )
    return "\n".join(lines)


def _line(kind: str, target: str, model: str, found: dict[str, Any]) -> str:
    low, high = found["rmse_interval"]
    error = f"{found['rmse']:.3f} ({low:.3f} to {high:.3f})"
    return f"{kind:<10}{target:<20}{model:<15}{error:<30}"


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
            f"{event['rows_per_s']:,.0f} molecules/s",
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
    try:
        with progress.reporting_to(_print_news), open_world(LONGEST_WAIT_S) as comm:
            ExperimentSettings.from_dict(settings)  # an error in them comes before anything else
            placed = devices.summary(survive(comm, lambda _: devices.describe(comm)))
            if comm.rank == 0:
                print(placed, file=sys.stderr, flush=True)
            summary = run(settings, comm)
    except MatexError as error:
        if comm.rank == 0:
            print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    if comm.rank == 0:
        print(json.dumps(summary) if show_json else as_table(summary), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
