"""Everything is restored on leaving, also after an exception."""

import io
import os
import shutil
import sqlite3
import sys
import tempfile
from os import listdir, remove

import torch

from matexapps import distributed, open_world

tempfile.tempdir = os.path.abspath("temporary")


def state():
    functions = [vars(os)[name] for name in sorted(vars(os)) if callable(vars(os)[name])]
    imported = [listdir, remove, open, io.open, input, torch.save, torch.load, sqlite3.connect]
    streams = [sys.stdout, sys.stderr, os.getcwd(), dict(os.environ), list(sys.meta_path)]
    sets = [set(os.supports_dir_fd), set(os.supports_fd), shutil._use_fd_functions]
    return functions + imported + streams + sets


class Expected(Exception):
    pass


with open_world() as comm:
    before = state()
    for error in (None, Expected):
        try:
            with distributed(comm):
                replacements = [open, listdir]
                os.makedirs(f"made{error}/below")
                assert listdir(f"made{error}") == ["below"]
                os.chdir(f"made{error}")
                print("inside")
                comm.barrier()
                os.chdir("..")
                if error:
                    raise error
        except Expected:
            comm.barrier()
        assert state() == before
        comm.barrier()
        assert os.listdir("temporary") == []
    with replacements[0](f"rank{comm.rank}", "w"):
        pass
    comm.barrier()
    assert {"rank0", "rank1", "madeNone"} <= set(replacements[1]("."))
