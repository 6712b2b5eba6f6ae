"""Files and folders appear complete or not at all, also where their writer is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from matexapps import files
from matexapps.errors import CheckpointError, DataError
from matexapps.files import GrowingFile, atomic_file, atomic_folder

KILLED_IN_THE_MIDDLE = """
import sys
from pathlib import Path
from matexapps.files import GrowingFile, atomic_file, atomic_folder

kind, path = sys.argv[1], sys.argv[2]
with {"file": atomic_file, "folder": atomic_folder}[kind](path) as partial:
    (partial if kind == "file" else partial / "weights").write_text("new, but only ha")
    print("writing", flush=True)
    sys.stdin.read()
"""

KILLED_ANYWHERE = """
import itertools, sys
from matexapps.files import atomic_folder

for number in itertools.count(int(sys.argv[2])):
    with atomic_folder(sys.argv[1]) as partial:
        for name in ("weights", "state"):
            (partial / name).write_text(str(number) * 10_000)
    print(number, flush=True)
"""


def test_a_file_appears_when_it_is_complete(tmp_path):
    path = tmp_path / "a.txt"
    with atomic_file(path) as partial:
        partial.write_text("new")
        assert not path.exists()
    assert path.read_text() == "new"
    with atomic_file(str(path)) as partial:
        partial.write_text("newer")
        assert path.read_text() == "new"
    assert path.read_text() == "newer"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_a_folder_appears_when_it_is_complete_and_replaces_the_old_one(tmp_path):
    path = tmp_path / "runs" / "model"
    with atomic_folder(path) as partial:
        (partial / "old").write_text("1")
        assert not path.exists()
    with atomic_folder(path) as partial:
        (partial / "deep").mkdir()
        (partial / "deep" / "new").write_text("2")
        assert os.listdir(path) == ["old"]
    assert [p.name for p in path.rglob("*")] == ["deep", "new"]
    assert os.listdir(path.parent) == ["model"]


def write_and_fail(context, path, error):
    with context(path) as partial:
        (partial if context is atomic_file else partial / "x").write_text("new")
        raise error


def test_an_exception_leaves_nothing_new_and_the_old_content(tmp_path):
    file, folder = tmp_path / "a", tmp_path / "b"
    file.write_text("old")
    folder.mkdir()
    (folder / "x").write_text("old")
    for context, path in ((atomic_file, file), (atomic_folder, folder)):
        for error in (ValueError, KeyboardInterrupt):
            with pytest.raises(error):
                write_and_fail(context, path, error)
    assert file.read_text() == (folder / "x").read_text() == "old"
    assert sorted(os.listdir(tmp_path)) == ["a", "b"]
    with pytest.raises(ValueError, match="mine"), atomic_file(tmp_path / "c"):
        raise ValueError("mine")
    assert sorted(os.listdir(tmp_path)) == ["a", "b"]


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_writer_killed_in_the_middle_leaves_the_old_content(tmp_path, kind):
    path = tmp_path / "result"
    written = path if kind == "file" else path / "weights"
    written.parent.mkdir(exist_ok=True)
    written.write_text("old and good")
    command = [sys.executable, "-c", KILLED_IN_THE_MIDDLE, kind, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as writer:
        assert writer.stdout.readline() == b"writing\n"
        writer.send_signal(signal.SIGKILL)
    assert written.read_text() == "old and good"
    (left,) = (p for p in tmp_path.iterdir() if p != path)
    os.utime(left, (0, 0))
    with (atomic_file if kind == "file" else atomic_folder)(path):
        pass
    assert os.listdir(tmp_path) == ["result"]


def test_a_folder_is_complete_wherever_its_writer_is_killed(tmp_path):
    path = tmp_path / "model"
    newest = 0
    for replacements in range(1, 9):
        command = [sys.executable, "-c", KILLED_ANYWHERE, str(path), str(newest)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as writer:
            for _ in range(replacements):
                printed = int(writer.stdout.readline())
            writer.kill()
        numbers = {(path / name).read_text() for name in ("weights", "state")}
        (text,) = numbers
        newest = int(text[: len(text) // 10_000])
        assert newest >= printed
        assert text == str(newest) * 10_000


def test_a_link_stays_a_link_and_permissions_are_passed_on(tmp_path):
    (tmp_path / "disk").mkdir()
    file, folder = tmp_path / "disk" / "a", tmp_path / "disk" / "b"
    file.write_text("old")
    file.chmod(0o640)
    folder.mkdir(mode=0o700)
    for target in (file, folder):
        (tmp_path / target.name).symlink_to(target)
    with atomic_file(tmp_path / "a") as partial:
        partial.write_text("new")
        assert partial.stat().st_mode & 0o777 == 0o640
    with atomic_folder(tmp_path / "b") as partial:
        (partial / "x").touch()
    assert (tmp_path / "a").is_symlink()
    assert (tmp_path / "b").is_symlink()
    assert file.read_text() == "new"
    assert file.stat().st_mode & 0o777 == 0o640
    assert folder.stat().st_mode & 0o777 == 0o700
    assert os.listdir(folder) == ["x"]


def test_new_files_have_the_permissions_of_any_new_file(tmp_path):
    before = os.umask(0o027)
    try:
        with atomic_file(tmp_path / "a"), atomic_folder(tmp_path / "b"):
            pass
    finally:
        os.umask(before)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o640
    assert (tmp_path / "b").stat().st_mode & 0o777 == 0o750


def test_errors_name_the_path_and_what_to_do(tmp_path):
    def write_to_full_disk(partial):
        Path("/dev/full").write_text("x")

    def fail(message, context, path, *error, write=lambda _: None):
        with pytest.raises(*error or [DataError], match=message), context(path, *error) as partial:
            write(partial)

    (tmp_path / "b").touch()
    fail(r"cannot write .*/none/a: No such file .* choose", atomic_file, tmp_path / "none/a")
    fail(r"cannot write .*/b: this is a file", atomic_folder, tmp_path / "b", CheckpointError)
    fail("this is a folder", atomic_file, tmp_path)
    fail(r"/c: .*No space left", atomic_file, tmp_path / "c", write=write_to_full_disk)
    assert os.listdir(tmp_path) == ["b"]


def test_folders_are_replaced_where_names_cannot_be_exchanged(tmp_path, monkeypatch):
    # As on NFS, where the kernel refuses the call.
    monkeypatch.setattr(files, "_RENAME_EXCHANGE", 1 << 20)
    for content in ("old", "new"):
        with atomic_folder(tmp_path / "model") as partial:
            (partial / content).touch()
    assert os.listdir(tmp_path) == ["model"]
    assert os.listdir(tmp_path / "model") == ["new"]


def test_a_growing_file_appears_at_its_end_and_takes_repeated_writes(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("old")
    path.chmod(0o600)
    table = GrowingFile(path)
    table.write(0, b"header,")
    table.write(7, b"lost")
    successor = GrowingFile(path)
    successor.write(7, b"row")
    assert path.read_text() == "old"
    successor.finish()
    assert path.read_text() == "header,row"
    assert path.stat().st_mode & 0o777 == 0o600
    table.write(0, b"another")
    table.discard()
    table.finish()
    assert path.read_text() == "header,row"
    assert os.listdir(tmp_path) == ["table.csv"]
    with pytest.raises(CheckpointError, match=r"cannot write .*/none/a: No such file"):
        GrowingFile(tmp_path / "none" / "a", CheckpointError).write(0, b"x")
