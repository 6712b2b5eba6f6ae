"""Properties of molecules, learned from tables of structures and measured values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matexapps.experiment.results import Study

DOMAIN = "matexapps.apps.molecules.domain:MOLECULES"
"""Where ranks find the domain."""


def train(cluster: Any = None, **settings: Any) -> Study:
    """Train on molecules and compare with simpler methods, here or on the ranks of a cluster.

    Parameters
    ----------
    cluster : Cluster, optional
        Default: this process alone.
    **settings
        Of :class:`~matexapps.apps.molecules.settings.MoleculeSettings`.

    Returns
    -------
    Study
        ``study.report()``, ``study.plot()``, ``study.model.predict(smiles)``, ``study.save()``.

    Raises
    ------
    TrainingError
        If a setting is unknown or cannot be used.
    DataError
        If the molecules cannot be used.

    Examples
    --------
    >>> study = molecules.train(data="solubility.csv", epochs=10, cluster=cluster)
    >>> print(study.report())
    """
    from matexapps.experiment import remote

    return remote.train(DOMAIN, cluster, **settings)
