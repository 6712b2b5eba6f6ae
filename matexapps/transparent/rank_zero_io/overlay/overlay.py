"""The other ranks' side: files as the program would see them if it ran alone."""

from __future__ import annotations

from matexapps.transparent.rank_zero_io.keys import Keys
from matexapps.transparent.rank_zero_io.notes import Notes
from matexapps.transparent.rank_zero_io.overlay.layers import Layers
from matexapps.transparent.rank_zero_io.overlay.names import Names
from matexapps.transparent.rank_zero_io.overlay.own_files import OwnFiles
from matexapps.transparent.rank_zero_io.overlay.reading import Reading
from matexapps.transparent.rank_zero_io.overlay.writing import Writing
from matexapps.transparent.rank_zero_io.working_folder import WorkingFolder
from matexapps.transparent.rank_zero_io.zone import Zone


class Overlay:
    """What a rank reads, writes and names, above what is really there.

    Parameters
    ----------
    folder : str
        Where this rank's own files stand, each below its real path.
    own : Notes
        What this rank has changed.
    before : Notes
        What rank 0 has changed, and how it was before.
    zone : Zone

    Attributes
    ----------
    working_folder : WorkingFolder
    reading : Reading
    writing : Writing
    names : Names
    """

    def __init__(self, folder: str, own: Notes, before: Notes, zone: Zone) -> None:
        layers = Layers(own, before)
        own_files = OwnFiles(folder, own, layers)
        here = self.working_folder = WorkingFolder()
        keys = Keys(layers, zone, here)
        self.reading = Reading(layers, keys, here)
        self.writing = Writing(layers, keys, here, own_files, self.reading)
        self.names = Names(layers, keys, here, own_files, self.reading)
