"""``python -m matexapps.apps.molecules '{"data": "solubility.csv", "epochs": 20}'``.

Alone or under ``mpiexec -n N``. The settings are those of
:class:`matexapps.apps.molecules.settings.ExperimentSettings`, and ``json``: whether rank 0 prints
the results as one JSON object on its last line (true unless it is set to false) or as a table.
"""

from __future__ import annotations

import sys

from matexapps.apps.molecules.experiment import LONGEST_WAIT_S, run
from matexapps.apps.molecules.report.text import as_table
from matexapps.apps.molecules.settings import ExperimentSettings
from matexapps.experiment.command import run_experiment


def main(arguments: list[str]) -> int:
    """Run from the command line and return the exit status."""
    return run_experiment(
        arguments, __doc__, ExperimentSettings, run, "molecules", LONGEST_WAIT_S, as_table
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
