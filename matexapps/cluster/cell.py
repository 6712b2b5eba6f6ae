"""A cell that is sent to ranks: its code, and its name in tracebacks."""

from __future__ import annotations

import linecache
from itertools import count

_numbers = count(1)


class Cell:
    """The code of a cell.

    Parameters
    ----------
    code : str
    first_line : int
        The number of its first line, as the user counts them.

    Attributes
    ----------
    name : str
        Its name in tracebacks: ``Cell In[7]`` in a notebook.
    """

    def __init__(self, code: str, first_line: int = 1) -> None:
        self._code, self._first_line, self.name = code, first_line, _name()
        # Tracebacks of ranks, and the stacks they send, show its lines.
        lines = ["\n"] * (first_line - 1) + code.splitlines(keepends=True)
        linecache.cache[self.name] = (len(code), None, lines, self.name)

    def arguments(self, fetch: bool, distribute: bool) -> tuple[str, str, int, bool, bool]:
        """Return the arguments of :func:`matexapps.engine.cells.run_cell`."""
        return self._code, self.name, self._first_line, fetch, distribute


def _name() -> str:
    from IPython import get_ipython

    shell = get_ipython()
    return f"Cell In[{next(_numbers) if shell is None else shell.execution_count}]"
