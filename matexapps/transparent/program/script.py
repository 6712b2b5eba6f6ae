"""A program in a file, run on all ranks as ``python FILE ARGUMENTS`` would run it on one."""

from __future__ import annotations

import io
import os
import runpy
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from matexapps.comm.communicator import Communicator
from matexapps.comm.world import open_world
from matexapps.errors import PeerAborted, TrainingError
from matexapps.transparent.checking.record import Recorder
from matexapps.transparent.distributed import distributed, sharded_calls
from matexapps.transparent.program.at_exit import user_exit_functions
from matexapps.transparent.program.long_waits import reporting_long_waits
from matexapps.transparent.program.outcome import Outcome, report_outcome
from matexapps.transparent.rank_zero_io import rank_zero_io
from matexapps.transparent.seeds import fixed_seeds

_PACKAGE = str(Path(__file__).resolve().parents[2]) + os.sep


@dataclass(frozen=True)
class Recording:
    """A request to record a program's first steps and to discard everything else it makes.

    Attributes
    ----------
    path : Path
        Where the record is written.
    steps : int
        The number of steps.
    """

    path: Path
    steps: int


def run_script(
    path: Path,
    arguments: Sequence[str],
    *,
    weak: bool = False,
    recording: Recording | None = None,
) -> int:
    """Run a program on all ranks. Collective.

    Before each exchange, ranks make sure that all of them make the same one. A failure is reported
    by rank 0 alone, its first cause first.

    Parameters
    ----------
    path : Path
        The program.
    arguments : sequence of str
        Its command line.
    weak : bool
        As for :class:`matexapps.distributed`.
    recording : Recording, optional

    Returns
    -------
    int
        The exit status.

    Raises
    ------
    TrainingError
        If there is no such program.
    """
    if not path.is_file():
        raise TrainingError(f"there is no program {str(path)!r} in {Path.cwd()}")
    os.environ.setdefault("KERAS_BACKEND", "torch")
    for stream in (sys.stdout, sys.stderr):
        # Under mpiexec neither is a terminal, and lines would be delayed.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(line_buffering=True)
    outcomes = open_world(timeout_s=10.0, check=False)
    comm = open_world(check=True)
    with reporting_long_waits(comm, path):
        context = distributed(comm, weak=weak) if recording is None else _recorded(comm, recording)
        outcome = _run(path, arguments, context, comm)
    return report_outcome(outcome, outcomes)


def _run(
    path: Path,
    arguments: Sequence[str],
    context: AbstractContextManager[Any],
    comm: Communicator,
) -> Outcome:
    status = 0
    try:
        with context, _as_main(path, arguments), user_exit_functions():
            try:
                runpy.run_path(str(path), run_name="__main__")
            except SystemExit as exit_request:
                status = _exit_status(exit_request)
            comm.barrier()  # the program has ended on this rank
        comm.close()
    except BaseException as error:
        message = f"{type(error).__name__}: {error}"
        if not isinstance(error, PeerAborted):
            comm.abort(message)
        return Outcome(1, message, _user_trace(error, path), isinstance(error, PeerAborted))
    return Outcome(status)


@contextmanager
def _recorded(comm: Communicator, recording: Recording) -> Iterator[None]:
    recorder = Recorder(recording.steps)
    with (
        rank_zero_io(comm, discard=True),
        sharded_calls(comm) if comm.world_size > 1 else nullcontext(),
        fixed_seeds(),
        redirect_stdout(io.StringIO()),
    ):
        # The number of threads decides how sums are rounded.
        torch.set_num_threads(1)
        with recorder.recording():
            yield
    if comm.rank == 0:
        recorder.save(recording.path)


@contextmanager
def _as_main(path: Path, arguments: Sequence[str]) -> Iterator[None]:
    before = sys.argv, sys.path[0]
    sys.argv = [str(path), *arguments]
    sys.path[0] = str(path.parent.absolute())
    try:
        yield
    finally:
        sys.argv, sys.path[0] = before


def _exit_status(exit_request: SystemExit) -> int:
    if exit_request.code is None or isinstance(exit_request.code, int):
        return exit_request.code or 0
    print(exit_request.code, file=sys.stderr)
    return 1


def _user_trace(error: BaseException, path: Path) -> str:
    """Return the traceback from the program's first line on, without frames of this package."""
    trace = traceback.TracebackException.from_exception(error)
    frames = list(trace.stack)
    files = [frame.filename for frame in frames]
    first = files.index(str(path)) if str(path) in files else len(files)
    user_frames = [frame for frame in frames[first:] if not frame.filename.startswith(_PACKAGE)]
    trace.stack = traceback.StackSummary.from_list(user_frames)
    return "".join(trace.format()).rstrip()
