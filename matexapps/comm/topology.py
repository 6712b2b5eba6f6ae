"""Which process each rank is, and which ranks share memory."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Self

from matexapps.comm.failures.membership import Member, Membership


@dataclass(frozen=True)
class RankInfo:
    """What one rank tells the others about itself.

    Attributes
    ----------
    host : str
    memory : str
        Names the memory that processes of this host can share.
    pid : int
        Its process number on that host.
    is_new : bool
        Whether it does not know the members of its membership yet.
    generation : int
        How often failed ranks have been replaced, as far as it knows.
    """

    host: str
    memory: str
    pid: int
    is_new: bool
    generation: int

    @classmethod
    def of_this_process(cls, host: str, membership: Membership) -> Self:
        """Return what this process tells the others."""
        is_new = membership.liveness_comm is None
        return cls(host, _memory_namespace(), os.getpid(), is_new, membership.generation)


@dataclass(frozen=True)
class Topology:
    """All ranks of a world.

    Attributes
    ----------
    ranks : tuple of RankInfo
        In rank order.
    """

    ranks: tuple[RankInfo, ...]

    def local_ranks(self, rank: int) -> list[int]:
        """Return the ranks that can share memory with ``rank``, itself included."""
        own = self.ranks[rank]
        return [
            other
            for other, info in enumerate(self.ranks)
            if (info.host, info.memory) == (own.host, own.memory)
        ]

    @property
    def has_new_ranks(self) -> bool:
        """Whether some rank does not know yet who the others are."""
        return any(info.is_new for info in self.ranks)

    @property
    def generation(self) -> int:
        """How often failed ranks have been replaced."""
        return max(info.generation for info in self.ranks)

    def members(self) -> list[Member]:
        """Return every rank's process."""
        return [Member(rank, info.host, info.pid) for rank, info in enumerate(self.ranks)]


def _memory_namespace() -> str:
    try:
        return os.readlink("/proc/self/ns/ipc")
    except OSError:
        return ""
