"""What is predicted, by which model, and where it goes."""

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
        A folder that a training wrote.
    library : str
        A file of molecules.
    out : str or None
        The .csv to write; None takes the library's name with ``_predicted.csv`` behind it.
    smiles_columns : str, sequence of str or None
        Columns of structures; None takes those of the training where several belong together, and
        otherwise finds the one.
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
