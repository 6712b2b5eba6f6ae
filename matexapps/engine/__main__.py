"""One rank behind a notebook: an engine of ipyparallel with a log of its own.

    python -m matexapps.engine LOGS STACKS [arguments of ipengine ...]

LOGS and STACKS are folders. ``mpiexec`` starts it; its environment variables contain the rank.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from matexapps.engine.rank_log import open_log

_RANK_VARIABLES = ("OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK")


def main() -> None:
    """Open the log and become an engine."""
    logs, stacks, *arguments = sys.argv[1:]
    rank = next((int(os.environ[name]) for name in _RANK_VARIABLES if name in os.environ), 0)
    open_log(Path(logs), Path(stacks), rank)

    from ipyparallel.engine.app import IPEngine

    IPEngine.launch_instance(arguments)


if __name__ == "__main__":
    main()
