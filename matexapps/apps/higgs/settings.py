"""Settings of a Higgs experiment; read by the command line too, so without torch."""

from __future__ import annotations

from dataclasses import dataclass

from matexapps.experiment.settings import ExperimentSettings, check_choice, check_least

TITLE = "Tell collisions with Higgs bosons from those with top-quark pairs."

SIMULATED = "higgs-simulated"
"""The catalog's name of the sample that comes with the project."""

NETWORKS = ("dnn2014", "present")
"""Names of the networks: that of Baldi et al. 2014, and a present-day one."""


@dataclass(frozen=True)
class HiggsSettings(ExperimentSettings):
    """Settings of a Higgs experiment.

    Attributes
    ----------
    data : str
        File of events (CSV, CSV.gz, HDF5), or a name of the catalog.
    network : {"present", "dnn2014"}
        Present-day batch ensemble on physics inputs, or the network of Baldi et al. 2014.
    test : str or None
        File with the test rows; a fifth of the rows, if not given.
    rows : int or None
        Use only so many rows, the same share of each part; all, if not given.
    expected_signal, expected_background : float
        Events in the full sample, for the significance, where the rows have no weights.
    """

    data: str = SIMULATED
    network: str = "present"
    seeds: int = 3
    test: str | None = None
    rows: int | None = None
    expected_signal: float = 100.0
    expected_background: float = 1000.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice(self, "network", NETWORKS)
        check_least(self, rows=10)
