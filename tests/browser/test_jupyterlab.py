"""What a person sees in JupyterLab: the panel, its stop button, and the notebook that is saved."""

from __future__ import annotations

import re
from typing import Any

import nbformat
import pytest
from playwright.sync_api import expect

START = """\
import numpy as np
import torch
from matexapps import Cluster, DataSet

rng = np.random.default_rng(0)
features = rng.normal(size=(4000, 8))
label = (features @ rng.normal(size=8) + rng.normal(size=4000) > 0).astype(float)
data = DataSet.from_arrays(features, label, validation=0.2, seed=0)
model = torch.nn.Sequential(torch.nn.Linear(8, 32), torch.nn.ReLU(), torch.nn.Linear(32, 1))
cluster = Cluster(2)
before = cluster.run("os:getpid")"""
LONG = 'cluster.fit(model, data, epochs=100_000, batch_size=100, metrics=["accuracy"])'
SAME_RANKS = 'print("the same ranks:", cluster.run("os:getpid") == before)'
SILENT = "import time\ncluster.run(time.sleep, 3)"
SHORT = 'result = cluster.fit(model, data, epochs=10, batch_size=100, metrics=["accuracy"])'
WIDGET = "application/vnd.jupyter.widget-view+json"


class Screen:
    """A notebook in the browser."""

    def __init__(self, page: Any, screenshots: Any) -> None:
        self.page, self._screenshots = page, screenshots
        self.cells = page.locator(".jp-Notebook .jp-CodeCell")

    def run(self, index: int) -> Any:
        """Run a cell; return what locates its outputs."""
        self.cells.nth(index).locator(".cm-content").click()
        self.page.keyboard.press("Shift+Enter")
        return self.cells.nth(index).locator(".jp-OutputArea")

    def wait_for_the_end(self, index: int) -> None:
        """Return when a cell has its number."""
        number = self.cells.nth(index).locator(".jp-InputPrompt")
        number.filter(has_text=re.compile(r"\[\d+\]")).wait_for()

    def keep(self, name: str) -> None:
        """Keep a screenshot."""
        self.page.screenshot(path=self._screenshots / f"{name}.png")


@pytest.fixture(scope="module")
def screen(lab, page, screenshots) -> Screen:
    """A notebook whose ranks have started."""
    lab.write("panel.ipynb", [START, LONG, SAME_RANKS, SHORT, SILENT])
    page.goto(lab.address("lab/tree/panel.ipynb"))
    page.get_by_text("| Idle").wait_for()
    screen = Screen(page, screenshots)
    screen.run(0)
    screen.wait_for_the_end(0)
    screen.keep("1_started")
    return screen


def epoch_shown(outputs: Any) -> int:
    """The epoch in the panel's line."""
    return int(re.search(r"epoch (\d+)/100000", outputs.inner_text())[1])


def test_training_shows_a_panel_and_its_button_stops_it(screen):
    outputs = screen.run(1)
    outputs.get_by_role("progressbar").wait_for()
    stop = outputs.get_by_role("button", name="Stop")
    stop.wait_for()
    screen.keep("2_bar_and_button")
    picture = outputs.locator("img")
    picture.wait_for()
    ranks = outputs.locator("table tr")
    assert ranks.nth(0).inner_text().split()[:3] == ["rank", "rows/s", "waiting"]
    assert [ranks.nth(row).inner_text().split()[0] for row in (1, 2)] == ["0", "1"]
    # The picture is replaced while it is measured, so these look again.
    expect(picture).to_have_js_property("width", 660)
    expect(picture).to_have_js_property("height", 220)
    first, epoch = picture.get_attribute("src"), epoch_shown(outputs)
    expect(picture).not_to_have_attribute("src", first)
    expect(outputs).not_to_contain_text(f"epoch {epoch}/100000")
    assert epoch_shown(outputs) > epoch
    screen.keep("3_curves")

    stop.click()
    outputs.get_by_text("KeyboardInterrupt").first.wait_for()
    screen.wait_for_the_end(1)
    assert re.search(r"stopped after \d+ s", outputs.inner_text())
    expect(stop).to_have_count(0)
    expect(picture).to_have_count(1)
    screen.keep("4_stopped")

    again = screen.run(2)
    again.get_by_text("the same ranks: True").wait_for()
    screen.keep("5_next_cell")


def test_work_that_reports_nothing_has_the_button_and_then_shows_how_it_ended(screen):
    outputs = screen.run(4)
    stop = outputs.get_by_role("button", name="Stop")
    stop.wait_for()
    screen.wait_for_the_end(4)
    expect(stop).to_have_count(0)
    assert re.match(r"done after \d+ s", outputs.inner_text())


def test_a_saved_notebook_keeps_bar_and_curves_and_no_widget(lab, screen):
    screen.run(3)
    screen.wait_for_the_end(3)
    screen.page.keyboard.press("Control+s")
    # The tab shows a dot in place of its cross until everything is saved.
    unsaved = screen.page.locator("#jp-main-dock-panel .lm-TabBar-tab.jp-mod-dirty")
    expect(unsaved).to_have_count(0)
    saved = nbformat.read(lab.notebooks / "panel.ipynb", as_version=4)
    shown = [output.data for output in saved.cells[3].outputs if "data" in output]
    (bar,) = [data for data in shown if "progressbar" in data.get("text/html", "")]
    assert "width:100.0%" in bar["text/html"]
    assert "epoch 10/10" in bar["text/plain"]
    assert "done after" in bar["text/plain"]
    (curves,) = [data for data in shown if "image/png" in data]
    assert curves["image/png"].startswith("iVBORw0KGgo")
    assert "accuracy" in curves["text/plain"]
    everything = nbformat.writes(saved)
    assert WIDGET not in everything
    assert "widgets" not in saved.metadata

    lab.set("themes", {"theme": "JupyterLab Dark"})
    screen.page.reload()
    screen.page.locator("body[data-jp-theme-light=false]").wait_for(state="attached")
    static = screen.cells.nth(3).locator(".jp-OutputArea")
    static.locator("img").wait_for()
    static.scroll_into_view_if_needed()
    assert static.get_by_role("progressbar").get_attribute("aria-valuenow") == "100"
    screen.keep("6_saved_dark")
