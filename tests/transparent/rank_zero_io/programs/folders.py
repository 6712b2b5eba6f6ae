"""Folders: made, renamed, linked, listed and removed."""

import glob
import os
import shutil
import tempfile
from pathlib import Path

from io_programs import error_of, prepared, program, tree


@program
def checkpoint_rotation():
    os.makedirs("checkpoints")
    seen = []
    for epoch in range(5):
        with open(f"checkpoints/epoch{epoch}.tmp", "w") as file:
            file.write(str(epoch))
        os.replace(f"checkpoints/epoch{epoch}.tmp", f"checkpoints/epoch{epoch}.txt")
        saved = sorted(glob.glob("checkpoints/*.txt"))
        if len(saved) > 2:
            os.remove(saved[0])
        seen.append(sorted(os.listdir("checkpoints")))
    return seen


@program
def makedirs_without_exist_ok():
    assert not os.path.exists("run/figures")
    os.makedirs("run/figures")
    os.mkdir("run/tables")
    return [tree(), error_of(lambda: os.makedirs("run/figures")), os.path.isdir("run/tables")]


@prepared
def before_output_folder_removed_at_start():
    os.makedirs("output/old/deep")
    Path("output/old/deep/result.txt").write_text("old")
    Path("output/summary.txt").write_text("old")


@program
def output_folder_removed_at_start():
    seen = [tree()]
    if os.path.exists("output"):
        shutil.rmtree("output")
    seen.append(os.path.exists("output"))
    os.mkdir("output")
    seen.append(os.listdir("output"))
    Path("output/summary.txt").write_text("new")
    return [*seen, tree(), Path("output/summary.txt").read_text()]


@prepared
def before_rename_a_folder():
    os.makedirs("model/v1")
    Path("model/v1/weights").write_text("1")
    Path("model/card").write_text("card")
    os.mkdir("empty")


@program
def rename_a_folder():
    seen = os.listdir("empty")
    Path("model/v1/weights").write_text("2")
    os.rename("model", "archive")
    Path("archive/v1/more").write_text("3")
    shutil.move("archive/card", "card")
    shutil.copytree("archive", "copy")
    os.rename("copy", "empty")
    return [seen, tree(), Path("archive/v1/weights").read_text(), Path("card").read_text()]


@prepared
def before_a_linked_folder():
    os.makedirs("disk/data")
    Path("disk/data/a").write_text("a")
    Path("disk/old").write_text("old")
    os.symlink("disk/data", "data")
    os.symlink(os.path.abspath("disk"), "absolute")


@program
def a_linked_folder():
    Path("data/b").write_text("b")
    with open("absolute/data/a", "a") as file:
        file.write("!")
    seen = [sorted(os.listdir("disk/data")), Path("disk/data/a").read_text()]
    os.remove("data/a")
    seen.append([os.path.exists("absolute/data/a"), sorted(os.listdir("data"))])
    os.symlink("disk", "latest")
    seen.append(Path("latest/data/b").read_text())
    os.remove("latest")
    os.rename("data/../old", "disk/older")
    Path("data/../beside").write_text("beside")
    seen.append([Path("disk/beside").read_text(), os.path.exists("data/../old"), tree()])
    return [*seen, os.path.lexists("latest"), Path("disk/data/b").read_text()]


@prepared
def before_what_was_removed_stays_removed():
    for name in ("a", "b", "c"):
        Path(name).write_text(name)


@program
def what_was_removed_stays_removed():
    os.remove("a")
    os.replace("b", "c")
    seen = [sorted(os.listdir()), error_of(lambda: os.stat("a")), Path("c").read_text()]
    seen.append([os.access("a", os.F_OK), os.access("c", os.F_OK)])
    Path("a").write_text("again")
    with os.scandir(".") as entries:
        seen.append(
            sorted([entry.name, entry.is_file(), entry.stat().st_size] for entry in entries)
        )
    return seen


@program
def into_a_folder_and_out():
    start = os.getcwd()
    os.makedirs("run/1")
    os.chdir("run")
    Path("note").write_text("note")
    os.chdir("1")
    Path("deep").write_text("deep")
    seen = [os.path.relpath(os.getcwd(), start), str(Path.cwd().relative_to(start))]
    seen += [
        os.listdir(),
        Path("../note").read_text(),
        os.path.relpath(os.path.abspath("x"), start),
    ]
    with tempfile.TemporaryDirectory() as folder:
        elsewhere = os.path.relpath(folder)
        os.mkdir(f"{elsewhere}/made")
        os.rename(f"{elsewhere}/made", f"{elsewhere}/renamed")
        seen += [os.listdir(elsewhere), os.listdir(folder)]
        os.rmdir(f"{elsewhere}/renamed")
    return [*seen, os.path.exists("/proc/self"), os.chdir(start), tree()]
