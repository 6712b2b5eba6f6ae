"""Functions that the notebook side calls by name exist, although it does not import them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import matexapps
from matexapps.cluster import training
from matexapps.engine.calls import resolve

SOURCES = [
    path
    for folder in ("cluster", "engine")
    for path in sorted((Path(matexapps.__file__).parent / folder).rglob("*.py"))
]


def names(path: Path) -> list[str]:
    """The names of the form ``"package.module:function"`` in a module."""
    modules = {"{_REMOTE}": training._REMOTE, "{_STATE}": training._STATE}
    text = path.read_text()
    for variable, module in modules.items():
        text = text.replace(variable, module)
    return re.findall(r'"(matexapps\.[\w.]+:\w+)"', text)


@pytest.mark.parametrize("name", sorted({name for path in SOURCES for name in names(path)}))
def test_a_function_that_is_called_by_name_exists(name):
    assert callable(resolve(name))
