"""JupyterLab on a free port, and a headless browser that looks at it."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import Page, sync_playwright
from processes import descendants, runs

START_TIMEOUT_S = 60
END_TIMEOUT_S = 30
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
PAGE_SIZE = {"width": 1200, "height": 1000}


class Lab:
    """A JupyterLab server with a folder and settings of its own."""

    def __init__(self, folder: Path) -> None:
        self.notebooks = folder / "notebooks"
        self.notebooks.mkdir()
        self._settings = folder / "settings"
        self._port = _free_port()
        self._log = folder / "server.log"
        self.set("notification", {"fetchNews": "false", "checkForUpdates": False})
        environment = {name: text for name, text in os.environ.items() if "MATEXAPPS" not in name}
        own = {
            "JUPYTER_CONFIG_DIR": folder / "config",
            "JUPYTER_RUNTIME_DIR": folder / "runtime",
            "JUPYTERLAB_SETTINGS_DIR": self._settings,
            "JUPYTERLAB_WORKSPACES_DIR": folder / "workspaces",
        }
        options = [
            f"--ServerApp.port={self._port}",
            "--ServerApp.port_retries=0",
            f"--ServerApp.root_dir={self.notebooks}",
            "--IdentityProvider.token=secret",
            "--ServerApp.allow_root=True",
        ]
        with self._log.open("w") as log:
            self._server = subprocess.Popen(
                [sys.executable, "-m", "jupyterlab", "--no-browser", *options],
                env={**environment, **{name: str(path) for name, path in own.items()}},
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def wait(self) -> None:
        """Return when the server answers."""
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline and self._server.poll() is None:
            try:
                urllib.request.urlopen(self.address("api/status"), timeout=5).close()
                return
            except OSError:
                time.sleep(0.2)
        pytest.fail(f"JupyterLab does not answer:\n{self._log.read_text()}")

    def address(self, path: str) -> str:
        """Return the address of a page."""
        return f"http://127.0.0.1:{self._port}/{path}?token=secret"

    def set(self, name: str, values: dict[str, object]) -> None:
        """Write settings, which a page takes up when it is loaded."""
        folder = self._settings / "@jupyterlab" / "apputils-extension"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.jupyterlab-settings").write_text(json.dumps(values))

    def write(self, name: str, cells: list[str]) -> Path:
        """Write a notebook of code cells."""
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells])
        notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
        path = self.notebooks / name
        nbformat.write(notebook, path)
        return path

    def stop(self) -> None:
        """End the server and its kernels."""
        self._server.terminate()
        self._server.wait(END_TIMEOUT_S)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="session")
def browser() -> str:
    """A browser's program; tests are skipped where there is none."""
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        pytest.skip(f"no browser: none of {', '.join(BROWSERS)} is on PATH")
    return program


@pytest.fixture(scope="module")
def lab(browser: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A server; when it has ended, nothing of it is left."""
    before = descendants()
    lab = Lab(tmp_path_factory.mktemp("lab"))
    started = set()
    try:
        lab.wait()
        yield lab
        started = descendants() - before
    finally:
        lab.stop()
    deadline = time.monotonic() + END_TIMEOUT_S
    while any(runs(pid) for pid in started) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not [pid for pid in started if runs(pid)]


@pytest.fixture(scope="module")
def page(browser: str, lab: Lab) -> Iterator[Page]:
    """A page of a headless browser."""
    # Chromium's sandbox does not run as root.
    options = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as started:
        window = started.chromium.launch(executable_path=browser, args=options)
        page = window.new_page(viewport=PAGE_SIZE)
        page.set_default_timeout(60_000)
        yield page
        window.close()


@pytest.fixture(scope="session")
def screenshots() -> Path:
    """Where screenshots are kept for people to look at."""
    folder = Path(__file__).parents[2] / "build" / "screenshots"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
