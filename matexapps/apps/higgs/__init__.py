"""Higgs classification: telling H0 -> W W h0 events from top-quark pairs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matexapps.experiment.results import Study

DOMAIN = "matexapps.apps.higgs.domain:HIGGS"
"""Where ranks find the domain."""


def train(cluster: Any = None, **settings: Any) -> Study:
    """Train on events and compare with simpler methods, here or on the ranks of a cluster.

    Parameters
    ----------
    cluster : Cluster, optional
        Default: this process alone.
    **settings
        Of :class:`~matexapps.apps.higgs.settings.HiggsSettings`.

    Returns
    -------
    Study
        ``study.report()``, ``study.plot()``, ``study.model.predict(events)``, ``study.save()``.

    Raises
    ------
    TrainingError
        If a setting is unknown or cannot be used.
    DataError
        If the events cannot be used.

    Examples
    --------
    >>> study = higgs.train(data="events.csv", epochs=8, cluster=cluster)
    >>> print(study.report())
    """
    from matexapps.experiment import remote

    return remote.train(DOMAIN, cluster, **settings)
