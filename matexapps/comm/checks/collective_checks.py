"""Whether all ranks are about to run the same collective.

Ranks that run different ones would wait for each other for ever, or mix up their data. Before each
collective every rank here contributes a number that stands for the call; where the numbers differ,
the ranks tell each other what they were about to do, and raise.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from mpi4py import MPI
from numpy.typing import NDArray

from matexapps.comm.checks.call_site import call_site
from matexapps.comm.waiting import Waiting
from matexapps.errors import MismatchedCollectives


class _Call(NamedTuple):
    text: str
    number: int


@lru_cache(maxsize=4096)
def _call(
    operation: str, detail: object, dtype: np.dtype[Any] | None, shape: tuple[int, ...]
) -> _Call:
    text = operation.format(detail)
    if dtype is not None:
        text += f" of {dtype} {shape}"
    digest = hashlib.blake2b(text.encode(), digest_size=7).digest()
    return _Call(text, int.from_bytes(digest, "big"))


class CollectiveChecks:
    """The check of one communicator.

    Parameters
    ----------
    comm : MPI.Intracomm
        Carries the checks and nothing else.
    waiting : Waiting
    gather : callable
        Returns what every rank gives it, in rank order, unchecked.
    """

    def __init__(
        self, comm: MPI.Intracomm, waiting: Waiting, gather: Callable[[bytes], list[bytes]]
    ) -> None:
        self._comm = comm
        self._waiting = waiting
        self._gather = gather
        self._mine = np.zeros(2, np.int64)
        self._lowest = np.zeros(2, np.int64)

    def check(self, operation: str, detail: object, array: NDArray[Any] | None) -> None:
        """Return once every rank is about to make the same call. Collective.

        Parameters
        ----------
        operation : str
            As a person would write the call, with ``{}`` for ``detail``.
        detail : hashable
            What else must be alike on all ranks.
        array : ndarray or None
            What the call works on; its dtype and shape must be alike.

        Raises
        ------
        MismatchedCollectives
            On every rank, if one of them calls something else.
        """
        if array is None:
            call = _call(operation, detail, None, ())
        else:
            call = _call(operation, detail, array.dtype, array.shape)
        # The lowest of the numbers and, negated, the highest: alike only if all are.
        self._mine[0], self._mine[1] = call.number, -call.number
        self._waiting.run(call.text, self._comm.Iallreduce, self._mine, self._lowest, op=MPI.MIN)
        lowest, highest_negated = self._lowest.tolist()
        if lowest != -highest_negated:
            calls = self._gather(f"{call.text} at {call_site()}".encode())
            self._waiting.give_up("ranks did not run the same collective", tell=False)
            raise MismatchedCollectives(_report(calls))


def _report(calls: list[bytes]) -> str:
    ranks: dict[bytes, list[int]] = {}
    for rank, call in enumerate(calls):
        ranks.setdefault(call, []).append(rank)
    lines = [
        f"  rank{'s' if len(who) > 1 else ''} {', '.join(map(str, who))}: {call.decode()}"
        for call, who in ranks.items()
    ]
    return "\n".join(
        [
            "ranks do not run the same collective:",
            *lines,
            "every rank must call the same collectives in the same order; "
            "look for an `if` that depends on the rank",
        ]
    )
