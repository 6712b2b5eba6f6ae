"""Which columns of a file hold structures, targets and the key of a split."""

from __future__ import annotations

from collections.abc import Sequence

from rdkit import Chem, rdBase

from matexapps.apps.molecules.data.formats import STRUCTURE_NAMES, Table
from matexapps.apps.molecules.data.targets import Target, is_blank, parse_number
from matexapps.errors import DataError, did_you_mean

_TITLE_NAMES = ("id", "name", "title")
_NOT_LEARNED = ("index", "id")


def structure_columns(given: str | Sequence[str] | None, table: Table, source: str) -> list[str]:
    """Return the names of the columns of structures.

    Parameters
    ----------
    given : str or sequence of str, or None
        None takes the first column with a usual name such as "smiles".
    table : Table
    source : str
        For messages.

    Raises
    ------
    DataError
        If there is none, one is named twice, or several have the same name.
    """
    wanted = [] if given is None else [given] if isinstance(given, str) else list(given)
    if table.structure is not None:
        if len(wanted) > 1:
            raise DataError(
                f"{source} has one structure a row, and {len(wanted)} are needed: "
                f"{', '.join(wanted)}; give a CSV, TSV or Parquet file with such columns"
            )
        return [table.structure]
    if given is not None:
        columns = [find_column(name, table.names, source, "structures") for name in wanted]
        if len(set(columns)) < max(1, len(columns)):
            raise DataError(f"smiles_columns={wanted}: give each column of structures once")
        return columns
    for name in table.names:
        if name.strip().lower() in STRUCTURE_NAMES:
            return [check_unique(name, table.names, source)]
    raise DataError(_without_structures(table.names, source))


def _without_structures(names: Sequence[str], source: str) -> str:
    molecules = [name for name in names if _is_molecule(name)]
    if molecules:
        return (
            f"{source} has no header: its first line must name the columns, and {molecules[0]!r} "
            "there is a molecule"
        )
    return (
        f"{source} has no column called 'smiles': say which one has the structures, as in "
        f"smiles_columns={names[0]!r}; it has {', '.join(map(repr, names))}"
    )


def _is_molecule(name: str) -> bool:
    """Whether a text is a SMILES of three atoms or more, unlike short words such as "CN"."""
    with rdBase.BlockLogs():
        molecule = Chem.MolFromSmiles(name)
    return molecule is not None and molecule.GetNumAtoms() > 2


def title_column(table: Table, structures: Sequence[str]) -> str | None:
    """Return the name of the column that names the molecules; None where there is none."""
    if table.title is not None:
        return table.title
    titles = (name for name in table.names if name.strip().lower() in _TITLE_NAMES)
    return next((name for name in titles if name not in structures), None)


def is_target(name: str, cells: Sequence[object], classes: tuple[str, str] | None) -> bool:
    """Whether a column can be learned: all its cells are numbers, classes if given, or blank.

    Columns without any value, and those called "index" or "id", are not learned unless they are
    named.
    """
    values = [cell for cell in cells if not is_blank(cell)]
    if not values:
        return False
    if classes is not None:
        return all(str(cell).strip() in classes for cell in values)
    if name.strip().lower() in _NOT_LEARNED or name.startswith("Unnamed:"):
        return False
    return all(parse_number(cell) is not None for cell in values)


def find_column(wanted: str, names: Sequence[str], source: str, purpose: str) -> str:
    """Return the column called ``wanted``, even if its header also names a unit.

    Raises
    ------
    DataError
        If there is none, or several.
    """
    columns = (
        [wanted]
        if wanted in names
        else [name for name in names if Target.from_header(name).name == wanted]
    )
    if len(set(columns)) > 1:
        raise DataError(
            f"{source} has several columns {wanted!r} for {purpose}: "
            f"{', '.join(map(repr, columns))}; name one with its unit"
        )
    if columns:
        return check_unique(columns[0], names, source)
    raise DataError(
        f"{source} has no column {wanted!r} for {purpose}{did_you_mean(wanted, names)}; it has "
        f"{', '.join(map(repr, names))}"
    )


def check_unique(name: str, names: Sequence[str], source: str) -> str:
    """Return the name of a column.

    Raises
    ------
    DataError
        If several columns have it.
    """
    if names.count(name) > 1:
        raise DataError(
            f"{source} has {names.count(name)} columns called {name!r}: give each a name of its own"
        )
    return name
