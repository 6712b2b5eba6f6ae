"""Showing things in a notebook's cell, and as plain text anywhere else."""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import Any


def in_notebook() -> bool:
    """Whether this process is a notebook's kernel."""
    from IPython import get_ipython

    shell = get_ipython()
    return shell is not None and getattr(shell, "kernel", None) is not None


def after_the_cell(tell: Callable[[], None]) -> None:
    """Call ``tell`` when the cell is over and its error is shown; at once outside of a notebook."""
    if not in_notebook():
        tell()
        return
    from IPython import get_ipython

    events = get_ipython().events

    def once(*_: Any) -> None:
        events.unregister("post_run_cell", once)
        tell()

    events.register("post_run_cell", once)


def show(content: dict[str, str], handle: Any = None) -> Any:
    """Show forms of one thing by MIME type, in place of what ``handle`` stands for if there is one.

    Returns
    -------
    DisplayHandle or None
        For the next time; None outside of a notebook, where the plain text is printed.
    """
    if not in_notebook():
        print(content["text/plain"], flush=True)
        return None
    if handle is not None:
        handle.update(content, raw=True)
        return handle
    from IPython.display import display

    return display(content, raw=True, display_id=True)


class Folded:
    """A heading with text under it that a click unfolds. Shown again, it replaces itself.

    Parameters
    ----------
    unfolded : bool
        Whether the text is in sight at first.
    """

    def __init__(self, unfolded: bool = False) -> None:
        self._open = " open" if unfolded else ""
        self._handle: Any = None

    def show(self, title: str, text: str) -> None:
        """Show ``text`` under ``title``."""
        content = {
            "text/plain": f"{title}\n{text}",
            "text/html": (
                f'<details{self._open} style="margin:4px 0"><summary style="cursor:pointer">'
                f"{html.escape(title)}</summary>"
                '<pre style="margin:4px 0 4px 1.2em;white-space:pre-wrap">'
                f"{html.escape(text)}</pre></details>"
            ),
        }
        self._handle = show(content, self._handle)
