"""A papermill engine that, on a signal, ends the running cell before the kernel.

A signal handler that raises would break off asyncio's tasks wherever they are, and every task that
waits for them would raise too, even while the kernel is being ended. So signals are only noted, and
handled between steps. And a kernel that has to exit while a cell ends closes the sockets for the
cell's last answer and prints a traceback; so the cell ends first.
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
        self._signaled = asyncio.Event()

    @contextmanager
    def setup_kernel(self, **kwargs: Any) -> Iterator[None]:
        loop = ensure_event_loop()

        def note(number: int, _frame: object) -> None:
            self._signals.append(number)
            loop.call_soon_threadsafe(self._signaled.set)

        with signals_handled_by(note), super().setup_kernel(**kwargs):
            yield
        self._exit_on_signal()

    def _exit_on_signal(self) -> None:
        if self._signals:
            exit_on_signal(self._signals[0])

    async def async_execute_cell(self, *args: Any, **settings: Any) -> Any:
        self._exit_on_signal()
        cell = asyncio.ensure_future(super().async_execute_cell(*args, **settings))
        signaled = asyncio.ensure_future(self._signaled.wait())
        await asyncio.wait({cell, signaled}, return_when=asyncio.FIRST_COMPLETED)
        if signaled.done():
            await ensure_async(self.km.interrupt_kernel())
            await asyncio.wait({cell}, timeout=_PATIENCE_S)
            unfinished = asyncio.all_tasks() - {asyncio.current_task()}
            for task in unfinished:
                task.cancel()
            # asyncio would otherwise print at length that the cell was interrupted.
            await asyncio.gather(cell, *unfinished, return_exceptions=True)
            self._exit_on_signal()
        signaled.cancel()
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
    """Register the engine with papermill, and return its name."""
    papermill_engines.register(_NAME, _Engine)
    return _NAME
