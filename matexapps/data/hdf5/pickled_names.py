"""Reads lists of names from a pickle without running it.

PyTables stores column names as pickled lists. A pickle is a program, so only the few opcodes that
build lists and tuples of texts and integers are followed; any other opcode ends the reading.
"""

from __future__ import annotations

import pickletools
from typing import Any

_MARK = object()
_CONSTANTS = {"INT", "BININT", "BININT1", "BININT2", "STRING", "UNICODE", "BINUNICODE"}
_WITHOUT_EFFECT = {"PROTO", "FRAME", "STOP"}


def pickled_names(pickle: Any) -> list[str]:
    """Return the list of names in a pickle such as ``["pt", "eta"]`` or ``[(1, ["pt", "eta"])]``.

    Parameters
    ----------
    pickle : bytes or other
        Numbers among the names are returned as texts.

    Returns
    -------
    list of str
        Empty if this is not such a pickle.
    """
    if not isinstance(pickle, bytes):
        return []
    try:
        value = _built(pickle)
        if value and isinstance(value[-1], list):
            value = value[-1][-1]
    except (ValueError, LookupError, AttributeError, TypeError):
        return []
    is_list = isinstance(value, list) and all(isinstance(name, str) for name in value)
    return value if is_list else []


def _built(pickle: bytes) -> Any:
    """Return what the pickle builds, tuples as lists; raise ValueError at any other opcode."""
    stack: list[Any] = []
    memo: dict[Any, Any] = {}
    for opcode, argument, _ in pickletools.genops(pickle):
        name = opcode.name
        if name in _CONSTANTS or name == "SHORT_BINUNICODE":
            stack.append(str(argument))
        elif name == "MARK":
            stack.append(_MARK)
        elif name in ("LIST", "TUPLE"):
            stack.append(_since_mark(stack))
        elif name == "EMPTY_LIST":
            stack.append([])
        elif name == "TUPLE2":
            stack[-2:] = [stack[-2:]]
        elif name == "APPEND":
            last = stack.pop()
            stack[-1].append(last)
        elif name == "APPENDS":
            several = _since_mark(stack)
            stack[-1].extend(several)
        elif name in ("PUT", "BINPUT", "LONG_BINPUT"):
            memo[argument] = stack[-1]
        elif name == "MEMOIZE":
            memo[len(memo)] = stack[-1]
        elif name in ("GET", "BINGET", "LONG_BINGET"):
            stack.append(memo[argument])
        elif name not in _WITHOUT_EFFECT:
            raise ValueError(name)
    return stack[-1]


def _since_mark(stack: list[Any]) -> list[Any]:
    held: list[Any] = []
    while (last := stack.pop()) is not _MARK:
        held.append(last)
    return held[::-1]
