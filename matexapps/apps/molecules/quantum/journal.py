"""The journal of a campaign: results are recorded one by one, so that none is computed twice.

The folder has ``campaign.json``, with everything that the values depend on, and a file for each
rank of each run with a line of JSON for every molecule. Incomplete lines are skipped.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from matexapps.errors import DataError
from matexapps.files import atomic_file

_CAMPAIGN = "campaign.json"


@dataclass(frozen=True)
class Outcome:
    """The result for one molecule.

    Attributes
    ----------
    smiles : str
        Of the standard form.
    values : list of float or None
        In the order of :data:`~matexapps.apps.molecules.quantum.single_point.COLUMNS`; None if
        the computation failed.
    reason : str
        Of the last failure; empty where there are values.
    tries : int
        Number of conformers tried.
    time_limit_s : float
        Time limit of the molecule.
    """

    smiles: str
    values: list[float | None] | None
    reason: str
    tries: int
    time_limit_s: float


class Journal:
    """The folder of a campaign.

    Parameters
    ----------
    folder : path
    campaign : dict
        Plain values that all molecules share: method, seed, versions.
    """

    def __init__(self, folder: Path, campaign: dict[str, Any]) -> None:
        self.folder, self.campaign = folder, campaign

    def begin(self) -> tuple[int, dict[str, Outcome]]:
        """Return the number of this run, and the outcomes of former runs by SMILES.

        Raises
        ------
        DataError
            If the folder cannot be used, or its values were computed differently.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            path = self.folder / _CAMPAIGN
            if path.exists():
                self._check(path)
            else:
                with atomic_file(path) as partial:
                    partial.write_text(json.dumps(self.campaign, indent=1) + "\n")
            runs = [int(path.name.split("-")[0]) for path in self.folder.glob("*-*.jsonl")]
            return max(runs, default=0) + 1, self.read()
        except (OSError, ValueError) as error:
            raise DataError(f"{self.folder} cannot be used: {error}") from None

    def read(self) -> dict[str, Outcome]:
        """Return all outcomes by SMILES; the first success of a molecule, or its last failure."""
        outcomes: dict[str, Outcome] = {}
        for path in sorted(self.folder.glob("*-*.jsonl")):
            for outcome in _outcomes(path):
                former = outcomes.get(outcome.smiles)
                if former is None or former.values is None:
                    outcomes[outcome.smiles] = outcome
        return outcomes

    @contextmanager
    def writing(self, run: int, rank: int) -> Iterator[IO[str]]:
        """Open this rank's file of this run, for :func:`write`.

        Raises
        ------
        DataError
            If it cannot be written.
        """
        path = self.folder / f"{run:05d}-{rank:05d}.jsonl"
        try:
            with open(path, "x", encoding="utf-8") as file:
                yield file
        except OSError as error:
            raise DataError(f"cannot write {path}: {error}") from error

    def _check(self, path: Path) -> None:
        former = json.loads(path.read_text())
        for name in self.campaign:
            if former.get(name) != self.campaign[name]:
                raise DataError(
                    f"{self.folder} holds values of another campaign: {name} was "
                    f"{former.get(name)!r} and is {self.campaign[name]!r} now; give another out, "
                    "or delete that folder"
                )


def write(file: IO[str], outcome: Outcome) -> None:
    """Write one outcome; from here on it does not depend on this process."""
    file.write(json.dumps(asdict(outcome)) + "\n")
    file.flush()


def _outcomes(path: Path) -> Iterator[Outcome]:
    with open(path, encoding="utf-8") as file:
        for line in file:
            if line.endswith("\n"):
                yield Outcome(**json.loads(line))
