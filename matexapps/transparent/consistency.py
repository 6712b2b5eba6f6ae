"""Checks that all ranks run the program on the same numbers."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

import torch

from matexapps.comm.communicator import Communicator
from matexapps.errors import TrainingError
from matexapps.sharding.autograd import bytes_of
from matexapps.transparent.user_code import warn

_REMEDY = (
    "the program must compute the same numbers on every rank: seed every generator it creates, "
    "and do not let results depend on the time, the process or the machine"
)


def synchronize_weights(name: str, tensors: Sequence[torch.Tensor], comm: Communicator) -> None:
    """Give every rank the weights and buffers of rank 0, if they differ. Collective.

    Parameters
    ----------
    name : str
        The network's class, for the warning.
    tensors : sequence of Tensor
        Changed in place.
    comm : Communicator
    """
    if tensors_differ(tensors, comm):
        warn(
            f"the weights of {name} differed between ranks at its first call, as they may after a "
            f"Stop in the middle of a step; all ranks use those of rank 0 now. Otherwise {_REMEDY}"
        )
        with torch.no_grad():
            for tensor in tensors:
                tensor.copy_(_broadcast(tensor, comm))


def require_consistency(
    context: str, tensors: Mapping[str, Sequence[torch.Tensor]], comm: Communicator
) -> None:
    """Raise unless every rank has the same tensors, up to rounding. Collective.

    Parameters
    ----------
    context : str
        Which part of the program this is, such as ``"call 8 of Linear"``.
    tensors : mapping of str to sequence of Tensor
        By their role, such as ``"weights"``.
    comm : Communicator

    Raises
    ------
    TrainingError
        On every rank, with the first rank that differs.
    """
    if not tensors_differ([tensor for group in tensors.values() for tensor in group], comm):
        return
    for role, group in tensors.items():
        # Machines of different kinds round differently; that is no mistake of the program.
        close = [_close(tensor, _broadcast(tensor, comm)) for tensor in group]
        consistent = comm.all_gather_object(all(close))
        if not all(consistent):
            raise TrainingError(
                f"in {context}, rank {consistent.index(False)} has different {role} than rank 0; "
                f"{_REMEDY}"
            )


def tensors_differ(tensors: Sequence[torch.Tensor], comm: Communicator) -> bool:
    """Whether ranks hold different tensors. Collective."""
    # The fastest digest here, since processors have instructions for it.
    digest = hashlib.sha256()
    for tensor in tensors:
        digest.update(f"{tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(bytes_of(tensor).data)
    return len(set(comm.all_gather_object(digest.digest()))) > 1


def _broadcast(tensor: torch.Tensor, comm: Communicator) -> torch.Tensor:
    """Return rank 0's tensor, which may have another shape and type. Collective."""
    shape, dtype = comm.broadcast_object((tensor.shape, tensor.dtype))
    values = tensor.detach().cpu() if comm.rank == 0 else torch.empty(shape, dtype=dtype)
    values = values.contiguous().clone()
    comm.broadcast(bytes_of(values))
    return values


def _close(tensor: torch.Tensor, expected: torch.Tensor) -> bool:
    if tensor.shape != expected.shape or tensor.dtype != expected.dtype:
        return False
    return torch.allclose(tensor.detach().cpu(), expected, rtol=1e-4, atol=1e-5, equal_nan=True)
