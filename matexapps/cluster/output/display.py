"""Showing things below a notebook's cell, and as plain text anywhere else."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from matexapps.cluster.output.rank_names import group_equal, heading

MimeBundle = tuple[dict[str, Any], dict[str, Any]]
"""The forms of one thing by MIME type, and their metadata."""

_EMPTY: MimeBundle = ({"text/plain": ""}, {})


def in_notebook() -> bool:
    """Whether this process is a notebook's kernel."""
    from IPython import get_ipython

    shell = get_ipython()
    return shell is not None and getattr(shell, "kernel", None) is not None


def after_cell(callback: Callable[[], None]) -> None:
    """Call ``callback`` when the cell is over and its error is shown; at once in a script."""
    if not in_notebook():
        callback()
        return
    from IPython import get_ipython

    events = get_ipython().events

    def on_end(*_: Any) -> None:
        events.unregister("post_run_cell", on_end)
        callback()

    events.register("post_run_cell", on_end)


def show(data: dict[str, str], handle: Any = None) -> Any:
    """Show one thing, in place of what ``handle`` stands for if it is given.

    Parameters
    ----------
    data : dict of str to str
        Its forms by MIME type.
    handle : DisplayHandle or None
        What an earlier call returned.

    Returns
    -------
    DisplayHandle or None
        For the next call; None outside of a notebook, where the plain text is printed.
    """
    if not in_notebook():
        print(data["text/plain"], flush=True)
        return None
    if handle is not None:
        handle.update(data, raw=True)
        return handle
    from IPython.display import display

    return display(data, raw=True, display_id=True)


def show_by_rank(bundles: Mapping[int, Sequence[MimeBundle]], headings: bool) -> None:
    """Show the first thing of all ranks, then the second, and so on; equal things only once.

    Parameters
    ----------
    bundles : mapping of int to sequence of MimeBundle
        By rank.
    headings : bool
        Whether each is preceded by the ranks it comes from.
    """
    for index in range(max(map(len, bundles.values()), default=0)):
        row = {rank: of_rank[index] for rank, of_rank in bundles.items() if index < len(of_rank)}
        for ranks, (data, metadata) in group_equal(row, lambda bundle: bundle[0]):
            _show_below(heading(ranks) if headings else "", data, metadata)


def _show_below(title: str, data: dict[str, Any], metadata: dict[str, Any]) -> None:
    text = data.get("text/plain", "")
    if title and set(data) <= {"text/plain"}:
        data = {"text/plain": f"{title}\n{text}" if "\n" in text else f"{title} {text}"}
    elif title:
        # A picture or a table has no room for its ranks.
        _display({"text/plain": title}, {})
    _display(data, metadata)


def _display(data: dict[str, Any], metadata: dict[str, Any]) -> None:
    if not in_notebook():
        print(data.get("text/plain", ""), flush=True)
        return
    from IPython.display import display

    display(data, metadata=metadata, raw=True)


class Folded:
    """A title with text below it that a click unfolds. Shown again, it replaces itself.

    Parameters
    ----------
    unfolded : bool
        Whether the text is visible at first.
    """

    def __init__(self, unfolded: bool = False) -> None:
        self._open = " open" if unfolded else ""
        self._handle: Any = None

    def show(self, title: str, text: str) -> None:
        """Show ``text`` below ``title``."""
        data = {
            "text/plain": f"{title}\n{text}",
            "text/html": (
                f'<details{self._open} style="margin:4px 0"><summary style="cursor:pointer">'
                f"{html.escape(title)}</summary>"
                '<pre style="margin:4px 0 4px 1.2em;white-space:pre-wrap">'
                f"{html.escape(text)}</pre></details>"
            ),
        }
        self._handle = show(data, self._handle)


class Slots:
    """A list of outputs in a notebook's cell that change in place, and grow and shrink in number.

    An output cannot be removed from a cell, so slots that are no longer needed become empty. They
    are the lowest ones, where nobody sees them.
    """

    def __init__(self) -> None:
        self._handles: list[Any] = []
        self._shown: list[MimeBundle] = []

    @property
    def used(self) -> bool:
        """Whether anything has been shown."""
        return bool(self._handles)

    def show(self, bundles: Sequence[MimeBundle]) -> None:
        """Show ``bundles`` from top to bottom, sending only what has changed."""
        from IPython.display import display

        n_empty = len(self._handles) - len(bundles)
        for index, bundle in enumerate([*bundles, *[_EMPTY] * n_empty]):
            data, metadata = bundle
            if index == len(self._handles):
                handle = display(data, metadata=metadata, raw=True, display_id=True)
                self._handles.append(handle)
                self._shown.append(bundle)
            elif bundle != self._shown[index]:
                self._handles[index].update(data, metadata=metadata, raw=True)
                self._shown[index] = bundle
