"""``%mpi`` and ``%%mpi``: ranks from a notebook's cells."""

from __future__ import annotations

import argparse
import ast
import html
import os
import shlex
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

from IPython.core.error import UsageError
from IPython.core.magic import Magics, line_cell_magic, magics_class

from matexapps.cluster.cell import Cell
from matexapps.cluster.cluster import Cluster
from matexapps.cluster.output.display import show
from matexapps.engine.rank_log import log_name
from matexapps.errors import ClusterError, MatexError, did_you_mean

COMMANDS = {
    "start": "start ranks: %mpi start -n 4",
    "status": "a table of the ranks: where they are and what they run",
    "stop": "end the ranks",
    "restart": "end the ranks and start new ones",
    "grow": "start ranks in place of lost ones, or more, and copy names to them: %mpi grow -n 4",
    "logs": "the last lines of the ranks' logs: %mpi logs --rank 1",
    "who": "the names on the ranks",
    "push": "copy names to the ranks: %mpi push x y",
    "pull": "copy a name back, as a list in rank order: %mpi pull loss",
}


class _Parser(argparse.ArgumentParser):
    """Reports errors as other magics of IPython do, without ending the process."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{self.prog}: {message}; see {self.prog}?")


def ranks_of(text: str) -> list[int]:
    """Return the ranks of a list such as ``"1,3"`` or ``"0-2"``."""
    ranks: list[int] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()):
            raise argparse.ArgumentTypeError(f"{text!r} is no list of ranks such as 1,3 or 0-2")
        ranks += range(int(first), int(last) + 1) if dash else [int(first)]
    return ranks


def cell_options() -> argparse.ArgumentParser:
    """Return the options of ``%%mpi``."""
    parser = _Parser(prog="%%mpi", add_help=False, allow_abbrev=False)
    parser.add_argument("--rank", "--ranks", dest="ranks", type=ranks_of, metavar="RANKS")
    parser.add_argument("--timeout", type=float, metavar="SECONDS")
    parser.add_argument("--distribute", action="store_true")
    parser.add_argument("-o", "--output", metavar="NAME")
    return parser


def command_options(command: str) -> argparse.ArgumentParser:
    """Return the options of ``%mpi`` with one of ``COMMANDS``."""
    parser = _Parser(prog="%mpi", add_help=False, allow_abbrev=False)
    if command == "start":
        parser.add_argument("-n", type=int, metavar="RANKS")
        parser.add_argument("--hang-after", type=float, metavar="SECONDS")
    if command == "grow":
        parser.add_argument("-n", type=int, metavar="RANKS")
    if command in ("push", "pull"):
        parser.add_argument("names", nargs="+")
    if command in ("push", "pull", "logs"):
        parser.add_argument("--rank", "--ranks", dest="ranks", type=ranks_of, metavar="RANKS")
    if command == "logs":
        parser.add_argument("-n", dest="lines", type=int, default=20, metavar="LINES")
    return parser


@contextmanager
def _message_only() -> Iterator[None]:
    """Show only the message of our own errors, without the frames of this package."""
    try:
        yield
    except MatexError as error:
        if not hasattr(error, "_render_traceback_"):
            lines = [f"\x1b[1;31m{type(error).__name__}\x1b[0m: {error}"]
            error._render_traceback_ = lambda: lines  # type: ignore[attr-defined]
        raise


def _show_started(cluster: Cluster) -> None:
    folder = os.path.relpath(str(cluster.log_folder))
    text = f"{cluster.n} rank{'s' if cluster.n > 1 else ''} started, in the variable cluster"
    links = " ".join(
        f'<a href="{html.escape(f"{folder}/{log_name(rank)}")}" target="_blank">{rank}</a>'
        for rank in range(cluster.n)
    )
    show({"text/plain": f"{text}; logs: {folder}", "text/html": f"{text}; logs of ranks {links}"})


@magics_class
class MpiMagics(Magics):
    """The magics; they use the cluster that was started last."""

    @property
    def _shell(self) -> Any:
        return self.shell

    @line_cell_magic
    def mpi(self, line: str, cell: str | None = None) -> Any:
        """Run a cell on MPI ranks, or manage the ranks.

        ::

            %%mpi                     run the cell on every rank; names stay between cells
            %%mpi --rank 0            on one rank
            %%mpi --ranks 1,3         on some; 0-2 works too
            %%mpi --distribute        run a cell written for one process on all ranks together
            %%mpi --timeout 60        stop it after 60 seconds
            %%mpi -o losses           put each rank's last expression into a list here

            %mpi start -n 4           start 4 ranks; they are the variable `cluster`
            %mpi start --hang-after 30   show where ranks are after 30 s of waiting or silence
            %mpi status               where the ranks are and what they run
            %mpi who                  the names on the ranks
            %mpi push x y             copy x and y to the ranks
            %mpi pull loss            return loss from every rank
            %mpi logs --rank 1 -n 50  the last lines of a rank's log
            %mpi restart              end the ranks and start new ones
            %mpi grow                 start ranks in place of lost ones, and copy names to them
            %mpi stop                 end the ranks

        What ranks print is shown by rank, and only once where it is equal. The notebook's Stop
        ends the cell on all ranks, and the next cell runs.

        Examples
        --------
        ::

            %%mpi
            import torch
            from matexapps import open_world
            comm = open_world()
            print(f"rank {comm.rank} of {comm.world_size}")
            torch.ones(3) * comm.rank
        """
        with _message_only():
            return self._line(line) if cell is None else self._cell(line, cell)

    def _line(self, line: str) -> Any:
        command, *words = shlex.split(line) or ["status"]
        if command not in COMMANDS:
            hint = did_you_mean(command, list(COMMANDS))
            commands = ", ".join(COMMANDS)
            raise UsageError(f"%mpi has no command {command!r}{hint}; it has {commands}")
        options = command_options(command).parse_args(words)
        run: Callable[[argparse.Namespace], Any] = getattr(self, f"_{command}")
        return run(options)

    def _cell(self, line: str, cell: str) -> None:
        options = cell_options().parse_args(shlex.split(line))
        # A syntax error is raised here, as for any cell, and disturbs no rank.
        try:
            ast.parse(self._shell.transform_cell(cell), "this cell")
        except SyntaxError as error:
            raise UsageError("".join(traceback.format_exception_only(error))) from None
        values = self._cluster().execute(
            Cell(cell, first_line=2),
            ranks=options.ranks,
            timeout_s=options.timeout,
            fetch=options.output is not None,
            distribute=options.distribute,
        )
        if options.output is not None:
            self._shell.user_ns[options.output] = values

    def _cluster(self) -> Cluster:
        cluster = Cluster.latest()
        if cluster is None:
            cluster = self._adopt(Cluster())
        return cluster

    def _adopt(self, cluster: Cluster) -> Cluster:
        cluster.start()
        # Kept here too: the ranks must not end because the variable gets another value.
        self._adopted = cluster
        self._shell.user_ns["cluster"] = cluster
        _show_started(cluster)
        return cluster

    def _start(self, options: argparse.Namespace) -> None:
        new, current = Cluster(options.n, hang_after_s=options.hang_after), Cluster.latest()
        if current is not None:
            if current.running and options.n in (None, current.n):
                print(f"{current.n} ranks are running already; %mpi restart gives new ones")
                return
            # Even if its ranks were killed: their guard still waits for the end of the pipe.
            current.stop()
        self._adopt(new)

    def _existing(self) -> Cluster:
        cluster = Cluster.latest()
        if cluster is None:
            raise ClusterError("no ranks have been started; start them with %mpi start -n 4")
        return cluster

    def _status(self, _: argparse.Namespace) -> Any:
        cluster = self._existing()
        if not cluster.running:
            raise ClusterError("the ranks have ended; start new ones with %mpi restart")
        return cluster.status()

    def _stop(self, _: argparse.Namespace) -> None:
        self._existing().stop()

    def _restart(self, _: argparse.Namespace) -> None:
        self._existing().stop()
        self._adopt(self._existing())

    def _grow(self, options: argparse.Namespace) -> None:
        self._existing().grow(options.n)

    def _logs(self, options: argparse.Namespace) -> None:
        cluster = self._existing()
        for rank in options.ranks or range(cluster.n):
            print(cluster.logs(rank, options.lines), end="\n\n")

    def _who(self, _: argparse.Namespace) -> Any:
        return self._existing().who()

    def _push(self, options: argparse.Namespace) -> None:
        namespace = self._shell.user_ns
        for name in options.names:
            if name not in namespace:
                hint = did_you_mean(name, [n for n in namespace if not n.startswith("_")])
                raise UsageError(f"there is no name {name!r} in this notebook{hint}")
        values = {name: namespace[name] for name in options.names}
        self._cluster().push(values, ranks=options.ranks)

    def _pull(self, options: argparse.Namespace) -> Any:
        cluster = self._existing()
        values = [cluster.pull(name, ranks=options.ranks) for name in options.names]
        return values[0] if len(values) == 1 else tuple(values)
