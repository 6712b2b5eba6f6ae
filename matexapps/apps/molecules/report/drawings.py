"""Drawings of molecules, as images for notebooks.

They have 256 colors, so that a notebook stores a small PNG and not a JPEG as well.
"""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from rdkit import Chem
from rdkit.Chem import rdDepictor
from rdkit.Chem.Draw import rdMolDraw2D

_SIZE = (250, 200)
_STRIP = (200, 12)
_BELOW = 44
_FONT = 14
_MORE, _LESS = np.array([0.85, 0.25, 0.2]), np.array([0.2, 0.4, 0.85])


def draw_molecules(smiles: Sequence[str], legends: Sequence[str], columns: int = 4) -> Image.Image:
    """Return an image with a grid of molecules, each with a legend below it."""
    rows = -(-len(smiles) // columns)
    drawing = rdMolDraw2D.MolDraw2DCairo(columns * _SIZE[0], rows * _SIZE[1], *_SIZE)
    drawing.drawOptions().legendFontSize = 16  # type: ignore[assignment]  # the stubs err
    drawing.DrawMolecules([_flat(text) for text in smiles], legends=list(legends))
    return _picture(drawing).quantize()


def draw_contributions(
    smiles: Sequence[str],
    contributions: Sequence[NDArray[np.float64]],
    legends: Sequence[str],
    unit: str = "",
) -> Image.Image:
    """Return molecules with atoms colored by their contributions to one target.

    Red raises the value, blue lowers it. The atom with the largest contribution has full color,
    and a scale shows its value.

    Parameters
    ----------
    smiles : sequence of str
    contributions : sequence of ndarray, shape (atoms,)
    legends : sequence of str
    unit : str
        Of the target, for the scale.
    """
    largest = max((float(np.abs(item).max()) for item in contributions if len(item)), default=0.0)
    colors = [
        {atom: _color(value / (largest or 1.0)) for atom, value in enumerate(item.tolist())}
        for item in contributions
    ]
    drawing = rdMolDraw2D.MolDraw2DCairo(len(smiles) * _SIZE[0], _SIZE[1], *_SIZE)
    drawing.drawOptions().legendFontSize = 16  # type: ignore[assignment]  # the stubs err
    drawing.DrawMolecules(
        [_flat(text) for text in smiles],
        legends=list(legends),
        highlightAtoms=list(map(list, colors)),
        highlightAtomColors=colors,
        highlightBonds=[[] for _ in smiles],
    )
    return _with_scale(_picture(drawing), largest, unit)


def _with_scale(picture: Image.Image, largest: float, unit: str) -> Image.Image:
    """Return an image with a color scale below it."""
    width, height = _STRIP
    combined = Image.new("RGB", (picture.width, picture.height + _BELOW), "white")
    combined.paste(picture)
    left = (combined.width - width) // 2
    strip = np.tile(np.array(list(map(_color, np.linspace(-1, 1, width)))), (height, 1, 1))
    combined.paste(Image.fromarray((255 * strip).round().astype(np.uint8)), (left, picture.height))
    pen, font = ImageDraw.Draw(combined), ImageFont.load_default(_FONT)
    for offset, value in ((0, -largest), (width // 2, 0.0), (width, largest)):
        text = f"{value:+.3g} {unit}".rstrip() if value else "0"
        position = (left + offset, picture.height + height + 3)
        pen.text(position, text, fill="black", font=font, anchor="ma")
    return combined.quantize()


def _color(share: float) -> tuple[float, float, float]:
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
