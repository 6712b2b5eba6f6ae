"""Which paths belong to the program."""

from __future__ import annotations

import os
import sys
import tempfile
from posixpath import expanduser, join


class Scope:
    """All paths except those of the system, of Python, of caches, and of temporary files.

    Those are separate for each process already, or are written so that processes do not disturb
    each other. Everything in the working folder belongs to the program, even if the working folder
    itself is temporary.

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
        self._above_working_folder = tuple(f for f in outside if self._working_folder.startswith(f))
        self._excluded: tuple[str, ...] = (
            *(outside - set(self._above_working_folder)),
            # Sockets of worker processes, which the system opens under their real names.
            join(temporary, "pymp-"),
        )

    def exclude(self, folder: str) -> None:
        """Exclude the paths in ``folder`` too."""
        self._excluded += (_with_slash(folder),)

    def includes(self, path: str) -> bool:
        """Whether an absolute path belongs to the program."""
        path += "/"
        if path.startswith(self._excluded):
            return False
        return path.startswith(self._working_folder) or not path.startswith(
            self._above_working_folder
        )


def _with_slash(folder: str) -> str:
    return folder.rstrip("/") + "/"
