"""``python -m matexapps.apps.higgs '{"data": "HIGGS.csv.gz", "epochs": 20}'``.

Alone or under ``mpiexec -n N``. The settings are those of
:class:`matexapps.apps.higgs.settings.ExperimentSettings`, and ``json``: whether rank 0 prints the
results as one JSON object on its last line (true unless it is set to false) or as a table.
"""

from __future__ import annotations

import sys
from typing import Any

from matexapps.apps.higgs.experiment import LONGEST_WAIT_S, run
from matexapps.apps.higgs.settings import ExperimentSettings
from matexapps.experiment.command import run_experiment


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


def main(arguments: list[str]) -> int:
    """Run from the command line and return the exit status."""
    return run_experiment(
        arguments, __doc__, ExperimentSettings, run, "rows", LONGEST_WAIT_S, as_table
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
