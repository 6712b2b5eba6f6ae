"""Printing and writing by rank 0 alone, while every rank reads what it has written.

Rank 0 acts on the real files. Every other rank sees the files as the program would see them if it
ran alone: as they were at the beginning, with this rank's own changes, which are in a folder of
their own that is deleted at the end. Ranks may be ahead of each other: before rank 0 changes a path
for the first time, it saves a copy of what was there for ranks that are behind.

Covered: ``open``, ``io.open``, ``os.open``; mkdir, rmdir, remove, unlink, rename, replace, link,
symlink, readlink, stat, lstat, access, listdir, scandir, chmod, chown, utime, truncate, chdir and
getcwd of ``os``; therefore also makedirs, walk, ``os.path``, glob, pathlib, shutil, tempfile,
zipfile, tarfile, gzip, json, csv, pickle, logging, numpy, pandas, PIL and matplotlib, which use
them. By their paths: torch.save, torch.load, torch.jit, torch.export, safetensors, h5py, PyTables,
netCDF4, sqlite3, and pyarrow's parquet, feather, csv, dataset and streams. Names that were imported
earlier, as by ``from os import listdir``, are replaced as well. Standard output and error,
warnings, logging and progress bars, ``input``, and matplotlib's windows.

Not covered: other programs that are started; the network; C and C++ libraries that are not listed
above, and what they print; sqlite's ``file:`` addresses; standard input except for ``input``; file
descriptors and ``dir_fd=``; importing modules that the program has just written. Left alone, since
they are separate for each process or made to be shared: the temporary folder (unless the working
folder is in it), caches and settings in the home folder, Python's own folders, /dev, /proc, /sys.

Limits: in the temporary folder, other ranks need space for what they write, and rank 0 for what it
overwrites. If rank 0 changes a file in place while another rank reads it, rank 0 waits for a second
at most. While rank 0 has pyarrow write a data set into a folder that was there before, other ranks
may see its new files. On several hosts that share the program's files, the home folder must be
shared too. The order of ``os.listdir`` may differ from rank 0's where files were added.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

from matexapps.comm.communicator import Communicator
from matexapps.transparent.rank_zero_io.calls import calls_on_other_ranks, calls_on_rank_0
from matexapps.transparent.rank_zero_io.file_system import clear, make_folders
from matexapps.transparent.rank_zero_io.journal import Journal
from matexapps.transparent.rank_zero_io.libraries import Files, redirect_libraries
from matexapps.transparent.rank_zero_io.originals import Originals
from matexapps.transparent.rank_zero_io.output import rank_zero_output
from matexapps.transparent.rank_zero_io.overlay.overlay import Overlay
from matexapps.transparent.rank_zero_io.replacements import opened_replacements
from matexapps.transparent.rank_zero_io.scope import Scope

__all__ = ["rank_zero_io"]


@contextmanager
def rank_zero_io(comm: Communicator, *, discard: bool = False) -> Iterator[None]:
    """Let only rank 0 print and write real files inside. Collective.

    Parameters
    ----------
    comm : Communicator
    discard : bool
        Whether the files that rank 0 writes are discarded too.
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
        scope = Scope(start)
        scope.exclude(shared)
        scope.exclude(folder)
        rank_zero_journal = _rank_zero_journal(comm, shared, folder)
        stack.callback(rank_zero_journal.close)
        own_journal = Journal(f"{folder}/own-journal", first_counts=False)
        stack.callback(own_journal.close)
        replacements = stack.enter_context(opened_replacements())
        files: Files
        if comm.rank == 0 and not discard:
            files = originals = Originals(f"{folder}/files", rank_zero_journal, scope)
            replacements.files(calls_on_rank_0(originals))
        else:
            overlay = Overlay(f"{folder}/files", own_journal, rank_zero_journal, scope)
            files = overlay.writer
            stack.callback(overlay.working_folder.leave, start)
            replacements.files(calls_on_other_ranks(overlay))
        redirect_libraries(files, replacements, stack)
        stack.enter_context(rank_zero_output(comm, replacements))
        replacements.everywhere()
        yield
        # After this no rank needs what rank 0 changes.
        comm.barrier()


def _shared_folder(comm: Communicator) -> str:
    if comm.local_size == comm.world_size:
        return _temporary_folder(tempfile.gettempdir())
    cache = os.path.expanduser("~/.cache")
    make_folders(cache)
    return _temporary_folder(cache)


def _temporary_folder(parent: str) -> str:
    return os.path.realpath(tempfile.mkdtemp(prefix="matexapps-", dir=parent))


def _rank_zero_journal(comm: Communicator, shared: str, own: str) -> Journal:
    remote = comm.local_size < comm.world_size
    with suppress(FileNotFoundError):
        return Journal(f"{shared}/journal", first_counts=True, remote=remote)
    # This host shares no files with rank 0's, so rank 0 changes none here.
    return Journal(f"{own}/empty-journal", first_counts=True)
