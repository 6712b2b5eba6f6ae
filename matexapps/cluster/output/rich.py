"""What ranks draw and evaluate, by rank, and once where it is the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matexapps.cluster.output.notebook import in_notebook
from matexapps.cluster.output.rank_names import alike, heading

Form = tuple[dict[str, Any], dict[str, Any]]
"""The forms of one thing by MIME type, and their metadata."""


def show_rich(things: Mapping[int, Sequence[Form]], alone: bool) -> None:
    """Show the things of each rank: the first of all ranks, then the second, and so on.

    Parameters
    ----------
    things : mapping of int to sequence of Form
        By rank.
    alone : bool
        Whether there is one rank only, and headings would say nothing.
    """
    for place in range(max(map(len, things.values()), default=0)):
        here = {rank: forms[place] for rank, forms in things.items() if place < len(forms)}
        for ranks, (data, metadata) in alike(here, lambda form: form[0]):
            _show(data, metadata, "" if alone else heading(ranks))


def _show(data: dict[str, Any], metadata: dict[str, Any], head: str) -> None:
    text = data.get("text/plain", "")
    if head and set(data) <= {"text/plain"}:
        data = {"text/plain": f"{head}\n{text}" if "\n" in text else f"{head} {text}"}
    elif head:
        # A picture or a table has no room for its ranks.
        _display({"text/plain": head}, {})
    _display(data, metadata)


def _display(data: dict[str, Any], metadata: dict[str, Any]) -> None:
    if not in_notebook():
        print(data.get("text/plain", ""), flush=True)
        return
    from IPython.display import display

    display(data, metadata=metadata, raw=True)
