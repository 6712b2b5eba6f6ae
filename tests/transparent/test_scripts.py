"""Unmodified programs on several ranks give what they give in one process.

The programs in ``scripts`` are in the manner of public tutorials. One process runs them all as they
are, and for each number of ranks one set of ranks runs them all inside ``distributed()``
(``tests/helpers/corpus.py``). Then each is compared: what it printed, what it saved, which files it
left.
"""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import corpus
import pytest
import torch

from matexapps.launch.mpiexec import mpi_environment, mpiexec_command

SCRIPTS = Path(__file__).parent / "scripts"
NAMES = sorted(path.stem for path in SCRIPTS.glob("*.py"))
# One of each kind; all others run in the slow suite.
OFTEN = [
    "accumulation",
    "activation_hooks",
    "amp",
    "char_rnn",
    "cnn",
    "compiled",
    "finetune",
    "frames",
    "gan",
    "gcn",
    "guided_diffusion",
    "iterable_dataset",
    "keras_callbacks",
    "keras_dataloader",
    "keras_sequential",
    "keras_siamese",
    "keras_train_step",
    "kfold",
    "late_hooks",
    "late_noise",
    "lbfgs",
    "mlp",
    "objects",
    "packed",
    "per_sample",
    "pinn",
    "reinforce",
    "resnet_groupnorm",
    "resume",
    "tiny_gpt",
    "uneven_batches",
    "vae",
    "workers",
]
LONGEST_RUN_S = 600.0
CLOSE = 1e-5
LOOSER = {
    "amp": (1e-2, "products in bfloat16, whose last place is 8e-3, are added in another order"),
    "bfloat16": (1e-2, "all numbers in bfloat16, whose last place is 8e-3, rounded ever again"),
}
WHOLE = {
    "activation_hooks": "a hook on its module",
    "embedding_bag": "calls of TextClassificationModel are not shared out",
    "gcn": "calls of GCN are not shared out",
    "graph_attention": "calls of GAT are not shared out",
    "late_hooks": "a hook on its parameter",
    "nearest_neighbors": "calls of Neighbors are not shared out",
    "objects": "it changes its inputs",
}
NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
TIME = re.compile(r"\b\d+(?:s|ms|us)(?:/(?:step|epoch))?(?!\w)")

pytestmark = pytest.mark.timeout(1500)


@dataclass(frozen=True)
class Outcome:
    """What a script left when it ran once."""

    results: Path
    ranks: int

    @property
    def failure(self) -> str:
        """Why it did not come to its end on all ranks, or nothing."""
        said = [
            path.read_text()
            for kind in ("failure", "stderr")
            for path in sorted(self.results.glob(f"{kind}.*"))
        ]
        ended = all((self.results / f"ended.{rank}").exists() for rank in range(self.ranks))
        failed = any(self.results.glob("failure.*"))
        return "" if ended and not failed else "\n".join(["did not come to its end", *said])

    @property
    def printed(self) -> str:
        """What rank 0 printed."""
        return TIME.sub("time", (self.results / "stdout.0").read_text())

    @property
    def printed_by_others(self) -> list[str]:
        """What ranks other than 0 printed."""
        return [(self.results / f"stdout.{r}").read_text() for r in range(1, self.ranks)]

    @property
    def told(self) -> str:
        """What rank 0 wrote to standard error, warnings among it."""
        return (self.results / "stderr.0").read_text()

    @property
    def files(self) -> list[str]:
        """The names of the files that it left."""
        folder = self.results / "folder"
        return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))

    @property
    def written(self) -> dict[str, str]:
        """The text files that it left."""
        folder = self.results / "folder"
        kinds = {".csv", ".json", ".log"}
        return {
            name: (folder / name).read_text() for name in self.files if Path(name).suffix in kinds
        }

    @property
    def saved(self) -> dict[str, torch.Tensor]:
        """Every tensor of ``model.pt``, by name."""
        content = torch.load(self.results / "folder" / "model.pt", weights_only=True)
        return dict(_tensors("", content))


def _tensors(name: str, content: object) -> list[tuple[str, torch.Tensor]]:
    if isinstance(content, torch.Tensor):
        return [(name, content)]
    assert isinstance(content, dict), f"{name} is a {type(content).__name__}"
    return [found for key, inner in content.items() for found in _tensors(f"{name}.{key}", inner)]


Runs = Callable[[str, int], Outcome]


@pytest.fixture(scope="session")
def runs(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """How a script ended on a number of ranks; 0 means: plainly, without matexapps."""
    chosen = {
        item.callspec.params["script"]
        for item in request.session.items
        if hasattr(item, "callspec") and "script" in item.callspec.params
    }
    folders: dict[tuple[bool, int], Path] = {}

    def outcome(script: str, ranks: int) -> Outcome:
        kind = (_needs_keras(script), ranks)
        if kind not in folders:
            folders[kind] = tmp_path_factory.mktemp(f"on_{ranks}")
            alike = [name for name in sorted(chosen) if _needs_keras(name) == kind[0]]
            _run_all(alike, ranks, folders[kind])
        return Outcome(folders[kind] / script, max(ranks, 1))

    return outcome


def _needs_keras(script: str) -> bool:
    return script.startswith("keras_")


def _run_all(scripts: list[str], ranks: int, results: Path) -> None:
    """Run scripts one after the other; after one that ends the ranks, new ranks run the rest."""
    while scripts:
        way = "shared" if ranks else "plain"
        words = [str(Path(corpus.__file__)), str(SCRIPTS), str(results), way, *scripts]
        command = mpiexec_command(ranks, words) if ranks > 1 else [sys.executable, *words]
        with open(results / f"run_from_{scripts[0]}.log", "w") as log:
            subprocess.run(
                command,
                env={**os.environ, **mpi_environment(), "OMP_NUM_THREADS": "1"},
                cwd=results,
                stdout=log,
                stderr=log,
                timeout=LONGEST_RUN_S,
                check=False,
            )
        left = [name for name in scripts if not (results / name / "started").exists()]
        assert left != scripts, (results / f"run_from_{scripts[0]}.log").read_text()
        scripts = left


def _numbers_close(text: str, expected: str, tolerance: float) -> bool:
    one, other = float(text), float(expected)
    if one == other or text == expected:
        return True
    # A number that lies between two decimals may be rounded to either.
    mantissa = expected.lower().partition("e")[0]
    decimals = len(mantissa.partition(".")[2])
    place = 10.0**-decimals if decimals and "e" not in expected.lower() else 0.0
    return abs(one - other) <= max(tolerance * max(1.0, abs(other)), 1.01 * place)


def assert_same_text(text: str, expected: str, tolerance: float) -> None:
    """The same words, and numbers that are the same but for rounding."""
    assert NUMBER.sub("#", text) == NUMBER.sub("#", expected)
    pairs = zip(NUMBER.findall(text), NUMBER.findall(expected), strict=True)
    far = [pair for pair in pairs if not _numbers_close(*pair, tolerance)]
    assert not far, f"printed {far} (on ranks, alone) in\n{text}"


def check_results(runs: Runs, script: str, n: int) -> None:
    """A program prints and leaves on n ranks what it does alone."""
    alone, shared = runs(script, 0), runs(script, n)
    assert not alone.failure
    assert not shared.failure, shared.failure
    tolerance, _ = LOOSER.get(script, (CLOSE, ""))
    assert_same_text(shared.printed, alone.printed, tolerance)
    assert not any(shared.printed_by_others)
    assert shared.files == alone.files
    for name, text in alone.written.items():
        assert_same_text(shared.written[name], text, tolerance)
    saved, expected = shared.saved, alone.saved
    assert saved.keys() == expected.keys()
    for name, tensor in expected.items():
        assert saved[name].dtype == tensor.dtype, name
        near = torch.isclose(saved[name], tensor, tolerance, tolerance, equal_nan=True)
        assert near.all(), f"{name} is\n{saved[name]}\nand alone\n{tensor}"


def check_warnings(runs: Runs, script: str, n: int) -> None:
    """A program is told of calls that are not shared out, and of no others."""
    told = runs(script, n).told
    if script in WHOLE:
        assert re.search(r"(User|Runtime)Warning: ", told)
        assert WHOLE[script] in told
    else:
        assert "not shared out" not in told


def skip_without_keras(script: str) -> None:
    if _needs_keras(script) and importlib.util.find_spec("keras") is None:
        pytest.skip("keras is not installed")


@pytest.mark.parametrize("script", OFTEN)
def test_a_program_gives_what_it_gives_alone(runs: Runs, script: str) -> None:
    skip_without_keras(script)
    check_results(runs, script, 3)


@pytest.mark.parametrize("script", OFTEN)
def test_a_program_is_told_of_calls_that_are_not_shared_out(runs: Runs, script: str) -> None:
    skip_without_keras(script)
    check_warnings(runs, script, 3)


@pytest.mark.slow
@pytest.mark.parametrize("script", NAMES)
@pytest.mark.parametrize("n", [1, 2, 3])
def test_every_program_gives_what_it_gives_alone(runs: Runs, script: str, n: int) -> None:
    skip_without_keras(script)
    check_results(runs, script, n)
    if n > 1:
        check_warnings(runs, script, n)


def test_exceptions_are_of_programs_that_exist() -> None:
    assert set(LOOSER) | set(WHOLE) <= set(NAMES)
    assert len(NAMES) >= 50
    assert set(OFTEN) <= set(NAMES)
