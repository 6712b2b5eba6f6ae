"""``matexapps exec --check``: the first difference between one rank and several, and its cause."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from exec_in_turn import Program, run_in_turn

from matexapps.transparent.checking.compare import first_difference
from matexapps.transparent.checking.record import load

MLP = Path(__file__).parents[1] / "scripts" / "mlp.py"
NORMALIZED_GRADIENT = """
class Net(nn.Linear):
    def forward(self, x):
        outputs = super().forward(x)
        if outputs.requires_grad:
            outputs.register_hook(lambda gradient: gradient / gradient.norm())
        return outputs
model = Net(4, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
"""
# The gradient of a bias before batch normalization is rounding; Adam turns it into full steps.
ROUNDING = """
model = nn.Sequential(nn.Linear(4, 9), nn.BatchNorm1d(9), nn.ReLU(), nn.Linear(9, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
"""
DIFFERENCES = {
    "input": ("rows = rows + several", "an input of call 1 of Linear", "its data differ"),
    "weight": (
        "optimizer.register_step_post_hook(lambda *_: model.weight.data.add_(float(several)))",
        "the weight weight of Linear",
        "the optimizer's step differs",
    ),
    "path": ("steps -= 2 * several", "ends earlier", "another path"),
}
PROGRAMS = {
    "rounding": Program(before=ROUNDING, recorded=True),
    **{name: Program(before=before, recorded=True) for name, (before, *_) in DIFFERENCES.items()},
}

Check = Callable[[Path], subprocess.CompletedProcess[str]]


@pytest.fixture
def check(tmp_path: Path) -> Check:
    """Run ``matexapps exec --check`` on two ranks in an empty folder."""

    def run(program: Path) -> subprocess.CompletedProcess[str]:
        folder = tmp_path / "folder"
        folder.mkdir()
        done = subprocess.run(
            [sys.executable, "-m", "matexapps.cli", "exec", "--check", str(program), "-n", "2"],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )
        assert list(folder.iterdir()) == []
        return done

    return run


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], list]:
    """What a program computed on one rank, and on three."""
    folders = [tmp_path_factory.mktemp(f"on_{n}_ranks") for n in (1, 3)]
    for n, folder in zip((1, 3), folders, strict=True):
        run_in_turn(PROGRAMS, n, folder)
    return lambda name: [load(folder / f"{name}.record") for folder in folders]


@pytest.mark.slow
def test_a_program_without_differences_is_reported_as_the_same(check: Check) -> None:
    done = check(MLP)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("the same on one rank and on several: 5 steps, ")


def test_the_command_names_a_difference_and_returns_a_status(check: Check, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(Program(before=NORMALIZED_GRADIENT).text)
    done = check(program)
    assert done.returncode == 1
    assert "the first difference is in step " in done.stdout
    assert "the gradient weight of Net" in done.stdout
    assert "the backward pass is not a mean or sum over rows" in done.stdout


def test_rounding_is_no_difference(records: Callable[[str], list]) -> None:
    expected, events = records("rounding")
    assert {event.step for event in expected} == {1, 2, 3, 4}
    assert first_difference(expected, events) is None


@pytest.mark.parametrize("kind", DIFFERENCES)
def test_the_first_difference_is_named_with_its_cause(
    records: Callable[[str], list], kind: str
) -> None:
    _, what, cause = DIFFERENCES[kind]
    message = str(first_difference(*records(kind)))
    assert "the first difference is in step " in message
    assert what in message
    assert cause in message
