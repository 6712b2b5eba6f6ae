"""Making sure that all ranks run the program on the same numbers."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

import torch

from matexapps.comm.communicator import Communicator
from matexapps.errors import TrainingError
from matexapps.transparent.telling import warn

_REMEDY = (
    "the program must make the same numbers on every rank: seed every generator of its own, and "
    "let nothing depend on the time, the process or the machine"
)


def synchronize_weights(name: str, tensors: Sequence[torch.Tensor], comm: Communicator) -> None:
    """Give every rank rank 0's weights and buffers of a network, if they differ. Collective."""
    if differing(tensors, comm):
        warn(f"the weights of {name} differed between ranks and are rank 0's now; {_REMEDY}")
        with torch.no_grad():
            for tensor in tensors:
                tensor.copy_(_of_rank_0(tensor, comm))


def require_consistency(
    where: str, tensors: Mapping[str, Sequence[torch.Tensor]], comm: Communicator
) -> None:
    """Raise unless every rank has the same tensors, up to rounding. Collective.

    Parameters
    ----------
    where : str
        Where in the program, as ``"in call 8 of Linear"``.
    tensors : mapping of str to sequence of Tensor
        By what they are, as ``"weights"``.
    comm : Communicator

    Raises
    ------
    TrainingError
        On every rank, with the first rank that differs.
    """
    if not differing([tensor for kind in tensors.values() for tensor in kind], comm):
        return
    for what, kind in tensors.items():
        # Machines of different kinds round differently; that is no mistake of the program.
        close = [_close(tensor, _of_rank_0(tensor, comm)) for tensor in kind]
        mine = all(close)
        others = [rank for rank, alike in enumerate(comm.all_gather_object(mine)) if not alike]
        if others:
            raise TrainingError(f"rank {others[0]} has other {what} {where} than rank 0; {_REMEDY}")


def differing(tensors: Sequence[torch.Tensor], comm: Communicator) -> bool:
    """Whether ranks hold different tensors. Collective."""
    # Processors have instructions for it, which makes it the quickest.
    digest = hashlib.sha256()
    for tensor in tensors:
        digest.update(f"{tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(_bytes(tensor).numpy().data)
    return len(set(comm.all_gather_object(digest.digest()))) > 1


def _bytes(tensor: torch.Tensor) -> torch.Tensor:
    plain = tensor.detach().cpu().contiguous()
    plain = torch.view_as_real(plain) if plain.is_complex() else plain
    return plain.reshape(-1).view(torch.uint8)


def _of_rank_0(tensor: torch.Tensor, comm: Communicator) -> torch.Tensor:
    shape, dtype = comm.broadcast_object((tensor.shape, tensor.dtype))
    there = tensor.detach().cpu() if comm.rank == 0 else torch.empty(shape, dtype=dtype)
    there = there.contiguous().clone()
    comm.broadcast(_bytes(there).numpy())
    return there


def _close(mine: torch.Tensor, there: torch.Tensor) -> bool:
    if mine.shape != there.shape or mine.dtype != there.dtype:
        return False
    return torch.allclose(mine.detach().cpu(), there, rtol=1e-4, atol=1e-5, equal_nan=True)
