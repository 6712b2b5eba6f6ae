"""Files by Python's own means, and the errors about them."""

import csv
import glob
import gzip
import json
import logging
import os
import pickle
import shutil
import tarfile
import tempfile
import zipfile
from pathlib import Path

from io_programs import error_of, prepared, program, tree


@prepared
def before_append_to_a_log():
    Path("log.txt").write_text("yesterday\n")


@program
def append_to_a_log():
    for line in ("one", "two"):
        with open("log.txt", "a") as log:
            log.write(line + "\n")
    return Path("log.txt").read_text()


@prepared
def before_json_round_trip():
    Path("state.json").write_text('{"runs": 3}')


@program
def json_round_trip():
    with open("state.json") as file:
        state = json.load(file)
    state["runs"] += 1
    with open("state.json", "w") as file:
        json.dump(state, file)
    with open("state.json") as file:
        return json.load(file)


@program
def pathlib_from_end_to_end():
    folder = Path("results")
    folder.mkdir()
    note = folder / "note.txt"
    note.write_text("first")
    with note.open("a") as file:
        file.write(" second")
    note.rename(folder / "renamed.txt")
    (folder / "empty").touch()
    (folder / "bytes").write_bytes(b"\x00\x01")
    (folder / "link").symlink_to("renamed.txt")
    (folder / "bytes").unlink()
    names = sorted(path.name for path in folder.iterdir())
    link = folder / "link"
    return [
        names,
        link.read_text(),
        link.is_symlink(),
        os.readlink(link),
        link.resolve().name,
        link.stat().st_size,
        note.exists(),
        (folder / "empty").is_file(),
        sorted(path.name for path in Path().glob("**/*.txt")),
    ]


@prepared
def before_errors_as_alone():
    os.makedirs("full/inside")
    Path("file").write_text("text")


@program
def errors_as_alone():
    return [
        error_of(lambda: open("missing/file", "w")),
        error_of(lambda: open("missing")),
        error_of(lambda: open("full", "w")),
        error_of(lambda: open("file", "x")),
        error_of(lambda: open("missing", "r+")),
        error_of(lambda: open("file/below", "w")),
        error_of(lambda: os.rmdir("full")),
        error_of(lambda: os.rmdir("file")),
        error_of(lambda: os.remove("full")),
        error_of(lambda: os.remove("missing")),
        error_of(lambda: os.rename("missing", "other")),
        error_of(lambda: os.rename("file", "full")),
        error_of(lambda: os.rename("full", "file")),
        error_of(lambda: os.rename(src="file", dst="missing/file")),
        error_of(lambda: os.listdir("missing")),
        error_of(lambda: os.listdir("file")),
        error_of(lambda: os.mkdir("full")),
        error_of(lambda: os.mkdir(path="missing/below")),
        error_of(lambda: os.chmod("missing", 0o600)),
        error_of(lambda: os.stat("")),
        error_of(lambda: os.link("missing", "linked")),
        error_of(lambda: os.link("full", "linked")),
        tree(),
    ]


@prepared
def before_modes_times_and_sizes():
    Path("script").write_text("text")
    os.chmod("script", 0o640)
    os.mkdir("folder")


@program
def modes_times_and_sizes():
    seen = [oct(os.stat("script").st_mode)]
    os.chmod("script", 0o750)
    os.truncate("script", 2)
    os.utime("script", (1, 2))
    os.chmod("folder", 0o700)
    status = os.stat("script")
    seen += [oct(status.st_mode), status.st_mtime, Path("script").read_text()]
    with open("script", "w") as file:
        file.write("new")
    os.link("script", "other name")
    with open("other name", "a") as file:
        file.write("er")
    seen += [
        oct(os.stat("script").st_mode),
        Path("script").read_text(),
        os.access("script", os.X_OK),
    ]
    return [*seen, oct(os.lstat("folder").st_mode), tree()]


@program
def bytes_descriptors_and_walks():
    os.makedirs(b"walk/deep")
    descriptor = os.open(b"walk/file", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    os.write(descriptor, b"text")
    os.close(descriptor)
    with open(os.open("walk/file", os.O_RDONLY)) as file:
        seen = [file.read(), os.fsdecode(os.listdir(b"walk/")[0]) in ("deep", "file")]
    walked = [
        [folder, sorted(folders), sorted(files)] for folder, folders, files in os.walk("walk")
    ]
    return [*seen, walked, oct(os.stat("walk/file").st_mode), os.path.getsize("walk/file")]


@program
def temporary_files():
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "own").write_text("own")
        shutil.copy(Path(folder, "own"), "copied")
        Path(folder, "moved").write_text("moved")
        os.replace(Path(folder, "moved"), "moved")
        for target in (".", "moved"):
            os.symlink(target, Path(folder, "link"))
            os.replace(Path(folder, "link"), "link")
        seen = [os.listdir(folder), os.path.exists(folder), os.readlink("link")]
    with tempfile.NamedTemporaryFile("w", dir=".", suffix=".tmp") as file:
        seen.append(len(glob.glob("*.tmp")))
        file.write("text")
    return [*seen, os.path.exists(folder), tree(), Path("moved").read_text()]


@program
def archives():
    Path("text").write_text("text")
    with zipfile.ZipFile("a.zip", "w") as archive:
        archive.write("text")
    with tarfile.open("a.tar.gz", "w:gz") as tar:
        tar.add("text")
    os.remove("text")
    with zipfile.ZipFile("a.zip") as archive:
        archive.extractall("zip")
    with tarfile.open("a.tar.gz") as tar:
        tar.extractall("tar")
    with gzip.open("a.gz", "wt") as file:
        file.write("zipped")
    with gzip.open("a.gz", "rt") as file:
        return [file.read(), tree(), Path("zip/text").read_text(), Path("tar/text").read_text()]


@program
def pickle_and_csv():
    with open("a.pickle", "wb") as file:
        pickle.dump({"a": [1, 2]}, file)
    with open("a.csv", "w", newline="") as file:
        csv.writer(file).writerows([["epoch", "loss"], [0, 0.5]])
    with open("a.pickle", "rb") as file, open("a.csv") as table:
        return [pickle.load(file), list(csv.reader(table))]


@program
def logging_to_a_file():
    logger = logging.getLogger("test of files")
    handler = logging.FileHandler("train.log")
    logger.addHandler(handler)
    logger.warning("epoch %d", 1)
    logger.removeHandler(handler)
    handler.close()
    return Path("train.log").read_text()
