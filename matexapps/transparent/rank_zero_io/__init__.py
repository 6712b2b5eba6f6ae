"""What a program prints and writes, once: rank 0's is real.

Rank 0 acts for real. Every other rank sees the files as a program would that runs alone: how they
were at the beginning, and what this rank has changed itself, which stands in a folder of its own
that is thrown away. Ranks may be ahead of each other: before rank 0 changes a path for the first
time, it keeps a copy of what was there for those that have not come so far.

Covered: ``open``, ``io.open``, ``os.open``; mkdir, rmdir, remove, unlink, rename, replace, link,
symlink, readlink, stat, lstat, access, listdir, scandir, chmod, chown, utime, truncate, chdir and
getcwd of ``os``, and so makedirs, walk, ``os.path``, glob, pathlib, shutil, tempfile, zipfile,
tarfile, gzip, json, csv, pickle, logging, numpy, pandas, PIL and matplotlib, which use these; by
their paths torch.save, torch.load, torch.jit, torch.export, safetensors, h5py, PyTables, netCDF4,
sqlite3, and pyarrow's parquet, feather, csv, dataset and streams. What was imported by name before,
as by ``from os import listdir``, is replaced as well. Standard output and error, warnings, logging
and progress bars, ``input``, and matplotlib's windows.

Not covered: other programs that are started, the network, C and C++ libraries that are not named
above, ``print`` from such libraries, sqlite's ``file:`` addresses, standard input but for
``input``, file descriptors and ``dir_fd=``, the import of modules that the program has written just
now. Left alone, since each process has its own or they are made to be shared: the temporary folder
(but for the working folder, if that lies there), caches and settings in the home folder, Python's
own folders, /dev, /proc, /sys.

Limits: other ranks need room for what they write, and rank 0 for what it overwrites, in the
temporary folder. A file that was there before and is changed in place while another rank reads it
is waited for, for a second. While rank 0 has pyarrow write a data set into a folder that was there
before, others may see its new files. On several hosts that share the program's files, the home
folder must be shared, too. The order of ``os.listdir`` may differ from rank 0's where files were
added.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

from matexapps.comm.communicator import Communicator
from matexapps.transparent.rank_zero_io.calls import on_other_ranks, on_rank_0
from matexapps.transparent.rank_zero_io.copying import clear, make_folders
from matexapps.transparent.rank_zero_io.libraries import Files, watch_libraries
from matexapps.transparent.rank_zero_io.notes import Notes
from matexapps.transparent.rank_zero_io.originals import Kept
from matexapps.transparent.rank_zero_io.output import rank_zero_output
from matexapps.transparent.rank_zero_io.overlay.overlay import Overlay
from matexapps.transparent.rank_zero_io.replacing import replacing
from matexapps.transparent.rank_zero_io.zone import Zone

__all__ = ["rank_zero_io"]


@contextmanager
def rank_zero_io(comm: Communicator, *, kept: bool = True) -> Iterator[None]:
    """Let rank 0's prints and files alone be real inside. Collective.

    Parameters
    ----------
    comm : Communicator
    kept : bool
        False if rank 0's files are thrown away too.
    """
    with ExitStack() as stack:
        shared = comm.on_root(lambda: _shared_folder(comm))
        folder = shared
        if comm.rank == 0:
            stack.callback(clear, shared)
        else:
            folder = _temporary_folder(tempfile.gettempdir())
            stack.callback(clear, folder)
        start = os.getcwd()
        zone = Zone(start)
        zone.exclude(shared)
        zone.exclude(folder)
        before = _notes_of_rank_0(comm, shared, folder)
        stack.callback(before.close)
        own = Notes(f"{folder}/own-notes", first_counts=False)
        stack.callback(own.close)
        replaced = stack.enter_context(replacing())
        files: Files
        if comm.rank == 0 and kept:
            files = originals = Kept(f"{folder}/files", before, zone)
            replaced.files(on_rank_0(originals))
        else:
            overlay = Overlay(f"{folder}/files", own, before, zone)
            files = overlay.writing
            stack.callback(overlay.working_folder.leave, start)
            replaced.files(on_other_ranks(overlay))
        watch_libraries(files, replaced, stack)
        stack.enter_context(rank_zero_output(comm, replaced))
        replaced.everywhere()
        yield
        # What rank 0 changes from here on, it keeps for nobody.
        comm.barrier()


def _shared_folder(comm: Communicator) -> str:
    if comm.local_size == comm.world_size:
        return _temporary_folder(tempfile.gettempdir())
    cache = os.path.expanduser("~/.cache")
    make_folders(cache)
    return _temporary_folder(cache)


def _temporary_folder(above: str) -> str:
    return os.path.realpath(tempfile.mkdtemp(prefix="matexapps-", dir=above))


def _notes_of_rank_0(comm: Communicator, shared: str, own: str) -> Notes:
    far = comm.local_size < comm.world_size
    with suppress(FileNotFoundError):
        return Notes(f"{shared}/notes", first_counts=True, far=far)
    # This host shares no files with rank 0's, so rank 0 changes none here.
    return Notes(f"{own}/no-notes", first_counts=True)
