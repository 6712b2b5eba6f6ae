"""Why ranks ended: the launcher's report, the last lines of the rank's log, and memory."""

from __future__ import annotations

import re
import signal
from dataclasses import dataclass
from pathlib import Path

from matexapps.cluster.ranks.run_folder import last_lines
from matexapps.engine.rank_log import log_name
from matexapps.launch import rank_supervisor

# How Open MPI's launcher reports the rank that ended all others.
_KILLED = re.compile(r"rank (\d+) with PID \d+ on node (\S+) exited on\s+signal (\d+)")
_EXITED = re.compile(r"Process name: \[\S+,(\d+)\]\s+Exit code:\s+(\d+)")
_OOM_EVENTS = Path("/sys/fs/cgroup/memory.events")
_MAX_LINES = 12
_LINES_READ = 400
_ENGINE = f"{Path('matexapps', 'engine')}/"
_REASONS = {
    signal.SIGSEGV: "a crash in compiled code; its log may say where",
    signal.SIGBUS: "a crash in compiled code, or a file that was truncated while it was read",
    signal.SIGABRT: "a library gave up; its log may say why",
    signal.SIGILL: "code for another processor",
    signal.SIGFPE: "an arithmetic error in compiled code",
    signal.SIGTERM: "a person or a batch system ended it",
}


@dataclass(frozen=True)
class Circumstances:
    """What was known about ranks before one ended.

    Attributes
    ----------
    memory : dict of int to int
        Resident memory of each rank in bytes, as last measured, by launch rank.
    out_of_memory_kills : int
        How many processes the system had ended for lack of memory when the ranks started.
    unresponsive : frozenset of int
        The ranks that were ended because they gave no sign of life, by launch rank.
    """

    memory: dict[int, int]
    out_of_memory_kills: int
    unresponsive: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Ending:
    """How a process ended: by a signal, or with an exit status; the other one is None."""

    signal: int | None
    status: int | None

    @classmethod
    def of(cls, end: rank_supervisor.RankExit) -> Ending:
        """Return what a rank's supervisor reported."""
        return cls(-end.status, None) if end.status < 0 else cls(None, end.status)


def find_ending(pid: int, launcher_log: Path) -> Ending | None:
    """Return how the rank with a process number ended; None until it is reported."""
    for end in rank_supervisor.parse_exits(launcher_log.read_text(errors="replace")):
        if end.pid == pid:
            return Ending.of(end)
    return None


def out_of_memory_kills() -> int:
    """Return how many processes of this container were ended for lack of memory; 0 if unknown."""
    try:
        match = re.search(r"^oom_kill (\d+)", _OOM_EVENTS.read_text(), re.MULTILINE)
    except OSError:
        return 0
    return int(match[1]) if match else 0


def explain(name: str, status: int, folder: Path, before: Circumstances) -> str:
    """Return why controller or engines ended, in a few lines.

    Parameters
    ----------
    name : str
        Which of the two ended.
    status : int
        Its exit status.
    folder : Path
        The run's folder with all logs.
    before : Circumstances
    """
    log = folder / f"{name}.log"
    try:
        text = log.read_text(errors="replace")
    except OSError:
        text = ""
    if ends := rank_supervisor.parse_exits(text):
        rank, host, ending = ends[0].rank, ends[0].host, Ending.of(ends[0])
        return explain_rank(rank, rank, host, ending, folder, before)
    if match := _KILLED.search(text):
        rank, host, ending = int(match[1]), match[2], Ending(int(match[3]), None)
        return explain_rank(rank, rank, host, ending, folder, before)
    if match := _EXITED.search(text):
        rank = int(match[1])
        sentence = f"rank {rank} left with exit status {match[2]}"
        return f"{sentence}{_last_log_lines(folder / log_name(rank))}"
    return f"the {name} ended with status {status}{_last_log_lines(log)}"


def explain_rank(
    rank: int,
    launch_rank: int,
    host: str,
    ending: Ending | None,
    folder: Path,
    before: Circumstances,
) -> str:
    """Return why one rank ended, in a few lines.

    Parameters
    ----------
    rank, launch_rank : int
        Its number, and the one it was launched with.
    host : str
    ending : Ending or None
        None if it is not known.
    folder : Path
        The run's folder with all logs.
    before : Circumstances
    """
    sentence = f"rank {rank} on {host} ended for an unknown reason"
    if ending is not None and ending.signal is not None:
        sentence = f"rank {rank} on {host} was ended by signal {ending.signal}"
        sentence += _reason(ending.signal, launch_rank, before)
    elif ending is not None:
        sentence = f"rank {rank} on {host} left with exit status {ending.status}"
    return f"{sentence}{_last_log_lines(folder / log_name(launch_rank))}"


def _reason(number: int, launch_rank: int, before: Circumstances) -> str:
    if number not in {known.value for known in signal.Signals}:
        return ""
    known = signal.Signals(number)
    name = known.name
    if known is not signal.SIGKILL:
        return f" ({name}: {_REASONS[known]})" if known in _REASONS else f" ({name})"
    if launch_rank in before.unresponsive:
        return f" ({name}: it had given no sign of life for a minute)"
    size = before.memory.get(launch_rank)
    memory = f"; it was last seen using {size / 2**30:.1f} GiB" if size else ""
    if out_of_memory_kills() > before.out_of_memory_kills:
        return f" ({name}: the system ran out of memory{memory})"
    return f" ({name}: most often memory ran out, or somebody killed it{memory})"


def _last_log_lines(log: Path) -> str:
    lines = last_lines(log, _LINES_READ)
    crashes = [i for i, line in enumerate(lines) if line.startswith("Fatal Python error")]
    if crashes:
        # The stack of the crash, from the innermost line to the outermost of the user's work.
        lines = lines[crashes[-1] :]
        own = [i for i, line in enumerate(lines) if _ENGINE in line]
        lines = lines[: own[0]] if own else lines
    else:
        lines = lines[-_MAX_LINES:]
    if not lines:
        return f"\nIts log is empty: {log}"
    return f"\nThe last lines of its log, {log}:\n" + "\n".join(f"  {line}" for line in lines)
