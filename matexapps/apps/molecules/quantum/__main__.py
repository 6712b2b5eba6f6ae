"""``python -m matexapps.apps.molecules.quantum '{"data": "library.smi", "out": "labels.csv"}'``.

Alone or under ``mpiexec -n N``. The settings are those of
:class:`matexapps.apps.molecules.quantum.settings.CampaignSettings`; the last line on standard
output is one JSON object.
"""

from __future__ import annotations

import sys

from matexapps.apps.molecules.quantum.campaign import WHAT, run
from matexapps.experiment.command import run_command, work_lines
from matexapps.experiment.ranks import Ranks


def main(arguments: list[str]) -> int:
    """Run from the command line and return the exit status."""
    return run_command(
        arguments,
        __doc__,
        lambda settings, comm: run(settings, Ranks(comm)),
        work_lines(WHAT),
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
