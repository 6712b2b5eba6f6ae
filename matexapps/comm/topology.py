"""Who the ranks are: what each tells the others of itself when a communicator is opened."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from matexapps.comm.failures.membership import Base, Member, fault_tolerant
from matexapps.comm.waiting import Waiting


@dataclass(frozen=True)
class Topology:
    """One rank's.

    Attributes
    ----------
    host : str
    memory : str
        What processes of one host that can share memory have in common.
    pid : int
        Its process number on that host.
    is_new : bool
        Whether it does not know yet who the members of the base are.
    generation : int
        How often ranks have been started in place of lost ones, as far as it knows.
    """

    host: str
    memory: str
    pid: int
    is_new: bool
    generation: int

    @classmethod
    def of_this_rank(cls, host: str, base: Base) -> Self:
        """Return what this process says of itself."""
        return cls(host, _memory_namespace(), os.getpid(), base.roll is None, base.generation)

    def shares_memory_with(self, other: Topology) -> bool:
        """Whether memory of the one can be mapped by the other."""
        return (self.host, self.memory) == (other.host, other.memory)


def register(everybody: Sequence[Topology], base: Base, waiting: Waiting) -> None:
    """Note in a base who its members are, unless all of them know. Collective.

    Parameters
    ----------
    everybody : sequence of Topology
        In the order of the ranks.
    base : Base
    waiting : Waiting
    """
    base.generation = max(one.generation for one in everybody)
    if fault_tolerant() and any(one.is_new for one in everybody):
        base.members = [Member(rank, one.host, one.pid) for rank, one in enumerate(everybody)]
        base.roll = waiting.duplicate(base.comm)


def _memory_namespace() -> str:
    try:
        return os.readlink("/proc/self/ns/ipc")
    except OSError:
        return ""
