"""Run all programs of ``io_programs`` on these ranks, and write ``results.json``.

    python run_io_programs.py rank-0-first|rank-0-last

Rank 0 goes through each program before the other ranks begin, or after they have ended.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from pathlib import Path
from typing import Any

import io_programs

from matexapps import distributed, open_world
from matexapps.comm.communicator import Communicator


def run(comm: Communicator, name: str, rank_0_first: bool, folder: Path) -> list[Any]:
    """Run one program in a new folder, and return what it has read on each rank."""
    if comm.rank == 0:
        folder.mkdir()
        os.chdir(folder)
        io_programs.PREPARED.get(name, lambda: None)()
    comm.barrier()
    os.chdir(folder)
    with distributed(comm):
        if (comm.rank == 0) == rank_0_first:
            result = result_of(io_programs.PROGRAMS[name])
            comm.barrier()
        else:
            before = io_programs.contents_and_times()
            comm.barrier()
            changed = comm.rank == 0 and io_programs.contents_and_times() != before
            result = result_of(io_programs.PROGRAMS[name])
            result = "other ranks wrote real files" if changed else result
    assert os.path.samefile(os.getcwd(), folder)
    return comm.all_gather_object(result)


def result_of(program: io_programs.Program) -> Any:
    """Return a program's result, or its traceback."""
    try:
        return json.loads(json.dumps(program()))
    except Exception:
        return traceback.format_exc()


def main() -> None:
    """Run all programs."""
    root, rank_0_first = Path.cwd(), sys.argv[1] == "rank-0-first"
    with open_world() as comm:
        results = {
            name: run(comm, name, rank_0_first, root / name) for name in io_programs.load_programs()
        }
        os.chdir(root)
        if comm.rank == 0:
            Path("results.json").write_text(json.dumps(results))


if __name__ == "__main__":
    main()
