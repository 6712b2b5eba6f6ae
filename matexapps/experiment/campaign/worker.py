"""The child process of a campaign: it runs the tasks that a rank sends to it, one after another.

A request is a pickle, an answer one line of JSON. The first request is the function itself, sent
by the parent through a pipe; nothing is unpickled from files.
"""

from __future__ import annotations

import json
import os
import pickle
import resource
import signal
import traceback
from pathlib import Path
from typing import Any, BinaryIO, TextIO

import numpy as np

from matexapps.experiment.campaign.outcome import save_arrays
from matexapps.experiment.campaign.task import RunTask, Task
from matexapps.launch.child import die_with_parent


def serve() -> None:
    """Load the function, say that all is ready, then run tasks until the parent is gone."""
    die_with_parent()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # A batch system that ends a job sends it to all processes; the rank decides.
        signal.signal(number, lambda *_: None)
    requests, answers = _private_streams()
    function, arrays = pickle.load(requests)
    try:
        run = pickle.loads(function)
        if isinstance(run, type):
            run = run()
    except Exception as error:
        print(json.dumps(_failure(error)), file=answers, flush=True)
        return
    print("{}", file=answers, flush=True)
    while True:
        try:
            task = pickle.load(requests)
        except EOFError:
            return
        print(_answer(run, task, Path(arrays)), file=answers, flush=True)


def _private_streams() -> tuple[BinaryIO, TextIO]:
    """Take standard input and output away from tasks and the programs that they start."""
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "w")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return requests, answers


def _answer(run: RunTask, task: Task, folder: Path) -> str:
    """Return a line of JSON with what an outcome says of a task that is done, or has failed."""
    try:
        value, arrays = _without_arrays(run(task))
        file = save_arrays(folder, task.key, arrays) if arrays else ""
        return json.dumps({"status": "done", "value": value, "arrays": file}, default=_as_json)
    except Exception as error:
        return json.dumps(_failure(error))


def _without_arrays(result: Any) -> tuple[Any, dict[str, Any]]:
    if not isinstance(result, dict):
        return result, {}
    arrays = {name: item for name, item in result.items() if isinstance(item, np.ndarray)}
    return {name: item for name, item in result.items() if name not in arrays}, arrays


def _as_json(value: object) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(
        f"a task returned {type(value).__name__}, which is no JSON value; return numbers, text, "
        "lists and dictionaries, or a dictionary of NumPy arrays"
    )


def _failure(error: Exception) -> dict[str, str]:
    """Return what an outcome says of an exception."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return {
        "status": "failed",
        "error": type(error).__name__,
        "message": str(error),
        "at": f"{frame.filename}, line {frame.lineno}, in {frame.name}",
    }


if __name__ == "__main__":
    serve()
