"""The progress of long work as a bar in the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from matexapps.cli.options import console
from matexapps.progress import reporting_to


@contextmanager
def progress_bar() -> Iterator[None]:
    """Show what the work inside the block reports; gone when it ends, and only in a terminal."""
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn
    from rich.progress import TimeRemainingColumn as TimeLeft

    screen = console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeLeft())
    with Progress(
        *columns, console=screen, transient=True, disable=not screen.is_terminal
    ) as progress:
        task = progress.add_task("", visible=False)
        what = ""

        def show(event: dict[str, Any]) -> None:
            nonlocal what
            if event["what"] != what:
                what = event["what"]
                progress.reset(task, description=what, visible=True)
            progress.update(task, completed=event["done"], total=event["total"])

        with reporting_to(show):
            yield
