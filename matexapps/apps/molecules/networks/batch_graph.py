"""One graph of all molecules of a batch, gathered from packed graphs without a loop."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class BatchGraph:
    """The molecules of a batch as one graph, in which each bond occurs in both directions.

    Attributes
    ----------
    atoms : Tensor of int64, shape (atoms, attributes)
    bonds : Tensor of int64, shape (bonds, attributes)
        Undirected; the directed bonds i and i + bonds are the two directions of bond i.
    source, target : Tensor of int64, shape (2 * bonds,)
        The atoms at the start and at the end of each directed bond.
    molecule : Tensor of int64, shape (atoms,)
        The molecule of the batch that each atom belongs to.
    molecules : int
    """

    atoms: Tensor
    bonds: Tensor
    source: Tensor
    target: Tensor
    molecule: Tensor
    molecules: int

    def reverse(self, directed: Tensor) -> Tensor:
        """Return, for each directed bond, the row of its opposite direction."""
        return directed.roll(len(self.bonds), 0)


class PackedGraphs(nn.Module):
    """The concatenated graphs of many molecules, from which batches are gathered.

    Parameters
    ----------
    arrays : dict of str to Tensor
        Of :class:`~matexapps.apps.molecules.featurizers.graph.Graph`, concatenated.
    """

    atoms: Tensor
    bonds: Tensor
    ends: Tensor
    atom_count: Tensor
    bond_count: Tensor
    atom_start: Tensor
    bond_start: Tensor

    def __init__(self, arrays: dict[str, Tensor]) -> None:
        super().__init__()
        for name in ("atoms", "bonds", "ends", "atom_count", "bond_count"):
            self.register_buffer(name, arrays[name], persistent=False)
        for part in ("atom", "bond"):
            count = arrays[f"{part}_count"].long()
            self.register_buffer(f"{part}_start", count.cumsum(0) - count, persistent=False)

    def forward(self, indices: Tensor) -> BatchGraph:
        """Return the graph of the molecules with these indices, shape (molecules,)."""
        atom_count = self.atom_count[indices].long()
        bond_count = self.bond_count[indices].long()
        first_atom = atom_count.cumsum(0) - atom_count
        ends = self.ends[_ranges(self.bond_start[indices], bond_count)].long()
        ends = ends + first_atom.repeat_interleave(bond_count)[:, None]
        return BatchGraph(
            atoms=self.atoms[_ranges(self.atom_start[indices], atom_count)].long(),
            bonds=self.bonds[_ranges(self.bond_start[indices], bond_count)].long(),
            source=torch.cat([ends[:, 0], ends[:, 1]]),
            target=torch.cat([ends[:, 1], ends[:, 0]]),
            molecule=torch.arange(len(indices), device=indices.device).repeat_interleave(
                atom_count
            ),
            molecules=len(indices),
        )


def _ranges(start: Tensor, count: Tensor) -> Tensor:
    """Return the concatenation of ``start[i], ..., start[i] + count[i] - 1`` for all i."""
    before = count.cumsum(0) - count
    total = int(count.sum())
    offsets = torch.arange(total, device=start.device)
    return offsets + (start - before).repeat_interleave(count, output_size=total)
