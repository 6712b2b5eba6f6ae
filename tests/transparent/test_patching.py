"""Attributes that are replaced for a while, and functions that are called after imports."""

from __future__ import annotations

import importlib
import sys
from types import ModuleType

import pytest

from matexapps.transparent.patching import after_import, patched


class Base:
    def method(self):
        return "base"

    @staticmethod
    def static():
        return "static"


class Derived(Base):
    pass


def defaults(value="original"):
    return value


def test_a_patch_is_undone_also_after_an_exception():
    module = ModuleType("module")
    module.value = 1
    with patched(module, "value", 2):
        assert module.value == 2
    assert module.value == 1
    with pytest.raises(KeyError), patched(module, "value", 3):
        raise KeyError
    assert module.value == 1


def test_inherited_and_static_methods_are_restored_as_they_were_defined():
    with patched(Derived, "method", lambda self: "patched"):
        assert Derived().method() == "patched"
        assert Base().method() == "base"
    assert "method" not in vars(Derived)
    with patched(Base, "static", staticmethod(lambda: "patched")):
        assert Base().static() == "patched"
    assert isinstance(vars(Base)["static"], staticmethod)
    assert Base().static() == "static"


def test_defaults_of_a_function_are_restored():
    with patched(defaults, "__defaults__", ("patched",)):
        assert defaults() == "patched"
    assert defaults() == "original"


def test_function_is_called_after_the_import_of_a_module(tmp_path, monkeypatch):
    (tmp_path / "imported_later.py").write_text("value = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    called = []
    finders = list(sys.meta_path)
    with (
        after_import("imported_later", lambda module: called.append(("outer", module.value))),
        after_import("imported_later", lambda module: called.append(("inner", module.value))),
        after_import("never_imported_module", called.append),
    ):
        assert not called
        module = importlib.import_module("imported_later")
        assert sorted(called) == [("inner", 1), ("outer", 1)]
        module.value = 2
        with after_import("imported_later", lambda module: called.append(("loaded", module.value))):
            assert called[-1] == ("loaded", 2)
    assert sys.meta_path == finders
    (tmp_path / "imported_later.py").write_text("value = 12345\n")
    count = len(called)
    assert importlib.reload(module).value == 12345
    assert len(called) == count
