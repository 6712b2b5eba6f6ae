"""The ledger of rows, read back."""

import pytest

from matexapps.errors import TrainingError
from matexapps.train.monitor.ledger import read_ledger


def test_what_was_broken_off_does_not_count(tmp_path):
    (tmp_path / "a-1.csv").write_text("1,1,0,0,4 7\n1,2,0,0,5 9\n1,2,1,0,5 9 1\n")
    # This rank died: its last line is not whole, so what it says was never contributed.
    (tmp_path / "a-2.csv").write_text("1,1,0,1,2 3\n1,2,0,1,1 0\n1,3,0,1,8")
    table = read_ledger(tmp_path)
    assert sorted(table.row[table.counts]) == [1, 2, 3, 4, 5, 7, 9]
    assert sorted(table.row[~table.counts]) == [0, 1, 5, 9]
    assert set(table.columns) == {"epoch", "step", "attempt", "rank", "row", "counts"}


def test_no_ledger_is_an_error_that_says_what_to_give(tmp_path):
    with pytest.raises(TrainingError, match="give the folder that Ledger"):
        read_ledger(tmp_path)
