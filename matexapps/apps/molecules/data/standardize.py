"""One form for each molecule: salts stripped, charges neutralized, functional groups normalized.

The tautomer stays as it is drawn: choosing a canonical one is slow, and it is often not the one
that was measured. The InChIKey, by which duplicates are found, is the same for tautomers that
differ by mobile hydrogens only. Stereochemistry and isotopes stay.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from rdkit import Chem, rdBase
from rdkit.Chem import Mol
from rdkit.Chem.MolStandardize import rdMolStandardize

from matexapps import progress
from matexapps.errors import MatexError

VERSION = 3
"""Raised whenever the rules change."""

_REPORT_EVERY = 500


class Rejected(MatexError):
    """A text is not a usable molecule; the message is the reason."""


@dataclass(frozen=True)
class Standard:
    """A molecule in its standard form.

    Attributes
    ----------
    smiles : str
        Canonical, of the parent molecule.
    inchikey : str
    fragments : int
        Parts of the given structure; if there were several, the others were removed.
    """

    smiles: str
    inchikey: str
    fragments: int


def standardize(smiles: str) -> Standard:
    """Return the standard form of a molecule.

    RDKit's MolStandardize: clean-up (bonds to metals cut, functional groups in one notation,
    strongest acids ionized first), the largest organic fragment, no charges that protons can take
    away (Bento et al., J. Cheminform. 12 (2020) 51, follow the same steps). Charges that stay,
    as in betaines, N-oxides and sydnones, are part of the molecule.

    Raises
    ------
    Rejected
        If the text is blank or not a SMILES, breaks the rules of valence, has several parts none
        of which holds carbon, or has no InChI.
    """
    if not smiles.strip():
        raise Rejected("blank")
    with rdBase.BlockLogs():
        drawn = parse(smiles)
        fragments = len(Chem.GetMolFrags(drawn))
        try:
            text = Chem.MolToSmiles(_parent(drawn))
            molecule = parse(text)
            inchikey = Chem.MolToInchiKey(molecule)
        except (Rejected, RuntimeError, ValueError) as error:
            raise Rejected(f"cannot be standardized: {_first_line(error)}") from None
    if fragments > 1 and all(atom.GetSymbol() != "C" for atom in molecule.GetAtoms()):
        raise Rejected("several parts, none of which holds carbon")
    if not inchikey:
        raise Rejected("has no InChI: it may hold dummy atoms, or more than 1,023 atoms")
    return Standard(text, inchikey, fragments)


class _Tools:
    """RDKit's tools, which are slow to construct."""

    def __init__(self) -> None:
        self.disconnector = rdMolStandardize.MetalDisconnector()
        self.normalizer = rdMolStandardize.Normalizer()
        self.reionizer = rdMolStandardize.Reionizer()
        self.chooser = rdMolStandardize.LargestFragmentChooser(preferOrganic=True)
        self.uncharger = rdMolStandardize.Uncharger()


_tools = cache(_Tools)


def _parent(drawn: Mol) -> Mol:
    tools = _tools()
    # Called one by one: combined, as Cleanup, they break the rings of mesoionic compounds.
    cleaned = tools.normalizer.normalize(tools.disconnector.Disconnect(drawn))
    parent = tools.chooser.choose(tools.reionizer.reionize(cleaned))
    # Adding or removing a proton changes which rings are aromatic.
    Chem.Kekulize(parent, clearAromaticFlags=True)
    parent = tools.uncharger.uncharge(parent)
    Chem.SanitizeMol(parent)
    return parent


def parse(smiles: str) -> Mol:
    """Return the molecule of a SMILES.

    Raises
    ------
    Rejected
        If it is not valid.
    """
    with rdBase.BlockLogs():
        drawn = Chem.MolFromSmiles(smiles, sanitize=False)
        if drawn is None:
            raise Rejected("not a SMILES")
        problems = Chem.DetectChemistryProblems(drawn)
        if problems:
            raise Rejected(problems[0].Message())
        molecule = Chem.MolFromSmiles(smiles)
    if molecule is None:
        raise Rejected("not a SMILES")
    if molecule.GetNumAtoms() == 0:
        raise Rejected("no atoms")
    return molecule


def standardize_all(smiles: Sequence[str], rank: int = 0, ranks: int = 1) -> list[Standard | str]:
    """Return the standard form of each molecule, or the reason why it has none."""
    standards: list[Standard | str] = []
    for done, text in enumerate(smiles):
        if done % _REPORT_EVERY == 0:
            progress.report_work(
                "standardizing molecules", done, len(smiles), "molecules", rank, ranks
            )
        try:
            standards.append(standardize(text))
        except Rejected as reason:
            standards.append(str(reason))
    return standards


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
