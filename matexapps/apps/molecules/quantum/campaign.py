"""GFN2-xTB for many molecules on all ranks, which can be interrupted and resumed."""

from __future__ import annotations

import importlib.util
import time
from importlib.metadata import version
from typing import Any

import pandas as pd
import rdkit

from matexapps.apps.molecules.data import standardize
from matexapps.apps.molecules.data.molecule_set import standardize_records
from matexapps.apps.molecules.data.reader import read_records
from matexapps.apps.molecules.data.records import Records
from matexapps.apps.molecules.data.standardize import Standard
from matexapps.apps.molecules.quantum.geometry import NotComputed
from matexapps.apps.molecules.quantum.settings import CampaignSettings
from matexapps.apps.molecules.quantum.single_point import COLUMNS, METHOD, Labeler
from matexapps.errors import MissingExtraError
from matexapps.experiment.campaign.campaign import Campaign
from matexapps.experiment.campaign.outcome import Outcome
from matexapps.experiment.ranks import Ranks
from matexapps.experiment.settings import from_plain
from matexapps.files import atomic_file, write_csv

WHAT = "computing GFN2-xTB"


def run(settings: dict[str, Any], ranks: Ranks) -> dict[str, Any]:
    """Compute the labels of all molecules of a file that have none yet. Collective.

    Each different molecule is computed once, in its standard form, from which networks learn. Every
    result is recorded at once: after a crash, an interrupt, or with more molecules, another run
    computes only what is missing. When ranks die, the others take over their molecules.

    Parameters
    ----------
    settings : dict
        Of :class:`~matexapps.apps.molecules.quantum.settings.CampaignSettings`.
    ranks : Ranks

    Returns
    -------
    dict
        On every rank: numbers of rows and molecules, and the speed.

    Raises
    ------
    DataError
        If the molecules cannot be read, or the tables cannot be written.
    TrainingError
        If the settings cannot be used.
    MissingExtraError
        If tblite is not installed.
    """
    chosen = from_plain(CampaignSettings, settings)
    began = time.monotonic()
    ranks.on_root(_check_installed)

    def read() -> tuple[Records, list[Standard | str]]:
        records = ranks.on_root(
            lambda: read_records(
                chosen.data, smiles_columns=chosen.smiles_columns, target_columns=[]
            )
        )
        return records, standardize_records(records, ranks)

    records, standards = ranks.run("while molecules were read", read)
    different = dict.fromkeys(s.smiles for s in standards if isinstance(s, Standard))
    results = _campaign(chosen).run([(smiles, chosen.seed) for smiles in different], ranks)
    outcomes = {outcome.key: outcome for outcome in results.outcomes}
    rejected = ranks.run(
        "while tables were written",
        lambda: ranks.on_root(lambda: _write_tables(chosen, outcomes, records, standards)),
    )
    computed, seconds = len(different) - results.known_before, time.monotonic() - began
    return {
        "out": str(chosen.table),
        "rejected_out": str(chosen.rejected),
        "rows": len(records),
        "molecules": len(different),
        "computed": computed,
        "known_before": results.known_before,
        "rejected_rows": rejected,
        "ranks": ranks.world_size,
        "seconds": round(seconds, 2),
        "molecules_per_s": round(computed / seconds, 2),
    }


def _check_installed() -> None:
    if importlib.util.find_spec("tblite") is None:
        raise MissingExtraError(
            "GFN2-xTB is computed by the package 'tblite', which is not installed; install it "
            "with: pip install 'matexapps[quantum]'"
        )


def _campaign(settings: CampaignSettings) -> Campaign:
    return Campaign(
        WHAT,
        Labeler,
        settings.folder,
        time_limit_s=settings.time_limit_s,
        unit="molecules",
        tries=settings.tries,
        seed=settings.seed,
        depends_on={
            "method": METHOD,
            "columns": COLUMNS,
            "standardize": standardize.VERSION,
            "tblite": version("tblite"),
            "rdkit": rdkit.__version__,
        },
    )


def _write_tables(
    settings: CampaignSettings,
    outcomes: dict[str, Outcome],
    records: Records,
    standards: list[Standard | str],
) -> int:
    """Write labels and rejected rows; return how many rows were rejected."""
    labels: dict[str, list[object]] = {}
    rejected = []
    for row, given, standard in zip(records.rows, records.smiles, standards, strict=True):
        if isinstance(standard, str):
            rejected.append((int(row), given, standard))
            continue
        outcome = outcomes[standard.smiles]
        if outcome.status == "done":
            labels[standard.smiles] = [standard.smiles, standard.inchikey, *outcome.value]
        else:
            rejected.append((int(row), given, _reason(outcome)))
    columns = ["smiles", "inchikey", *COLUMNS]
    table = pd.DataFrame(list(labels.values()), columns=columns).astype(
        dict.fromkeys(COLUMNS, float)
    )
    with atomic_file(settings.table) as partial:
        if settings.table.suffix == ".parquet":
            table.to_parquet(partial, index=False)
        else:
            table.to_csv(partial, index=False, float_format="%.10g", lineterminator="\n")
    write_csv(settings.rejected, ("row", "smiles", "reason"), rejected)
    return len(rejected)


def _reason(outcome: Outcome) -> str:
    is_known = outcome.error == NotComputed.__name__
    return outcome.message if is_known else outcome.reason
