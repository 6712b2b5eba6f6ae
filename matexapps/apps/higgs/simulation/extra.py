"""The generators come with the optional extra ``higgs-sim``."""

from __future__ import annotations

import importlib
from types import ModuleType

from matexapps.errors import MissingExtraError


def import_extra(module: str) -> ModuleType:
    """Import a module of the extra ``higgs-sim``.

    Raises
    ------
    MissingExtraError
        If it is not installed.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            f"simulating collisions needs the package {error.name!r}, which is not installed; "
            "install it with: pip install 'matexapps[higgs-sim]'"
        ) from error
