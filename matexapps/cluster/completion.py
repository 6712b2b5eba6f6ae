"""What can be typed after ``%mpi`` and ``%%mpi``."""

from __future__ import annotations

import argparse
from typing import Any

from IPython.core.completer import CompletionContext, SimpleCompletion, context_matcher

from matexapps.cluster.cluster import started_last
from matexapps.cluster.magics import COMMANDS, cell_options, command_options


def offer_completions(shell: Any) -> None:
    """Have IPython's completer ask here first; where nothing fits, it goes on as ever."""

    @context_matcher(identifier="matexapps")
    def matcher(context: CompletionContext) -> dict[str, Any]:
        found = [word for word in words(context.text_until_cursor, shell.user_ns)
                 if word.startswith(context.token)]  # fmt: skip
        completions = [SimpleCompletion(text=word, type="option") for word in found]
        return {"completions": completions, "suppress": bool(found)}

    shell.Completer.custom_matchers.append(matcher)


def words(line: str, namespace: dict[str, Any]) -> list[str]:
    """Return what can stand at the end of ``line``, which is the text up to the cursor.

    Parameters
    ----------
    line : str
    namespace : dict
        The notebook's own names.
    """
    magic, *before = line.split() or [""]
    if magic == "%%mpi":
        return _options(cell_options())
    if magic != "%mpi" or line == magic:
        return []
    if not line.endswith(" "):
        before.pop()
    if not before:
        return list(COMMANDS)
    command = before[0]
    if command not in COMMANDS:
        return []
    found = _options(command_options(command))
    if command == "push":
        found += [name for name in namespace if not name.startswith("_")]
    cluster = started_last()
    if command == "pull" and cluster is not None and cluster.running:
        found += list(cluster.who().index.unique())
    return found


def _options(parser: argparse.ArgumentParser) -> list[str]:
    return [text for action in parser._actions for text in action.option_strings]
