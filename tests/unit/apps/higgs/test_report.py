"""Figures of merit, against hand-computed values, theory and scikit-learn."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.figure import Figure
from scipy.stats import norm

from matexapps.apps.higgs import report
from matexapps.data.rows import Rows
from matexapps.errors import DataError
from matexapps.experiment.figures import plot_roc


@pytest.fixture
def scored() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels, scores and weights; scores of signal lie one standard deviation higher."""
    rng = np.random.default_rng(3)
    label = (rng.random(4000) < 0.4).astype(np.float32)
    return label, rng.normal(size=4000) + label, rng.uniform(0.2, 2.0, 4000)


def test_significance_of_numbers_worked_out_by_hand():
    # s = 10, b + r = 20: 2 (30 ln 1.5 - 10) = 4.32790649
    assert report.approximate_median_significance(10.0, 10.0) == pytest.approx(
        math.sqrt(4.32790649), rel=1e-8
    )
    assert report.approximate_median_significance(0.0, 5.0) == 0.0
    # For s far below b it becomes s / sqrt(b).
    assert report.approximate_median_significance(1.0, 1e6, 0.0) == pytest.approx(1e-3, rel=1e-4)


def test_significance_never_becomes_nan_where_both_terms_cancel():
    values = report.approximate_median_significance(np.logspace(-12, 0, 50), 1e9)
    assert np.isfinite(values).all()


def test_a_scan_finds_the_best_cut_and_rescales_each_class():
    label = np.array([1, 0, 1, 0, 0])
    score = np.array([0.9, 0.8, 0.7, 0.2, 0.1])
    weight = np.array([1.0, 2.0, 3.0, 1.0, 1.0])
    scan = report.scan_thresholds(label, score, weight, yields=report.Yields(40.0, 8.0))
    at = scan.set_index("threshold")
    # Of the signal's weight 1/4 passes 0.9 and all passes 0.7; of the background's 2/4 passes 0.8.
    assert at.loc[0.9, "signal"] == pytest.approx(10.0)
    assert at.loc[0.9, "background"] == pytest.approx(0.0)
    assert at.loc[0.7, "signal"] == pytest.approx(40.0)
    assert at.loc[0.7, "background"] == pytest.approx(4.0)
    expected = math.sqrt(2 * (54 * math.log(54 / 14) - 40))
    assert at.loc[0.7, "ams"] == pytest.approx(expected)
    assert report.best_threshold(scan) == pytest.approx(0.7)
    assert report.significance_at(
        0.7, label, score, weight, yields=report.Yields(40.0, 8.0)
    ) == pytest.approx(expected)


def test_significance_does_not_depend_on_the_size_of_the_part(scored):
    label, score, weight = scored
    full = report.Yields(50.0, 500.0)
    single = report.significance_at(1.0, label, score, weight, yields=full)
    doubled = report.significance_at(
        1.0, np.tile(label, 2), np.tile(score, 2), np.tile(weight, 2), yields=full
    )
    assert doubled == pytest.approx(single)


def test_roc_and_rejection_of_two_gaussians_follow_theory():
    # Quantiles instead of random draws, so that theory is met to the spacing of the rows.
    gaussian = norm.ppf((np.arange(4000) + 0.5) / 4000)
    label = np.repeat([1, 0], 4000)
    score = np.concatenate([gaussian + 1, gaussian])
    table = report.roc_table(label, score)
    assert table["signal_efficiency"].iloc[[0, -1]].tolist() == [0.0, 1.0]
    # Half of the signal passes at its mean, 1, and there 1 - Phi(1) of the background.
    rejection = report.background_rejection(label, score, signal_efficiency=[0.5, 0.9])
    at_90_percent = norm.sf(1 + norm.ppf(0.1))
    assert rejection.tolist() == pytest.approx([1 / norm.sf(1.0), 1 / at_90_percent], rel=5e-3)


def test_score_histograms_have_area_one_and_errors_of_their_weights(scored):
    label, score, weight = scored
    table = report.score_histogram(label, score, weight, bins=25)
    width = table["high"] - table["low"]
    assert (table["signal"] * width).sum() == pytest.approx(1.0)
    assert (table["background"] * width).sum() == pytest.approx(1.0)
    plain = report.score_histogram(label, score, bins=25)
    counts = plain["signal"] * width * label.sum()
    np.testing.assert_allclose(plain["signal_error"] * width * label.sum(), np.sqrt(counts))


def test_importance_finds_the_column_that_decides():
    rng = np.random.default_rng(0)
    features = rng.normal(size=(2000, 3)).astype(np.float32)
    label = (features[:, 1] > 0).astype(np.float32)
    rows = Rows.from_arrays(features, label, columns=["noise", "decides", "unused"])
    before = rows.digest()
    table = report.permutation_importance(
        lambda r: 2.0 * r.features[:, 1] + 0.2 * r.features[:, 0], rows
    ).set_index("column")
    assert list(table.index[:1]) == ["decides"]
    assert table.loc["decides", "auc_drop"] == pytest.approx(0.5, abs=0.05)
    assert table.loc["unused", "auc_drop"] == 0.0
    assert rows.digest() == before


@pytest.mark.parametrize(
    ("label", "score", "word"),
    [
        ([0, 1], [0.1, 0.2, 0.3], "do not fit"),
        ([0, 1], [0.1, np.nan], "row 1 is nan"),
        ([1, 1], [0.1, 0.2], "all 2 rows have label 1"),
    ],
)
def test_scores_that_cannot_be_judged_are_refused(label, score, word):
    with pytest.raises(DataError, match=word):
        report.roc_table(label, score)


def test_every_picture_names_its_axes(scored):
    label, score, weight = scored
    axes = Figure().subplots(6)
    scan = report.scan_thresholds(label, score, weight)
    rows = Rows.from_arrays(np.stack([score, score], axis=1), label, columns=["a", "b"])
    importance = report.permutation_importance(lambda r: r.features[:, 0], rows, repeats=2)
    drawn = [
        plot_roc(axes[0], label, {"network": score}, weight),
        report.plot_rejection(axes[1], label, {"network": score}, weight),
        report.plot_scores(axes[2], report.score_histogram(label, score, weight)),
        report.plot_significance(axes[3], scan, report.best_threshold(scan), label="network"),
        report.plot_importance(axes[4], importance),
        report.plot_column(axes[5], replace(rows, columns=["m_bb", "b"]), "m_bb"),
    ]
    assert all(each.get_xlabel() and each.get_ylabel() for each in drawn)
    assert drawn[5].get_xlabel() == "m_bb (GeV)"
    assert "network, 0.7" in drawn[0].get_legend().get_texts()[0].get_text()
    best = drawn[3].lines[1].get_xdata()[0]
    efficiency = scan["signal"] / scan["signal"].iloc[-1]
    assert best == pytest.approx(efficiency[scan["ams"].idxmax()])
