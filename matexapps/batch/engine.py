"""Papermill's engine, but on a signal it ends the cell under way before the kernel.

A signal that raises where it happens to arrive breaks asyncio's tasks off, and each one that waits
for another raises once more, also while the kernel is being ended. So signals are noted here, and
looked at between steps. A kernel that is told to leave while a cell ends, in turn, closes the
sockets under the cell's last answer, and prints a traceback of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from jupyter_core.utils import ensure_async, ensure_event_loop, run_sync
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine, papermill_engines

from matexapps.launch.signals import exit_on_signal, signals_handled_by

_NAME = "matexapps"
_PATIENCE_S = 3.0


class _Client(PapermillNotebookClient):
    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self._signals: list[int] = []
        self._told = asyncio.Event()

    @contextmanager
    def setup_kernel(self, **kwargs: Any) -> Iterator[None]:
        loop = ensure_event_loop()

        def note(number: int, _frame: object) -> None:
            self._signals.append(number)
            loop.call_soon_threadsafe(self._told.set)

        with signals_handled_by(note), super().setup_kernel(**kwargs):
            yield
        self._leave_if_told()

    def _leave_if_told(self) -> None:
        if self._signals:
            exit_on_signal(self._signals[0])

    async def async_execute_cell(self, *args: Any, **settings: Any) -> Any:
        self._leave_if_told()
        cell = asyncio.ensure_future(super().async_execute_cell(*args, **settings))
        told = asyncio.ensure_future(self._told.wait())
        await asyncio.wait({cell, told}, return_when=asyncio.FIRST_COMPLETED)
        if told.done():
            await ensure_async(self.km.interrupt_kernel())
            await asyncio.wait({cell}, timeout=_PATIENCE_S)
            unfinished = asyncio.all_tasks() - {asyncio.current_task()}
            for task in unfinished:
                task.cancel()
            # That the cell was interrupted is no news, but asyncio would tell it at length.
            await asyncio.gather(cell, *unfinished, return_exceptions=True)
            self._leave_if_told()
        told.cancel()
        return await cell

    execute_cell = run_sync(async_execute_cell)


class _Engine(NBClientEngine):
    @classmethod
    def execute_managed_notebook(
        cls,
        nb_man: Any,
        kernel_name: str,
        start_timeout: float = 60,
        execution_timeout: float | None = None,
        input_path: str | None = None,
        **settings: Any,
    ) -> Any:
        """Execute a notebook; the arguments are as papermill gives them."""
        client = _Client(
            nb_man,
            kernel_name=kernel_name,
            startup_timeout=start_timeout,
            timeout=execution_timeout,
            **settings,
        )
        return client.execute()


def register() -> str:
    """Make the engine known to papermill, and return its name."""
    papermill_engines.register(_NAME, _Engine)
    return _NAME
