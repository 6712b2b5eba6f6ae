"""The device that a rank computes on, and its number of threads."""

from __future__ import annotations

import os
import platform
from collections import Counter
from dataclasses import dataclass
from typing import Any

import psutil
import torch

from matexapps.comm.communicator import Communicator
from matexapps.errors import DeviceError, did_you_mean

_CHOICES = ("auto", "cpu", "cuda")
_GIB = 2**30


@dataclass(frozen=True)
class RankDevice:
    """The device of one rank.

    Attributes
    ----------
    device : torch.device
        Holds the model and its batches.
    name : str
        The name of the processor.
    threads : int
        Number of threads for torch's CPU operations on this rank.
    memory_gb : float
        Memory of the GPU, or this rank's share of the host's memory, in GiB.
    own_gpu : bool
        Whether every rank of the job has a GPU to itself.
    """

    device: torch.device
    name: str
    threads: int
    memory_gb: float
    own_gpu: bool

    @property
    def gradient_path(self) -> str:
        """How gradients travel between ranks from this device."""
        if self.device.type == "cpu":
            return "host memory"
        return "NCCL" if self.own_gpu else "pinned host memory"


def choose_device(comm: Communicator, device: str = "auto") -> RankDevice:
    """Choose this rank's device. Collective.

    ``local_rank`` selects the GPU; if there are more ranks than GPUs, they share them in turn. The
    threads are the cores that this rank may use, divided by the number of ranks that may use the
    same cores.

    Parameters
    ----------
    comm : Communicator
        All ranks of the job.
    device : {"auto", "cpu", "cuda"}
        ``"auto"`` selects GPUs if every rank's host has one, otherwise the CPU.

    Raises
    ------
    DeviceError
        If the device is unknown, or some rank's host does not have it; the same on every rank.
    """
    if device not in _CHOICES:
        raise DeviceError(
            f"unknown device {device!r}{did_you_mean(device, _CHOICES)}; use one of "
            f"{', '.join(_CHOICES)}"
        )
    gpus = torch.cuda.device_count() if device != "cpu" and torch.cuda.is_available() else 0
    cores = _usable_cores()
    all_ranks = comm.all_gather_object((comm.rank, comm.hostname, gpus, cores))
    threads = _threads(comm.hostname, cores, [(host, mask) for _, host, _, mask in all_ranks])
    without_gpu = [(rank, host) for rank, host, count, _ in all_ranks if count == 0]
    if device == "cuda" and without_gpu:
        rank, host = without_gpu[0]
        raise DeviceError(
            f"device='cuda' was asked for, but rank {rank} on {host} sees no GPU "
            f"({_why_no_gpu()}); use device='auto' or 'cpu', or start the ranks on hosts with GPUs"
        )
    if device == "cpu" or without_gpu:
        memory = psutil.virtual_memory().total / comm.local_size / _GIB
        return RankDevice(torch.device("cpu"), _cpu_name(), threads, memory, own_gpu=False)
    index = comm.local_rank % gpus
    ranks_on = Counter(host for _, host, _, _ in all_ranks)
    own = all(ranks_on[host] <= count for _, host, count, _ in all_ranks)
    properties = torch.cuda.get_device_properties(index)
    return RankDevice(
        torch.device("cuda", index), properties.name, threads, properties.total_memory / _GIB, own
    )


def describe(comm: Communicator, device: str = "auto") -> list[dict[str, Any]]:
    """Return a row for each rank: its host, process, device and threads. Collective."""
    chosen = choose_device(comm, device)
    row = {
        "rank": comm.rank,
        "world_size": comm.world_size,
        "host": comm.hostname,
        "pid": os.getpid(),
        "device": str(chosen.device),
        "processor": chosen.name,
        "threads": chosen.threads,
        "memory_gb": round(chosen.memory_gb, 1),
        "gradient_path": chosen.gradient_path if comm.world_size > 1 else "none needed",
    }
    return comm.all_gather_object(row)


def summary(rows: list[dict[str, Any]]) -> str:
    """Return the rows of :func:`describe` as text; ranks with equal rows share a line."""
    groups: dict[tuple[str, ...], list[int]] = {}
    for row in rows:
        gpu = f"{row['device']} " if row["device"] != "cpu" else ""
        threads = f"{row['threads']} thread{'s' if row['threads'] > 1 else ''}"
        key = (row["host"], f"{gpu}{row['processor']}", threads, row["gradient_path"])
        groups.setdefault(key, []).append(row["rank"])
    lines = []
    for (host, processor, threads, path), ranks in groups.items():
        several = len(ranks) > 1
        names = f"ranks {', '.join(map(str, ranks))}" if several else f"rank {ranks[0]}"
        each = " each" if several else ""
        gradients = "" if len(rows) == 1 else f"; gradients through {path}"
        lines.append(f"{names} on {host}: {processor}, {threads}{each}{gradients}")
    return "\n".join(lines)


def _usable_cores() -> tuple[int, ...]:
    # On a system without affinity masks all cores are usable.
    if hasattr(os, "sched_getaffinity"):
        return tuple(sorted(os.sched_getaffinity(0)))
    return tuple(range(os.cpu_count() or 1))


def _threads(host: str, cores: tuple[int, ...], masks: list[tuple[str, tuple[int, ...]]]) -> int:
    sharing = sum(1 for other in masks if other == (host, cores))
    return max(1, len(cores) // sharing)


def _cpu_name() -> str:
    try:
        with open("/proc/cpuinfo") as lines:
            for line in lines:
                if line.startswith("model name"):
                    return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _why_no_gpu() -> str:
    if torch.version.cuda is None:
        return f"torch {torch.__version__} is a build without CUDA"
    return "torch has CUDA, but no device is visible; see nvidia-smi and CUDA_VISIBLE_DEVICES"
