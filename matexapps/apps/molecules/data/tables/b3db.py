"""``python -m matexapps.apps.molecules.data.tables.b3db TABLE.csv``: B3DB, the blood-brain barrier.

Writes which molecules pass the blood-brain barrier, and how much of a molecule is in the brain for
those where that was measured. Source is the package ``qc-b3db`` (extra ``molecules-data``), a
collection from 50 published resources (Meng et al., Sci. Data 8 (2021) 289).
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator

from matexapps.apps.molecules.data.tables.command import installed_file, write_table

COLUMNS = ("smiles", "BBB", "logBB")
"""The columns of the table."""

_SOURCE = ("SMILES", "BBB+/BBB-", "logBB")


def main(arguments: list[str]) -> int:
    """Write the table and return the exit status."""
    return write_table(arguments, __doc__, COLUMNS, barrier_rows)


def barrier_rows() -> Iterator[tuple[str, ...]]:
    """Yield structure, class and logBB of each molecule, in the order of B3DB."""
    path = installed_file("qc-b3db", "B3DB/B3DB_classification.tsv", "molecules-data")
    with open(path, encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            yield tuple(row[name] for name in _SOURCE)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
