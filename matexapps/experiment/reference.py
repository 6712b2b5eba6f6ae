"""A domain by its name in a module or a file, so that every rank can import it; no torch here."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from typing import Any

from matexapps.errors import TrainingError

_OF_A_FILE = "matexapps_domain_"


def load_domain(reference: str) -> Any:
    """Return the domain that ``"package.module:NAME"`` or ``"folder/file.py:NAME"`` names.

    Raises
    ------
    TrainingError
        If there is none.
    """
    module_name, _, name = reference.rpartition(":")
    module = _from_file(Path(module_name)) if module_name.endswith(".py") else None
    module = module or importlib.import_module(module_name)
    domain = getattr(module, name, None)
    if domain is None:
        raise TrainingError(f"{module_name} defines no {name}, so {reference!r} is no domain")
    return domain


def reference_of(domain: Any) -> str:
    """Return by what name ranks can import a domain.

    Raises
    ------
    TrainingError
        If it is not a name at the top of a module.
    """
    module = sys.modules[type(domain).__module__]
    for name, value in vars(module).items():
        if value is domain:
            own = module.__name__
            if own != "__main__" and not own.startswith(_OF_A_FILE):
                return f"{own}:{name}"
            if file := getattr(module, "__file__", None):
                return f"{Path(file).resolve()}:{name}"
    raise TrainingError(
        f"ranks cannot import this {type(domain).__name__}: define it in a file, with a name at "
        f"its top, as in DOMAIN = {type(domain).__name__}()"
    )


def _from_file(path: Path) -> Any:
    name = f"{_OF_A_FILE}{path.stem}"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, path)
        if spec is None or spec.loader is None or not path.is_file():
            raise TrainingError(f"there is no file {path}, so it holds no domain")
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module  # before it runs: its dataclasses look themselves up there
        spec.loader.exec_module(module)
    return sys.modules[name]
