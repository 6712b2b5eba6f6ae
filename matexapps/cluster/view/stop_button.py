"""A button that interrupts the cell that runs."""

from __future__ import annotations

import signal
import threading
from typing import Any

from matexapps.cluster.view.slots import Bundle

_WIDGET = "application/vnd.jupyter.widget-view+json"


class StopButton:
    """A button that does what the kernel's own interrupt does.

    The kernel's main thread is busy when the button is pressed, so the press can only arrive
    through a kernel subshell, a thread that takes messages in its stead. Whether the frontend uses
    one shows when a widget is made; until then, and without one, there is no button.
    """

    def __init__(self) -> None:
        self._manager: Any = None
        self._button: Any = None
        self._bundle: Bundle | None = None

    def offer(self) -> None:
        """Make the button, if this kernel can take a press while a cell runs."""
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
        # ipykernel notes which shell spoke last on a comm and, whatever the frontend asks for,
        # gives the answer to that one: here to the main thread, which does not listen.
        vars(self._button.comm).pop("_reply_subshell_id", None)

    @property
    def bundle(self) -> Bundle | None:
        """What shows the button; None while no press would arrive."""
        if self._bundle is None and self._button is not None and self._manager.list_subshell():
            self._bundle = {_WIDGET: self._button.get_view_spec(), "text/plain": ""}, {}
        return self._bundle

    def close(self) -> None:
        """Take the button away."""
        button, self._button, self._bundle = self._button, None, None
        if button is not None:
            for widget in (button, button.layout, button.style):
                widget.close()

    def _pressed(self, button: Any) -> None:
        # A press may arrive late, when the next cell runs already.
        if button is self._button:
            button.description, button.disabled = "Stopping", True
            main = threading.main_thread().ident
            assert main is not None
            # To the thread itself, so that it also wakes from a system call.
            signal.pthread_kill(main, signal.SIGINT)


def _subshell_manager() -> Any:
    from IPython import get_ipython

    kernel: Any = getattr(get_ipython(), "kernel", None)
    features = getattr(kernel, "kernel_info", {}).get("supported_features", [])
    in_main = threading.current_thread() is threading.main_thread()
    return (
        kernel.shell_channel_thread.manager if in_main and "kernel subshells" in features else None
    )
