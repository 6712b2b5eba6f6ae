"""The parts of the overlay, without ranks."""

from __future__ import annotations

import os
import sys
from concurrent.futures import ThreadPoolExecutor

from matexapps.transparent.rank_zero_io.journal import Journal
from matexapps.transparent.rank_zero_io.overlay.overlay import Overlay
from matexapps.transparent.rank_zero_io.scope import Scope


def test_reading_that_rank_0_disturbs_leaves_no_descriptor_open(tmp_path):
    own = Journal(str(tmp_path / "own-journal"), first_counts=False)
    rank_zero = Journal(str(tmp_path / "journal"), first_counts=True)
    file, copy = tmp_path / "file", tmp_path / "copy"
    file.write_text("old")
    opened = []

    def open_while_rank_0_writes(location):
        opened.append(os.open(location, os.O_RDONLY))
        if len(opened) == 1:
            copy.write_text("old")
            rank_zero.add(str(file), str(copy))
            file.write_text("new")
        return opened[-1]

    overlay = Overlay(str(tmp_path / "files"), own, rank_zero, Scope(str(tmp_path)))
    descriptor = overlay.reader.read(str(file), open_while_rank_0_writes, undo=os.close)
    assert os.read(descriptor, 10) == b"old"
    # The number of the first was free again for the second.
    assert opened == [descriptor, descriptor]
    os.close(descriptor)
    own.close()
    rank_zero.close()


def test_threads_refresh_a_journal_at_the_same_time(tmp_path):
    writer = Journal(str(tmp_path / "journal"), first_counts=False)
    reader = Journal(str(tmp_path / "journal"), first_counts=False)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(4) as pool:
            for number in range(200):
                writer.add(f"/file-{number}", f"/location-{number}")
                for _ in pool.map(lambda _: reader.refresh(), range(4)):
                    pass
    finally:
        sys.setswitchinterval(interval)
    locations = [reader.locate(f"/file-{number}") for number in range(200)]
    assert locations == [f"/location-{number}" for number in range(200)]
    writer.close()
    reader.close()
