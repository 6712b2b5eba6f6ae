"""Cells on a rank: they run in one namespace, which is kept between cells."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from importlib import import_module
from itertools import groupby
from typing import Any

import numpy as np

from matexapps.engine.calls import imports_finish

_IMPORTS = (ast.Import, ast.ImportFrom)
_ADDRESS = re.compile(r" at 0x[0-9a-f]+")


def run_cell(
    code: str, name: str, first_line: int, fetch: bool, distribute: bool
) -> dict[str, Any]:
    """Run a cell, magics included, in this rank's namespace.

    Parameters
    ----------
    code : str
        The cell.
    name : str
        Its name in tracebacks.
    first_line : int
        The number of its first line in tracebacks.
    fetch : bool
        Whether to return the value of its last expression.
    distribute : bool
        Whether it was written for one process, and runs on all ranks together.

    Returns
    -------
    dict
        ``data`` and ``metadata``, the forms of the last expression's value by MIME type, empty if
        there is none or it is None; and ``value``, the value itself, None without ``fetch``.
    """
    shell = _shell()
    tree = ast.increment_lineno(ast.parse(shell.transform_cell(code), name), first_line - 1)
    last = None
    if tree.body and isinstance(tree.body[-1], ast.Expr) and not code.rstrip().endswith(";"):
        last = ast.Expression(tree.body.pop().value)
    namespace = shell.user_ns
    shell.events.trigger("pre_execute")
    try:
        with _distributed() if distribute else nullcontext():
            for part, imports in _parts(tree):
                with imports_finish() if imports else nullcontext():
                    exec(compile(part, name, "exec"), namespace)
            value = None if last is None else eval(compile(last, name, "eval"), namespace)
    finally:
        # Matplotlib shows the figures of the cell on this event.
        shell.events.trigger("post_execute")
    data, metadata = ({}, {}) if value is None else shell.display_formatter.format(value)
    if value is not None:
        namespace["_"] = value
    return {"data": data, "metadata": metadata, "value": value if fetch else None}


def _distributed() -> AbstractContextManager[Any]:
    with imports_finish():
        module = import_module("matexapps.transparent.distributed")
    context: AbstractContextManager[Any] = module.distributed()
    return context


def _parts(tree: ast.Module) -> Iterator[tuple[ast.Module, bool]]:
    """Yield runs of import statements at a cell's top level, and of others, in turn."""
    for imports, statements in groupby(tree.body, lambda s: isinstance(s, _IMPORTS)):
        yield ast.Module(list(statements), tree.type_ignores), imports


def push(values: dict[str, Any]) -> None:
    """Set names in this rank's namespace."""
    _shell().user_ns.update(values)


def pull(names: list[str]) -> list[Any]:
    """Return the values of names in this rank's namespace.

    Raises
    ------
    NameError
        If a name is not defined.
    """
    namespace = _shell().user_ns
    for name in names:
        if name not in namespace:
            raise NameError(f"name {name!r} is not defined on this rank")
    return [namespace[name] for name in names]


def who() -> dict[str, tuple[str, str]]:
    """Return the user's names on this rank, each with its type and a short form of its value."""
    return {
        name: (type(value).__name__, _short(value)) for name, value in sorted(users_names().items())
    }


def users_names() -> dict[str, Any]:
    """Return the user's names on this rank with their values."""
    shell = _shell()
    return {
        name: value
        for name, value in shell.user_ns.items()
        if not name.startswith("_") and name not in shell.user_ns_hidden
    }


def _shell() -> Any:
    from IPython import get_ipython

    return get_ipython()


def _short(value: Any) -> str:
    shape = getattr(value, "shape", None)
    if shape is not None and getattr(value, "dtype", None) is not None and np.ndim(shape) == 1:
        return f"{value.dtype} {tuple(shape)}"
    if isinstance(value, type(sys)):
        return value.__name__
    # Addresses differ by rank and tell a user nothing.
    text = _ADDRESS.sub("", repr(value).partition("\n")[0])
    return text if len(text) <= 60 else text[:57] + "..."
