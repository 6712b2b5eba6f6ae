"""Only rank 0 prints, asks and writes; afterwards everything is as before."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parent / "on_ranks"


def test_a_file_that_rank_0_overwrites_is_first_read_to_the_end_on_other_ranks(run_ranks, tmp_path):
    (tmp_path / "data.txt").write_text("old")
    done = run_ranks(2, (FOLDER / "overwriting.py").read_text())
    assert done.stdout == "['oldnew', 'oldnew']\n" * 2, done.stderr
    assert (tmp_path / "data.txt").read_text() == "new"


def test_one_rank_prints_shows_and_asks(run_ranks):
    done = run_ranks(3, (FOLDER / "output.py").read_text())
    assert done.returncode == 0, done.stderr
    for word in ("printed", "asked"):
        assert done.stdout.count(word) == 1
    for word in ("complained", "UserWarning: warned", "logged", "advanced: 100%"):
        assert done.stderr.count(word) == 1, done.stderr
    for rank in range(3):
        assert f"real {rank}\n" in done.stderr
        assert f"rank {rank} got ['42', '42', '42'] ['agg', 'agg']\n" in done.stderr
    assert done.stderr.count("later") == 3


def test_everything_is_restored_also_after_an_exception(run_ranks, tmp_path):
    (tmp_path / "temporary").mkdir()
    done = run_ranks(2, (FOLDER / "restoring.py").read_text())
    assert done.returncode == 0, done.stderr
    assert done.stdout == "inside\n" * 2
