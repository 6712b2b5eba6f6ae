"""``python -m matexapps.apps.molecules.pretraining '{"data": "library.smi", "out": "pre"}'``.

Alone or under ``mpiexec -n N``. The settings are those of
:class:`matexapps.apps.molecules.pretraining.settings.PretrainingSettings`; the last line on
standard output is one JSON object.
"""

from __future__ import annotations

import sys

from matexapps.apps.molecules.pretraining.run import run
from matexapps.experiment.command import epoch_lines, run_command
from matexapps.experiment.ranks import Ranks


def main(arguments: list[str]) -> int:
    """Run from the command line and return the exit status."""
    return run_command(
        arguments,
        __doc__,
        lambda settings, comm: run(settings, Ranks(comm)),
        epoch_lines("molecules"),
        restarts=True,
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
