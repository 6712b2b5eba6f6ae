"""An experiment from a notebook, on real engines."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_wine
from wine import WINE

from matexapps.errors import DataError, TrainingError
from matexapps.experiment.remote import train


@pytest.fixture(scope="module")
def study(pair):
    return train(WINE, cluster=pair, epochs=3)


def test_a_study_comes_back_with_its_report_its_picture_and_its_model(study, tmp_path):
    assert study.ranks == 2
    report = study.report()
    assert "stratified split: 124 rows train, 18 choose, 36 judge" in report
    assert "logistic regression" in report
    assert len(study.plot().axes) == 6
    study.save(tmp_path / "model")
    assert (tmp_path / "model" / "report.png").exists()


def test_its_model_predicts_on_the_ranks_what_it_predicts_here(study, pair):
    wines = load_wine(as_frame=True).data
    here, there = study.model.predict(wines), study.model.predict(wines, cluster=pair)
    assert list(there.index) == list(range(1, 179))
    assert (here["class"] == there["class"]).all()
    columns = [name for name in here if name.startswith("probability")]
    np.testing.assert_allclose(here[columns], there[columns], atol=1e-6)


def test_mistakes_are_answered_with_one_sentence(study, pair):
    with pytest.raises(TrainingError, match="unknown setting 'epoch'; did you mean 'epochs'"):
        train(WINE, cluster=pair, epoch=3)
    with pytest.raises(DataError, match="has no column 'alcohol'"):
        study.model.predict(load_wine(as_frame=True).data.drop(columns="alcohol"), cluster=pair)
