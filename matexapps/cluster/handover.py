"""The names of ranks, handed over to the ranks that are started in their place."""

from __future__ import annotations

from dataclasses import dataclass

from matexapps.cluster.call.call import Call
from matexapps.cluster.output.rank_names import rank_names
from matexapps.cluster.ranks.engines import Engines
from matexapps.engine import handover


@dataclass(frozen=True)
class Handover:
    """The names of ranks and their values, pickled.

    Attributes
    ----------
    by_rank : list of bytes
        The names of each rank, in rank order.
    common : bytes
        The names that are equal on all ranks.
    equal, different, unpicklable : list of str
        The names that are equal on all ranks, those that are not, and those that cannot be pickled.
    """

    by_rank: list[bytes]
    common: bytes
    equal: list[str]
    different: list[str]
    unpicklable: list[str]

    @classmethod
    def collect(cls, engines: Engines) -> Handover:
        """Return the names of all ranks."""
        ranks = range(engines.n)
        digests = list(Call(engines, ranks, "grow", handover.digests, (), {}).results().values())
        names = [set(names) for names in digests]
        unpicklable = {n for names in digests for n, digest in names.items() if digest is None}
        # One rank alone does not show which of its names, such as rank, are its own.
        equal = {
            name
            for name in set.intersection(*names) - unpicklable
            if len(digests) > 1 and len({digests_of[name] for digests_of in digests}) == 1
        }
        picklable = set.union(*names) - unpicklable
        by_rank = Call(engines, ranks, "grow", handover.pack, (picklable,), {}).results()
        common = Call(engines, [0], "grow", handover.pack, (equal,), {}).results()[0]
        return cls(
            list(by_rank.values()),
            common,
            sorted(equal),
            sorted(picklable - equal),
            sorted(unpicklable),
        )

    def deliver(self, engines: Engines) -> str:
        """Set the names on ranks that were started anew, and return a summary for the user."""
        for rank in range(engines.n):
            packed = self.by_rank[rank] if rank < len(self.by_rank) else self.common
            Call(engines, [rank], "grow", handover.unpack, (packed,), {}).results()
        # Communicators among the names have yet to be opened.
        engines.needs_renewal = True
        new = rank_names(range(len(self.by_rank), engines.n))
        parts = [f"{engines.n} ranks"]
        if self.equal:
            parts.append(f"handed over: {', '.join(self.equal)}")
        if self.different:
            parts.append(f"not set on {new}, set them there again: {', '.join(self.different)}")
        if self.unpicklable:
            parts.append(f"lost, because they cannot be pickled: {', '.join(self.unpicklable)}")
        if len(parts) == 1:
            parts.append("nothing to hand over, because no rank had a name")
        return "; ".join(parts)
