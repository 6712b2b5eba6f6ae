"""A trained model: predictions with their uncertainty, and the folder that stores it.

The folder has ``model.json`` (a description of the model, as plain values), ``model.safetensors``
(weights) and ``training.safetensors`` (fingerprints and values of the training molecules, whose
SMILES are in the JSON). Nothing in it is ever unpickled.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rdkit
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file as load_arrays
from safetensors.numpy import save_file as save_arrays
from safetensors.torch import load_file, save_file

from matexapps.apps.molecules.data import standardize
from matexapps.apps.molecules.data.targets import Target
from matexapps.apps.molecules.featurizers import FEATURIZERS, Arrays
from matexapps.apps.molecules.featurizers.rows import featurize_rows, row_features
from matexapps.apps.molecules.networks.architecture import Architecture
from matexapps.apps.molecules.networks.network import MoleculeNetwork
from matexapps.apps.molecules.splits.similarity import nearest
from matexapps.apps.molecules.tasks.estimates import Values
from matexapps.apps.molecules.tasks.registry import TASKS
from matexapps.apps.molecules.tasks.task import Task
from matexapps.comm.single import SingleProcess
from matexapps.errors import DataError
from matexapps.files import atomic_folder, partial_path

_FORMAT = 4
_WEIGHTS, _FACTS, _TRAINING = "model.safetensors", "model.json", "training.safetensors"


@dataclass(frozen=True)
class TrainingMolecules:
    """The molecules that a model has learned from, for the search of neighbors.

    Attributes
    ----------
    smiles : list of str
    fingerprints : ndarray of uint8, shape (molecules, bits)
    values : ndarray of float64, shape (molecules, targets)
    """

    smiles: list[str]
    fingerprints: NDArray[np.uint8]
    values: Values


@dataclass(frozen=True)
class Predictions:
    """Predictions of a model for molecules.

    Attributes
    ----------
    estimates : Estimates or Probabilities
        Depending on the task.
    regions : Intervals or ndarray
        Where each value is expected: see
        :meth:`~matexapps.apps.molecules.tasks.task.Task.regions`.
    similarity : ndarray of float32, shape (molecules,)
        To the nearest training molecule.
    nearest : list of str
        SMILES of that molecule.
    """

    estimates: Any
    regions: Any
    similarity: NDArray[np.float32]
    nearest: list[str]


@dataclass(frozen=True)
class Model:
    """A trained network and all that is needed to use it.

    Attributes
    ----------
    network : MoleculeNetwork
    targets : list of Target
    calibration : ndarray, first axis targets
        See :meth:`~matexapps.apps.molecules.tasks.task.Task.calibrate`.
    training : TrainingMolecules
    facts : dict
        Plain values about its training.
    """

    network: MoleculeNetwork
    targets: list[Target]
    calibration: Values
    training: TrainingMolecules
    facts: dict[str, Any]

    def predict(self, smiles: Sequence[str]) -> Predictions:
        """Predict molecules, given as the SMILES of their standard forms, in this process.

        Several structures of a row are joined by
        :func:`~matexapps.apps.molecules.data.components.join_structures`.
        """
        architecture = self.network.architecture
        names = sorted({*architecture.features, "fingerprint"})
        features = featurize_rows(smiles, smiles, architecture.components, names, SingleProcess())
        self.network.set_features(features, len(smiles))
        self.network.eval()
        device = self.network.target_mean.device
        with torch.inference_mode():
            rows = torch.arange(len(smiles), device=device, dtype=torch.float32)[:, None]
            outputs = self.network(rows).cpu().numpy()
        estimates = self.estimates(outputs)
        fingerprints = row_features(features, "fingerprint")
        neighbors, similarity = nearest(fingerprints, self.training.fingerprints, 1)
        return Predictions(
            estimates=estimates,
            regions=self.task.regions(estimates, self.calibration),
            similarity=similarity[:, 0],
            nearest=[self.training.smiles[i] for i in neighbors[:, 0]],
        )

    @property
    def smiles_columns(self) -> tuple[str, ...]:
        """Names of the structures of a row in training; a single one is called smiles."""
        columns = self.facts.get("smiles_columns", ())
        return tuple(columns) if len(columns) > 1 else ("smiles",)

    @property
    def task(self) -> Task[Any]:
        """The kind of its targets."""
        return TASKS[self.network.architecture.task]

    def to(self, device: str) -> Model:
        """Move the network to a device, and return this model."""
        self.network.to(device)
        return self

    def estimates(self, outputs: NDArray[np.float32]) -> Any:
        """Return the network's outputs in the targets' units, with their uncertainty."""
        mean, scale = self.network.target_mean, self.network.target_scale
        return self.task.estimates(
            outputs, mean.double().cpu().numpy(), scale.double().cpu().numpy()
        )

    def save(self, folder: str | Path) -> None:
        """Write the model; an existing model is replaced once everything is written.

        Raises
        ------
        DataError
            If the folder cannot be written, or contains something else.
        """
        folder = Path(folder)
        check_folder(folder)
        facts = {
            "format": _FORMAT,
            "architecture": asdict(self.network.architecture),
            "targets": [asdict(target) for target in self.targets],
            "calibration": _plain(self.calibration),
            "versions": _versions(self.network.architecture),
            "rdkit": rdkit.__version__,
            **self.facts,
            "training_smiles": self.training.smiles,
        }
        with atomic_folder(folder) as partial:
            save_file(self.network.state_dict(), partial / _WEIGHTS)
            training = self.training
            tables: Arrays = {"fingerprints": training.fingerprints, "values": training.values}
            save_arrays(tables, partial / _TRAINING)
            (partial / _FACTS).write_text(json.dumps(facts, indent=1, allow_nan=False) + "\n")


def check_folder(folder: str | Path) -> None:
    """Check, before a model is trained, that it can be saved in a folder.

    Raises
    ------
    DataError
        If the folder cannot be written, or contains something else.
    """
    folder = Path(folder)
    trial = partial_path(folder)
    try:
        if folder.exists() and not (folder / _FACTS).is_file() and any(folder.iterdir()):
            raise DataError(f"{folder} contains something other than a model: give a new folder")
        trial.mkdir(parents=True, exist_ok=True)
        trial.rmdir()
    except OSError as error:
        raise DataError(f"cannot write the model to {folder}: {error}") from error


def load_model(folder: str | Path) -> Model:
    """Read a model's folder.

    Raises
    ------
    DataError
        If the model is incomplete, or this version computes features differently.
    """
    folder = Path(folder)
    try:
        facts = json.loads((folder / _FACTS).read_text())
        if facts.pop("format") != _FORMAT:
            raise DataError(f"{folder} was written by another version of matexapps: train again")
        architecture = Architecture(**facts.pop("architecture"))
        _check_versions(folder, facts.pop("versions"), architecture)
        if facts["rdkit"] != rdkit.__version__:
            warnings.warn(
                f"{folder} was trained with RDKit {facts['rdkit']}, this is {rdkit.__version__}: "
                "features may differ",
                stacklevel=2,
            )
        network = MoleculeNetwork(architecture)
        network.load_state_dict(load_file(folder / _WEIGHTS))
        tables = load_arrays(folder / _TRAINING)
        return Model(
            network=network,
            targets=[Target.from_plain(target) for target in facts.pop("targets")],
            calibration=np.array(facts.pop("calibration"), float),
            training=TrainingMolecules(
                smiles=facts.pop("training_smiles"),
                fingerprints=tables["fingerprints"],
                values=tables["values"],
            ),
            facts=facts,
        )
    except FileNotFoundError as error:
        raise DataError(
            f"{folder} is not a model: there is no {error.filename}; "
            "`matexapps train molecules --out` makes one"
        ) from None
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        raise DataError(f"the model {folder} cannot be read: {error}") from None


def _plain(numbers: Values) -> Any:
    """Return an array as lists, with None in place of NaN."""
    table = numbers.astype(object)
    table[np.isnan(numbers)] = None
    return table.tolist()


def _versions(architecture: Architecture) -> dict[str, int]:
    own = {name: FEATURIZERS[name].version for name in architecture.features}
    return {"standardize": standardize.VERSION, **own}


def _check_versions(folder: Path, written: dict[str, int], architecture: Architecture) -> None:
    for name, version in _versions(architecture).items():
        if written.get(name) != version:
            raise DataError(
                f"{folder} was trained with version {written.get(name)} of {name!r}, and this is "
                f"version {version}: train again"
            )
