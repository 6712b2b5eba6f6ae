"""Why ranks ended: what the launcher said, what the rank's own log said last, and memory."""

from __future__ import annotations

import re
import signal
from dataclasses import dataclass
from pathlib import Path

from matexapps.cluster.ranks.run_folder import last_lines
from matexapps.engine.rank_log import log_name
from matexapps.launch import rank_supervisor

# How Open MPI's launcher reports the rank that took the others along.
_KILLED = re.compile(r"rank (\d+) with PID \d+ on node (\S+) exited on\s+signal (\d+)")
_EXITED = re.compile(r"Process name: \[\S+,(\d+)\]\s+Exit code:\s+(\d+)")
_OOM_EVENTS = Path("/sys/fs/cgroup/memory.events")
_LAST_LINES = 12
_LOOKED_AT = 400
_ENGINE = f"{Path('matexapps', 'engine')}/"
_REASONS = {
    signal.SIGSEGV: "a crash in compiled code; its log may say where",
    signal.SIGBUS: "a crash in compiled code, or a file that shrank while it was read",
    signal.SIGABRT: "a library gave up; its log may say why",
    signal.SIGILL: "code for another processor",
    signal.SIGFPE: "an arithmetic error in compiled code",
    signal.SIGTERM: "somebody, or a batch system, ended it",
}


@dataclass(frozen=True)
class Circumstances:
    """What was known before.

    Attributes
    ----------
    memory : dict of int to int
        Resident memory of each rank in bytes, as last seen, by the number it started with.
    out_of_memory_kills : int
        How many processes the system had ended for lack of memory when the ranks started.
    silent : frozenset of int
        The ranks that were ended because they gave no sign of life, by the same numbers.
    """

    memory: dict[int, int]
    out_of_memory_kills: int
    silent: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Ending:
    """How a process ended: by a signal, or with an exit status; the other one is None."""

    signal: int | None
    status: int | None


def ending(pid: int, launcher_log: Path) -> Ending | None:
    """Return how the rank with a process number ended; None while that is not told."""
    said = launcher_log.read_text(errors="replace")
    for end in rank_supervisor.parse_exits(said):
        if end.pid == pid:
            return _as_watched(end)
    return None


def _as_watched(end: rank_supervisor.RankExit) -> Ending:
    return Ending(-end.status, None) if end.status < 0 else Ending(None, end.status)


def out_of_memory_kills() -> int:
    """Return how many processes of this container were ended for lack of memory; 0 if unknown."""
    try:
        found = re.search(r"^oom_kill (\d+)", _OOM_EVENTS.read_text(), re.MULTILINE)
    except OSError:
        return 0
    return int(found[1]) if found else 0


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
        said = log.read_text(errors="replace")
    except OSError:
        said = ""
    if ends := rank_supervisor.parse_exits(said):
        first = ends[0]
        how = _as_watched(first)
        return explain_rank(first.rank, first.rank, first.host, how, folder, before)
    if found := _KILLED.search(said):
        how = Ending(int(found[3]), None)
        return explain_rank(int(found[1]), int(found[1]), found[2], how, folder, before)
    if found := _EXITED.search(said):
        rank = int(found[1])
        what = f"rank {rank} left with exit status {found[2]}"
        return f"{what}{_last_words(folder / log_name(rank))}"
    return f"the {name} ended with status {status}{_last_words(log)}"


def explain_rank(
    rank: int, born: int, host: str, how: Ending | None, folder: Path, before: Circumstances
) -> str:
    """Return why one rank ended, in a few lines.

    Parameters
    ----------
    rank, born : int
        Its number, and the one it started with.
    host : str
    how : Ending or None
    folder : Path
        The run's folder with all logs.
    before : Circumstances
    """
    what = f"rank {rank} on {host} ended, nobody knows why"
    if how is not None and how.signal is not None:
        what = f"rank {rank} on {host} was ended by signal {how.signal}"
        what += _reason(how.signal, born, before)
    elif how is not None:
        what = f"rank {rank} on {host} left with exit status {how.status}"
    return f"{what}{_last_words(folder / log_name(born))}"


def _reason(number: int, born: int, before: Circumstances) -> str:
    if number not in {known.value for known in signal.Signals}:
        return ""
    known = signal.Signals(number)
    name = known.name
    if known is not signal.SIGKILL:
        return f" ({name}: {_REASONS[known]})" if known in _REASONS else f" ({name})"
    if born in before.silent:
        return f" ({name}: it had given no sign of life for a minute)"
    used = before.memory.get(born)
    seen = f"; it was last seen using {used / 2**30:.1f} GiB" if used else ""
    if out_of_memory_kills() > before.out_of_memory_kills:
        return f" ({name}: the system ran out of memory{seen})"
    return f" ({name}: most often memory ran out, or somebody killed it{seen})"


def _last_words(log: Path) -> str:
    lines = last_lines(log, _LOOKED_AT)
    begins = [place for place, line in enumerate(lines) if line.startswith("Fatal Python error")]
    if begins:
        # Where it crashed, from the innermost line to the outermost of the user's work.
        trace = lines[begins[-1] :]
        ends = [place for place, line in enumerate(trace) if _ENGINE in line]
        lines = trace[: ends[0]] if ends else trace
    else:
        lines = lines[-_LAST_LINES:]
    if not lines:
        return f"\nIts log is empty: {log}"
    return f"\nThe last lines of its log, {log}:\n" + "\n".join(f"  {line}" for line in lines)
