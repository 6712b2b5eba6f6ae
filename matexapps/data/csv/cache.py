"""A columnar copy of a CSV file, which gives direct access to any rows.

CSV can only be read from its beginning, so a file that is larger than memory is copied once: each
rank parses its part and writes an HDF5 file of its own, a shard. The copies are in the user's cache
folder, or in the folder that the environment variable MATEXAPPS_CACHE names.

A copy is a folder that appears complete or not at all. It is valid only while its ``manifest.json``
matches the CSV file (path, size, time and digest), the settings it was read with, and its shards
(size and digest). When all copies together take more than 20 GB, the least recently used are
removed.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import asdict
from hashlib import blake2b
from pathlib import Path
from typing import Any

from matexapps.comm.communicator import Communicator
from matexapps.data.catalog.catalog import cache_folder
from matexapps.data.csv.columns import TEXT_KEY
from matexapps.data.csv.files import CsvFiles
from matexapps.data.csv.reader import CsvReader
from matexapps.data.csv.shard import ShardReader, write_shard
from matexapps.data.schema.schema import Schema
from matexapps.data.sources.reader import Reader
from matexapps.data.sources.several_files import SeveralFiles
from matexapps.errors import DataError
from matexapps.files import ABANDONED_S, partial_path, publish

VARIABLE = "MATEXAPPS_CACHE"
_FORMAT = 1
_MOST_BYTES = 20 * 10**9
_PIECES, _PIECE_BYTES = 64, 2**16


def columnar_copy(reader: Reader, schema: Schema, comm: Communicator) -> Reader:
    """Return a reader with direct access to the same rows. Collective.

    If there is no valid copy, the ranks make one, each holding a few MiB of the file at a time. A
    reader that has direct access already is returned unchanged.

    Parameters
    ----------
    reader : Reader
    schema : Schema
        What ``reader`` was opened with.
    comm : Communicator

    Raises
    ------
    DataError
        On every rank: the first fault of the file; or if the cache cannot be written, or is not
        the same folder for all ranks.
    """
    if isinstance(reader, CsvReader):
        folder = _copy(reader, schema, comm)
        return comm.on_all(lambda: ColumnarCopy(reader, folder))
    if isinstance(reader, CsvFiles):
        copies = {file.path: (file, _copy(file, schema, comm)) for file in reader.readers}
        return SeveralFiles(reader.path, list(copies), lambda path: ColumnarCopy(*copies[path]))
    return reader


def has_copy(reader: Reader, schema: Schema) -> bool:
    """Whether there is a valid copy of everything that ``reader`` reads. Not collective."""
    if isinstance(reader, CsvFiles):
        return all(has_copy(file, schema) for file in reader.readers)
    if not isinstance(reader, CsvReader):
        return False
    return _manifest(_folder(reader, schema), reader, schema) is not None


class ColumnarCopy(SeveralFiles):
    """Rows of a CSV file, read from its copy; messages locate them in the CSV file.

    Parameters
    ----------
    source : CsvReader
    folder : Path
        Holds the copy.
    """

    def __init__(self, source: CsvReader, folder: Path) -> None:
        self._source = source
        try:
            shards = json.loads((folder / "manifest.json").read_text())["shards"]
        except OSError as error:
            raise DataError(
                f"the copy of {source.path} in {folder} cannot be read ({error.strerror}): set "
                f"{VARIABLE} to a folder that all ranks share"
            ) from None
        paths = [folder / shard["name"] for shard in shards]
        super().__init__(source.path, paths, lambda path: ShardReader(path, source.wanted))

    def locate(self, row: int) -> str:
        return self._source.locate(row)


def _copy(reader: CsvReader, schema: Schema, comm: Communicator) -> Path:
    """Return the folder of the copy of one file, making the copy if need be. Collective."""
    folder = comm.on_root(lambda: _folder(reader, schema))

    def there() -> bool:
        if _manifest(folder, reader, schema) is None:
            return False
        os.utime(folder)
        return True

    if not comm.on_root(there):
        _make(reader, schema, folder, comm)
    return folder


def _make(reader: CsvReader, schema: Schema, folder: Path, comm: Communicator) -> None:
    making, source = comm.on_root(lambda: (_temporary(folder), _source(reader.path)))
    try:
        shards = [shard for shard in _shards(reader, making, comm) if shard["rows"]]
        if not shards:
            raise DataError(f"{reader.path} holds a header but no rows")

        def finish() -> None:
            if _source(reader.path) != source:
                raise DataError(f"{reader.path} was changed while it was read: start again")
            manifest = {
                "format": _FORMAT,
                "source": source,
                "settings": _settings(schema),
                "shards": shards,
            }
            (making / "manifest.json").touch(mode=0o600)
            (making / "manifest.json").write_text(json.dumps(manifest, indent=1))
            # If another job was faster, its copy of the same file stays.
            if _manifest(folder, reader, schema) is None:
                publish(making, folder)
            _make_room(folder)

        comm.on_root(finish)
    finally:
        if comm.rank == 0:
            shutil.rmtree(making, ignore_errors=True)


def _shards(reader: CsvReader, making: Path, comm: Communicator) -> list[dict[str, Any]]:
    """Write all ranks' shards and return what the manifest says of them. Collective."""
    path = making / f"part-{comm.rank:05d}.h5"
    # A key is stored as numbers if possible: the first type that fits on all ranks.
    kinds = range(TEXT_KEY + 1) if reader.wanted.roles.key is not None else range(1)
    for kind in kinds:

        def write(blocks: Iterator[Any], kind: int = kind) -> int | None:
            return write_shard(path, blocks, reader.wanted, kind)

        rows = reader.parser.share(comm, write)
        if None not in comm.all_gather_object(rows):
            break

    def own_shard() -> dict[str, Any]:
        try:
            return {"name": path.name, "rows": rows, **_contents(path)}
        except OSError as error:
            raise DataError(
                f"the copy of {reader.path} in {making} cannot be read: {error}"
            ) from None

    return comm.all_gather_object(comm.on_all(own_shard))


def _manifest(folder: Path, reader: CsvReader, schema: Schema) -> dict[str, Any] | None:
    """Return the manifest of a copy, or None unless it matches the file and the shards."""
    try:
        manifest = json.loads((folder / "manifest.json").read_text())
        expected = {
            "format": _FORMAT,
            "source": _source(reader.path),
            "settings": _settings(schema),
            "shards": [
                {**shard, **_contents(folder / shard["name"])} for shard in manifest["shards"]
            ],
        }
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return manifest if manifest == expected else None


def _source(path: Path) -> dict[str, Any]:
    return {
        "path": str(path.absolute()),
        "mtime_ns": path.stat().st_mtime_ns,
        **_contents(path),
    }


def _contents(path: Path) -> dict[str, Any]:
    """Return the size of a file and a digest of 64 pieces, the first and the last included."""
    size = path.stat().st_size
    state = blake2b(digest_size=16)
    with path.open("rb") as file:
        for i in range(_PIECES):
            file.seek(max(0, size - _PIECE_BYTES) * i // (_PIECES - 1))
            state.update(file.read(_PIECE_BYTES))
    return {"size": size, "digest": state.hexdigest()}


def _settings(schema: Schema) -> str:
    settings = asdict(schema)
    # Whether labels must be 0 or 1 does not change what is read.
    del settings["binary"]
    return json.dumps(settings, default=lambda value: getattr(value, "tolist", value.__str__)())


def _folder(reader: CsvReader, schema: Schema) -> Path:
    """Return where the copy of a file belongs."""
    given = os.environ.get(VARIABLE)
    root = (Path(given) if given else cache_folder()) / "columns"
    what = f"{reader.path.absolute()}\0{_settings(schema)}"
    return root / f"{reader.path.name[:40]}-{blake2b(what.encode(), digest_size=8).hexdigest()}"


def _temporary(folder: Path) -> Path:
    making = partial_path(folder)
    try:
        folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        making.mkdir(mode=0o700)
    except OSError as error:
        raise DataError(
            f"no copy can be written in {folder.parent} ({error.strerror}): set {VARIABLE} to a "
            "folder with room"
        ) from None
    return making


def _make_room(keep: Path) -> None:
    """Remove the least recently used copies until all take no more than 20 GB."""
    sizes: dict[Path, int] = {}
    for copy in keep.parent.iterdir():
        if copy.name.endswith(".partial"):
            if time.time() - copy.stat().st_mtime > ABANDONED_S:
                shutil.rmtree(copy, ignore_errors=True)
        elif (copy / "manifest.json").is_file():
            sizes[copy] = sum(file.stat().st_size for file in copy.iterdir())
    total = sum(sizes.values())
    for copy in sorted(sizes.keys() - {keep}, key=lambda copy: copy.stat().st_mtime):
        if total <= _MOST_BYTES:
            return
        shutil.rmtree(copy, ignore_errors=True)
        total -= sizes[copy]
