"""The gradient of the global batch: the weighted mean over the rows of all ranks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from datetime import timedelta
from itertools import compress
from typing import Any

import numpy as np
import torch
import torch.distributed as dist

from matexapps.comm.communicator import Communicator
from matexapps.data.loading.batch import Batch
from matexapps.devices import RankDevice
from matexapps.errors import TrainingError

_NCCL_TIMEOUT_S = 600


class GradientAverage(ABC):
    """Replaces each parameter's gradient by the weighted mean of all ranks' gradients.

    All gradients, the loss, and a mark for each parameter that has a gradient travel as one
    vector. A parameter that has no gradient on any rank keeps none, so that the optimizer skips it
    as it would on one rank.

    Parameters
    ----------
    parameters : sequence of torch.nn.Parameter
        The trainable parameters, in the same order on every rank.
    """

    def __init__(self, parameters: Sequence[torch.nn.Parameter]) -> None:
        if any(p.is_sparse for p in parameters):
            raise TrainingError(
                "sparse parameters cannot be averaged over ranks; use dense parameters"
            )
        self.parameters = parameters
        self.size = sum(_as_real(p).numel() for p in parameters)
        wide = any(p.dtype in (torch.float64, torch.complex128) for p in parameters)
        self.dtype = torch.float64 if wide else torch.float32
        self.length = self.size + len(parameters) + 1
        self._marks: list[bool] = []

    def _cut(self, vector: torch.Tensor) -> list[torch.Tensor]:
        views, start = [], 0
        for p in map(_as_real, self.parameters):
            views.append(vector[start : start + p.numel()].view(p.shape))
            start += p.numel()
        return views

    def _gradients(self) -> tuple[list[torch.Tensor], list[bool]]:
        """Return the gradients that exist, as real numbers, and which parameters have one."""
        gradients = [p.grad for p in self.parameters]
        if any(g is not None and g.is_sparse for g in gradients):
            raise TrainingError(
                "sparse gradients cannot be averaged over ranks; use Embedding(..., sparse=False)"
            )
        return [_as_real(g) for g in gradients if g is not None], [g is not None for g in gradients]

    def average(
        self, loss: torch.Tensor | float, weight: float
    ) -> tuple[torch.Tensor | float, torch.Tensor | float]:
        """Average all gradients in place; return the global batch's mean loss and its weight.

        Parameters
        ----------
        loss : Tensor or float
            ``weight`` times the mean loss of this rank's rows; the gradients are those of it.
        weight : float
            The weight of this rank's rows.
        """
        gradients, marks = self._gradients()
        if not all(marks):
            self._local.zero_()
            self._marks = []
        if gradients:
            torch._foreach_copy_(list(compress(self._local_views, marks)), gradients)
        if marks != self._marks:
            self._local[self.size : -1] = torch.tensor(marks, dtype=self.dtype)
            self._marks = marks
        self._local[-1] = loss
        total = self._exchange(weight)
        if not all(marks):
            self._make_missing(marks)
            gradients, marks = self._gradients()
        if gradients:
            torch._foreach_copy_(gradients, list(compress(self._mean_views, marks)))
        return self._mean_loss(), total

    def _make_missing(self, marks: list[bool]) -> None:
        anywhere = self._mean[self.size : -1].tolist()
        for p, mine, share in zip(self.parameters, marks, anywhere, strict=True):
            if not mine and share > 0:
                p.grad = torch.empty_like(p)

    _local: torch.Tensor
    _mean: torch.Tensor
    _local_views: list[torch.Tensor]
    _mean_views: list[torch.Tensor]

    @abstractmethod
    def _exchange(self, weight: float) -> torch.Tensor | float:
        """Fill ``_mean`` with the ranks' ``_local``, weighted; return the sum of weights."""

    def _mean_loss(self) -> torch.Tensor | float:
        return float(self._mean[-1])

    @abstractmethod
    def close(self) -> None:
        """Release the buffers."""


class HostGradients(GradientAverage):
    """Through host memory: shared by the ranks of one host, by messages between hosts."""

    def __init__(self, comm: Communicator, parameters: Sequence[torch.nn.Parameter]) -> None:
        super().__init__(parameters)
        kind = np.float64 if self.dtype == torch.float64 else np.float32
        self._buffer = comm.mean_buffer(self.length, kind)
        self._local = torch.from_numpy(self._buffer.local)
        self._mean = torch.from_numpy(self._buffer.mean)
        self._local_views, self._mean_views = self._cut(self._local), self._cut(self._mean)

    def _exchange(self, weight: float) -> float:
        return self._buffer.average(weight)

    def close(self) -> None:
        del self._local, self._mean, self._local_views, self._mean_views
        self._buffer.close()


class StagedGradients(GradientAverage):
    """From a GPU through pinned host memory, where ranks share GPUs or span other fabrics."""

    def __init__(self, comm: Communicator, parameters: Sequence[torch.nn.Parameter]) -> None:
        super().__init__(parameters)
        device = self.parameters[0].device
        kind = np.float64 if self.dtype == torch.float64 else np.float32
        self._buffer = comm.mean_buffer(self.length, kind)
        self._host_local = torch.from_numpy(self._buffer.local)
        self._host_mean = torch.from_numpy(self._buffer.mean)
        self._pinned = torch.zeros(self.length, dtype=self.dtype, pin_memory=True)
        self._local = torch.zeros(self.length, dtype=self.dtype, device=device)
        self._mean = torch.zeros(self.length, dtype=self.dtype, device=device)
        self._local_views, self._mean_views = self._cut(self._local), self._cut(self._mean)

    def _exchange(self, weight: float) -> float:
        self._pinned.copy_(self._local, non_blocking=True)
        torch.cuda.current_stream().synchronize()
        self._host_local.copy_(self._pinned)
        total = self._buffer.average(weight)
        self._pinned.copy_(self._host_mean)
        self._mean.copy_(self._pinned, non_blocking=True)
        return total

    def _mean_loss(self) -> float:
        return float(self._host_mean[-1])

    def close(self) -> None:
        del self._host_local, self._host_mean
        self._buffer.close()


class NcclGradients(GradientAverage):
    """Between GPUs by NCCL, one GPU a rank, through ``torch.distributed`` started over MPI."""

    def __init__(self, comm: Communicator, parameters: Sequence[torch.nn.Parameter]) -> None:
        super().__init__(parameters)
        device = self.parameters[0].device
        self._group = _nccl_group(comm, device)
        self._vector = torch.zeros(self.length + 1, dtype=self.dtype, device=device)
        self._local = self._mean = self._vector[:-1]
        self._local_views = self._mean_views = self._cut(self._local)

    def _exchange(self, weight: float) -> torch.Tensor:
        self._vector[-1] = weight
        self._group.allreduce([self._vector]).wait()
        self._local /= self._vector[-1].clamp_min(torch.finfo(self.dtype).tiny)
        # Marks are overwritten by their mean here, so the next step must write them again.
        self._marks = []
        return self._vector[-1].clone()

    def _mean_loss(self) -> torch.Tensor:
        return self._local[-1].clone()

    def close(self) -> None:
        self._group.shutdown()


def _as_real(tensor: torch.Tensor) -> torch.Tensor:
    tensor = tensor.detach()
    return torch.view_as_real(tensor) if tensor.is_complex() else tensor


def _nccl_group(comm: Communicator, device: torch.device) -> Any:
    """Start NCCL among all ranks; rank 0's address travels over MPI."""
    store: Any = None
    address: tuple[str, int] | None = None
    if comm.rank == 0:
        store = dist.TCPStore(
            comm.hostname, 0, comm.world_size, is_master=True, wait_for_workers=False
        )
        address = (comm.hostname, store.port)
    host, port = comm.broadcast_object(address)  # type: ignore[misc]
    if store is None:
        store = dist.TCPStore(host, port, comm.world_size, is_master=False)
    options = dist.ProcessGroupNCCL.Options()
    options._timeout = timedelta(seconds=_NCCL_TIMEOUT_S)
    torch.cuda.set_device(device)
    return dist.ProcessGroupNCCL(store, comm.rank, comm.world_size, options)


def gradient_average(
    comm: Communicator, parameters: Sequence[torch.nn.Parameter], device: RankDevice
) -> GradientAverage | None:
    """Return how gradients are averaged on this device; None on one rank."""
    if comm.world_size == 1:
        return None
    if device.device.type == "cpu":
        return HostGradients(comm, parameters)
    return NcclGradients(comm, parameters) if device.own_gpu else StagedGradients(comm, parameters)


def global_gradient(
    batch: Batch,
    loss: Callable[[Batch], tuple[torch.Tensor, float]],
    backward: Callable[[torch.Tensor], None],
    average: GradientAverage | None,
) -> tuple[torch.Tensor | float, torch.Tensor | float]:
    """Give every parameter the gradient of the global batch; return its mean loss and weight.

    Parameters
    ----------
    batch : Batch
        This rank's part, which may have no rows.
    loss : function
        From a part to its mean loss and its weight.
    backward : function
        Puts the gradients of a value into the parameters.
    average : GradientAverage or None
        None where this rank's part is the global batch.
    """
    if average is None:
        mean, total = loss(batch)
        backward(mean)
        return mean.detach(), total
    part: torch.Tensor | float = 0.0
    weight = 0.0
    if len(batch):
        mean, weight = loss(batch)
        # In units of the batch's rows, so that sums stay as small as means.
        scaled = mean * (weight / batch.global_rows)
        backward(scaled)
        part = scaled.detach()
    mean_loss, share = average.average(part, weight / batch.global_rows)
    return mean_loss, share * batch.global_rows


def gather_batch(batch: Batch, comm: Communicator) -> Batch:
    """Return the global batch of which every rank has a part, on every rank. Collective.

    Its losses and weights are those of the global batch on every rank, so a sum of weights over
    ranks counts it once for each rank.
    """
    values = (batch.features, batch.label, batch.weight)
    mine = [None if value is None else value.cpu() for value in values]
    parts = comm.all_gather_object((*mine, batch.total_weight, batch.ids))
    features, label, weight, totals, ids = zip(*parts, strict=True)
    device = batch.features.device
    return Batch(
        torch.cat(features).to(device),
        torch.cat(label).to(device),
        None if batch.weight is None else torch.cat(weight).to(device),
        sum(totals),
        batch.global_rows,
        np.concatenate(ids),
        np.arange(batch.global_rows),
    )
