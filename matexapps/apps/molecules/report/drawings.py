"""Drawings of molecules, as pictures that a notebook shows."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rdkit import Chem
from rdkit.Chem import rdDepictor
from rdkit.Chem.Draw import rdMolDraw2D

_SIZE = (250, 200)
_MORE, _LESS = np.array([0.85, 0.25, 0.2]), np.array([0.2, 0.4, 0.85])


def draw_molecules(smiles: Sequence[str], legends: Sequence[str], columns: int = 4) -> Image.Image:
    """Return a picture with a grid of molecules, each with a line below it."""
    rows = -(-len(smiles) // columns)
    drawing = rdMolDraw2D.MolDraw2DCairo(columns * _SIZE[0], rows * _SIZE[1], *_SIZE)
    drawing.drawOptions().legendFontSize = 16  # type: ignore[assignment]  # the stubs err
    drawing.DrawMolecules([_flat(one) for one in smiles], legends=list(legends))
    return _picture(drawing)


def draw_contributions(
    smiles: Sequence[str],
    contributions: Sequence[NDArray[np.float64]],
    legends: Sequence[str],
) -> Image.Image:
    """Return molecules side by side, atoms coloured by what they contribute to one target.

    Red raises the value, blue lowers it; the strongest atom of all molecules has full colour.

    Parameters
    ----------
    smiles : sequence of str
    contributions : sequence of ndarray, shape (atoms,)
    legends : sequence of str
    """
    largest = max((float(np.abs(one).max()) for one in contributions if len(one)), default=0.0)
    colours = [
        {atom: _colour(value / (largest or 1.0)) for atom, value in enumerate(one.tolist())}
        for one in contributions
    ]
    drawing = rdMolDraw2D.MolDraw2DCairo(len(smiles) * _SIZE[0], _SIZE[1], *_SIZE)
    drawing.drawOptions().legendFontSize = 16  # type: ignore[assignment]  # the stubs err
    drawing.DrawMolecules(
        [_flat(one) for one in smiles],
        legends=list(legends),
        highlightAtoms=[list(one) for one in colours],
        highlightAtomColors=colours,
        highlightBonds=[[] for _ in smiles],
    )
    return _picture(drawing)


def _colour(share: float) -> tuple[float, float, float]:
    """Return white for 0, red for 1, blue for -1."""
    end = _MORE if share > 0 else _LESS
    red, green, blue = 1 - abs(share) * (1 - end)
    return float(red), float(green), float(blue)


def _flat(smiles: str) -> Chem.Mol:
    molecule = Chem.MolFromSmiles(smiles)
    rdDepictor.Compute2DCoords(molecule)
    return molecule


def _picture(drawing: rdMolDraw2D.MolDraw2DCairo) -> Image.Image:
    drawing.FinishDrawing()
    return Image.open(io.BytesIO(drawing.GetDrawingText()))
