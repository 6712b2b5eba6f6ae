"""Checkpoints: whole or not there, and read without unpickling."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from matexapps.errors import CheckpointError
from matexapps.train.state.checkpoint import (
    finish_checkpoints,
    list_checkpoints,
    load_checkpoint,
    save_checkpoint,
)


def saved(folder, state, keep):
    """Save a checkpoint, wait until it is written, and return the newest there is."""
    save_checkpoint(folder, state, keep)
    finish_checkpoints(folder)
    return list_checkpoints(folder)[-1]


def snapshot(epoch: int, step: int = 0) -> dict:
    return {
        "model": {"w": torch.full((3, 2), float(epoch)), "n": torch.tensor(7)},
        "epoch": epoch,
        "step": step,
        "optimizer": {
            "state": {0: {"step": torch.tensor(4.0)}},
            "param_groups": [{"betas": (0.9, 0.99)}],
        },
        "best": math.inf,
        "nothing": None,
        "history": [{"loss": 0.5}],
    }


def test_everything_comes_back_with_its_type(tmp_path):
    path = saved(tmp_path / "deep" / "runs", snapshot(3, 17), keep=2)
    back = load_checkpoint(path)
    assert torch.equal(back["model"]["w"], torch.full((3, 2), 3.0))
    assert back["model"]["n"].shape == ()
    assert back["optimizer"]["state"][0]["step"] == 4.0
    assert back["optimizer"]["param_groups"] == [{"betas": (0.9, 0.99)}]
    assert (back["epoch"], back["step"], back["best"], back["nothing"]) == (3, 17, math.inf, None)
    assert back["history"] == [{"loss": 0.5}]


def test_the_newest_few_stay_and_nothing_half_written(tmp_path):
    for epoch in (1, 2, 10, 9, 11):
        saved(tmp_path, snapshot(epoch), keep=2)
    assert [load_checkpoint(p)["epoch"] for p in list_checkpoints(tmp_path)] == [10, 11]
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "checkpoint-00010-00000000",
        "checkpoint-00011-00000000",
    ]


@pytest.mark.parametrize("part", ["model.safetensors", "training.safetensors", "state.json"])
def test_a_broken_newest_is_passed_over_with_a_warning(tmp_path, part):
    saved(tmp_path, snapshot(1), keep=3)
    newest = saved(tmp_path, snapshot(2), keep=3) / part
    newest.write_bytes(newest.read_bytes()[:-20])
    with pytest.warns(UserWarning, match="trying the one before it"):
        assert load_checkpoint(tmp_path)["epoch"] == 1
    with pytest.raises(CheckpointError, match="checkpoint-00002"):
        load_checkpoint(newest.parent)


def test_a_changed_weight_is_noticed(tmp_path):
    path = saved(tmp_path, snapshot(1), keep=1)
    content = bytearray((path / "model.safetensors").read_bytes())
    content[-3] ^= 1
    (path / "model.safetensors").write_bytes(content)
    with pytest.raises(CheckpointError, match=r"model\.safetensors has changed"):
        load_checkpoint(path)


def test_a_failed_write_leaves_the_old_checkpoint_and_no_debris(tmp_path):
    saved(tmp_path, snapshot(1), keep=1)
    with pytest.raises(CheckpointError, match=r"training\.callback is a function"):
        saved(tmp_path, {**snapshot(2), "callback": lambda: 0}, keep=1)
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    with pytest.raises(CheckpointError, match=r"cannot write .*checkpoint"):
        saved(blocked, snapshot(2), keep=1)
    assert load_checkpoint(tmp_path)["epoch"] == 1
    assert not list(tmp_path.glob(".*partial"))


def test_what_a_crash_left_half_written_goes_with_the_next_checkpoint(tmp_path):
    (tmp_path / ".checkpoint-00001-00000000.4711.partial").mkdir()
    saved(tmp_path, snapshot(1), keep=1)
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint-00001-00000000"]


def test_an_empty_folder_says_what_to_give(tmp_path):
    with pytest.raises(CheckpointError, match="no checkpoint in"):
        load_checkpoint(tmp_path)


def test_what_is_written_is_the_state_at_the_call(tmp_path):
    state = snapshot(1)
    before = {name: tensor.clone() for name, tensor in state["model"].items()}
    save_checkpoint(tmp_path, state, keep=1)
    for tensor in state["model"].values():
        tensor.fill_(7)
    written = load_checkpoint(tmp_path)["model"]
    assert all(torch.equal(written[name], tensor) for name, tensor in before.items())


SAVE_UNTIL_KILLED = Path(__file__).with_name("save_until_killed.py")


def test_a_good_checkpoint_is_there_whenever_the_writer_is_killed(tmp_path):
    command = [sys.executable, str(SAVE_UNTIL_KILLED), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    newest, broken = map(int, done.stdout.split())
    assert newest > 5
    assert broken > 5
