"""Which processor a rank computes on, and with how many threads."""

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
    """The processor of one rank.

    Attributes
    ----------
    device : torch.device
        Where the model and its batches live.
    name : str
        The processor's own name.
    threads : int
        CPU threads of this rank, for torch's CPU operations.
    memory_gb : float
        Memory of the GPU, or this rank's share of the host's, in GiB.
    own_gpu : bool
        Whether every rank of the job has a GPU that no other rank uses.
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
    """Choose this rank's device from its place on the host. Collective.

    A GPU is taken by ``local_rank``, in turn where there are more ranks than GPUs. CPU threads
    are the cores that this rank may use, shared evenly among the ranks that may use the same.

    Parameters
    ----------
    comm : Communicator
        All ranks of the job.
    device : {"auto", "cpu", "cuda"}
        ``"auto"`` takes GPUs where every rank's host has one, else the CPU.

    Raises
    ------
    DeviceError
        If the device is unknown, or is not there on some rank's host; the same on every rank.
    """
    if device not in _CHOICES:
        raise DeviceError(
            f"unknown device {device!r}{did_you_mean(device, _CHOICES)}; use one of "
            f"{', '.join(_CHOICES)}"
        )
    gpus = torch.cuda.device_count() if device != "cpu" and torch.cuda.is_available() else 0
    cores = _usable_cores()
    everybody = comm.all_gather_object((comm.rank, comm.hostname, gpus, cores))
    threads = _threads(comm.hostname, cores, [(host, mask) for _, host, _, mask in everybody])
    without = [(rank, host) for rank, host, count, _ in everybody if count == 0]
    if device == "cuda" and without:
        rank, host = without[0]
        raise DeviceError(
            f"device='cuda' was asked for, but rank {rank} on {host} sees no GPU "
            f"({_why_no_gpu()}); use device='auto' or 'cpu', or start the ranks where GPUs are"
        )
    if device == "cpu" or without:
        memory = psutil.virtual_memory().total / comm.local_size / _GIB
        return RankDevice(torch.device("cpu"), _cpu_name(), threads, memory, own_gpu=False)
    index = comm.local_rank % gpus
    ranks_on = Counter(host for _, host, _, _ in everybody)
    own = all(ranks_on[host] <= count for _, host, count, _ in everybody)
    properties = torch.cuda.get_device_properties(index)
    return RankDevice(
        torch.device("cuda", index), properties.name, threads, properties.total_memory / _GIB, own
    )


def describe(comm: Communicator, device: str = "auto") -> list[dict[str, Any]]:
    """Return a row for each rank: where it runs and on what. Collective."""
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
    """Return what :func:`describe` found as text, a line for all ranks that are placed alike."""
    alike: dict[tuple[str, ...], list[int]] = {}
    for row in rows:
        gpu = f"{row['device']} " if row["device"] != "cpu" else ""
        threads = f"{row['threads']} thread{'s' if row['threads'] > 1 else ''}"
        place = (row["host"], f"{gpu}{row['processor']}", threads, row["gradient_path"])
        alike.setdefault(place, []).append(row["rank"])
    lines = []
    for (host, processor, threads, path), ranks in alike.items():
        several = len(ranks) > 1
        who = f"ranks {', '.join(map(str, ranks))}" if several else f"rank {ranks[0]}"
        each = " each" if several else ""
        way = "" if len(rows) == 1 else f"; gradients through {path}"
        lines.append(f"{who} on {host}: {processor}, {threads}{each}{way}")
    return "\n".join(lines)


def _usable_cores() -> tuple[int, ...]:
    # Not every system has affinity masks; there, all cores are usable.
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
    return "CUDA is built in, but no device is visible; see nvidia-smi and CUDA_VISIBLE_DEVICES"
