"""The experiment of a notebook, as it runs on each engine."""

from __future__ import annotations

from typing import Any

from matexapps.apps.molecules.experiment import LONGEST_WAIT_S, run_study
from matexapps.apps.molecules.model import Model
from matexapps.apps.molecules.settings import ExperimentSettings
from matexapps.apps.molecules.study import Study
from matexapps.comm.world import open_world
from matexapps.experiment.settings import from_plain


def study(**settings: Any) -> tuple[Study, Model] | None:
    """Run an experiment on all ranks; rank 0 returns the study and the model.

    Parameters
    ----------
    **settings
        Of :class:`~matexapps.apps.molecules.settings.ExperimentSettings`. ``out`` is ignored: use
        ``Model.save``.
    """
    with open_world(LONGEST_WAIT_S) as comm:
        result, model = run_study(from_plain(ExperimentSettings, settings), comm)
        return (result, model.to("cpu")) if comm.rank == 0 else None
