"""A real Jupyter kernel, cells that are sent to it, and what they show."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from jupyter_client.blocking import BlockingKernelClient
from jupyter_client.manager import start_new_kernel

TIMEOUT_S = 120
_COLORS = re.compile(r"\x1b\[[0-9;]*m")


@dataclass
class Shown:
    """The outcome of one cell.

    Attributes
    ----------
    error : str
        The name of its exception, "" for none.
    outputs : list of dict
        Its messages in order, each with its ``kind``.
    """

    error: str = ""
    outputs: list[dict[str, Any]] = field(default_factory=list)

    @property
    def text(self) -> str:
        """What a reader sees in the end, without colors: redrawn outputs in their last state."""
        slots: dict[Any, str] = {}
        for number, output in enumerate(_joined(self.outputs)):
            name = output.get("transient", {}).get("display_id", number)
            slots[name] = _COLORS.sub("", plain(output))
        return "\n".join(slots.values())


def plain(output: dict[str, Any]) -> str:
    """The text of one output."""
    if "data" in output:
        return str(output["data"].get("text/plain", ""))
    return str(output.get("text", "")) + "\n".join(output.get("traceback", []))


def _joined(outputs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Join consecutive messages of one stream, since one print may arrive in two messages."""
    joined: list[dict[str, Any]] = []
    for output in outputs:
        last = joined[-1] if joined else {"kind": ""}
        if output["kind"] == last["kind"] == "stream" and output["name"] == last["name"]:
            joined[-1] = {**last, "text": last["text"] + output["text"]}
        else:
            joined.append(output)
    return joined


class Notebook:
    """Cells that are sent to one kernel."""

    def __init__(self, client: BlockingKernelClient, manager: Any) -> None:
        self.client, self.manager = client, manager

    def cell(self, code: str, when: str = "", then: Callable[[], None] | None = None) -> Shown:
        """Run a cell; when it has shown the text ``when``, call ``then``."""
        shown = Shown()
        callbacks = [then] if then is not None else []

        def add(message: dict[str, Any]) -> None:
            shown.outputs.append({"kind": message["header"]["msg_type"], **message["content"]})
            if callbacks and when in plain(shown.outputs[-1]):
                callbacks.pop()()

        try:
            reply = self.client.execute_interactive(
                code, output_hook=add, timeout=TIMEOUT_S, allow_stdin=False
            )
        except TimeoutError:
            self.stop()
            raise TimeoutError(f"the cell did not end; it showed:\n{shown.text}") from None
        shown.error = reply["content"].get("ename", "")
        return shown

    def good(self, code: str) -> str:
        """Run a cell that must work and return what it shows."""
        shown = self.cell(code)
        assert shown.error == "", shown.text
        return shown.text

    def stop(self) -> None:
        """Press Stop."""
        self.manager.interrupt_kernel()


@contextmanager
def open_notebook(first_cell: str = "") -> Iterator[Notebook]:
    """Start a kernel, run ``first_cell`` in it, and end it."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if "MATEXAPPS" not in name or name == "MATEXAPPS_LOGS"
    }
    manager, client = start_new_kernel(kernel_name="python3", env=environment)
    notebook = Notebook(client, manager)
    try:
        if first_cell:
            notebook.good(first_cell)
        yield notebook
    finally:
        client.stop_channels()
        manager.shutdown_kernel()
