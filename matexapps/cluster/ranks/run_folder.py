"""The folder of a run, with a log for each rank. It stays when the ranks are gone."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from datetime import datetime
from pathlib import Path

LOGS = "MATEXAPPS_LOGS"
_MAX_RUNS = 20
_NAME = re.compile(r"\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d_\d+")


def new_run_folder() -> Path:
    """Make the folder of a new run and return it.

    It lies in the folder that the environment's ``MATEXAPPS_LOGS`` names, or else in
    ``matexapps_logs`` beside the notebook, where the notebook can link to it. If that cannot be
    written, it lies in the system's folder for temporary files. The newest 20 runs are kept.
    """
    name = f"{datetime.now():%Y-%m-%d_%H-%M-%S}_{os.getpid()}"
    preferred = Path(os.environ.get(LOGS) or "matexapps_logs").absolute()
    for parent in (preferred, Path(tempfile.gettempdir()) / "matexapps_logs"):
        try:
            folder = _unused(parent / name)
            folder.mkdir(parents=True, mode=0o700)
        except OSError:
            continue
        _remove_old(parent)
        return folder
    return Path(tempfile.mkdtemp(prefix="matexapps-logs-"))


def _unused(path: Path) -> Path:
    number, candidate = 1, path
    while candidate.exists():
        number += 1
        candidate = path.with_name(f"{path.name}{number}")
    return candidate


def _remove_old(parent: Path) -> None:
    runs = sorted(path for path in parent.iterdir() if _NAME.match(path.name))
    for run in runs[:-_MAX_RUNS]:
        shutil.rmtree(run, ignore_errors=True)


def last_lines(path: Path, count: int) -> list[str]:
    """Return the last lines of a log that are not empty; none if it cannot be read."""
    try:
        lines = path.read_text(errors="replace").splitlines()
    except OSError:
        return []
    return [line for line in lines if line.strip("- ")][-count:]
