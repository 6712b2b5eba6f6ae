"""What ranks leave to those that are started in their place."""

from __future__ import annotations

from dataclasses import dataclass

from matexapps.cluster.call.call import Call
from matexapps.cluster.output.rank_names import rank_names
from matexapps.cluster.ranks.engines import Engines
from matexapps.engine import handover


@dataclass(frozen=True)
class Handover:
    """The names of ranks, packed.

    Attributes
    ----------
    own : list of bytes
        What each rank held, in the order of the ranks.
    shared : bytes
        What all of them held alike.
    alike, unlike, stuck : list of str
        Names that were the same on all ranks; that were not; that cannot be pickled.
    """

    own: list[bytes]
    shared: bytes
    alike: list[str]
    unlike: list[str]
    stuck: list[str]

    @classmethod
    def of(cls, engines: Engines) -> Handover:
        """Collect what the ranks hold."""
        ranks = range(engines.n)
        digests = Call(engines, ranks, "grow", handover.digests, (), {}).results()
        held = [set(of) for of in digests.values()]
        stuck = {name for of in digests.values() for name, digest in of.items() if digest is None}
        # One rank alone does not tell which of its names, such as rank, are its own affair.
        alike = {
            name
            for name in set.intersection(*held) - stuck
            if len(held) > 1 and len({of[name] for of in digests.values()}) == 1
        }
        known = set.union(*held) - stuck
        own = Call(engines, ranks, "grow", handover.pack, (known,), {}).results()
        shared = Call(engines, [0], "grow", handover.pack, (alike,), {}).results()[0]
        unlike = sorted(known - alike)
        return cls(list(own.values()), shared, sorted(alike), unlike, sorted(stuck))

    def leave_to(self, engines: Engines) -> str:
        """Hand it over to ranks that were started anew; return what to tell of it."""
        for rank in range(engines.n):
            packed = self.own[rank] if rank < len(self.own) else self.shared
            Call(engines, [rank], "grow", handover.unpack, (packed,), {}).results()
        # Communicators among the names have yet to be opened.
        engines.cut_short = True
        new = rank_names(range(len(self.own), engines.n))
        told = [f"{engines.n} ranks"]
        if self.alike:
            told.append(f"handed over: {', '.join(self.alike)}")
        if self.unlike:
            told.append(f"not to {new}, set them there again: {', '.join(self.unlike)}")
        if self.stuck:
            told.append(f"lost, for they cannot be pickled: {', '.join(self.stuck)}")
        if len(told) == 1:
            told.append("nothing to hand over, for no rank held a name")
        return "; ".join(told)
