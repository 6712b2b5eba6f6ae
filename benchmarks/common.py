"""What several benchmarks share: the network, and starting ranks."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

WIDTHS = [300] * 5


def network(columns: int = 28, layer: str = "") -> Any:
    """Return the network of the Higgs example, columns-300-300-300-300-300-1.

    Parameters
    ----------
    columns : int
    layer : {"", "dropout", "batch norm"}
        What follows each hidden layer.
    """
    import torch
    from torch import nn

    torch.manual_seed(0)
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise([columns, *WIDTHS]):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
        if layer:
            layers.append(nn.Dropout(0.2) if layer == "dropout" else nn.BatchNorm1d(outputs))
    return nn.Sequential(*layers, nn.Linear(WIDTHS[-1], 1))


def output_of_ranks(n: int, words: Sequence[Any]) -> str:
    """Run Python on ``n`` ranks, each with one thread on its own core; return what it prints."""
    from matexapps.launch.mpiexec import mpiexec_command

    return _output(mpiexec_command(n, list(map(str, words))), 1)


def output_of_process(words: Sequence[Any], threads: int) -> str:
    """Run Python without MPI, on ``threads`` threads, and return what it prints."""
    return _output([sys.executable, *map(str, words)], threads)


def run_on(n: int) -> None:
    """Run this program again on ``n`` ranks, one thread each, and end; on a rank, do nothing."""
    from matexapps.comm.world import under_mpiexec
    from matexapps.launch.mpiexec import mpi_environment, mpiexec_command

    if not under_mpiexec():
        environment = {**os.environ, **mpi_environment(), "OMP_NUM_THREADS": "1"}
        command = mpiexec_command(n, sys.argv)
        sys.exit(subprocess.run(command, env=environment, check=False).returncode)


def _output(command: Sequence[str], threads: int) -> str:
    from matexapps.launch.mpiexec import mpi_environment

    environment = {**os.environ, **mpi_environment(), "OMP_NUM_THREADS": str(threads)}
    done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout.strip()
