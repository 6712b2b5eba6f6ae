"""GFN2-xTB for many molecules on all ranks, which can be interrupted and resumed."""

from __future__ import annotations

import time
from importlib.metadata import version
from typing import Any

import rdkit

from matexapps import progress
from matexapps.apps.molecules.data import standardize
from matexapps.apps.molecules.data.molecule_set import standardize_records
from matexapps.apps.molecules.data.reader import read_records
from matexapps.apps.molecules.data.records import Records
from matexapps.apps.molecules.data.standardize import Standard
from matexapps.apps.molecules.quantum.geometry import NotComputed
from matexapps.apps.molecules.quantum.journal import Journal, Outcome, write
from matexapps.apps.molecules.quantum.process import XtbProcess, check_installed
from matexapps.apps.molecules.quantum.settings import CampaignSettings
from matexapps.apps.molecules.quantum.single_point import COLUMNS, METHOD
from matexapps.apps.molecules.quantum.tables import write_labels, write_rejected
from matexapps.comm.communicator import Communicator
from matexapps.experiment.ranks import Ranks
from matexapps.experiment.settings import from_plain

WHAT = "computing GFN2-xTB"


def run(settings: dict[str, Any], comm: Communicator) -> dict[str, Any]:
    """Compute the labels of all molecules of a file that have none yet. Collective.

    Each different molecule is computed once, in its standard form, from which networks learn. Every
    result is recorded at once: after a crash, an interrupt, or with more molecules, another run
    computes only what is missing. When ranks die, the others take over their molecules.

    Parameters
    ----------
    settings : dict
        Of :class:`~matexapps.apps.molecules.quantum.settings.CampaignSettings`.
    comm : Communicator

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
    comm.on_root(check_installed)
    result = Ranks(comm).run("in the campaign", lambda: _compute_all(chosen, comm))
    seconds = time.monotonic() - began
    return {
        **result,
        "ranks": comm.world_size,
        "seconds": round(seconds, 2),
        "molecules_per_s": round(result["computed"] / seconds, 2),
    }


def _compute_all(settings: CampaignSettings, comm: Communicator) -> dict[str, Any]:
    """Compute what is missing and write the tables; return the numbers of rows. Collective."""
    records = comm.on_root(
        lambda: read_records(
            settings.data, smiles_columns=settings.smiles_columns, target_columns=[]
        )
    )
    standards = standardize_records(records, Ranks(comm))
    different = {item.smiles: item for item in standards if isinstance(item, Standard)}
    journal = Journal(settings.folder, _provenance(settings))
    number, known = comm.on_root(journal.begin)
    missing = [smiles for smiles in different if not _is_done(known.get(smiles), settings)]
    own = missing[comm.rank :: comm.world_size]

    def compute_share() -> None:
        with XtbProcess() as process, journal.writing(number, comm.rank) as file:
            monitor = _Monitor(comm, len(own))
            for smiles in own:
                write(file, _compute(smiles, process, settings))
                monitor.add()

    comm.on_all(compute_share)
    rejected = comm.on_root(lambda: _write_tables(settings, journal, records, standards))
    return {
        "out": str(settings.table),
        "rejected_out": str(settings.rejected),
        "rows": len(records),
        "molecules": len(different),
        "computed": len(missing),
        "known_before": len(different) - len(missing),
        "rejected_rows": rejected,
    }


def _provenance(settings: CampaignSettings) -> dict[str, Any]:
    """Return everything that the values depend on."""
    return {
        "method": METHOD,
        "columns": list(COLUMNS),
        "seed": settings.seed,
        "standardize": standardize.VERSION,
        "tblite": version("tblite"),
        "rdkit": rdkit.__version__,
    }


def _is_done(outcome: Outcome | None, settings: CampaignSettings) -> bool:
    """Whether there is nothing left to try."""
    if outcome is None or outcome.values is not None:
        return outcome is not None
    return outcome.tries >= settings.tries and outcome.time_limit_s >= settings.time_limit_s


def _compute(smiles: str, process: XtbProcess, settings: CampaignSettings) -> Outcome:
    """Try conformers until there are values, or the time is up."""
    began, reason = time.monotonic(), ""
    for attempt in range(settings.tries):
        remaining = settings.time_limit_s - (time.monotonic() - began)
        if remaining <= 0:
            break
        try:
            values = process.compute(smiles, settings.seed + attempt, attempt > 0, remaining)
            return Outcome(smiles, values, "", attempt + 1, settings.time_limit_s)
        except NotComputed as caught:
            reason = str(caught)
    return Outcome(smiles, None, reason, settings.tries, settings.time_limit_s)


def _write_tables(
    settings: CampaignSettings,
    journal: Journal,
    records: Records,
    standards: list[Standard | str],
) -> int:
    """Write labels and rejected rows; return how many rows were rejected."""
    outcomes = journal.read()
    labels = {}
    rejected = []
    for row, given, standard in zip(records.rows, records.smiles, standards, strict=True):
        if isinstance(standard, str):
            rejected.append((int(row), given, standard))
            continue
        outcome = outcomes[standard.smiles]
        if outcome.values is None:
            rejected.append((int(row), given, outcome.reason))
        else:
            labels[standard.smiles] = (standard.smiles, standard.inchikey, outcome.values)
    write_labels(settings.table, list(labels.values()))
    write_rejected(settings.rejected, rejected)
    return len(rejected)


class _Monitor:
    """Reports the progress of this rank."""

    def __init__(self, comm: Communicator, total: int) -> None:
        self._comm, self._total, self._done = comm, total, 0

    def add(self) -> None:
        self._done += 1
        progress.report_work(
            WHAT, self._done, self._total, "molecules", self._comm.rank, self._comm.world_size
        )
