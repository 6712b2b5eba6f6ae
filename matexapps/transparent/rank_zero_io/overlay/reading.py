"""Where this rank reads."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from typing import Any, TypeVar

from matexapps.transparent.rank_zero_io.keys import Keys
from matexapps.transparent.rank_zero_io.overlay.layers import Layers
from matexapps.transparent.rank_zero_io.system_errors import as_named, error
from matexapps.transparent.rank_zero_io.working_folder import WorkingFolder

T = TypeVar("T")

_MOST_REMEMBERED = 10_000


class Reading:
    """Reads what the program would read if it ran alone.

    Parameters
    ----------
    layers : Layers
    keys : Keys
    working_folder : WorkingFolder
    """

    def __init__(self, layers: Layers, keys: Keys, working_folder: WorkingFolder) -> None:
        self._layers, self._keys, self._working_folder = layers, keys, working_folder
        # By path and whether links are followed: None for nowhere, "" for the path itself.
        self._places: dict[tuple[str | bytes, bool], str | None] = layers.memory()

    def place(self, path: Any, follow: bool = True) -> Any:
        """Return where to read what the program calls ``path``; ``path`` itself if unchanged."""
        return self._layers.steadily(lambda: self._place_now(path, follow))

    def read(
        self,
        path: Any,
        act: Callable[[Any], T],
        follow: bool = True,
        undo: Callable[[T], object] | None = None,
    ) -> T:
        """Return ``act(place)``, done again if rank 0 changed the place while it was done.

        Parameters
        ----------
        path : path-like
        act : function
        follow : bool
            Whether a link at the end of ``path`` is followed.
        undo : function, optional
            Gives back what ``act`` has returned in vain.
        """
        while True:
            seen = self._layers.refresh()
            place = self._place_now(path, follow)
            try:
                result = act(place)
            except OSError as failure:
                if self._layers.refresh() == seen:
                    raise as_named(failure, place, path) from None
                continue
            if self._layers.refresh() == seen or self._reads_from(path, place, follow):
                return result
            if undo is not None:
                undo(result)

    def unchanged_folder(self, path: Any) -> bool:
        """Whether ``path`` itself shows what names are in a folder."""
        if not self._working_folder.is_there:
            return False
        self._layers.refresh()
        if self._layers.untouched:
            return True
        key = self._keys.key(path)
        return key is None or self._layers.unchanged_folder(key)

    def seen(self) -> int:
        """Return a number that grows with each change that rank 0 makes."""
        return self._layers.refresh()

    def enter_folder(self, path: Any) -> None:
        """Act as ``os.chdir``."""
        place, key = self.place(path), self._keys.key(path)
        try:
            self._working_folder.enter(place, key)
        except OSError as failure:
            raise as_named(failure, place, path) from None
        self._places.clear()

    def _place_now(self, path: Any, follow: bool) -> Any:
        asked = (os.fspath(path), follow)
        place = self._places.get(asked, path)
        if place is path:
            place = self._look(path, follow)
            if len(self._places) >= _MOST_REMEMBERED:
                self._places.clear()
            self._places[asked] = place
        if place is None:
            raise error(errno.ENOENT, path)
        return place or path

    def _look(self, path: Any, follow: bool) -> str | None:
        key = None if self._layers.untouched else self._keys.key(path, follow)
        place = None if key is None else self._layers.find(key)
        if place == key:
            real = self._working_folder.real(path)
            return "" if real is path else real
        return place

    def _reads_from(self, path: Any, place: Any, follow: bool) -> bool:
        try:
            return self.place(path, follow) == place
        except FileNotFoundError:
            return False
