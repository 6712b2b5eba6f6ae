"""Curves grow with the events, in bounded memory."""

import math
from itertools import pairwise

import pytest
from progress_events import training

from matexapps.cluster.view.curves import Curve, TrainingCurves
from matexapps.cluster.view.merged_progress import MergedProgress


def epochs(count, **series):
    """Curves of ``count`` epochs with a report in the middle of each."""
    curves = TrainingCurves()
    for index in range(count):
        metrics = {name: values[index] for name, values in series.items() if name != "loss"}
        loss = series["loss"][index]
        curves.add(training(0, epoch=index + 1, rows=500, loss=loss + 1.0, metrics={}))
        curves.add(training(0, epoch=index + 1, rows=1000, loss=loss, metrics=metrics))
    return curves


def lines(chart):
    return {line.label: line.points for line in chart.lines}


def test_losses_of_batches_epochs_and_validation_are_lines_of_one_chart():
    curves = epochs(2, loss=[0.7, 0.5], validation_loss=[0.8, 0.6])
    (loss,) = curves.charts()
    assert lines(loss) == {
        "batch": ((0.5, 1.7), (1.5, 1.5)),
        "training": ((1.0, 0.7), (2.0, 0.5)),
        "validation": ((1.0, 0.8), (2.0, 0.6)),
    }
    assert loss.best == (2.0, 0.6)


def test_without_validation_the_best_loss_is_that_of_training():
    (loss,) = epochs(3, loss=[0.7, 0.5, 0.6]).charts()
    assert loss.best == (2.0, 0.5)


@pytest.mark.parametrize(
    ("name", "best"), [("accuracy", 2.0), ("roc_auc", 2.0), ("rmse", 3.0), ("energy_error", 3.0)]
)
def test_a_metrics_name_tells_whether_higher_is_better(name, best):
    charts = epochs(3, loss=[1.0] * 3, **{name: [0.7, 0.9, 0.5]}).charts()
    assert charts[1].name == name
    assert charts[1].best[0] == best


def test_the_error_bound_of_a_metric_has_no_chart():
    charts = epochs(1, loss=[1.0], roc_auc=[0.9], roc_auc_error=[1e-6]).charts()
    assert [chart.name for chart in charts] == ["loss", "roc_auc"]


def test_the_mean_of_an_epoch_replaces_the_loss_of_its_last_batch():
    curves = TrainingCurves()
    curves.add(training(0, epoch=1, rows=1000, loss=0.1, metrics={}))
    curves.add(training(0, epoch=1, rows=1000, loss=0.6, metrics={}))
    curves.add(training(0, epoch=2, rows=1000, loss=0.5, metrics={}))
    (loss,) = curves.charts()
    assert lines(loss) == {"training": ((1.0, 0.6), (2.0, 0.5))}
    assert loss.best == (2.0, 0.5)


def test_another_training_starts_new_curves():
    curves = epochs(3, loss=[3.0, 2.0, 1.0], accuracy=[0.7, 0.8, 0.9])
    curves.add(training(0, epoch=1, rows=250, loss=9.0, metrics={}))
    (loss,) = curves.charts()
    assert lines(loss) == {"batch": ((0.25, 9.0),)}


def test_of_many_points_evenly_spaced_ones_are_kept_with_the_latest_and_the_best():
    curve = Curve(lower_is_better=True)
    for epoch in range(10_000):
        curve.add(float(epoch), abs(epoch - 6_001.0))
    epochs = [epoch for epoch, _ in curve.points]
    assert 250 <= len(epochs) <= 501
    assert len({b - a for a, b in pairwise(epochs[:-1])}) == 1
    assert epochs[0] == 0.0
    assert epochs[-1] == 9_999.0
    assert curve.best == (6_001.0, 0.0)


def test_a_value_that_is_not_finite_is_never_the_best():
    curve = Curve(lower_is_better=False)
    assert curve.best is None
    for epoch, value in enumerate([1.0, math.inf, math.nan, 0.5]):
        curve.add(epoch, value)
    assert curve.best == (0, 1.0)


def test_curves_come_from_the_first_rank_alone():
    progress = MergedProgress()
    for rank in (0, 1, 2):
        progress.update(training(rank, epoch=1, rows=500, loss=0.5 + rank))
    (loss, _) = progress.curves.charts()
    assert lines(loss) == {"batch": ((0.5, 0.5),)}


def test_the_text_has_the_latest_and_the_best_value_of_each_curve():
    text = epochs(3, loss=[0.7, 0.5, 0.6], accuracy=[0.7, 0.9, 0.8]).text()
    assert text.splitlines() == [
        "loss 0.6 at epoch 3, best 0.5 at epoch 2",
        "accuracy 0.8 at epoch 3, best 0.9 at epoch 2",
    ]
