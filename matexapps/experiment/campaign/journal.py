"""What a campaign has found out, written down task by task, so that nothing is done twice.

The folder has ``campaign.json``, which says what the outcomes depend on, and for each rank of each
run a file with a line of JSON for every task. A line that was cut off, as by the death of its
writer, is ignored.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

from matexapps.errors import CampaignError
from matexapps.experiment.campaign.outcome import Outcome
from matexapps.files import atomic_file

_CAMPAIGN, _ARRAYS = "campaign.json", "arrays"


class Journal:
    """The folder of a campaign. All ranks see it.

    Parameters
    ----------
    folder : Path
    depends_on : dict
        Plain values that the outcomes of all tasks depend on.
    """

    def __init__(self, folder: Path, depends_on: dict[str, Any]) -> None:
        # As a file has them: tuples are lists there.
        self.folder, self._depends_on = folder, json.loads(json.dumps(depends_on))
        self._file: IO[str] | None = None

    @property
    def arrays(self) -> Path:
        """The folder for arrays that tasks return."""
        return self.folder / _ARRAYS

    def begin(self) -> tuple[int, dict[str, Outcome]]:
        """Return the number of this run, and the outcomes of earlier ones by key. On one rank.

        Raises
        ------
        CampaignError
            If the folder cannot be used, or belongs to another campaign.
        """
        try:
            self.arrays.mkdir(parents=True, exist_ok=True)
            path = self.folder / _CAMPAIGN
            if path.exists():
                self._check(json.loads(path.read_text()))
            else:
                with atomic_file(path, CampaignError) as partial:
                    partial.write_text(json.dumps(self._depends_on, indent=1) + "\n")
            runs = [int(file.name.partition("-")[0]) for file in self._files()]
            return max(runs, default=0) + 1, self._read()
        except (OSError, ValueError) as error:
            raise CampaignError(f"{self.folder} cannot be used: {error}") from None

    def open(self, run: int, rank: int) -> None:
        """Open this rank's file, unless it is open already.

        Raises
        ------
        CampaignError
            If it cannot be written, or another process has it.
        """
        if self._file is not None:
            return
        path = self.folder / f"{run:05d}-{rank:05d}.jsonl"
        try:
            self._file = open(path, "x", encoding="utf-8")  # noqa: SIM115  # closed in close()
        except FileExistsError:
            raise CampaignError(
                f"{self.folder} is in use by another run of this campaign; wait for its end"
            ) from None
        except OSError as error:
            raise CampaignError(f"cannot write {path}: {error}") from error

    def write(self, outcome: Outcome) -> None:
        """Write an outcome down. From here on the death of this process does not matter to it.

        Raises
        ------
        CampaignError
            If it cannot be written.
        """
        assert self._file is not None
        try:
            self._file.write(json.dumps(asdict(outcome)) + "\n")
            self._file.flush()
        except OSError as error:
            raise CampaignError(f"cannot write {self._file.name}: {error}") from error

    def close(self) -> None:
        """Close this rank's file."""
        if self._file is not None:
            with suppress(OSError):
                self._file.close()

    def _files(self) -> list[Path]:
        return sorted(self.folder.glob("*-*.jsonl"))

    def _read(self) -> dict[str, Outcome]:
        """Return all outcomes; of several of one task the one that is done, or else the newest."""
        outcomes: dict[str, Outcome] = {}
        for path in self._files():
            for outcome in _outcomes(path):
                earlier = outcomes.get(outcome.key)
                if earlier is None or earlier.status != "done":
                    outcomes[outcome.key] = outcome
        return outcomes

    def _check(self, earlier: dict[str, Any]) -> None:
        for name, value in self._depends_on.items():
            if earlier.get(name) != value:
                raise CampaignError(
                    f"{self.folder} holds values of another campaign: {name} was "
                    f"{earlier.get(name)!r} and is {value!r} now; choose another folder, or delete "
                    "that one"
                )


def _outcomes(path: Path) -> Iterator[Outcome]:
    with open(path, encoding="utf-8") as file:
        for line in file:
            if line.endswith("\n"):
                yield Outcome(**json.loads(line))
