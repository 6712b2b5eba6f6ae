"""An exception in training names batch and rows."""

from __future__ import annotations

import re

import h5py
import numpy as np
import pytest
import torch
from torch import nn

import matexapps as mx
from matexapps.data.loading.streamed import StreamedRows
from matexapps.errors import DataError, PeerAborted, TrainingError
from matexapps.train.monitor.error_context import ErrorContext, ids_of_step, shown

ROWS = 203


class Net(nn.Module):
    """Meets one row as ``meet`` says; the first feature is the row's number."""

    def __init__(self, poison: int, meet=None) -> None:
        super().__init__()
        self.layer = nn.Linear(2, 1)
        self.poison, self.meet = poison, meet

    def forward(self, features):
        here = features[:, 0] == self.poison
        if here.any() and self.meet is not None:
            return self.meet(self.layer(features / ROWS), here)
        return self.layer(features / ROWS)


def refuse(_prediction, _here):
    raise ValueError("a row of another world")


def overflow(prediction, here):
    return torch.where(here[:, None], torch.inf, prediction)


@pytest.fixture(params=["in memory", "in memory, weighted", "streamed", "streamed, weighted"])
def data(request, tmp_path):
    weighted, streamed = "weighted" in request.param, "streamed" in request.param
    features = np.stack([np.arange(ROWS), np.ones(ROWS)], axis=1).astype(np.float32)
    with h5py.File(tmp_path / "rows.h5", "w") as file:
        file.create_dataset("features", data=features, chunks=(16, 2))
        file["label"] = np.arange(ROWS) % 2
        if weighted:
            file["weight"] = np.linspace(0.5, 1.5, ROWS)
    data = mx.DataSet(
        tmp_path / "rows.h5",
        label="label",
        weight="weight" if weighted else None,
        memory="8 KiB" if streamed else "2GB",
        validation=0.1,
        test=0.1,
    )
    assert isinstance(data.train, StreamedRows) == streamed
    return data


def place_of(error: BaseException) -> re.Match:
    (note,) = error.__notes__
    pattern = r"matexapps: (.*), batch (\d+) of (\d+), this rank's rows ([\d, ]+) \((\d+) rows?, n"
    return re.match(pattern, note)


def ids_of(part) -> list[int]:
    return np.concatenate([batch.ids for batch in part.batches(64, device="cpu")]).tolist()


def test_the_row_that_broke_a_step_is_among_those_named(data):
    order = [batch.ids for batch in data.train.batches(8, seed=4, epoch=1, device="cpu")]
    assert len(order[-1]) < 8
    for number in (1, 11, len(order)):
        poison = order[number - 1][-1]
        net = Net(poison)
        trainer = mx.Trainer(net, batch_size=8, seed=4)
        trainer.fit(data, epochs=1)
        net.meet = refuse
        with pytest.raises(ValueError, match="another world") as caught:
            trainer.fit(data, epochs=2)
        fields = place_of(caught.value)
        assert fields[1] == "in training, epoch 2"
        assert (int(fields[2]), int(fields[3])) == (number, len(order))
        assert [int(i) for i in fields[4].split(", ")] == order[number - 1].tolist()
        assert int(fields[5]) == len(order[number - 1])


def test_validation_evaluation_and_prediction_say_what_they_were(data):
    validation = ids_of(data.validation)
    net = Net(validation[0], refuse)
    trainer = mx.Trainer(net, batch_size=64)
    for run, doing in (
        (lambda: trainer.fit(data, epochs=1), "in validation, epoch 1"),
        (lambda: trainer.evaluate(data.validation), "in evaluation"),
        (lambda: trainer.predict(data.validation), "in prediction"),
    ):
        with pytest.raises(ValueError, match="another world") as caught:
            run()
        (note,) = caught.value.__notes__
        first = ", ".join(map(str, validation[:8]))
        assert note.startswith(f"matexapps: {doing}, batch 1 of 1, this rank's rows {first}, ... (")


@pytest.mark.parametrize("every_steps", [None, 5])
def test_a_loss_that_is_not_finite_names_the_rows_of_its_own_step(data, tmp_path, every_steps):
    order = [batch.ids for batch in data.train.batches(8, seed=0, epoch=0, device="cpu")]
    callbacks = [mx.Checkpointing(tmp_path / "kept", every_steps=every_steps)]
    trainer = mx.Trainer(Net(order[6][2], overflow), batch_size=8, callbacks=callbacks)
    with pytest.raises(TrainingError, match="epoch 1, step 7;") as caught:
        trainer.fit(data, epochs=1)
    rows = ", ".join(map(str, order[6]))
    assert caught.value.__notes__ == [
        f"matexapps: in training, all ranks' rows {rows} (8 rows, numbered from 0)"
    ]


class Fail(mx.Callback):
    """Raises in one hook."""

    def __init__(self, hook: str) -> None:
        self.hook = hook

    def _meet(self, hook: str) -> None:
        if hook == self.hook:
            raise LookupError(hook)

    def on_fit_start(self, trainer):
        self._meet("fit_start")

    def on_epoch_start(self, trainer):
        self._meet("epoch_start")

    def on_step_end(self, trainer):
        self._meet("step_end")

    def on_epoch_end(self, trainer, row):
        self._meet("epoch_end")

    def on_fit_end(self, trainer):
        self._meet("fit_end")


@pytest.fixture
def plain():
    features = np.stack([np.arange(ROWS), np.ones(ROWS)], axis=1)
    return mx.DataSet.from_arrays(features, np.arange(ROWS) % 2, validation=0, test=0)


@pytest.mark.parametrize(
    ("hook", "when"),
    [
        ("fit_start", "before the first epoch"),
        ("epoch_start", "at the start of epoch 1"),
        ("step_end", "epoch 1, batch 1 of 26, this rank's rows "),
        ("epoch_end", "at the end of epoch 1"),
        ("fit_end", "after the last epoch"),
    ],
)
def test_a_callbacks_error_says_when_it_was(plain, hook, when):
    with pytest.raises(LookupError, match=hook) as caught:
        mx.Trainer(Net(-1), batch_size=8, callbacks=[Fail(hook)]).fit(plain, epochs=1)
    (note,) = caught.value.__notes__
    assert note.startswith(f"matexapps: in training, {when}")


def test_the_inner_place_is_told_alone_and_beside_the_users_notes(plain):
    class Judge(mx.Callback):
        def on_step_end(self, trainer):
            trainer.predict(plain.train)

    def refuse_with_note(_prediction, _here):
        error = ValueError("odd")
        error.add_note("mine")
        raise error

    net = Net(0)
    trainer = mx.Trainer(net, batch_size=8, callbacks=[Judge()])
    net.register_forward_pre_hook(
        lambda net, _: setattr(net, "meet", None if net.training else refuse_with_note)
    )
    with pytest.raises(ValueError, match="odd") as caught:
        trainer.fit(plain, epochs=1)
    mine, ours = caught.value.__notes__
    assert mine == "mine"
    assert ours.startswith("matexapps: in prediction, batch 1 of 1, this rank's rows 0, 1, 2, 3, 4")


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, PeerAborted])
def test_what_is_nobodys_fault_gets_no_note(kind):
    error = kind("stop")
    with pytest.raises(kind), ErrorContext("in training, epoch 1"):
        raise error
    assert not hasattr(error, "__notes__")


def test_an_error_while_reading_names_the_batch_that_was_to_come(plain):
    def batches():
        yield from list(plain.train.batches(8, device="cpu"))[:2]
        raise DataError("damaged")

    context = ErrorContext("in training, epoch 1", 26, 3)
    with pytest.raises(DataError, match="damaged") as caught, context:
        assert len(list(context.follow(batches()))) == 2
    assert caught.value.__notes__ == [
        "matexapps: in training, epoch 1, while reading batch 6 of 26"
    ]


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "none of this rank's rows"),
        (1, "this rank's rows 0 (1 row, numbered from 0)"),
        (8, "this rank's rows 0, 1, 2, 3, 4, 5, 6, 7 (8 rows, numbered from 0)"),
        (128, "this rank's rows 0, 1, 2, 3, 4, 5, 6, 7, ... (128 rows, numbered from 0)"),
    ],
)
def test_at_most_eight_rows_are_shown(count, text):
    assert shown("this rank's", np.arange(count)) == text


def test_the_rows_of_any_step_can_be_told_again(data):
    order = [batch.ids for batch in data.train.batches(8, seed=3, epoch=2, device="cpu")]
    for step in (1, 9, len(order)):
        assert ids_of_step(data.train, 8, 3, 2, step).tolist() == order[step - 1].tolist()
