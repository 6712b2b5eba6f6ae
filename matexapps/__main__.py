"""Runs a program written for one process on the ranks that ``mpiexec`` started.

    mpiexec -n 4 python -m matexapps train.py --lr 0.1

Everything else is said by ``matexapps --help``.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path


def main() -> None:
    """Read the command line and run the program."""
    if "PYTHONHASHSEED" not in os.environ:
        # The order of a set of texts depends on it, and must be the same on all ranks.
        os.environ["PYTHONHASHSEED"] = "0"
        os.execv(sys.executable, [sys.executable, "-m", "matexapps", *sys.argv[1:]])
    parser = argparse.ArgumentParser(
        prog="python -m matexapps",
        description="Run a program written for one process on the ranks that mpiexec started.",
        epilog="For example:  mpiexec -n 4 python -m matexapps train.py --lr 0.1     "
        "All other commands:  matexapps --help",
    )
    parser.add_argument(
        "--weak", action="store_true", help="batch size for each rank; learning rate times ranks"
    )
    parser.add_argument("--record", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--steps", type=int, default=5, help=argparse.SUPPRESS)
    parser.add_argument("script", type=Path, help="a Python program")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="its own arguments")
    options = parser.parse_args()

    from matexapps.errors import MatexError
    from matexapps.transparent.program.script import Recording, run_script

    recording = Recording(options.record, options.steps) if options.record else None
    try:
        status = run_script(
            options.script, options.arguments, weak=options.weak, recording=recording
        )
    except MatexError as error:
        sys.exit(f"{error}")
    sys.exit(status)


if __name__ == "__main__":
    main()
