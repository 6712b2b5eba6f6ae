"""Molecules as a domain of experiments: which rows, networks, baselines and figures."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import rdkit
from numpy.typing import NDArray
from torch import nn

from matexapps.apps.molecules.baselines import make_baselines
from matexapps.apps.molecules.data import standardize
from matexapps.apps.molecules.data.reader import LibraryRow
from matexapps.apps.molecules.featurizers import FEATURIZERS
from matexapps.apps.molecules.featurizers.featurize import work_estimate
from matexapps.apps.molecules.featurizers.rows import row_features
from matexapps.apps.molecules.networks.architecture import Architecture
from matexapps.apps.molecules.networks.network import MoleculeNetwork
from matexapps.apps.molecules.prediction import (
    Library,
    library_pieces,
    predict_rows,
    prediction_columns,
)
from matexapps.apps.molecules.prepared import Prepared, prepare
from matexapps.apps.molecules.pretraining.transfer import inchikeys_of, initialize_from
from matexapps.apps.molecules.report.files import write_lists
from matexapps.apps.molecules.report.learning_curve import curve_summary
from matexapps.apps.molecules.report.text import as_table
from matexapps.apps.molecules.settings import TITLE, MoleculeSettings
from matexapps.apps.molecules.splits.leakage import Leakage, audit
from matexapps.apps.molecules.splits.make import make_splits
from matexapps.apps.molecules.splits.split import in_multiple_parts
from matexapps.apps.molecules.tasks.registry import TASKS, kind_of, task_of
from matexapps.apps.molecules.tasks.task import MoleculeTask
from matexapps.apps.molecules.training import training_data, training_settings
from matexapps.data.dataset import DataSet
from matexapps.errors import DataError
from matexapps.experiment.domain import Baseline, Domain, ModelFacts, TrainedModel, Values
from matexapps.experiment.model.model import Model
from matexapps.experiment.ranks import Ranks
from matexapps.experiment.results import SplitResult, Study
from matexapps.experiment.splitting import Split

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MOST_PAIRS = 20


class Molecules(Domain[MoleculeSettings, Prepared]):
    """Properties of molecules, from tables of structures and measured values."""

    name = "molecules"
    title = TITLE
    settings = MoleculeSettings
    unit = "molecules"
    tasks = tuple(TASKS.values())

    def prepare(self, settings: MoleculeSettings, ranks: Ranks) -> Prepared:
        prepared = prepare(settings, ranks)
        if (folder := settings.pretrained) is None:
            return prepared
        learned = ranks.on_root(lambda: Model.load(folder, self).facts["training_smiles"])
        return replace(prepared, pretrained=inchikeys_of(learned, ranks))

    def splits(
        self, settings: MoleculeSettings, prepared: Prepared, ranks: Ranks
    ) -> dict[str, Split]:
        return ranks.on_root(lambda: make_splits(settings, prepared))

    def data(self, settings: MoleculeSettings, prepared: Prepared, split: Split) -> DataSet:
        return training_data(prepared.molecules, split)

    def values(self, prepared: Prepared, rows: NDArray[np.int64]) -> Values:
        return prepared.molecules.values[rows]

    def task(self, settings: MoleculeSettings, prepared: Prepared, split: Split) -> MoleculeTask:
        molecules = prepared.molecules
        return task_of(molecules.targets, molecules.values[split.train])

    def network(
        self, settings: MoleculeSettings, prepared: Prepared, split: Split, seed: int
    ) -> MoleculeNetwork:
        molecules = prepared.molecules
        architecture = Architecture(
            network=settings.network,
            task=kind_of(molecules.targets),
            members=settings.members,
            targets=len(molecules.targets),
            components=len(molecules.smiles_columns),
        )
        network = MoleculeNetwork(architecture, seed=seed)
        if settings.pretrained is not None:
            trained = Model.load(settings.pretrained, self).network
            assert isinstance(trained, MoleculeNetwork)
            initialize_from(network, trained)
        network.set_features(prepared.features, len(molecules))
        network.adapt(split.train, molecules.values)
        return network

    def training(
        self, settings: MoleculeSettings, prepared: Prepared, network: nn.Module
    ) -> dict[str, Any]:
        assert isinstance(network, MoleculeNetwork)
        return training_settings(network, prepared.molecules)

    def baselines(
        self, settings: MoleculeSettings, prepared: Prepared, split: Split
    ) -> dict[str, Baseline]:
        return make_baselines(
            self.task(settings, prepared, split),
            prepared.features,
            prepared.molecules.values,
            split,
            settings.seed,
        )

    def audit(self, settings: MoleculeSettings, prepared: Prepared, split: Split) -> Leakage:
        molecules = prepared.molecules
        return audit(
            molecules.inchikeys,
            row_features(prepared.features, "fingerprint"),
            split.learned,
            split.test,
            prepared.pretrained,
        )

    def model_facts(
        self, settings: MoleculeSettings, prepared: Prepared, split: Split, network: nn.Module
    ) -> ModelFacts:
        assert isinstance(network, MoleculeNetwork)
        molecules = prepared.molecules
        facts = {
            "smiles_columns": list(molecules.smiles_columns),
            "versions": _versions(network.architecture),
            "rdkit": rdkit.__version__,
            "training_smiles": [molecules.smiles[i] for i in split.train],
        }
        arrays = {
            "fingerprints": row_features(prepared.features, "fingerprint")[split.train],
            "values": molecules.values[split.train],
        }
        return ModelFacts(asdict(network.architecture), facts, arrays)

    def rebuild(self, settings: MoleculeSettings, architecture: dict[str, Any]) -> MoleculeNetwork:
        return MoleculeNetwork(Architecture(**architecture))

    def check_model(self, folder: Path, facts: Mapping[str, Any]) -> None:
        known = facts["facts"]
        for name, version in _versions(Architecture(**facts["architecture"])).items():
            if (written := known["versions"].get(name)) != version:
                raise DataError(
                    f"{folder} was trained with version {written} of {name!r}, and this is "
                    f"version {version}: train again"
                )
        if known["rdkit"] != rdkit.__version__:
            warnings.warn(
                f"{folder} was trained with RDKit {known['rdkit']}, this is {rdkit.__version__}: "
                "features may differ",
                stacklevel=2,
            )

    def source(
        self, rows: Any, smiles_columns: str | Sequence[str] | None = None, **options: Any
    ) -> Library:
        return Library(super().source(rows, **options), smiles_columns)

    def pieces(
        self, source: Library, model: TrainedModel, size: int
    ) -> Iterator[Sequence[LibraryRow]]:
        return library_pieces(source, model, size)

    def predict(self, piece: Sequence[LibraryRow], model: TrainedModel) -> list[list[Any]]:
        return predict_rows(piece, model)

    def prediction_columns(self, model: TrainedModel) -> list[str]:
        return prediction_columns(model)

    def effort(self, row: LibraryRow) -> int:
        return sum(map(work_estimate, row.structures))

    def for_report(self, prepared: Prepared) -> Prepared:
        """Return the molecules without their features."""
        return replace(prepared, features={})

    def figures(self, prepared: Prepared, result: SplitResult) -> dict[str, Any]:
        """Return numbers of molecules, and what the leakage audit names.

        ``moved`` are molecules that the split column assigned to several parts; they are in the
        first of training, validation and test.
        """
        molecules, leakage = prepared.molecules, result.leakage
        calibrating = np.isfinite(result.validation.values).sum(0)
        sizes = result.split.sizes
        pairs = [
            {
                "test": molecules.smiles[test],
                "learned": molecules.smiles[learned],
                "similarity": round(similarity, 3),
            }
            for test, learned, similarity in leakage.near_pairs[:_MOST_PAIRS]
        ]
        moved = (
            in_multiple_parts(molecules.part_keys or ())
            if (result.split.part_of or result.name) == "column"
            else ()
        )
        return {
            "rows": {**sizes, "left_out": len(molecules) - sum(sizes.values())},
            "leakage": {
                **asdict(leakage),
                "near_pairs": pairs,
                "moved": [molecules.inchikeys[i] for i in moved],
            },
            "calibration_values": {
                target.name: int(count)
                for target, count in zip(molecules.targets, calibrating, strict=True)
            },
        }

    def summary(self, study: Study) -> dict[str, Any]:
        molecules, noise = study.prepared.molecules, study.prepared.noise
        return {
            "task": kind_of(molecules.targets),
            "molecules": len(molecules),
            "rejected": len(molecules.rejected),
            "rejected_rows": [asdict(row) for row in molecules.rejected],
            "stripped_rows": molecules.stripped,
            "merged_rows": sum(len(rows) - 1 for rows in molecules.rows),
            "conflicts": list(map(str, molecules.conflicts)),
            "noise_floor": {
                target.name: None if floor is None else {**asdict(floor), "unit": target.unit}
                for target, floor in zip(molecules.targets, noise, strict=True)
            },
            "learning_curve": curve_summary(study.results),
        }

    def as_table(self, summary: dict[str, Any]) -> str:
        return as_table(summary)

    def draw(self, study: Study) -> Figure:
        from matexapps.apps.molecules.report.picture import draw_study

        return draw_study(study)

    def write_files(self, study: Study, folder: Path) -> None:
        write_lists(folder, study.prepared.molecules)


def _versions(architecture: Architecture) -> dict[str, int]:
    own = {name: FEATURIZERS[name].version for name in architecture.features}
    return {"standardize": standardize.VERSION, **own}


MOLECULES = Molecules()
