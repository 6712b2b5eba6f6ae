"""The side of other ranks: files as the program would see them if it ran alone."""

from __future__ import annotations

from matexapps.transparent.rank_zero_io.journal import Journal
from matexapps.transparent.rank_zero_io.overlay.directories import Directories
from matexapps.transparent.rank_zero_io.overlay.layers import Layers
from matexapps.transparent.rank_zero_io.overlay.own_files import OwnFiles
from matexapps.transparent.rank_zero_io.overlay.paths import PathResolver, WorkingFolder
from matexapps.transparent.rank_zero_io.overlay.reading import Reader
from matexapps.transparent.rank_zero_io.overlay.writing import Writer
from matexapps.transparent.rank_zero_io.scope import Scope


class Overlay:
    """What a rank reads, writes and lists, above the real files.

    Parameters
    ----------
    folder : str
        Where this rank's own files are, each below its real path.
    own : Journal
        What this rank has changed.
    rank_zero : Journal
        What rank 0 has changed, and how it was before.
    scope : Scope

    Attributes
    ----------
    working_folder : WorkingFolder
    reader : Reader
    writer : Writer
    directories : Directories
    """

    def __init__(self, folder: str, own: Journal, rank_zero: Journal, scope: Scope) -> None:
        layers = Layers(own, rank_zero)
        own_files = OwnFiles(folder, own, layers)
        working_folder = self.working_folder = WorkingFolder()
        paths = PathResolver(layers, scope, working_folder)
        self.reader = Reader(layers, paths, working_folder)
        self.writer = Writer(layers, paths, working_folder, own_files, self.reader)
        self.directories = Directories(layers, paths, working_folder, own_files, self.reader)
