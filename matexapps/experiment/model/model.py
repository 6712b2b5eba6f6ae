"""A trained network with what is needed to use it: ``study.model.predict(rows)``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from numpy.typing import NDArray
from torch import nn

from matexapps.errors import DataError
from matexapps.experiment.domain import Domain
from matexapps.experiment.model.folder import Contents, read_folder, write_folder
from matexapps.experiment.model.prediction import predict
from matexapps.experiment.settings import ExperimentSettings, from_plain
from matexapps.experiment.tasks import Task, task_from

if TYPE_CHECKING:
    import pandas as pd

_ROWS = 8192


@dataclass
class Model:
    """A trained network and what is needed to use it.

    Attributes
    ----------
    domain : Domain
    network : nn.Module
    task : Task
    calibration
        See :meth:`~matexapps.experiment.tasks.Task.calibrate`.
    settings : ExperimentSettings
        With which it was trained.
    architecture : dict
        From which, with the settings, the domain rebuilds the network.
    facts : dict
        Plain values on what it reads and how it was trained.
    arrays : dict of str to ndarray
    """

    domain: Domain[Any, Any]
    network: nn.Module
    task: Task
    calibration: Any
    settings: ExperimentSettings
    architecture: dict[str, Any]
    facts: dict[str, Any]
    arrays: dict[str, NDArray[Any]]

    def __reduce__(self) -> tuple[Any, ...]:
        # As a folder keeps it: without what the network still holds of the training rows.
        state = {item.name: getattr(self, item.name) for item in fields(self)}
        return _restored, ({**state, "network": self.network.state_dict()},)

    def outputs(self, features: NDArray[Any]) -> NDArray[Any]:
        """Return what the network gives for features, first axis rows, in this process."""
        self.network.eval()
        device = next(self.network.parameters()).device
        with torch.inference_mode():
            parts = [
                self.network(part.to(device)).cpu()
                for part in torch.from_numpy(features).split(_ROWS)
            ]
        return torch.cat(parts).numpy()

    def predict(self, rows: Any, *, cluster: Any = None, **options: Any) -> pd.DataFrame:
        """Predict rows, in their order.

        Parameters
        ----------
        rows : path or table
            A file, or rows in memory, as the domain reads them.
        cluster : Cluster, optional
            Its ranks share out the rows; without it they are predicted in this process.
        **options
            What else a domain lets a user say of rows.

        Returns
        -------
        DataFrame
            One row each; a row that cannot be predicted says why.

        Raises
        ------
        DataError
            If the rows do not fit the model; the message says why.
        """
        return predict(self, self.domain.source(rows, **options), cluster)

    def save(self, folder: str | Path, add: Callable[[Path], None] | None = None) -> None:
        """Keep the model in a folder; one that is there is replaced when all is written.

        Parameters
        ----------
        folder : path
        add : callable, optional
            Writes further files into the folder that it is given.

        Raises
        ------
        DataError
            If the folder cannot be written, or holds something else.
        """
        facts = {
            "domain": self.domain.name,
            "task": self.task.plain(),
            "calibration": self.calibration,
            "architecture": self.architecture,
            "facts": self.facts,
        }
        contents = Contents(facts, asdict(self.settings), self.network.state_dict(), self.arrays)
        write_folder(folder, contents, add)

    @classmethod
    def load(cls, folder: str | Path, domain: Domain[Any, Any]) -> Model:
        """Read a model's folder.

        Parameters
        ----------
        folder : path
        domain : Domain
            Of which the model is.

        Raises
        ------
        DataError
            If it is no complete model, or one of another domain or another version of matexapps.
        """

        def read(contents: Contents) -> Model:
            facts = contents.facts
            if facts["domain"] != domain.name:
                raise DataError(
                    f"{folder} is a model of {facts['domain']}, not of {domain.name}: use "
                    f"`matexapps {facts['domain']} predict`"
                )
            domain.check_model(Path(folder), facts)
            settings = from_plain(domain.settings, contents.settings)
            return cls(
                domain=domain,
                network=_network(domain, settings, facts["architecture"], contents.weights),
                task=task_from(facts["task"], domain.tasks),
                calibration=facts["calibration"],
                settings=settings,
                architecture=facts["architecture"],
                facts=facts["facts"],
                arrays=contents.arrays,
            )

        return read_folder(folder, domain.name, read)

    def to(self, device: str) -> Model:
        """Move the network to a device, and return this model."""
        self.network.to(device)
        return self


def _restored(state: dict[str, Any]) -> Model:
    network = _network(state["domain"], state["settings"], state["architecture"], state["network"])
    return Model(**{**state, "network": network})


def _network(
    domain: Domain[Any, Any],
    settings: ExperimentSettings,
    architecture: dict[str, Any],
    weights: dict[str, torch.Tensor],
) -> nn.Module:
    network = domain.rebuild(settings, architecture)
    network.load_state_dict(weights)
    return network.eval()
