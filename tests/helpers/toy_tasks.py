"""Toy tasks for campaigns, some of which fail, crash or hang. Children import this: it is light."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np

from matexapps.experiment.campaign.task import Task

TASKS = 200
_KINDS = {7: "raises", 31: "leaves", 60: "is killed", 83: "hangs", 101: "raises at first"}


def toy(task: Task) -> dict[str, Any]:
    """Square a number, or do what goes wrong."""
    kind, number = task.spec
    time.sleep(0.005)
    if kind == "raises" or (kind == "raises at first" and task.attempt == 0):
        raise ValueError(f"{number} is not a number\nthat anybody likes")
    if kind == "leaves":
        print("no space left on the moon", flush=True)
        os._exit(3)
    if kind == "is killed":
        os.kill(os.getpid(), signal.SIGSEGV)
    if kind == "hangs":
        time.sleep(600)
    draw = np.random.default_rng(task.seed).random()
    return {"square": np.int64(number**2), "draw": draw, "powers": np.arange(3.0) ** number}


def toy_tasks(count: int = TASKS) -> list[tuple[str, tuple[str, int]]]:
    """Return tasks, one in forty of which goes wrong."""
    return [(f"number {n}", (_KINDS.get(n, "squares"), n)) for n in range(count)]


class Fragile:
    """Crashes in the second task that one child gives it."""

    def __init__(self) -> None:
        self._used = False

    def __call__(self, task: Task) -> int:
        if self._used:
            os._exit(1)
        self._used = True
        return int(task.spec)


class CannotStart:
    """A function that cannot be made."""

    def __init__(self) -> None:
        raise FileNotFoundError("no model in the folder")


def run_program(task: Task) -> None:
    """Start a program that does not end, and write down its process number and this one's."""
    program = subprocess.Popen(["sleep", "600"])
    Path(task.spec).write_text(f"{os.getpid()} {program.pid}")
    program.wait()


def returns(task: Task) -> Any:
    """Return something that cannot be kept, or can."""
    values: dict[str, Any] = {
        "nothing": None,
        "objects": {"array": np.array([object()])},
        "a set": {1, 2},
        "nan": [float("nan"), np.float32(0.5)],
    }
    return values[task.key]


def fails(task: Task) -> None:
    """Fail in every attempt."""
    raise RuntimeError(f"attempt {task.attempt}")
