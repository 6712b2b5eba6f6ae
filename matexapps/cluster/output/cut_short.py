"""What Open MPI itself writes on a rank when another one dies."""

from __future__ import annotations

import re

_CUT_SHORT = re.compile(r"^NBC_Progress: an error 7[567] was found[^\n]*\n?\n?", re.MULTILINE)


def without_cut_short(text: str) -> str:
    """Return what a rank printed without Open MPI's reports of messages that a death cut short.

    What is returned for a longer output begins with what was returned for a shorter one, but for
    the last line.
    """
    return _CUT_SHORT.sub("", text) if "NBC_Progress" in text else text
