"""A button that interrupts the running cell."""

from __future__ import annotations

import signal
import threading
from typing import Any

from matexapps.cluster.output.display import MimeBundle

_WIDGET = "application/vnd.jupyter.widget-view+json"


class StopButton:
    """A button that does what the kernel's own interrupt does.

    The kernel's main thread is busy when the button is pressed, so the press can only arrive
    through a kernel subshell: a thread that receives messages in its place. Whether the frontend
    uses one is only known after a widget was made; before that, and without one, there is no
    button.
    """

    def __init__(self) -> None:
        self._manager: Any = None
        self._button: Any = None
        self._bundle: MimeBundle | None = None

    def offer(self) -> None:
        """Make the button, if this kernel can receive a press while a cell runs."""
        self._manager = _subshell_manager()
        if self._manager is None:
            return
        try:
            import ipywidgets
        except ImportError:
            return
        self._button = ipywidgets.Button(
            description="Stop",
            icon="stop",
            tooltip="Interrupt this cell; the ranks stay for the next one",
            layout=ipywidgets.Layout(width="96px", height="28px", margin="2px 0"),
        )
        self._button.on_click(self._pressed)
        # ipykernel remembers which shell used a comm last and answers there, whatever the frontend
        # asks for: here in the main thread, which is busy.
        vars(self._button.comm).pop("_reply_subshell_id", None)

    @property
    def bundle(self) -> MimeBundle | None:
        """What displays the button; None while no press would arrive."""
        if self._bundle is None and self._button is not None and self._manager.list_subshell():
            self._bundle = {_WIDGET: self._button.get_view_spec(), "text/plain": ""}, {}
        return self._bundle

    def close(self) -> None:
        """Remove the button."""
        button, self._button, self._bundle = self._button, None, None
        if button is not None:
            for widget in (button, button.layout, button.style):
                widget.close()

    def _pressed(self, button: Any) -> None:
        # A press may arrive late, when the next cell is already running.
        if button is self._button:
            button.description, button.disabled = "Stopping", True
            main = threading.main_thread().ident
            assert main is not None
            # Sent to the thread itself, to wake it from a system call too.
            signal.pthread_kill(main, signal.SIGINT)


def _subshell_manager() -> Any:
    from IPython import get_ipython

    kernel: Any = getattr(get_ipython(), "kernel", None)
    features = getattr(kernel, "kernel_info", {}).get("supported_features", [])
    in_main = threading.current_thread() is threading.main_thread()
    return (
        kernel.shell_channel_thread.manager if in_main and "kernel subshells" in features else None
    )
