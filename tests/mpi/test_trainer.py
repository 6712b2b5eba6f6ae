"""N ranks give what one rank gives.

Starting ranks takes longer than what they do here. So one program has a function for each test, and
runs once on each number of ranks.
"""

from __future__ import annotations

import json

import numpy as np
import pytest
from mpi_programs import program

# Three ranks go on from what one has left, and two from what three have left.
RANKS = (1, 3, 2)
SEVERAL = (pytest.param(2, marks=pytest.mark.slow), 3)


def printed(result) -> dict:
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def on_ranks(run_ranks_once, tmp_path_factory) -> list[dict]:
    """What every case returned, for each number of ranks."""
    folder = tmp_path_factory.mktemp("checkpoints")
    training = program("training/fit_on_ranks.py")
    return [
        printed(run_ranks_once(n, training, folder / f"{n}", folder / f"{before}"))
        for before, n in zip((None, *RANKS), RANKS, strict=False)
    ]


def assert_equal_results(results: list[dict], keys: list[str], rel: float = 1e-5) -> None:
    for other in results[1:]:
        for key in keys:
            np.testing.assert_allclose(other[key], results[0][key], rtol=rel, atol=1e-7)


@pytest.mark.parametrize("rows", ["plain", "weighted"])
def test_loss_curve_ids_and_predictions_do_not_depend_on_the_ranks(on_ranks, rows):
    results = [cases["learning"][rows] for cases in on_ranks]
    assert_equal_results(results, ["losses", "evaluation"])
    for result in results:
        assert result["ids"] == list(range(1003))
        assert all(epoch == list(range(1003)) for epoch in result["epochs"])
        np.testing.assert_allclose(
            result["predictions"], results[0]["predictions"], rtol=1e-4, atol=1e-5
        )


def test_settings_do_not_make_ranks_matter(on_ranks):
    results = [cases["settings"] for cases in on_ranks]
    names = list(results[0])
    assert_equal_results(results, [n for n in names if not n.endswith("weights")])
    assert_equal_results(results, [n for n in names if n.endswith("weights")], rel=1e-3)


def test_class_weights_average_over_all_ranks(on_ranks):
    results = [cases["class_weights"] for cases in on_ranks]
    assert_equal_results(results, ["losses", "validation"])


def test_batches_smaller_than_the_number_of_ranks(on_ranks):
    results = [cases["small_batches"] for cases in on_ranks]
    assert_equal_results(results, ["losses"])
    assert {result["rows"] for result in results} == {2}


def test_a_parameter_without_gradient_anywhere_is_left_alone(on_ranks):
    results = [cases["no_gradient"] for cases in on_ranks]
    assert all(result["untouched"] for result in results)
    assert_equal_results(results, ["losses"])
    assert_equal_results(results, ["rare"], rel=1e-3)


def test_ranks_start_from_the_weights_of_rank_0(on_ranks):
    (alone,), *others = [cases["other_first_weights"] for cases in on_ranks]
    for weights in others:
        assert weights == [weights[0]] * len(weights)
        np.testing.assert_allclose(weights[0], alone, rtol=1e-3, atol=1e-7)


def test_a_run_stopped_in_mid_epoch_goes_on_with_another_number_of_ranks(on_ranks):
    uninterrupted = on_ranks[0]["stopped"]["uninterrupted"]
    for resumed in (cases["stopped"]["resumed"] for cases in on_ranks[1:]):
        assert_equal_results([uninterrupted, resumed], ["losses"])
        assert_equal_results([uninterrupted, resumed], ["weights"], rel=1e-3)
        # After the stop come the rest of the second epoch and all of the third.
        assert len(resumed["row numbers"]) == 350 - 5 * 32 + 350
        assert set(resumed["row numbers"]) == set(uninterrupted["row numbers"])


@pytest.fixture(scope="module", params=SEVERAL)
def trouble(request, run_ranks_once) -> tuple[int, dict]:
    """A number of ranks, and how they came out of trouble."""
    n = request.param
    return n, printed(run_ranks_once(n, program("training/fit_in_trouble.py")))


def test_errors_are_the_same_on_every_rank(trouble):
    n, results = trouble
    messages, *others = results["errors"]
    assert others == [messages] * (n - 1)
    assert "the weights of rank 1 differ from those of rank 0 after epoch 1" in messages["tampered"]
    assert f"Mixing would not give the result of one rank on {n} ranks" in messages["mixing"]
    assert "the loss became" in messages["diverging"]
    assert "device='cuda' was asked for, but rank" in messages["no_gpu"]


def test_after_an_interrupt_the_next_fit_goes_on_alike_on_every_rank(trouble):
    n, results = trouble
    weights = results["interrupted"]["weights"]
    assert weights == [weights[0]] * n
    np.testing.assert_allclose(
        results["interrupted"]["losses"], results["interrupted"]["expected"], rtol=1e-5
    )


@pytest.mark.parametrize("n", SEVERAL)
def test_an_exception_in_one_ranks_step_frees_the_others(run_ranks, n):
    result = run_ranks(n, program("training/raise_in_a_step.py"))
    assert result.stdout.count("rank 1 on ") == n - 1
    assert result.stdout.count("stopped with ValueError: row 17 is odd") == n - 1
