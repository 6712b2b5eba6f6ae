"""Removes what a launcher adds to a message that a rank has already printed.

When ranks end with an exit status above 0, Open MPI's launcher prints a block between two rules of
dashes that says so. The ranks have printed the reason, and the exit status is passed on, so the
block only buries their message. The same holds for signal 9, with which a supervisor ends after it
has reported how its rank ended.

With fault tolerance, Open MPI reports each of its own messages that a death has cut short; the
survivors report what the death means for the work.

Lines of :mod:`matexapps.launch.rank_supervisor` are passed on in one piece.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import IO

_RULE = re.compile(rb"^-{70,}[ \t]*\n", re.MULTILINE)
_PARTIAL_RULE = re.compile(rb"^-+[ \t]*\Z", re.MULTILINE)
_CUT_SHORT = re.compile(rb"^NBC_Progress: an error 7[567] was found [^\n]*\n\n", re.MULTILINE)
_PARTIAL_CUT_SHORT = re.compile(rb"^(N|NB|NBC|NBC_[^\n]*\n?)\Z", re.MULTILINE)
_PARTIAL_EXIT_LINE = re.compile(rb"^(r|ra|ran|rank|rank [^\n]*)\Z", re.MULTILINE)
_PARTIAL = (_PARTIAL_RULE, _PARTIAL_CUT_SHORT, _PARTIAL_EXIT_LINE)
_REDUNDANT = re.compile(rb"exited with non-zero status|exited on\s+signal 9\b")


def strip_banner(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Yield text as soon as it is certain that it does not belong to a redundant block.

    Parameters
    ----------
    chunks : iterator of bytes
        Output as it arrives, cut anywhere.
    """
    pending = b""
    for chunk in chunks:
        pending += chunk
        certain, pending = _split(pending)
        if certain:
            yield certain
    pending = _CUT_SHORT.sub(b"", pending + b"\n")[:-1]
    if pending and not _REDUNDANT.search(pending):
        yield pending


def read_chunks(stream: IO[bytes]) -> Iterator[bytes]:
    """Yield whatever a stream has, without waiting for more, until it ends."""
    while chunk := os.read(stream.fileno(), 65536):
        yield chunk


def _split(text: bytes) -> tuple[bytes, bytes]:
    """Return the text to pass on, and the rest, which needs more text to decide."""
    text, certain = _CUT_SHORT.sub(b"", text), b""
    while opening := _RULE.search(text):
        closing = _RULE.search(text, opening.end())
        if closing is None:
            return certain + text[: opening.start()], text[opening.start() :]
        block = text[opening.start() : closing.end()]
        certain += text[: opening.start()] + (b"" if _REDUNDANT.search(block) else block)
        text = text[closing.end() :]
    matches = (pattern.search(text) for pattern in _PARTIAL)
    cut = next((match.start() for match in matches if match), len(text))
    return certain + text[:cut], text[cut:]
