"""A small campaign of collisions: the same bytes on any number of ranks."""

from __future__ import annotations

import json

import h5py
import numpy as np
import pytest

pytest.importorskip("pythia8mc", reason="needs the extra higgs-sim (pythia8mc)")
pytest.importorskip("fastjet", reason="needs the extra higgs-sim (fastjet)")

SCRIPT = """
    import json, sys
    from matexapps.experiment.command import main
    function = "matexapps.apps.higgs.simulation.run:run"
    given = ({"function": function, "settings": json.loads(text)} for text in sys.argv[1:])
    sys.exit(max(main([json.dumps(each)]) for each in given))
"""


@pytest.mark.parametrize("several", [pytest.param(2, marks=pytest.mark.slow), 3])
def test_a_campaign_does_not_depend_on_the_number_of_ranks(run_ranks, tmp_path, several):
    written = []
    for ranks in (1, several):
        path = tmp_path / f"on_{ranks}.h5"
        settings = json.dumps({"events": 36, "seed": 5, "out": str(path)})
        result = run_ranks(ranks, SCRIPT, settings)
        assert result.returncode == 0, result.stderr
        report = json.loads(result.stdout.splitlines()[-1])
        assert (report["events"], report["signal"], report["ranks"]) == (36, 19, ranks)
        assert sum(report["generated"].values()) > 36
        written.append(path.read_bytes())
    assert written[0] == written[1]

    with h5py.File(tmp_path / "on_1.h5") as file:
        columns = list(file["data"].attrs["columns"])
        table = dict(zip(columns, file["data"][:].T, strict=True))
    assert table["label"].sum() == 19
    assert (table["lepton_pt"] > 15 * (1 - 1e-3)).all()
    jets = np.stack([table[f"jet_{jet}_pt"] for jet in (1, 2, 3, 4)])
    assert (jets[:-1] >= jets[1:] * (1 - 1e-3)).all()
    assert jets.min() > 15 * (1 - 1e-3)
    tags = np.stack([table[f"jet_{jet}_b_tag"] for jet in (1, 2, 3, 4)])
    assert set(np.unique(tags)) <= {0.0, 1.0, 2.0}
    assert ((tags > 0).sum(axis=0) <= 2).all()
    assert (table["m_lv"] > 80.4 * (1 - 1e-3)).all()


def test_another_seed_gives_other_events(run_ranks, tmp_path):
    paths = {seed: tmp_path / f"seed_{seed}.h5" for seed in (1, 2)}
    campaigns = [{"events": 4, "seed": seed, "out": str(path)} for seed, path in paths.items()]
    assert run_ranks(1, SCRIPT, *map(json.dumps, campaigns)).returncode == 0
    tables = []
    for path in paths.values():
        with h5py.File(path) as file:
            tables.append(file["data"][:])
    assert not np.isin(tables[0][:, 1], tables[1][:, 1]).any()
