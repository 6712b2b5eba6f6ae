"""The other ranks' side: files as the program would see them if it ran alone."""

from __future__ import annotations

from matexapps.transparent.once.keys import Keys
from matexapps.transparent.once.layers import Layers
from matexapps.transparent.once.names import Names
from matexapps.transparent.once.notes import Notes
from matexapps.transparent.once.own_files import OwnFiles
from matexapps.transparent.once.reading import Reading
from matexapps.transparent.once.working_folder import WorkingFolder
from matexapps.transparent.once.writing import Writing
from matexapps.transparent.once.zone import Zone


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
