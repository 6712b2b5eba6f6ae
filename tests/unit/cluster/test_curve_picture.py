"""Curves become a picture, whatever the user's own matplotlib settings."""

import base64
import io
import math
import subprocess
import sys
import time

import matplotlib.style
import numpy as np
import pytest
from matplotlib.image import imread
from progress_events import training

from matexapps.cluster.view.curve_picture import CurvePicture, picture
from matexapps.cluster.view.curves import Chart, Line, TrainingCurves

TIMEOUT_S = 60


def chart(name="loss", values=(0.9, 0.5, 0.6), label="training"):
    points = tuple(enumerate(values, start=1))
    return Chart(name, (Line(label, points),), min(points, key=lambda point: point[1]))


def pixels(png):
    return imread(io.BytesIO(png))


def grown(epochs):
    curves = TrainingCurves()
    for epoch in range(1, epochs + 1):
        curves.add(training(0, epoch=epoch, rows=1000, loss=1.0 / epoch))
    return curves


@pytest.mark.parametrize(("charts", "rows"), [(1, 1), (2, 1), (3, 1), (4, 2)])
def test_charts_stand_three_in_a_row_in_twice_the_pixels_of_the_page(charts, rows):
    drawn = pixels(picture((chart(),) + (chart("accuracy", label="metric"),) * (charts - 1)))
    assert drawn.shape == (440 * rows, 1320, 4)
    assert (drawn[20, 300:900] == 1.0).all()
    assert drawn[0, 0, 3] == 0.0


def test_a_higher_curve_is_drawn_higher():
    green = np.array([0x2E, 0x8B, 0x6A]) / 255
    drawn = pixels(picture((chart(values=(0.0, 1.0), label="metric"),)))[:, :, :3]
    rows, columns = np.nonzero(np.abs(drawn - green).max(axis=2) < 0.02)
    assert np.corrcoef(rows, columns)[0, 1] < -0.9


@pytest.mark.parametrize(
    "values", [(1.0,), (0.0, 0.0), (1e-9, 1e9), (math.nan,), (math.inf, 1.0), (-5.0, 1e300)]
)
def test_odd_values_can_be_drawn(values):
    assert pixels(
        picture((Chart("loss", (Line("training", tuple(enumerate(values))),), None),))
    ).any()


def test_the_users_style_changes_nothing():
    plain = picture((chart(),))
    with matplotlib.style.context(["dark_background", "ggplot"]):
        assert (pixels(picture((chart(),))) == pixels(plain)).all()


def test_pyplot_and_the_backend_stay_as_they_are():
    script = (
        "import sys, matplotlib\n"
        "from matexapps.cluster.view.curve_picture import picture\n"
        "from matexapps.cluster.view.curves import Chart, Line\n"
        "before = dict(matplotlib.rcParams.copy())\n"
        "picture((Chart('loss', (Line('training', ((1, 2.0), (2, 1.0))),), None),))\n"
        "assert dict(matplotlib.rcParams.copy()) == before\n"
        "print('matplotlib.pyplot' in sys.modules)"
    )
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "False"


def test_the_newest_picture_comes_when_it_is_drawn_and_is_not_drawn_twice():
    shown, curves = CurvePicture(), grown(2)
    deadline = time.monotonic() + TIMEOUT_S
    while (first := shown.newest(curves)) is None and time.monotonic() < deadline:
        time.sleep(0.01)
    data, metadata = first
    assert metadata == {"image/png": {"width": 660, "height": 220}}
    assert pixels(base64.b64decode(data["image/png"])).shape == (440, 1320, 4)
    assert data["text/plain"].startswith("loss 0.5 at epoch 2")
    assert shown.last(curves) is first


def test_the_last_picture_shows_everything():
    shown = CurvePicture()
    shown.newest(grown(1))
    data, _ = shown.last(grown(3))
    assert data["text/plain"].startswith("loss 0.3333 at epoch 3")


def test_without_training_there_is_no_picture():
    shown = CurvePicture()
    assert shown.newest(TrainingCurves()) is None
    assert shown.last(TrainingCurves()) is None


def test_settings_that_break_the_drawing_leave_words(monkeypatch):
    monkeypatch.setenv("PATH", "")
    with matplotlib.rc_context({"text.usetex": True}):
        data, _ = CurvePicture().last(grown(2))
    assert data["text/plain"].startswith("loss 0.5 at epoch 2")
    assert "no picture: " in data["text/plain"]
    assert "image/png" not in data
