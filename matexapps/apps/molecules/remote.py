"""An experiment that a notebook asks for: what runs on each engine."""

from __future__ import annotations

from typing import Any

from matexapps.apps.molecules.experiment import LONGEST_WAIT_S, run_study
from matexapps.apps.molecules.model import Model
from matexapps.apps.molecules.settings import ExperimentSettings
from matexapps.apps.molecules.study import Study
from matexapps.comm.world import open_world
from matexapps.experiment.settings import from_plain


def study(**settings: Any) -> tuple[Study, Model] | None:
    """Run an experiment on all ranks; rank 0 returns its outcome and the model.

    Parameters
    ----------
    **settings
        Of :class:`~matexapps.apps.molecules.settings.ExperimentSettings`; ``out`` is left to
        ``Model.save``.
    """
    with open_world(LONGEST_WAIT_S) as comm:
        found, model = run_study(from_plain(ExperimentSettings, settings), comm)
        return (found, model.to("cpu")) if comm.rank == 0 else None
