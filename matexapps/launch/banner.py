"""Leaving out what a launcher adds to a message that a rank has already given.

When ranks end with an exit status above 0, Open MPI's launcher prints a block between two rules of
dashes that says so. The ranks have said why, and the status is handed back, so the block only
buries their message. The same goes for signal 9, with which a watcher ends once it has said how its
rank ended.

Where ranks outlive others, Open MPI reports each of its own messages that a death cut short; the
survivors say what it means for the work.

What :mod:`matexapps.launch.rank_supervisor` says comes out in one piece.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import IO

_RULE = re.compile(rb"^-{70,}[ \t]*\n", re.MULTILINE)
_RULE_BEGUN = re.compile(rb"^-+[ \t]*\Z", re.MULTILINE)
_CUT_SHORT = re.compile(rb"^NBC_Progress: an error 7[567] was found [^\n]*\n\n", re.MULTILINE)
_CUT_SHORT_BEGUN = re.compile(rb"^(N|NB|NBC|NBC_[^\n]*\n?)\Z", re.MULTILINE)
_WATCHER_BEGUN = re.compile(rb"^(r|ra|ran|rank|rank [^\n]*)\Z", re.MULTILINE)
_REDUNDANT = re.compile(rb"exited with non-zero status|exited on\s+signal 9\b")


def without_banner(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Pass text on as soon as it is certain not to belong to such a block.

    Parameters
    ----------
    chunks : iterator of bytes
        Output as it comes in, cut anywhere.
    """
    held = b""
    for chunk in chunks:
        held += chunk
        certain, held = _split(held)
        if certain:
            yield certain
    held = _CUT_SHORT.sub(b"", held + b"\n")[:-1]
    if held and not _REDUNDANT.search(held):
        yield held


def read_chunks(stream: IO[bytes]) -> Iterator[bytes]:
    """Yield what a stream has, without waiting for more, until it ends."""
    while chunk := os.read(stream.fileno(), 65536):
        yield chunk


def _split(text: bytes) -> tuple[bytes, bytes]:
    text, certain = _CUT_SHORT.sub(b"", text), b""
    while opening := _RULE.search(text):
        closing = _RULE.search(text, opening.end())
        if closing is None:
            return certain + text[: opening.start()], text[opening.start() :]
        block = text[opening.start() : closing.end()]
        certain += text[: opening.start()] + (b"" if _REDUNDANT.search(block) else block)
        text = text[closing.end() :]
    begun = (p.search(text) for p in (_RULE_BEGUN, _CUT_SHORT_BEGUN, _WATCHER_BEGUN))
    cut = next((found.start() for found in begun if found), len(text))
    return certain + text[:cut], text[cut:]
