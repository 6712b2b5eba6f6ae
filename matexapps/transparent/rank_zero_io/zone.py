"""Which paths a program's own files may have."""

from __future__ import annotations

import os
import sys
import tempfile
from posixpath import expanduser, join


class Zone:
    """All paths but those of the system, of Python, of caches, and of temporary files.

    These belong to each process already, or are written so that processes do not disturb each
    other. What lies in the working folder counts as the program's even where the working folder
    itself is a temporary one.

    Parameters
    ----------
    working_folder : str
    """

    def __init__(self, working_folder: str) -> None:
        self._working_folder = working_folder.rstrip("/") + "/"
        temporary = tempfile.gettempdir()
        folders = {
            "/dev",
            "/proc",
            "/sys",
            sys.prefix,
            sys.base_prefix,
            temporary,
            expanduser("~/.cache"),
            expanduser("~/.config"),
            expanduser("~/.triton"),
            os.environ.get("XDG_CACHE_HOME", ""),
        }
        outside = {_with_slash(form) for f in folders if f for form in (f, os.path.realpath(f))}
        self._around = tuple(f for f in outside if self._working_folder.startswith(f))
        self._never: tuple[str, ...] = (
            *(outside - set(self._around)),
            # Sockets of worker processes, which the system opens under their real names.
            join(temporary, "pymp-"),
        )

    def exclude(self, folder: str) -> None:
        """Leave the paths in ``folder`` alone, too."""
        self._never += (_with_slash(folder),)

    def has(self, path: str) -> bool:
        """Whether an absolute path may be the program's."""
        path += "/"
        if path.startswith(self._never):
            return False
        return path.startswith(self._working_folder) or not path.startswith(self._around)


def _with_slash(folder: str) -> str:
    return folder.rstrip("/") + "/"
