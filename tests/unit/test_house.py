"""The rules of the house that no linter knows."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[2]
MODULES = sorted((ROOT / "matexapps").rglob("*.py"))
STORIES = {"survive", "outlive", "whereabouts", "once", "settle", "told", "said"}


def names(tree: ast.AST) -> set[str]:
    """Every name that a module defines, assigns, imports or asks for."""
    names: set[str] = set()
    for node in ast.walk(tree):
        for field in ("id", "name", "arg", "attr", "asname"):
            value = getattr(node, field, None)
            if isinstance(value, str):
                names.update(value.split("."))
    return names


def test_no_module_is_longer_than_300_lines():
    assert {
        str(path.relative_to(ROOT)): lines
        for path in MODULES
        if (lines := len(path.read_text().splitlines())) > 300
    } == {}


def test_no_folder_has_more_than_14_modules():
    count = Counter(str(path.parent.relative_to(ROOT)) for path in MODULES)
    assert {folder: number for folder, number in count.items() if number > 14} == {}


def test_names_say_what_a_thing_is_and_tell_no_story():
    assert {
        str(path.relative_to(ROOT)): story
        for path in MODULES
        if (story := names(ast.parse(path.read_text())) & STORIES)
    } == {}
