"""Features of earlier runs, by molecule and version."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import rdkit
from safetensors import SafetensorError
from safetensors.numpy import load, save

from matexapps.apps.molecules.featurizers.featurizer import Arrays, Featurizer
from matexapps.errors import DataError

_BUSY_S = 60.0
_BATCH = 500


class FeatureCache:
    """One SQLite file for each featurizer, its version and RDKit's.

    A key is the InChIKey and the SMILES of the standard form, because tautomers may share an
    InChIKey and have different features.

    Parameters
    ----------
    folder : path
        Created when something is first written.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)

    def path(self, featurizer: Featurizer) -> Path:
        """Return the file of a featurizer."""
        version = f"{featurizer.name}-{featurizer.version}-rdkit-{rdkit.__version__}"
        return self.folder / f"{version}.sqlite"

    def read(self, featurizer: Featurizer, keys: Sequence[str]) -> dict[str, Arrays]:
        """Return the stored features of these keys.

        Raises
        ------
        DataError
            If the file is damaged.
        """
        path = self.path(featurizer)
        if not path.is_file():
            return {}
        stored: dict[str, Arrays] = {}
        try:
            with closing(sqlite3.connect(path, timeout=_BUSY_S)) as table:
                for batch in _batches(keys):
                    marks = ", ".join("?" * len(batch))
                    query = f"SELECT key, arrays FROM features WHERE key IN ({marks})"
                    stored |= {key: load(arrays) for key, arrays in table.execute(query, batch)}
        except (sqlite3.Error, SafetensorError) as error:
            raise _damaged(path, error) from None
        return stored

    def write(self, featurizer: Featurizer, computed: dict[str, Arrays]) -> None:
        """Store these features.

        Raises
        ------
        DataError
            If they cannot be written.
        """
        if not computed:
            return
        path = self.path(featurizer)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with closing(sqlite3.connect(path, timeout=_BUSY_S)) as table, table:
                table.execute(
                    "CREATE TABLE IF NOT EXISTS features (key TEXT PRIMARY KEY, arrays BLOB)"
                )
                table.executemany(
                    "INSERT OR REPLACE INTO features VALUES (?, ?)",
                    ((key, save(arrays)) for key, arrays in computed.items()),
                )
        except (OSError, sqlite3.Error) as error:
            raise _damaged(path, error) from None


def _batches(keys: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(keys), _BATCH):
        yield keys[start : start + _BATCH]


def _damaged(path: Path, error: Exception) -> DataError:
    return DataError(f"the cache of features {path} cannot be used: {error}; delete that file")
