"""``mx.DOMAIN.train``: an experiment of a domain, named so that torch is loaded when it begins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from matexapps.experiment.results import Study


class Train(Protocol):
    """Runs an experiment: see :func:`train_of`."""

    def __call__(self, cluster: Any = None, **settings: Any) -> Study: ...


def train_of(reference: str) -> Train:
    """Return the function that runs experiments of a domain.

    Parameters
    ----------
    reference : str
        Where ranks find the domain, as in ``"package.module:NAME"``; it is imported when the
        function is called.
    """

    def train(cluster: Any = None, **settings: Any) -> Study:
        """Train on a domain's rows and compare with simpler methods, here or on a cluster's ranks.

        Parameters
        ----------
        cluster : Cluster, optional
            Default: this process alone.
        **settings
            Of the domain, as ``matexapps DOMAIN train --help`` lists them.

        Returns
        -------
        Study
            ``study.report()``, ``study.plot()``, ``study.model.predict(rows)``, ``study.save()``.

        Raises
        ------
        TrainingError
            If a setting is unknown or cannot be used.
        DataError
            If the rows cannot be used.

        Examples
        --------
        >>> study = mx.higgs.train(data="events.csv", epochs=8, cluster=cluster)
        >>> print(study.report())
        """
        from matexapps.experiment import remote

        return remote.train(reference, cluster, **settings)

    return train
