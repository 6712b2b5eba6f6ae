"""The project's own files agree with each other."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
CONDA_NAMES = {"pytorch": "torch"}


def bounds(requirements: list[str]) -> dict[str, str]:
    """Name and version range of each requirement, both in one spelling."""
    versions = {}
    for requirement in requirements:
        name, version = re.fullmatch(r"([A-Za-z0-9_.-]+?)((?:[<>=!~].*)?)", requirement).groups()
        versions[CONDA_NAMES.get(name, name)] = version
    return versions


def test_environment_yml_has_the_same_packages_and_bounds_as_pyproject():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    conda = bounds([d for d in environment["dependencies"] if isinstance(d, str) and d != "pip"])
    python = conda.pop("python")
    assert python == PROJECT["requires-python"]
    assert conda == bounds(PROJECT["dependencies"])


def test_every_requirement_is_pinned_in_the_constraints_within_its_bounds():
    from packaging.requirements import Requirement
    from packaging.version import Version

    pins = dict(
        line.split("==")
        for line in (ROOT / "constraints.txt").read_text().splitlines()
        if "==" in line and not line.startswith("#")
    )
    pins = {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in pins.items()}
    extras = [r for group in PROJECT["optional-dependencies"].values() for r in group]
    for text in PROJECT["dependencies"] + extras:
        requirement = Requirement(text)
        name = re.sub(r"[-_.]+", "-", requirement.name).lower()
        assert name in pins, f"{name} is not pinned"
        assert requirement.specifier.contains(Version(pins[name])), f"{name} {pins[name]}"


@pytest.mark.parametrize("module", ["matexapps", "matexapps.cli", "matexapps.cluster.cluster"])
def test_light_modules_load_neither_torch_nor_mpi(module):
    script = f"import sys, {module}; print(sorted({{'torch', 'mpi4py'}} & set(sys.modules)))"
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"


def test_every_public_name_can_be_imported():
    import matexapps

    for name in matexapps.__all__:
        assert getattr(matexapps, name).__name__.rpartition(".")[2].startswith(name)
    with pytest.raises(AttributeError, match="no attribute 'Trainr'"):
        _ = matexapps.Trainr
