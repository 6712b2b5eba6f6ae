"""Completion of what is typed after ``%mpi`` and ``%%mpi``."""

from __future__ import annotations

import argparse
from typing import Any

from IPython.core.completer import CompletionContext, SimpleCompletion, context_matcher

from matexapps.cluster.cluster import Cluster
from matexapps.cluster.magics import COMMANDS, cell_options, command_options


def offer_completions(shell: Any) -> None:
    """Let IPython's completer ask here first, and go on as usual where nothing fits."""

    @context_matcher(identifier="matexapps")
    def matcher(context: CompletionContext) -> dict[str, Any]:
        completions = [
            SimpleCompletion(text=word, type="option")
            for word in words(context.text_until_cursor, shell.user_ns)
            if word.startswith(context.token)
        ]
        return {"completions": completions, "suppress": bool(completions)}

    shell.Completer.custom_matchers.append(matcher)


def words(line: str, namespace: dict[str, Any]) -> list[str]:
    """Return the words that can stand at the end of ``line``, the text up to the cursor.

    Parameters
    ----------
    line : str
    namespace : dict
        The names in the notebook.
    """
    magic, *previous = line.split() or [""]
    if magic == "%%mpi":
        return _options(cell_options())
    if magic != "%mpi" or line == magic:
        return []
    if not line.endswith(" "):
        previous.pop()
    if not previous:
        return list(COMMANDS)
    command = previous[0]
    if command not in COMMANDS:
        return []
    candidates = _options(command_options(command))
    if command == "push":
        candidates += [name for name in namespace if not name.startswith("_")]
    cluster = Cluster.latest()
    if command == "pull" and cluster is not None and cluster.running:
        candidates += list(cluster.who().index.unique())
    return candidates


def _options(parser: argparse.ArgumentParser) -> list[str]:
    return [text for action in parser._actions for text in action.option_strings]
