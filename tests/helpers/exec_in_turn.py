"""Run programs one after the other as ``matexapps exec`` runs them, in one set of ranks.

Starting Python, torch and MPI takes seconds; the programs take less than one::

    python exec_in_turn.py ORDERS

ORDERS is a file of JSON, a list of the keyword arguments of :func:`run`.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

from matexapps.transparent.program.script import Recording, run_script


def run(
    name: str, words: Sequence[str], weak: bool, recorded: bool, variables: Mapping[str, str]
) -> None:
    """Run ``NAME.py`` and leave ``NAME.out.RANK``, ``NAME.err.RANK``, ``NAME.status``."""
    rank = os.environ.get("OMPI_COMM_WORLD_RANK") or os.environ["PMI_RANK"]
    recording = Recording(Path(f"{name}.record"), 5) if recorded else None
    with (
        mock.patch.dict(os.environ, variables),
        _descriptor_to(1, f"{name}.out.{rank}"),
        _descriptor_to(2, f"{name}.err.{rank}"),
    ):
        status = run_script(Path(f"{name}.py"), words, weak=weak, recording=recording)
    if rank == "0":
        Path(f"{name}.status").write_text(str(status))


@contextmanager
def _descriptor_to(number: int, path: str) -> Iterator[None]:
    # What is told past ``sys.stderr`` is caught too.
    stream = (sys.stdout, sys.stderr)[number - 1]
    stream.flush()
    kept = os.dup(number)
    with open(path, "w") as file:
        os.dup2(file.fileno(), number)
    try:
        yield
    finally:
        stream.flush()
        os.dup2(kept, number)
        os.close(kept)


if __name__ == "__main__":
    for order in json.loads(Path(sys.argv[1]).read_text()):
        run(**order)
