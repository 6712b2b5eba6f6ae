"""Papermill's engine, but on a signal it ends the cell under way before the kernel.

A kernel that is told to leave while a cell ends closes the sockets under the cell's last answer,
and prints a traceback of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from jupyter_core.utils import ensure_async, run_sync
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine, papermill_engines

_NAME = "matexapps"
_PATIENCE_S = 3.0


class _Client(PapermillNotebookClient):
    @contextmanager
    def setup_kernel(self, **kwargs: Any) -> Iterator[None]:
        try:
            with super().setup_kernel(**kwargs):
                try:
                    yield
                except (KeyboardInterrupt, SystemExit):
                    run_sync(self._end_cell)()
                    raise
        except (KeyboardInterrupt, SystemExit):
            if self.km is not None and self.km.has_kernel:
                # It was still being started, and nobody else would end it.
                self._cleanup_kernel()
            raise

    async def _end_cell(self) -> None:
        waiting = asyncio.all_tasks() - {asyncio.current_task()}
        if waiting:
            await ensure_async(self.km.interrupt_kernel())
            ended, _ = await asyncio.wait(waiting, timeout=_PATIENCE_S)
            for task in ended:
                # That the cell was interrupted is no news, but asyncio would tell it at length.
                if not task.cancelled():
                    task.exception()


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
