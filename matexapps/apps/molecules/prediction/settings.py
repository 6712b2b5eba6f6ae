"""Settings of a prediction: model, library and table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class PredictionSettings:
    """Settings of a prediction.

    Attributes
    ----------
    model : str
        Folder of a trained model.
    library : str
        A file of molecules.
    out : str or None
        The .csv file to write; default: the library's name followed by ``_predicted.csv``.
    smiles_columns : str, sequence of str or None
        Columns of structures; default: the one called "smiles", or those of the training where
        several belong together.
    """

    model: str
    library: str
    out: str | None = None
    smiles_columns: str | Sequence[str] | None = None

    @property
    def table(self) -> Path:
        """Where the predictions go."""
        if self.out:
            return Path(self.out)
        library = Path(self.library)
        return library.with_name(f"{library.name.split('.')[0]}_predicted.csv")
