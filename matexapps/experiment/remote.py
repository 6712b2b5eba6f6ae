"""One door for notebooks and scripts: an experiment here, or on a cluster's ranks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from matexapps.comm.world import open_world
from matexapps.experiment.ranks import LONGEST_WAIT_S
from matexapps.experiment.reference import load_domain, reference_of
from matexapps.experiment.runner import run_study
from matexapps.experiment.settings import from_plain

if TYPE_CHECKING:
    from matexapps.experiment.domain import Domain
    from matexapps.experiment.results import Study


def train(domain: Domain[Any, Any] | str, cluster: Any = None, **settings: Any) -> Study:
    """Run an experiment, in this process or on the ranks of a cluster.

    Parameters
    ----------
    domain : Domain or str
        In a module or a file that ranks can import, or its name there: see
        :func:`~matexapps.experiment.reference.load_domain`.
    cluster : Cluster, optional
    **settings
        Of the domain's settings.

    Raises
    ------
    TrainingError
        If a setting is unknown or cannot be used.
    """
    reference = domain if isinstance(domain, str) else reference_of(domain)
    if cluster is None:
        study = train_on_ranks(reference, settings, everywhere=True)
    else:
        study = cluster.run("matexapps.experiment.remote:train_on_ranks", reference, settings)[0]
    assert study is not None
    return study


def train_on_ranks(
    reference: str, settings: dict[str, Any], everywhere: bool = False
) -> Study | None:
    """Run an experiment on all ranks. Collective.

    Returns
    -------
    Study or None
        On rank 0, or on every rank, the model on the CPU.
    """
    domain = load_domain(reference)
    chosen = from_plain(domain.settings, settings)
    with open_world(LONGEST_WAIT_S) as comm:
        study = run_study(domain, chosen, comm)
        if comm.rank and not everywhere:
            return None
    study.model.to("cpu")
    return study
