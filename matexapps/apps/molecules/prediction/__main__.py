"""``python -m matexapps.apps.molecules.prediction '{"model": "model", "library": "library.smi"}'``.

Alone or under ``mpiexec -n N``. The settings are those of
:class:`matexapps.apps.molecules.prediction.settings.PredictionSettings`; the last line on standard
output is one JSON object.
"""

from __future__ import annotations

import sys

from matexapps.apps.molecules.prediction.run import WHAT, run
from matexapps.experiment.command import run_command, work_lines

_WAIT_S = 3600.0


def main(arguments: list[str]) -> int:
    """Run from the command line and return the exit status."""
    return run_command(arguments, __doc__, run, work_lines(WHAT), _WAIT_S)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
