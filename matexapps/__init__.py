"""Distributed deep learning for domain scientists, from Jupyter notebooks, on MPI."""

from __future__ import annotations

from importlib import import_module
from typing import Any

_PUBLIC = {
    "Accuracy": "matexapps.train.metrics",
    "Callback": "matexapps.train.callbacks",
    "Checkpointing": "matexapps.train.callbacks",
    "Cluster": "matexapps.cluster.cluster",
    "DataSet": "matexapps.data.dataset",
    "EarlyStopping": "matexapps.train.callbacks",
    "History": "matexapps.history",
    "KeepBest": "matexapps.train.callbacks",
    "MatexError": "matexapps.errors",
    "RocAuc": "matexapps.train.metrics",
    "Standardize": "matexapps.train.standardize",
    "Trainer": "matexapps.train.trainer",
    "distributed": "matexapps.transparent.distributed",
    "open_world": "matexapps.comm.world",
    "reinit": "matexapps.train.state.reinit_state",
}

_DOMAINS = {"higgs": "matexapps.apps.higgs", "molecules": "matexapps.apps.molecules"}

FORMATS = {
    "SDF": ((".sdf",), "matexapps.apps.molecules.data.formats.memory_table"),
    "SMILES": ((".smi", ".smiles"), "matexapps.apps.molecules.data.formats.memory_table"),
}
"""Files of a domain: endings, also with .gz, and the function that makes a table of a path."""

__all__ = sorted([*_PUBLIC, *_DOMAINS])


def __getattr__(name: str) -> Any:
    # Loaded on first use: `import matexapps` stays quick where torch is not needed.
    if name in _DOMAINS:
        return import_module(_DOMAINS[name])
    if name not in _PUBLIC:
        raise AttributeError(f"module 'matexapps' has no attribute {name!r}")
    return getattr(import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return __all__


def load_ipython_extension(shell: Any) -> None:
    """Give a notebook ``%mpi`` and ``%%mpi``; called by ``%load_ext matexapps``."""
    from matexapps.cluster.completion import offer_completions
    from matexapps.cluster.magics import MpiMagics

    shell.register_magics(MpiMagics)
    offer_completions(shell)
