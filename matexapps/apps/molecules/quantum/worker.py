"""The computing process, whose requests and answers are lines of JSON.

Ranks do not compute themselves, because neither an embedding nor tblite can be interrupted: a
computation that takes too long, or crashes, ends this process and not the rank.
"""

from __future__ import annotations

import json
import math
import os
import resource
import sys

from matexapps.apps.molecules.quantum.geometry import NotComputed, conformer
from matexapps.apps.molecules.quantum.single_point import single_point, solve
from matexapps.launch.child import limit_processor_time


def serve() -> None:
    """Announce that all is loaded, then answer requests, ``[smiles, seed, again, seconds]``."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # output of libraries must not mix with the answers
    _warm_up()
    print("null", file=answers, flush=True)
    for line in sys.stdin:
        smiles, seed, again, seconds = json.loads(line)
        limit_processor_time(seconds)
        print(json.dumps(_answer(smiles, seed, again)), file=answers, flush=True)


def _warm_up() -> None:
    import numpy as np

    solve(np.array([2]), np.zeros((1, 3)))


def _answer(smiles: str, seed: int, again: bool) -> list[float | None] | str:
    """Return the values, or the reason why there are none."""
    try:
        values = single_point(conformer(smiles, seed, again))
    except NotComputed as reason:
        return str(reason)
    except MemoryError:
        return "it needs more memory than there is"
    return [value if math.isfinite(value) else None for value in values]


if __name__ == "__main__":
    serve()
