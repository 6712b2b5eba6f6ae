"""The process that computes one molecule at a time, within a time limit."""

from __future__ import annotations

import importlib.util
import json

from matexapps.apps.molecules.quantum.geometry import NotComputed
from matexapps.errors import DataError, MissingExtraError
from matexapps.launch.child import Child

_START_S = 120.0
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def check_installed() -> None:
    """Raise a MissingExtraError where tblite is not installed."""
    if importlib.util.find_spec("tblite") is None:
        raise MissingExtraError(
            "GFN2-xTB is computed by the package 'tblite', which is not installed; install it "
            "with: pip install 'matexapps[quantum]'"
        )


class XtbProcess(Child):
    """The process that computes."""

    def __init__(self) -> None:
        super().__init__("matexapps.apps.molecules.quantum.worker", dict.fromkeys(_THREADS, "1"))

    def compute(self, smiles: str, seed: int, again: bool, seconds: float) -> list[float | None]:
        """Return the values of one molecule, None for those that do not exist.

        Raises
        ------
        NotComputed
            If there are none, it took more than ``seconds``, or the process crashed.
        DataError
            If the process cannot be started.
        """
        if not self.runs and self.line(_START_S) is None:
            raise DataError(
                "tblite cannot be used here: the process that loads it ended with "
                f"{self.end() or 'no answer'}; try `python -c 'import tblite.interface'`"
            )
        answer = self.ask(json.dumps([smiles, seed, again, seconds]).encode() + b"\n", seconds)
        if answer is None:
            ended = self.end()
            if ended is None:
                raise NotComputed(f"not done within {seconds:.3g} s")
            raise NotComputed(f"crashed the process that computed it ({ended})")
        result = json.loads(answer)
        if isinstance(result, str):
            raise NotComputed(result)
        values: list[float | None] = result
        return values
