"""Directed message passing on bonds (D-MPNN)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from matexapps.apps.molecules.featurizers.graph import ATOM_CODES, BOND_CODES
from matexapps.apps.molecules.networks.batch_graph import BatchGraph

_USUAL_ATOMS = 20


class DirectedMessagePassing(nn.Module):
    """Messages run along directed bonds, and never straight back.

    Yang et al., Analyzing learned molecular representations for property prediction, J. Chem. Inf.
    Model. 59 (2019) 3370. The embeddings of an atom's attributes add up to its features, which is
    the product of a matrix and one-hot codes.

    Parameters
    ----------
    width : int
        Length of a hidden vector.
    depth : int
        Messages reach atoms this many bonds away.
    """

    def __init__(self, width: int, depth: int) -> None:
        super().__init__()
        self.width, self.depth = width, depth
        self.atom_in = nn.EmbeddingBag(ATOM_CODES, width, mode="sum")
        self.bond_in = nn.EmbeddingBag(BOND_CODES, width, mode="sum")
        self.message = nn.Linear(width, width, bias=False)
        self.atom_out = nn.EmbeddingBag(ATOM_CODES, width, mode="sum")
        self.gathered = nn.Linear(width, width)
        for table, attributes in ((self.atom_in, 10), (self.bond_in, 4), (self.atom_out, 10)):
            nn.init.normal_(table.weight, std=(2 / attributes) ** 0.5 / 2)

    def forward(self, graph: BatchGraph) -> Tensor:
        """Return a vector for each atom, shape (atoms, width)."""
        # On the way back index_select adds up many times as fast as indexing with brackets.
        sources = self.atom_in(graph.atoms).index_select(0, graph.source)
        start = sources + self.bond_in(graph.bonds).repeat(2, 1)
        hidden = start.relu()
        for _ in range(self.depth - 1):
            incoming = self._at_atoms(hidden, graph).index_select(0, graph.source)
            incoming = incoming - graph.reverse(hidden)
            hidden = (start + self.message(incoming)).relu()
        gathered = self.gathered(self._at_atoms(hidden, graph))
        return (self.atom_out(graph.atoms) + gathered).relu()

    def _at_atoms(self, hidden: Tensor, graph: BatchGraph) -> Tensor:
        """Return the sum of what arrives at each atom."""
        return hidden.new_zeros(len(graph.atoms), self.width).index_add(0, graph.target, hidden)


def read_out(atoms: Tensor, graph: BatchGraph) -> Tensor:
    """Return sum and mean over each molecule's atoms, side by side, shape (molecules, 2 * width).

    Solubility and free energies grow with the molecule, as the sum does; the mean lets a property
    that does not be read from a molecule larger or smaller than those learned from. The sum is
    divided by a usual number of atoms, so that it starts near one.
    """
    sums = atoms.new_zeros(graph.molecules, atoms.shape[1]).index_add(0, graph.molecule, atoms)
    count = torch.bincount(graph.molecule, minlength=graph.molecules)
    return torch.cat([sums / _USUAL_ATOMS, sums / count[:, None]], 1)
