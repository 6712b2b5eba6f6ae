"""The catalog: cards, where it looks for files, downloads from a local server."""

from __future__ import annotations

import hashlib
import http.server
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from matexapps import progress
from matexapps.apps.higgs import schema as higgs
from matexapps.data.catalog import catalog
from matexapps.data.catalog.cards import read_card
from matexapps.data.catalog.download import download
from matexapps.data.catalog.entry import Entry
from matexapps.data.dataset import DataSet
from matexapps.errors import DataError

UCI_HIGGS = catalog.entry("uci-higgs")
ATLAS_HIGGS_CHALLENGE = catalog.entry("atlas-higgs-challenge-2014-v2")

CARD = """---
name: coins
title: Coins tossed in water
file: coins.csv
rows: 1,200
source: https://example.org/coins
license: CC0 1.0
simulated: yes
label: side
missing: -999, -1
classes: tail, head
features: mass, speed
units: mass = g, speed of fall = m/s
---
How often a coin shows heads.
"""


@pytest.fixture
def card(tmp_path):
    path = tmp_path / "card.md"
    path.write_text(CARD)
    return path


@pytest.fixture
def own_folder(tmp_path, monkeypatch):
    """A MATEXAPPS_DATA folder, and an empty cache."""
    folder = tmp_path / "mine"
    folder.mkdir()
    monkeypatch.setenv("MATEXAPPS_DATA", str(folder))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return folder


def higgs_lines(rows):
    values = np.random.default_rng(0).random((rows, 28)).round(3)
    return [",".join(map(str, [i % 2, *row])) for i, row in enumerate(values)]


def test_card_gives_an_entry(card):
    entry = Entry.from_card(read_card(card))
    assert (entry.name, entry.files) == ("coins", ("coins.csv",))
    assert (entry.rows, entry.simulated) == (1200, True)
    assert entry.schema.label == "side"
    assert entry.schema.missing == (-999.0, -1.0)
    assert entry.schema.classes == ("tail", "head")
    assert entry.schema.features == ("mass", "speed")
    assert entry.units == {"mass": "g", "speed of fall": "m/s"}
    assert "Simulated: yes" in entry.as_markdown()
    assert "How often a coin shows heads." in entry.as_markdown()


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("license: CC0 1.0\n", "", r"card\.md: the card does not say license"),
        ("license:", "licence:", r"line 7: no fact is called 'licence'; did you mean 'license'"),
        ("rows: 1,200", "rows: many", "rows is 'many', not a whole number"),
        ("simulated: yes", "simulated: maybe", "write yes or no"),
        ("-999, -1", "-999, none", "missing is 'none', not a number"),
        ("mass = g", "mass", "units hold 'mass': write column = unit"),
        ("label: side", "label: side\nlabel: other", "line 10: 'label' is given twice"),
        ("---\nname", "name", "line 1: a card begins"),
    ],
)
def test_cards_that_cannot_be_read(card, old, new, expected):
    card.write_text(CARD.replace(old, new, 1))
    with pytest.raises(DataError, match=expected):
        Entry.from_card(read_card(card))


def test_all_cards_of_the_project_are_in_order():
    names = [entry.name for entry in catalog.entries()]
    assert {"uci-higgs", "atlas-higgs-challenge-2014-v2"} <= set(names)
    for entry in catalog.entries():
        if entry.folder is not None and entry.made_by is None:
            assert any((entry.folder / name).is_file() for name in entry.files), entry.name


def test_files_of_the_project_are_what_their_cards_say():
    for entry in catalog.entries():
        if entry.folder is not None and entry.checksum is not None:
            content = (entry.folder / entry.files[0]).read_bytes()
            assert entry.checksum == f"sha256:{hashlib.sha256(content).hexdigest()}"


def test_uci_columns_are_those_of_the_application():
    assert UCI_HIGGS.schema.columns == higgs.COLUMNS


def test_names_nobody_knows():
    with pytest.raises(DataError, match=r"no data set is called 'uci-higs'.*mean 'uci-higgs'"):
        DataSet("uci-higs").load()


@pytest.mark.parametrize("name", ["HIGGS.csv", "uci-higgs/HIGGS.csv"])
def test_own_folder_goes_first(own_folder, name):
    path = own_folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join(higgs_lines(40)))
    assert catalog.get("uci-higgs") == path
    data = DataSet("uci-higgs").load()
    assert data.columns == list(higgs.FEATURES)
    assert len(data.train) == 28


def test_what_a_user_says_goes_before_the_catalog(own_folder):
    (own_folder / "HIGGS.csv").write_text("\n".join(higgs_lines(40)))
    assert DataSet("uci-higgs", features=["m_bb", "m_jj"]).columns == ["m_bb", "m_jj"]


def test_atlas_file_needs_no_settings(own_folder):
    names = ["EventId", *ATLAS_HIGGS_CHALLENGE.schema.features]
    header = ",".join([*names, "Weight", "Label", "KaggleSet", "KaggleWeight"])
    row = "{i},-999.0" + 29 * ",1.5" + ",0.25,{label},t,2.0"
    lines = [row.format(i=100_000 + i, label="sb"[i % 2]) for i in range(20)]
    (own_folder / ATLAS_HIGGS_CHALLENGE.files[1]).write_text("\n".join([header, *lines]))
    train = DataSet("atlas-higgs-challenge-2014-v2", binary=True).train
    np.testing.assert_array_equal(train.label, 1 - train.ids % 2)
    assert np.isnan(train.features[:, 0]).all()
    assert (train.features[:, 1:] == 1.5).all()
    assert (train.weight == 0.25).all()


def test_own_folder_that_is_none(monkeypatch):
    monkeypatch.setenv("MATEXAPPS_DATA", "/no/such/folder")
    with pytest.raises(DataError, match="MATEXAPPS_DATA=/no/such/folder is not a folder"):
        catalog.find("uci-higgs")


def test_not_here_says_how_to_get_it(own_folder):
    assert catalog.find("uci-higgs") is None
    message = str(catalog.not_here(UCI_HIGGS))
    assert "matexapps datasets get uci-higgs" in message
    assert "2,816 MB" in message
    assert "MATEXAPPS_DATA" in message
    by_hand = str(catalog.not_here(catalog.entry("freesolv")))
    assert "get SAMPL.csv from https://moleculenet.org and set MATEXAPPS_DATA" in by_hand


class Server(http.server.ThreadingHTTPServer):
    """Serves one file, from any byte on, and can break off early."""

    def __init__(self, content: bytes, ranges: bool = True) -> None:
        self.content, self.ranges, self.break_after = content, ranges, len(content)
        self.asked: list[str | None] = []
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}/HIGGS.csv.gz"


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        asked = self.headers["Range"]
        self.server.asked.append(asked)
        content, start = self.server.content, 0
        if asked and self.server.ranges:
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
            if start >= len(content):
                self.send_error(416)
                return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        self.wfile.write(content[start : start + self.server.break_after])

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def serve():
    servers = []

    def start(content: bytes, ranges: bool = True) -> Server:
        server = Server(content, ranges)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


CONTENT = np.random.default_rng(0).bytes(100_000)
CHECKSUM = f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"


def test_download_reports_progress_and_leaves_one_file(serve, tmp_path):
    server = serve(CONTENT)
    events: list[dict] = []
    with progress.reporting_to(events.append):
        path = download(server.url, tmp_path / "HIGGS.csv.gz", CHECKSUM)
    assert path.read_bytes() == CONTENT
    assert [p.name for p in tmp_path.iterdir()] == ["HIGGS.csv.gz"]
    assert (events[-1]["done"], events[-1]["total"]) == (100_000, 100_000)


@pytest.mark.parametrize("ranges", [True, False])
def test_broken_download_goes_on_where_it_stopped(serve, tmp_path, ranges):
    server = serve(CONTENT, ranges)
    server.break_after = 30_000
    target = tmp_path / "HIGGS.csv.gz"
    with pytest.raises(DataError, match="could not be fetched"):
        download(server.url, target, CHECKSUM)
    assert not target.exists()
    server.break_after = len(CONTENT)
    assert download(server.url, target, CHECKSUM).read_bytes() == CONTENT
    assert server.asked == [None, "bytes=30000-"]


def test_a_part_that_is_too_long_is_thrown_away(serve, tmp_path):
    server = serve(CONTENT)
    (tmp_path / "HIGGS.csv.gz.part").write_bytes(bytes(200_000))
    path = download(server.url, tmp_path / "HIGGS.csv.gz", CHECKSUM)
    assert path.read_bytes() == CONTENT


def test_wrong_checksum_leaves_nothing_behind(serve, tmp_path):
    server = serve(CONTENT + b"!")
    with pytest.raises(DataError, match="its sha256 is not sha256:"):
        download(server.url, tmp_path / "HIGGS.csv.gz", CHECKSUM)
    assert list(tmp_path.iterdir()) == []


def test_get_downloads_into_the_cache_once(serve, own_folder, monkeypatch):
    server = serve(CONTENT)
    entry = replace(UCI_HIGGS, url=server.url, checksum=CHECKSUM)
    monkeypatch.setattr(catalog, "entries", lambda: [entry])
    path = catalog.get("uci-higgs")
    assert path == catalog.get("uci-higgs") == catalog.find("uci-higgs")
    assert catalog.cache_folder() in path.parents
    assert len(server.asked) == 1


def test_get_without_a_network_says_how_to_fetch_by_hand(own_folder, monkeypatch):
    entry = replace(UCI_HIGGS, url="http://127.0.0.1:9/HIGGS.csv.gz")
    monkeypatch.setattr(catalog, "entries", lambda: [entry])
    with pytest.raises(DataError, match=r"could not be fetched \(.+\); or fetch .* by hand") as e:
        catalog.get("uci-higgs")
    assert "MATEXAPPS_DATA" in str(e.value)


def test_installed_package_without_a_checkout_says_so(monkeypatch, tmp_path):
    monkeypatch.setattr("matexapps.__file__", str(tmp_path / "site" / "matexapps" / "__init__.py"))
    (tmp_path / "site" / "datasets").mkdir(parents=True)
    assert catalog.datasets_folder() is None
    with pytest.raises(DataError, match="more come with the project's repository"):
        catalog.entry("higgs-simulated")


def test_cache_is_the_users(own_folder, tmp_path):
    assert Path(tmp_path / "cache") in catalog.cache_folder().parents
