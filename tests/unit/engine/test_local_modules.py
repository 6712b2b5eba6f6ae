"""Edited modules, and only they, are reloaded in order."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import textwrap
from itertools import count
from pathlib import Path
from types import ModuleType

import pytest

import matexapps
from matexapps.engine.local_modules import LocalModules

_numbers = count()


class Folder:
    """A folder of modules, which are imported under names of this test alone."""

    def __init__(self, path: Path) -> None:
        self.path, self.package = path, f"of_local_modules_test_{next(_numbers)}"
        self.modules = LocalModules()

    def write(self, name: str, text: str) -> Path:
        """Write a module; ``{p}`` in its text is the unique first part of all names."""
        path = self.path / f"{self.package}_{name}.py"
        path.write_text(textwrap.dedent(text).replace("{p}", self.package))
        return path

    def load(self, name: str):
        importlib.invalidate_caches()
        return importlib.import_module(f"{self.package}_{name}")

    def refresh(self) -> list[str]:
        names = self.modules.refresh([str(self.path)])
        return [name.removeprefix(f"{self.package}_") for name in names]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    folder = Folder(tmp_path)
    yield folder
    for name in [name for name in sys.modules if name.startswith(folder.package)]:
        del sys.modules[name]


def import_all(folder: Folder, *names: str) -> list:
    """Import modules, and have their sources noted."""
    loaded = [folder.load(name) for name in names]
    folder.refresh()
    assert folder.refresh() == []
    return loaded


def test_an_edited_module_is_reloaded_in_place_and_only_once(folder):
    folder.write("net", "WIDTH = 8\ndef width():\n    return WIDTH\n")
    folder.write("other", "made = object()\n")
    net, other = import_all(folder, "net", "other")
    made = other.made
    folder.write("net", "WIDTH = 9\ndef width():\n    return WIDTH\n")
    assert folder.refresh() == ["net"]
    assert folder.load("net") is net
    assert net.width() == 9
    assert other.made is made
    assert folder.refresh() == []


def test_the_first_edit_after_an_import_counts_without_a_refresh_between(folder):
    folder.modules.refresh([str(folder.path)])
    os.utime(folder.write("net", "WIDTH = 8\n"), (1e9, 1e9))
    net = folder.load("net")
    folder.write("net", "WIDTH = 16\n")
    assert folder.refresh() == ["net"]
    assert net.WIDTH == 16


def test_a_module_that_is_older_than_its_import_is_not_reloaded(folder):
    os.utime(folder.write("net", "made = object()\n"), (1e9, 1e9))
    made = folder.load("net").made
    assert folder.refresh() == []
    assert folder.load("net").made is made


def test_a_touched_file_with_the_same_text_is_left_alone(folder):
    path = folder.write("net", "made = object()\n")
    (net,) = import_all(folder, "net")
    made = net.made
    os.utime(path, (1e9, 1e9))
    assert folder.refresh() == []
    assert net.made is made


def test_modules_that_use_a_changed_module_are_reloaded_after_it(folder):
    folder.write("a_study", "from {p}_layers import Net\nimport {p}_alone\nNAME = Net.name()\n")
    folder.write(
        "layers", "import {p}_z\nclass Net:\n    name = staticmethod(lambda: {p}_z.RATE)\n"
    )
    folder.write("rate", "from {p}_z import RATE\n")
    folder.write("z", "RATE = 1\n")
    folder.write("alone", "made = object()\n")
    study, rate, alone = import_all(folder, "a_study", "rate", "alone")
    made = alone.made
    folder.write("z", "RATE = 2\n")
    order = folder.refresh()
    assert sorted(order) == ["a_study", "layers", "rate", "z"]
    assert order[0] == "z"
    assert order.index("layers") < order.index("a_study")
    assert (study.NAME, rate.RATE) == (2, 2)
    assert alone.made is made


def test_packages_their_submodules_and_relative_imports(folder):
    root = folder.path / f"{folder.package}_lab"
    (root / "deep").mkdir(parents=True)
    (root / "__init__.py").write_text("from .deep import value\n")
    (root / "deep" / "__init__.py").write_text("from .one import value\n")
    (root / "deep" / "one.py").write_text("from ..settings import RATE\nvalue = 10 * RATE\n")
    (root / "settings.py").write_text("RATE = 1\n")
    (lab,) = import_all(folder, "lab")
    (root / "settings.py").write_text("RATE = 7\n")
    assert folder.refresh() == ["lab.settings", "lab.deep.one", "lab.deep", "lab"]
    assert lab.value == 70


def test_modules_that_import_each_other(folder):
    folder.write("first", "import {p}_second\nVALUE = 1\n")
    folder.write("second", "import {p}_first\nVALUE = 1\n")
    first, second = import_all(folder, "first", "second")
    folder.write("first", "import {p}_second\nVALUE = 22\n")
    assert sorted(folder.refresh()) == ["first", "second"]
    assert (first.VALUE, second.VALUE) == (22, 1)


@pytest.mark.parametrize(
    ("text", "kind"), [("def f(:\n", SyntaxError), ("VALUE = 2\nNEW = 1 / 0\n", ZeroDivisionError)]
)
def test_a_module_that_cannot_be_reloaded_raises_each_time_and_stays(folder, text, kind):
    folder.write("user", "from {p}_net import VALUE\n")
    path = folder.write("net", "VALUE = 1\n")
    net, user = import_all(folder, "net", "user")
    folder.write("net", text)
    for _ in range(2):
        with pytest.raises(kind) as caught:
            folder.refresh()
        assert any(str(path) in note for note in caught.value.__notes__)
        assert folder.load("net") is net
        assert (net.VALUE, user.VALUE) == (1, 1)
        assert not hasattr(net, "NEW")
    folder.write("net", "VALUE = 3\n")
    assert folder.refresh() == ["net", "user"]
    assert (net.VALUE, user.VALUE) == (3, 3)
    assert folder.refresh() == []


def test_modules_after_a_failed_one_are_not_forgotten(folder):
    folder.write("user", "from {p}_net import VALUE\nassert VALUE != 2, 'two is odd'\n")
    folder.write("net", "VALUE = 1\n")
    net, user = import_all(folder, "net", "user")
    folder.write("net", "VALUE = 2\n")
    for _ in range(2):
        with pytest.raises(AssertionError, match="two is odd"):
            folder.refresh()
    assert (net.VALUE, user.VALUE) == (2, 1)
    folder.write("user", "from {p}_net import VALUE\n")
    assert folder.refresh() == ["user"]
    assert user.VALUE == 2


def test_a_changed_module_may_import_one_that_is_new(folder):
    folder.write("net", "VALUE = 1\n")
    (net,) = import_all(folder, "net")
    folder.write("fresh", "VALUE = 5\n")
    folder.write("net", "from {p}_fresh import VALUE\n")
    assert folder.refresh() == ["net"]
    assert net.VALUE == 5


def test_a_deleted_file_is_left_alone(folder):
    path = folder.write("net", "VALUE = 1\n")
    folder.write("base", "VALUE = 1\n")
    net, base = import_all(folder, "net", "base")
    path.unlink()
    folder.write("base", "VALUE = 2\n")
    assert folder.refresh() == ["base"]
    assert (net.VALUE, base.VALUE) == (1, 2)


def test_other_folders_installed_packages_and_matexapps_are_left_alone(
    folder, tmp_path, monkeypatch
):
    installed = tmp_path / "lib" / "site-packages"
    installed.mkdir(parents=True)
    monkeypatch.syspath_prepend(installed)
    name = f"{folder.package}_installed"
    (installed / f"{name}.py").write_text("VALUE = 1\n")
    folder.write("net", "VALUE = 1\n")
    net = import_all(folder, "net", "installed")[0]
    (installed / f"{name}.py").write_text("VALUE = 22\n")
    folder.write("net", "VALUE = 2\n")
    # Nothing here was checked before, and all of it is newer than 1970.
    everything = LocalModules()
    everything._checked_at = 0
    elsewhere = [sys.prefix, os.path.dirname(os.__file__), os.path.dirname(matexapps.__file__)]
    assert everything.refresh(elsewhere) == []
    assert net.VALUE == 1
    assert folder.refresh() == ["net"]
    assert sys.modules[name].VALUE == 1


def test_a_script_itself_is_left_alone(tmp_path):
    (tmp_path / "part.py").write_text("VALUE = 1\n")
    script = tmp_path / "script.py"
    script.write_text(
        textwrap.dedent("""
        import part
        from matexapps.engine.local_modules import LocalModules
        modules = LocalModules()
        modules.refresh([""])
        for name, text in ((__file__, open(__file__).read() + "# edited"), ("part.py", "VALUE=2")):
            with open(name, "w") as file:
                file.write(text)
        print(modules.refresh([""]), part.VALUE)
        """)
    )
    result = subprocess.run(
        [sys.executable, script], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert result.stdout == "['part'] 2\n"


class OpenedLibrary:
    """What cffi puts among the modules for a C library."""

    __slots__ = ()
    __class__ = property(lambda self: ModuleType)  # type: ignore[assignment]


def test_what_only_claims_to_be_a_module_is_left_alone(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "opened_library", OpenedLibrary())
    folder.write("net", "VALUE = 1\n")
    import_all(folder, "net")
    folder.write("net", "VALUE = 22\n")
    assert folder.refresh() == ["net"]
