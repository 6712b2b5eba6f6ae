"""A model that is behind a baseline on its validation rows says so wherever it is met."""

from __future__ import annotations

import json

import numpy as np
import pytest
from sklearn.datasets import load_wine
from sklearn.metrics import accuracy_score
from wine import WINE

from matexapps.experiment.command import main
from matexapps.experiment.model.model import Model
from matexapps.experiment.remote import train
from matexapps.experiment.tasks import BinaryClassification, Predicted, Regression

LINE = "On the validation rows logistic regression is better than the model: accuracy "


@pytest.fixture(scope="module")
def study():
    """Networks that have hardly learned, beside a fitted logistic regression."""
    return train(WINE, epochs=1, seeds=2)


def test_figures_of_validation_rows_are_those_of_the_kept_model(study):
    result = study.results[0]
    validation = study.summary()["splits"]["stratified"]["validation"]
    values = load_wine().target[result.split.validation]
    first = result.trainings[0].validation.argmax(1)
    assert validation["accuracy"] == pytest.approx(accuracy_score(values, first))
    assert set(validation["baselines"]) == {"logistic_regression", "most_frequent"}
    for name, value in validation["baselines"].items():
        predicted = result.validation.baselines[name].argmax(1)
        assert value == pytest.approx(accuracy_score(values, predicted))


def test_report_picture_and_summary_name_the_better_baseline(study):
    (better,) = (
        entry for entry in study.summary()["better_baselines"] if "logistic" in entry["baseline"]
    )
    assert better["value"] > better["network"]
    assert LINE in study.report()
    assert LINE in study.plot().get_suptitle()


def test_its_folder_carries_the_fact_and_predictions_mention_it(study, tmp_path, capsys):
    study.save(tmp_path / "model")
    facts = Model.load(tmp_path / "model", WINE).facts
    assert facts["better_baselines"] == study.summary()["better_baselines"]
    wines = load_wine(as_frame=True).data
    wines.to_csv(tmp_path / "wines.csv", index=False)
    given = {
        "model": str(tmp_path / "model"),
        "rows": str(tmp_path / "wines.csv"),
        "out": str(tmp_path / "predicted.csv"),
    }
    assert main([json.dumps({"domain": "wine:WINE", "verb": "predict", "settings": given})]) == 0
    done, line = capsys.readouterr().out.splitlines()[:2]
    assert done.startswith("178 of 178 wines predicted")
    assert line.startswith(LINE)


def test_a_study_holds_no_rows_that_its_report_does_not_need(study):
    assert len(study.prepared) == 0
    assert study.prepared.columns == load_wine().feature_names


def test_a_baseline_is_better_by_the_figure_that_decides_and_not_where_nothing_is_known():
    values, near, far = np.array([1.0, 2.0]), np.array([1.1, 2.0]), np.array([3.0, 2.0])
    (better,) = Regression().better_baselines(Predicted(values, [far, near], {"mean": near}))
    assert (better["baseline"], better["figure"]) == ("mean", "RMSE")
    assert Regression().better_baselines(Predicted(values, [near], {"mean": far})) == []
    unknown = Predicted(np.full(2, np.nan), [far], {"mean": near})
    assert Regression().better_baselines(unknown) == []
    single_class = Predicted(np.ones(2), [far], {"forest": near})
    assert BinaryClassification().better_baselines(single_class) == []
