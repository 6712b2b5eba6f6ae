"""Unmodified programs on several ranks give what they give in one process.

The programs in ``scripts`` are in the manner of public tutorials. One process runs all of them
unchanged, and for each number of ranks one set of ranks runs them inside ``distributed()``
(``tests/helpers/corpus.py``). Then what each printed, what it saved and which files it left are
compared.
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
# One of each kind; the others run in the slow suite.
FAST_SUITE = [
    "accumulation",
    "activation_hooks",
    "amp",
    "char_rnn",
    "cnn",
    "compiled",
    "compiled_block",
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
TOLERANCE = 1e-5
LARGER_TOLERANCES = {
    "amp": 1e-2,  # products in bfloat16, precise to 8e-3, are added in another order
    "bfloat16": 1e-2,  # all numbers are in bfloat16, precise to 8e-3
}
NOT_SHARDED = {
    "activation_hooks": "a hook on its module",
    "embedding_bag": "calls of TextClassificationModel are not sharded",
    "gcn": "calls of GCN are not sharded",
    "graph_attention": "calls of GAT are not sharded",
    "late_hooks": "a hook on its parameter",
    "nearest_neighbors": "calls of Neighbors are not sharded",
    "objects": "it modifies its inputs",
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
        """Why it did not end well on all ranks; "" if it did."""
        messages = [
            path.read_text()
            for kind in ("failure", "stderr")
            for path in sorted(self.results.glob(f"{kind}.*"))
        ]
        ended = all((self.results / f"ended.{rank}").exists() for rank in range(self.ranks))
        failed = any(self.results.glob("failure.*"))
        return "" if ended and not failed else "\n".join(["did not end well", *messages])

    @property
    def printed(self) -> str:
        """What rank 0 printed."""
        return TIME.sub("time", (self.results / "stdout.0").read_text())

    @property
    def printed_by_others(self) -> list[str]:
        """What ranks other than 0 printed."""
        return [(self.results / f"stdout.{r}").read_text() for r in range(1, self.ranks)]

    @property
    def messages(self) -> str:
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
    return [pair for key, inner in content.items() for pair in _tensors(f"{name}.{key}", inner)]


Runs = Callable[[str, int], Outcome]


@pytest.fixture(scope="session")
def runs(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """How a script ended on a number of ranks; 0 means without matexapps."""
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
            names = [name for name in sorted(chosen) if _needs_keras(name) == kind[0]]
            _run_all(names, ranks, folders[kind])
        return Outcome(folders[kind] / script, max(ranks, 1))

    return outcome


def _needs_keras(script: str) -> bool:
    return script.startswith("keras_")


def _run_all(scripts: list[str], ranks: int, results: Path) -> None:
    """Run scripts one after another; after one that ends the ranks, new ranks run the rest."""
    while scripts:
        mode = "distributed" if ranks else "plain"
        words = [str(Path(corpus.__file__)), str(SCRIPTS), str(results), mode, *scripts]
        command = mpiexec_command(ranks, words) if ranks > 1 else [sys.executable, *words]
        with open(results / f"run_from_{scripts[0]}.log", "w") as log:
            subprocess.run(
                command,
                env={
                    **os.environ,
                    **mpi_environment(),
                    "OMP_NUM_THREADS": "1",
                    "KERAS_BACKEND": "torch",
                },
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
    number, other = float(text), float(expected)
    if number == other or text == expected:
        return True
    # A number halfway between two decimals may be rounded to either.
    mantissa = expected.lower().partition("e")[0]
    decimals = len(mantissa.partition(".")[2])
    last_decimal = 10.0**-decimals if decimals and "e" not in expected.lower() else 0.0
    return abs(number - other) <= max(tolerance * max(1.0, abs(other)), 1.01 * last_decimal)


def assert_same_text(text: str, expected: str, tolerance: float) -> None:
    """The words are the same, and the numbers up to rounding."""
    assert NUMBER.sub("#", text) == NUMBER.sub("#", expected)
    pairs = zip(NUMBER.findall(text), NUMBER.findall(expected), strict=True)
    far = [pair for pair in pairs if not _numbers_close(*pair, tolerance)]
    assert not far, f"printed {far} (on ranks, alone) in\n{text}"


def check_results(runs: Runs, script: str, n: int) -> None:
    """A program prints and leaves on n ranks what it does alone."""
    alone, on_ranks = runs(script, 0), runs(script, n)
    assert not alone.failure
    assert not on_ranks.failure, on_ranks.failure
    tolerance = LARGER_TOLERANCES.get(script, TOLERANCE)
    assert_same_text(on_ranks.printed, alone.printed, tolerance)
    assert not any(on_ranks.printed_by_others)
    assert on_ranks.files == alone.files
    for name, text in alone.written.items():
        assert_same_text(on_ranks.written[name], text, tolerance)
    saved, expected = on_ranks.saved, alone.saved
    assert saved.keys() == expected.keys()
    for name, tensor in expected.items():
        assert saved[name].dtype == tensor.dtype, name
        close = torch.isclose(saved[name], tensor, tolerance, tolerance, equal_nan=True)
        assert close.all(), f"{name} is\n{saved[name]}\nand alone\n{tensor}"


def check_warnings(runs: Runs, script: str, n: int) -> None:
    """A program is warned of calls that are not sharded, and of no others."""
    messages = runs(script, n).messages
    if script in NOT_SHARDED:
        assert re.search(r"(User|Runtime)Warning: ", messages)
        assert NOT_SHARDED[script] in messages
    else:
        assert "not sharded" not in messages


def skip_without_keras(script: str) -> None:
    if _needs_keras(script) and importlib.util.find_spec("keras") is None:
        pytest.skip("keras is not installed")


@pytest.mark.parametrize("script", FAST_SUITE)
def test_a_program_gives_what_it_gives_alone(runs: Runs, script: str) -> None:
    skip_without_keras(script)
    check_results(runs, script, 3)


@pytest.mark.parametrize("script", FAST_SUITE)
def test_a_program_is_warned_of_calls_that_are_not_sharded(runs: Runs, script: str) -> None:
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


def test_exceptions_name_programs_that_exist() -> None:
    assert set(LARGER_TOLERANCES) | set(NOT_SHARDED) <= set(NAMES)
    assert len(NAMES) >= 50
    assert set(FAST_SUITE) <= set(NAMES)
