"""Checks that all ranks are about to run the same collective.

Ranks that run different ones would wait for each other forever, or mix up their data. So before
each collective every rank contributes a number that stands for its call. If the numbers differ, the
ranks exchange descriptions of their calls, and raise.
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
    """The checks of one communicator.

    Parameters
    ----------
    comm : MPI.Intracomm
        Carries the checks and nothing else.
    waiting : Waiting
    gather : callable
        Returns every rank's bytes, in rank order, without a check.
    """

    def __init__(
        self, comm: MPI.Intracomm, waiting: Waiting, gather: Callable[[bytes], list[bytes]]
    ) -> None:
        self._comm = comm
        self._waiting = waiting
        self._gather = gather
        self._own = np.zeros(2, np.int64)
        self._lowest = np.zeros(2, np.int64)

    def check(self, operation: str, detail: object, array: NDArray[Any] | None) -> None:
        """Return when every rank is about to make the same call. Collective.

        Parameters
        ----------
        operation : str
            The call as a program has it, with ``{}`` for ``detail``.
        detail : hashable
            What else must be the same on all ranks.
        array : ndarray or None
            The argument; its dtype and shape must be the same.

        Raises
        ------
        MismatchedCollectives
            On every rank, if one of them makes another call.
        """
        if array is None:
            call = _call(operation, detail, None, ())
        else:
            call = _call(operation, detail, array.dtype, array.shape)
        # One reduction yields the lowest number and, negated, the highest.
        self._own[0], self._own[1] = call.number, -call.number
        self._waiting.run(call.text, self._comm.Iallreduce, self._own, self._lowest, op=MPI.MIN)
        lowest, highest_negated = self._lowest.tolist()
        if lowest != -highest_negated:
            calls = self._gather(f"{call.text} at {call_site()}".encode())
            self._waiting.mark_broken("ranks did not run the same collective", notify=False)
            raise MismatchedCollectives(_message(calls))


def _message(calls: list[bytes]) -> str:
    ranks_by_call: dict[bytes, list[int]] = {}
    for rank, call in enumerate(calls):
        ranks_by_call.setdefault(call, []).append(rank)
    lines = [
        f"  rank{'s' if len(ranks) > 1 else ''} {', '.join(map(str, ranks))}: {call.decode()}"
        for call, ranks in ranks_by_call.items()
    ]
    return "\n".join(
        [
            "ranks do not run the same collective:",
            *lines,
            "every rank must call the same collectives in the same order; "
            "look for an `if` that depends on the rank",
        ]
    )
