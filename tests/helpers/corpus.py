"""Run many scripts one after another in one process, or in one set of ranks.

Starting Python, torch and MPI takes seconds; a script of the corpus takes less than one. So one
process runs them all, each in a folder of its own. A failure is written to a file and does not end
the others::

    python corpus.py SCRIPTS RESULTS plain|distributed NAME...

For each name there appear in RESULTS/name: ``folder`` (where the script ran), ``started``, and for
each rank ``stdout.R``, ``stderr.R``, ``ended.R``, and ``failure.R`` if an exception ended it.
"""

from __future__ import annotations

import faulthandler
import gc
import os
import random
import runpy
import sys
import traceback
import warnings
from contextlib import AbstractContextManager, nullcontext, redirect_stderr, redirect_stdout
from pathlib import Path

import numpy as np
import torch

LONGEST_S = 60.0


def run_script(script: Path, results: Path, distribute: bool) -> None:
    """Run one script in a fresh folder, inside ``distributed()`` if ``distribute``."""
    rank = os.environ.get("OMPI_COMM_WORLD_RANK") or os.environ.get("PMI_RANK", "0")
    folder = results / "folder"
    folder.mkdir(parents=True, exist_ok=True)
    (results / "started").touch()
    with (
        open(results / f"stdout.{rank}", "w") as stdout,
        open(results / f"stderr.{rank}", "w") as stderr,
        redirect_stdout(stdout),
        redirect_stderr(stderr),
        warnings.catch_warnings(),
    ):
        # A rank that waits forever prints its stack and ends the run; the caller runs the rest.
        faulthandler.dump_traceback_later(LONGEST_S, exit=True, file=stderr)
        # Also repeat what an earlier script was warned of.
        warnings.filterwarnings("default", category=UserWarning)
        warnings.filterwarnings("default", category=RuntimeWarning)
        os.chdir(folder)
        failure = _run(script, distribute)
        faulthandler.cancel_dump_traceback_later()
    if failure:
        (results / f"failure.{rank}").write_text(failure)
    (results / f"ended.{rank}").touch()


def _run(script: Path, distribute: bool) -> str:
    """Return the traceback of what ended the script early, "" for nothing."""
    try:
        with _distributed() if distribute else nullcontext():
            try:
                _reset()
                sys.argv = [str(script)]
                runpy.run_path(str(script), run_name="__main__")
            except Exception:
                # Inside ``distributed`` it would end all ranks and with them the other scripts.
                return traceback.format_exc()
    except Exception:
        return traceback.format_exc()
    return ""


def _distributed() -> AbstractContextManager[object]:
    from matexapps import distributed

    return distributed()


def _reset() -> None:
    gc.collect()
    if "keras" in sys.modules:
        sys.modules["keras"].utils.clear_session()
    torch.set_num_threads(1)
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002  # scripts use numpy's global generator
    torch.manual_seed(0)


def main() -> None:
    """Run the scripts that the command line names."""
    scripts, results = Path(sys.argv[1]).absolute(), Path(sys.argv[2]).absolute()
    mode, *names = sys.argv[3:]
    for name in names:
        run_script(scripts / f"{name}.py", results / name, distribute=mode == "distributed")


if __name__ == "__main__":
    main()
