"""A Higgs experiment in this process: its report, its model, and rows that do not fit it."""

from __future__ import annotations

import json

import h5py
import numpy as np
import pandas as pd
import pytest
from higgs_events import make_events
from threadpoolctl import threadpool_limits

from matexapps.apps import higgs
from matexapps.apps.higgs import baselines
from matexapps.apps.higgs.domain import HIGGS
from matexapps.apps.higgs.schema import FEATURES
from matexapps.apps.higgs.units import UCI_UNITS, check_units
from matexapps.errors import DataError
from matexapps.experiment.model.model import Model
from matexapps.experiment.settings import read_settings


def make_table(rows: int, seed: int = 0) -> pd.DataFrame:
    """Return events in GeV, whose label depends on m_bb."""
    table = pd.DataFrame(make_events(rows, seed), columns=list(FEATURES))
    table.insert(0, "label", (table["m_bb"] < 60).astype(int))
    return table


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A study of 500 events, and the folder of its model."""
    folder = tmp_path_factory.mktemp("higgs")
    make_table(500).to_csv(folder / "events.csv", index=False)
    with pytest.MonkeyPatch.context() as patch, threadpool_limits(1, "openmp"):
        patch.setattr(baselines, "has_lightgbm", lambda: False)
        patch.setattr(baselines._fit_histogram, "__defaults__", (10,))
        study = higgs.train(data=str(folder / "events.csv"), epochs=2, seeds=2, batch_size=32)
    study.save(folder / "model")
    return study, folder / "model"


def test_the_report_has_every_model_on_the_same_rows_and_the_significance(trained):
    study, folder = trained
    summary = study.summary()
    split = summary["splits"]["random"]
    assert split["rows"] == {"train": 350, "validation": 50, "test": 100}
    assert split["leakage"] == {"test": 100, "identical": 0, "same_group": None, "examples": []}
    names = ["logistic_regression", "hist_gradient_boosting"]
    assert list(split["baselines"]) == [*names, "hist_gradient_boosting_physics_inputs"]
    assert split["ams"] == pytest.approx(np.mean(split["ams_by_seed"]))
    assert split["expected_events"] == {"signal": 100.0, "background": 1000.0}
    assert split["background_rejection_at_half_signal"] > 1
    assert f"ams {split['ams']:.4g}" in " ".join(study.report().split())
    assert json.loads((folder / "report.json").read_text()) == summary
    assert (folder / "report.png").read_bytes().startswith(b"\x89PNG")


def test_a_kept_model_predicts_what_its_study_did(trained):
    study, folder = trained
    model = Model.load(folder, HIGGS)
    rows = study.prepared.test
    table = model.predict(rows)
    column = table["probability of signal"]
    np.testing.assert_allclose(column, study.results[0].trainings[0].test, atol=1e-6)
    pd.testing.assert_frame_equal(table, study.model.predict(rows.features))


def write_shuffled(table, path):
    table[table.columns[::-1]].rename(columns=lambda name: name.replace("b_tag", "b-tag")).to_csv(
        path, index=False
    )


def write_hdf5(table, path):
    with h5py.File(path, "w") as file:
        file.create_dataset("data", data=table.to_numpy(np.float32))
        file["data"].attrs["columns"] = list(table.columns)


LAYOUTS = {
    "uci.csv": lambda table, path: table.to_csv(path, index=False, header=False),
    "uci.csv.gz": lambda table, path: table.to_csv(path, index=False, header=False),
    "unlabeled.csv": lambda table, path: table[list(FEATURES)].to_csv(
        path, index=False, header=False
    ),
    "named.csv": write_shuffled,
    "events.h5": write_hdf5,
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_events_to_predict_come_in_every_layout(trained, tmp_path, name):
    model, table = Model.load(trained[1], HIGGS), make_table(40, seed=7)
    LAYOUTS[name](table, tmp_path / name)
    expected = model.predict(table)
    assert len(expected) == 40
    pd.testing.assert_frame_equal(model.predict(tmp_path / name), expected, atol=2e-6)


def test_an_event_that_cannot_be_predicted_says_why_and_the_others_are(trained):
    model, table = Model.load(trained[1], HIGGS), make_table(5, seed=7)
    expected = model.predict(table)
    table.loc[2, "m_jj"] = np.nan
    predicted = model.predict(table)
    assert predicted["error"].tolist() == ["", "", "m_jj is not a finite number", "", ""]
    others, column = [1, 2, 4, 5], "probability of signal"
    assert predicted.loc[others, column].tolist() == expected.loc[others, column].tolist()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda table: table.drop(columns="m_wwbb"), "has no column 'm_wwbb', which the model"),
        (
            lambda table: table[list(FEATURES[:20])].to_numpy(),
            r"shape \(30, 20\), and the model",
        ),
        (lambda table: table[list(FEATURES)] / UCI_UNITS, "UCI HIGGS, and the model reads GeV"),
        (lambda table: table[list(FEATURES)][:1] / UCI_UNITS, "UCI HIGGS, and the model reads GeV"),
    ],
)
def test_rows_that_do_not_fit_the_model_are_refused(trained, change, message):
    with pytest.raises(DataError, match=message):
        Model.load(trained[1], HIGGS).predict(change(make_table(30)))


def test_a_model_of_uci_units_refuses_gev_and_takes_its_own(events):
    with pytest.raises(DataError, match="in GeV, and the model reads the plain numbers"):
        check_units(events, 1.0, "events.csv")
    check_units((events / UCI_UNITS).astype(np.float32), 1.0, "events.csv")


def test_kept_settings_name_everything_that_was_given(trained):
    settings = read_settings(trained[1])
    assert (settings["epochs"], settings["seeds"], settings["batch_size"]) == (2, 2, 32)
    assert settings["network"] == "present"


def test_only_as_many_rows_are_used_as_wanted(trained, tmp_path):
    from matexapps.apps.higgs.prepared import prepare_rows
    from matexapps.apps.higgs.settings import HiggsSettings
    from matexapps.comm.single import SingleProcess
    from matexapps.experiment.ranks import Ranks

    make_table(500).to_csv(tmp_path / "events.csv", index=False)
    settings = HiggsSettings(data=str(tmp_path / "events.csv"), rows=100)
    rows = prepare_rows(settings, Ranks(SingleProcess()))
    assert rows.numbers.sizes == {"train": 70, "validation": 10, "test": 20}
    everything = trained[0].prepared
    np.testing.assert_array_equal(rows.test.ids, everything.test.ids[:20])
