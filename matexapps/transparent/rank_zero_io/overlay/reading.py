"""Where this rank reads."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from typing import Any, TypeVar

from matexapps.transparent.rank_zero_io.file_system import error_about, system_error
from matexapps.transparent.rank_zero_io.overlay.layers import Layers
from matexapps.transparent.rank_zero_io.overlay.paths import PathResolver, WorkingFolder

T = TypeVar("T")

_MOST_CACHED = 10_000


class Reader:
    """Reads what the program would read if it ran alone.

    Parameters
    ----------
    layers : Layers
    paths : PathResolver
    working_folder : WorkingFolder
    """

    def __init__(self, layers: Layers, paths: PathResolver, working_folder: WorkingFolder) -> None:
        self._layers, self._paths, self._working_folder = layers, paths, working_folder
        # By path and whether links are followed: None for nothing, "" for the path itself.
        self._locations: dict[tuple[str | bytes, bool], str | None] = layers.cache()

    def locate(self, path: Any, follow: bool = True) -> Any:
        """Return where to read what the program calls ``path``; ``path`` itself if unchanged."""
        return self._layers.retry_until_stable(lambda: self._locate_now(path, follow))

    def read(
        self,
        path: Any,
        act: Callable[[Any], T],
        follow: bool = True,
        undo: Callable[[T], object] | None = None,
    ) -> T:
        """Return ``act(location)``, called again if rank 0 moved the location meanwhile.

        Parameters
        ----------
        path : path-like
        act : callable
        follow : bool
            Whether a link at the end of ``path`` is followed.
        undo : callable, optional
            Releases a result of ``act`` that is not used.
        """
        while True:
            version = self._layers.refresh()
            location = self._locate_now(path, follow)
            try:
                result = act(location)
            except OSError as error:
                if self._layers.refresh() == version:
                    raise error_about(path, error, location) from None
                continue
            if self._layers.refresh() == version or self._is_at(path, location, follow):
                return result
            if undo is not None:
                undo(result)

    def is_unchanged_folder(self, path: Any) -> bool:
        """Whether the real ``path`` shows which names are in a folder."""
        if not self._working_folder.is_real:
            return False
        self._layers.refresh()
        if self._layers.untouched:
            return True
        key = self._paths.key(path)
        return key is None or self._layers.is_unchanged_folder(key)

    def version(self) -> int:
        """Return a number that grows with each change that rank 0 makes."""
        return self._layers.refresh()

    def enter_folder(self, path: Any) -> None:
        """Act as ``os.chdir``."""
        location, key = self.locate(path), self._paths.key(path)
        try:
            self._working_folder.enter(location, key)
        except OSError as error:
            raise error_about(path, error, location) from None
        self._locations.clear()

    def _locate_now(self, path: Any, follow: bool) -> Any:
        cached = (os.fspath(path), follow)
        location = self._locations.get(cached, path)
        if location is path:
            location = self._look_up(path, follow)
            if len(self._locations) >= _MOST_CACHED:
                self._locations.clear()
            self._locations[cached] = location
        if location is None:
            raise system_error(errno.ENOENT, path)
        return location or path

    def _look_up(self, path: Any, follow: bool) -> str | None:
        key = None if self._layers.untouched else self._paths.key(path, follow)
        location = None if key is None else self._layers.locate(key)
        if location == key:
            real = self._working_folder.real_path(path)
            return "" if real is path else real
        return location

    def _is_at(self, path: Any, location: Any, follow: bool) -> bool:
        try:
            return self.locate(path, follow) == location
        except FileNotFoundError:
            return False
