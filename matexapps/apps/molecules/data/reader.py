"""Reading molecules from CSV, TSV, SDF, Parquet and SMILES files."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from rdkit import Chem, rdBase
from rdkit.Chem import Mol

from matexapps.apps.molecules.data.records import (
    Records,
    Target,
    check_once,
    chosen_column,
    codes,
    is_blank,
    numbers,
)
from matexapps.errors import DataError

SEPARATORS = {".csv": ",", ".tsv": "\t"}
LISTS = (".smi", ".smiles")
UNREADABLE = (OSError, EOFError, zlib.error)
"""What is raised where a file, or its compression, is damaged."""

_OTHER_SEPARATORS = (";", "\t", ",", "|")
_USUAL_NAMES = ("smiles", "canonical_smiles", "isosmiles", "structure")
_STRUCTURE = "structure"
_EMPTY = "{} is empty: its first line must name the columns"


def read_records(
    path: str | Path,
    *,
    smiles_columns: str | Sequence[str] | None = None,
    target_columns: Sequence[str] | None = None,
    part_column: str | None = None,
    classes: tuple[str, str] | None = None,
) -> Records:
    """Read structures and values.

    Parameters
    ----------
    path : path
        ``.csv`` and ``.tsv`` with a header; ``.sdf``, whose properties are the columns; ``.smi``,
        whose lines are SMILES, then a name (see :func:`molecule_lines`); each also with ``.gz``
        behind; ``.parquet``.
    smiles_columns : str or sequence of str, or None
        The column of structures, or several whose structures belong together, such as a solute
        and its solvent; None takes the one called "smiles". An SDF has none.
    target_columns : sequence of str or None
        None takes every column whose cells are all numbers or blank, but not one called "index"
        or "id". A unit in the header, as in ``"logS (log mol/L)"``, may be left out here.
    part_column : str or None
        A column that a split goes by.
    classes : tuple of two str, or None
        Targets are these two texts, the first of which counts as 0; None takes targets whose
        values are all 0 or 1 as classes, and others as numbers.

    Raises
    ------
    DataError
        If the file cannot be read, a column is missing, or a cell of a target is no number or
        none of the classes.
    """
    path = Path(path)
    kind = file_kind(path)
    table = _sdf(path) if kind == ".sdf" else _table(path, kind)
    if table.empty:
        raise DataError(f"{path} has no rows")
    names = [str(name) for name in table.columns]
    table.columns = pd.Index(names)
    structures = (
        [_STRUCTURE] if kind == ".sdf" else structure_columns(smiles_columns, names, str(path))
    )
    if target_columns is None:
        apart = ("", *structures, part_column)
        others = [check_once(name, names, str(path)) for name in names if name not in apart]
        chosen = [name for name in others if _is_target(name, table[name], classes)]
    else:
        chosen = [chosen_column(one, names, str(path), "a target") for one in target_columns]
    part = None
    if part_column is not None:
        part = table[chosen_column(part_column, names, str(path), "the split")].to_numpy(object)
    targets = [_target(name, table[name].tolist(), str(path), classes) for name in chosen]
    return Records(
        source=str(path),
        structures=list(zip(*(_texts(table[name]) for name in structures), strict=True)),
        values=np.stack([v for _, v in targets], 1) if targets else np.empty((len(table), 0)),
        targets=[target for target, _ in targets],
        rows=np.arange(1, len(table) + 1),
        part_key=part,
        smiles_columns=tuple(structures),
    )


def open_text(path: Path) -> IO[str]:
    """Open a text file that may be compressed."""
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8-sig", errors="replace")
    return open(path, encoding="utf-8-sig", errors="replace")


def sdf_molecules(path: Path) -> Iterator[Mol | None]:
    """Yield the entries of an SDF, None where one is broken.

    Raises
    ------
    DataError
        If the file cannot be read.
    """
    try:
        with (
            gzip.open(path) if path.suffix == ".gz" else open(path, "rb") as file,
            rdBase.BlockLogs(),
        ):
            yield from Chem.ForwardSDMolSupplier(file)
    except (*UNREADABLE, SystemError) as error:  # RDKit wraps errors of decompression
        raise DataError(f"{path} cannot be read as SDF: {error.__cause__ or error}") from None


def molecule_lines(lines: Iterable[str]) -> Iterator[str]:
    """Yield the lines of a SMILES file; a first one that is a header is left out.

    It is one if its first word, in capitals or not, is what columns of structures are usually
    called, such as "smiles", none of which is a SMILES.
    """
    for number, line in enumerate(lines):
        if number > 0 or first_word(line).lower() not in _USUAL_NAMES:
            yield line


def first_word(line: str) -> str:
    """Return the SMILES of a line of a SMILES file, empty where it has none."""
    return next(iter(line.split()), "")


def file_kind(path: Path) -> str:
    """Return the ending that says what the file holds, without that of compression.

    Raises
    ------
    DataError
        If there is no such file, or molecules are not read from its kind.
    """
    ending = path.suffixes[-2] if path.suffix == ".gz" and len(path.suffixes) > 1 else path.suffix
    if ending.lower() not in (*SEPARATORS, *LISTS, ".sdf", ".parquet"):
        raise DataError(
            f"{path}: molecules are read from .csv, .tsv, .smi, .parquet and .sdf files, not from "
            f"{ending or 'a file without an ending'!r}"
        )
    if not path.is_file():
        raise DataError(f"there is no file {path}")
    return ending.lower()


def _table(path: Path, kind: str) -> pd.DataFrame:
    try:
        if kind == ".parquet":
            return pd.read_parquet(path)
        if kind in LISTS:
            with open_text(path) as lines:
                found = [first_word(line) for line in molecule_lines(lines)]
            return pd.DataFrame({"smiles": found}, dtype=str)
        return _separated(path, SEPARATORS[kind])
    except pd.errors.EmptyDataError:
        raise DataError(_EMPTY.format(path)) from None
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path} is not UTF-8 text ({error.reason} at byte {error.start}): save it as UTF-8, "
            "which spreadsheets call 'CSV UTF-8'"
        ) from None
    except (*UNREADABLE, ValueError, pd.errors.ParserError) as error:
        why = " ".join(str(error).split())
        raise DataError(f"{path} cannot be read as {kind[1:].upper()}: {why}") from None


def _separated(path: Path, separator: str) -> pd.DataFrame:
    """Return a table of texts; pandas would rename columns of one name, were the header its."""
    with open_text(path) as text:
        _check_separator(text.readline().strip().split(separator), str(path))
    lines = pd.read_csv(
        path, sep=separator, header=None, dtype=str, keep_default_na=False, skip_blank_lines=False
    )
    table = lines.iloc[1:].reset_index(drop=True)
    table.columns = pd.Index(lines.iloc[0].tolist())
    return table


def _sdf(path: Path) -> pd.DataFrame:
    """Return a row for each entry: its structure as SMILES, empty where broken, and properties."""
    entries: list[dict[str, Any]] = []
    for molecule in sdf_molecules(path):
        entry: dict[str, Any] = {_STRUCTURE: ""}
        if molecule is not None:
            entry |= molecule.GetPropsAsDict(autoConvertStrings=False)
            entry[_STRUCTURE] = Chem.MolToSmiles(molecule)
        entries.append(entry)
    if not entries:
        raise DataError(f"{path} has no entries of an SDF")
    return pd.DataFrame(entries)


def structure_columns(
    given: str | Sequence[str] | None, names: list[str], source: str
) -> list[str]:
    """Return the columns of structures.

    Raises
    ------
    DataError
        If there is none, one is named twice, or there are two of one name.
    """
    if given is not None:
        wanted = [given] if isinstance(given, str) else list(given)
        found = [chosen_column(one, names, source, "structures") for one in wanted]
        if len(set(found)) < max(1, len(found)):
            raise DataError(f"smiles_columns={wanted}: give each column of structures once")
        return found
    for name in names:
        if name.strip().lower() in _USUAL_NAMES:
            check_once(name, names, source)
            return [name]
    if not names:
        raise DataError(_EMPTY.format(source))
    _check_separator(names, source)
    molecules = [name for name in names if _is_molecule(name)]
    if molecules:
        raise DataError(
            f"{source} has no header: its first line must name the columns, and {molecules[0]!r} "
            "there is a molecule"
        )
    raise DataError(
        f"{source} has no column called 'smiles': say which one has the structures, as in "
        f"smiles_columns={names[0]!r}; it has {', '.join(map(repr, names))}"
    )


def _check_separator(names: list[str], source: str) -> None:
    apart = [one for one in _OTHER_SEPARATORS if one in names[0]]
    if len(names) == 1 and apart:
        raise DataError(
            f"{source} has one column, {names[0]!r}: its cells seem to be separated by "
            f"{apart[0]!r}; a .csv needs commas between them, and a .tsv tabs"
        )


def _is_molecule(name: str) -> bool:
    """Whether a text is a SMILES of three atoms or more, unlike short words such as "CN"."""
    with rdBase.BlockLogs():
        found = Chem.MolFromSmiles(name)
    return found is not None and found.GetNumAtoms() > 2


def _texts(cells: pd.Series[Any]) -> list[str]:
    return ["" if text is None or text != text else str(text) for text in cells]


def _target(
    name: str, cells: list[object], source: str, classes: tuple[str, str] | None
) -> tuple[Target, NDArray[np.float64]]:
    """Return a target with its values, which are 0 and 1 where they are classes."""
    target = Target.from_header(name)
    if classes is not None:
        return replace(target, classes=classes), codes(cells, classes, name, source)
    values = numbers(cells, name, source)
    known = values[np.isfinite(values)]
    if len(known) and np.isin(known, (0, 1)).all():
        target = replace(target, classes=("0", "1"))
    return target, values


def _is_target(name: str, cells: pd.Series[Any], classes: tuple[str, str] | None) -> bool:
    if classes is not None:
        found = {str(cell).strip() for cell in cells if not is_blank(cell)}
        return bool(found) and found <= set(classes)
    if name.strip().lower() in ("index", "id") or name.startswith("Unnamed:"):
        return False
    if cells.dtype.kind in "mM":  # dates, which pandas would count from 1970
        return False
    blank = cells.map(is_blank)
    values = pd.to_numeric(cells.where(~blank), errors="coerce")
    return bool((values.notna() | blank).all() and values.notna().any())
