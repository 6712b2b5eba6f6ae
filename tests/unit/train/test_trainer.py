"""The trainer on one rank, against loops written out by hand."""

from __future__ import annotations

import copy

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

import matexapps as mx
from matexapps.data.loading.sampler import global_permutation
from matexapps.errors import CheckpointError, DeviceError, TrainingError


@pytest.fixture
def data():
    rng = np.random.default_rng(5)
    features = rng.normal(size=(403, 4)).astype(np.float32)
    label = (features[:, 0] + features[:, 1] ** 2 + rng.normal(size=403) > 1).astype(np.float32)
    return mx.DataSet.from_arrays(features, label, validation=0.2, test=0.1)


def network(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 1))


def weights(model: nn.Module) -> torch.Tensor:
    return torch.cat([p.detach().reshape(-1) for p in model.parameters()])


def test_training_is_the_loop_one_would_write_by_hand(data):
    model, reference = network(), network()
    mx.Trainer(
        model,
        optimizer=lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9),
        batch_size=32,
        clip_norm=0.5,
        seed=11,
    ).fit(data, epochs=2)
    features, label = map(torch.from_numpy, (data.train.features, data.train.label))
    optimizer = torch.optim.SGD(reference.parameters(), lr=0.1, momentum=0.9)
    for epoch in range(2):
        order = torch.from_numpy(global_permutation(len(label), 11, epoch))
        for rows in order.split(32):
            optimizer.zero_grad()
            loss = nn.functional.binary_cross_entropy_with_logits(
                reference(features[rows])[:, 0], label[rows]
            )
            loss.backward()
            nn.utils.clip_grad_norm_(reference.parameters(), 0.5)
            optimizer.step()
    torch.testing.assert_close(weights(model), weights(reference), rtol=1e-5, atol=1e-6)


def test_the_history_has_a_row_for_each_epoch_and_learning_helps(data):
    trainer = mx.Trainer(
        network(),
        batch_size=32,
        metrics=["accuracy", "roc_auc"],
        optimizer=lambda p: torch.optim.AdamW(p, lr=0.02),
    )
    frame = trainer.fit(data, epochs=15).frame
    assert frame.index.tolist() == list(range(1, 16))
    assert frame.loss.iloc[-1] < frame.loss.iloc[0]
    assert frame.roc_auc.iloc[-1] > 0.8
    again = trainer.evaluate(data.validation)
    assert again["loss"] == pytest.approx(frame.validation_loss.iloc[-1])
    assert trainer.history.plot().axes


def test_a_second_fit_goes_on_where_the_first_ended(data):
    uninterrupted, resumed = network(), network()
    mx.Trainer(uninterrupted, batch_size=50).fit(data, epochs=4)
    trainer = mx.Trainer(resumed, batch_size=50)
    trainer.fit(data, epochs=2)
    assert len(trainer.fit(data, epochs=4).frame) == 4
    torch.testing.assert_close(weights(uninterrupted), weights(resumed))


class Boom(mx.Callback):
    def __init__(self, after: int) -> None:
        self.left = after

    def on_step_end(self, trainer: mx.Trainer) -> None:
        self.left -= 1
        if self.left == 0:
            raise RuntimeError("power cut")


@pytest.mark.parametrize("steps", [1, 7, 23, 30])
def test_resuming_in_mid_epoch_gives_the_undisturbed_result(data, tmp_path, steps):
    def trainer(model, *callbacks):
        return mx.Trainer(
            nn.Sequential(model, nn.Dropout(0.0)),
            batch_size=30,
            scheduler=lambda opt, total: torch.optim.lr_scheduler.CosineAnnealingLR(opt, total),
            schedule_every="batch",
            callbacks=[mx.EarlyStopping(patience=50), *callbacks],
        )

    calm, disturbed, resumed = network(), network(), network(1)
    expected = trainer(calm).fit(data, epochs=4).frame
    keep = mx.Checkpointing(tmp_path, every_steps=1)
    with pytest.raises(RuntimeError, match="power cut"):
        trainer(disturbed, keep, Boom(steps)).fit(data, epochs=4)
    frame = trainer(resumed).fit(data, epochs=4, resume=tmp_path).frame
    columns = ["loss", "validation_loss", "learning_rate"]
    np.testing.assert_allclose(frame[columns], expected[columns], rtol=1e-5, atol=1e-9)
    torch.testing.assert_close(weights(resumed), weights(calm))


def test_the_same_call_begins_a_training_and_goes_on_with_it(data, tmp_path):
    folder = tmp_path / "not" / "there yet"

    def fit(epochs, model):
        trainer = mx.Trainer(model, batch_size=30, callbacks=[mx.Checkpointing(folder)])
        return trainer.fit(data, epochs, resume=folder).frame

    uninterrupted, again = network(), network(1)
    expected = mx.Trainer(uninterrupted, batch_size=30).fit(data, 4).frame
    assert len(fit(2, network())) == 2
    resumed = fit(4, again)
    np.testing.assert_allclose(resumed["loss"], expected["loss"], rtol=1e-6)
    torch.testing.assert_close(weights(again), weights(uninterrupted))
    pd.testing.assert_frame_equal(fit(4, network(2)), resumed)


def test_checkpointing_may_go_on_from_its_own_folder(data, tmp_path):
    def fit(epochs, model):
        keep = mx.Checkpointing(tmp_path, resume=True)
        trainer = mx.Trainer(model, batch_size=30, callbacks=[keep])
        trainer.fit(data, epochs - 1)
        # Once it has trained, it goes on from where it is.
        return trainer.fit(data, epochs).frame

    uninterrupted, again = network(), network(1)
    expected = mx.Trainer(uninterrupted, batch_size=30).fit(data, 4).frame
    assert len(fit(2, network())) == 2
    np.testing.assert_allclose(fit(4, again)["loss"], expected["loss"], rtol=1e-6)
    torch.testing.assert_close(weights(again), weights(uninterrupted))


def test_a_folder_that_nobody_writes_to_must_have_a_checkpoint(data, tmp_path):
    keep = mx.Checkpointing(tmp_path / "kept")
    with pytest.raises(CheckpointError, match=r"no checkpoint in .*mistyped"):
        mx.Trainer(network(), callbacks=[keep]).fit(data, 1, resume=tmp_path / "mistyped")


def test_dropout_is_the_same_again_with_the_same_seed(data, tmp_path):
    def run(seed, resume=None, callbacks=(), epochs=2):
        torch.manual_seed(3)
        model = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Dropout(0.5), nn.Linear(16, 1))
        trainer = mx.Trainer(model, batch_size=30, seed=seed, callbacks=callbacks)
        trainer.fit(data, epochs, resume=resume)
        return weights(model)

    first = run(1)
    assert torch.equal(first, run(1))
    assert not torch.equal(first, run(2))
    with pytest.raises(RuntimeError, match="power cut"):
        run(1, callbacks=[mx.Checkpointing(tmp_path, every_steps=4), Boom(6)])
    torch.testing.assert_close(run(1, resume=tmp_path), first)


def test_a_checkpoint_of_something_else_is_refused(data, tmp_path):
    keep = mx.Checkpointing(tmp_path)
    mx.Trainer(network(), batch_size=64, callbacks=[keep]).fit(data, epochs=1)
    with pytest.raises(CheckpointError, match="batch size 64, this training has 32"):
        mx.Trainer(network(), batch_size=32).fit(data, epochs=2, resume=tmp_path)
    other = mx.DataSet.from_rows(data.test, data.validation, data.test)
    with pytest.raises(CheckpointError, match="digest of the training rows"):
        mx.Trainer(network(), batch_size=64).fit(other, epochs=2, resume=tmp_path)
    with pytest.raises(CheckpointError, match="does not fit this network"):
        mx.Trainer(nn.Linear(4, 1), batch_size=64).fit(data, epochs=2, resume=tmp_path)


def test_early_stopping_brings_the_best_epoch_back(data):
    stop = mx.EarlyStopping(patience=3)
    trainer = mx.Trainer(
        network(),
        batch_size=16,
        optimizer=lambda p: torch.optim.SGD(p, lr=3.0),
        callbacks=[stop],
    )
    frame = trainer.fit(data, epochs=200).frame
    assert len(frame) < 200
    assert stop.best_epoch == frame.validation_loss.idxmin()
    assert len(frame) == stop.best_epoch + 3
    loss = trainer.evaluate(data.validation)["loss"]
    assert loss == pytest.approx(frame.validation_loss.min())


@pytest.mark.parametrize("mode", ["min", "max"])
def test_the_best_epoch_is_kept_through_all_epochs(data, mode):
    best = mx.KeepBest("accuracy", mode)
    trainer = mx.Trainer(
        network(),
        batch_size=16,
        metrics=["accuracy"],
        optimizer=lambda p: torch.optim.SGD(p, lr=3.0),
        callbacks=[best],
    )
    accuracy = trainer.fit(data, epochs=8).frame.accuracy
    assert len(accuracy) == 8
    assert best.best_epoch == (accuracy.idxmin() if mode == "min" else accuracy.idxmax())
    expected = accuracy.min() if mode == "min" else accuracy.max()
    assert trainer.evaluate(data.validation)["accuracy"] == pytest.approx(expected)


def test_early_stopping_on_an_unknown_column_says_which_there_are(data):
    trainer = mx.Trainer(network(), callbacks=[mx.EarlyStopping("val_loss")])
    with pytest.raises(TrainingError, match="did you mean 'validation_loss'"):
        trainer.fit(data, epochs=1)


def test_schedules_step_by_epoch_or_by_batch(data):
    steps = -(-len(data.train) // 32)
    by_epoch = mx.Trainer(
        network(),
        optimizer=lambda p: torch.optim.SGD(p, lr=1.0),
        scheduler=lambda opt, total: torch.optim.lr_scheduler.ExponentialLR(opt, 0.5),
    ).fit(data, epochs=3)
    assert by_epoch.frame.learning_rate.tolist() == [1.0, 0.5, 0.25]
    totals = []
    mx.Trainer(
        network(),
        batch_size=32,
        schedule_every="batch",
        scheduler=lambda opt, total: (
            totals.append(total) or torch.optim.lr_scheduler.OneCycleLR(opt, 1.0, total_steps=total)
        ),
    ).fit(data, epochs=2)
    assert totals == [2 * steps]


def test_plateau_schedules_watch_the_validation_loss(data):
    frame = (
        mx.Trainer(
            network(),
            optimizer=lambda p: torch.optim.SGD(p, lr=0.0),
            scheduler=lambda opt, total: torch.optim.lr_scheduler.ReduceLROnPlateau(
                opt, patience=0
            ),
        )
        .fit(data, epochs=4)
        .frame
    )
    assert frame.learning_rate.iloc[-1] == 0.0
    assert frame.validation_loss.nunique() == 1


def test_predictions_come_in_the_order_of_the_rows(data):
    model = nn.Linear(4, 2)
    trainer = mx.Trainer(model)
    expected = model(torch.from_numpy(data.train.features)).detach().numpy()
    np.testing.assert_allclose(trainer.predict(data.train), expected, rtol=1e-5, atol=1e-6)


def test_a_loss_that_is_not_finite_stops_with_the_step(data):
    trainer = mx.Trainer(
        network(), loss="mean_squared_error", optimizer=lambda p: torch.optim.SGD(p, lr=1e30)
    )
    with pytest.raises(TrainingError, match=r"the loss became (inf|nan) at epoch \d+, step \d+"):
        trainer.fit(data, epochs=5)


def test_bf16_learns_too(data):
    model = network()
    trainer = mx.Trainer(
        model,
        batch_size=32,
        precision="bf16",
        metrics=["roc_auc"],
        optimizer=lambda p: torch.optim.AdamW(p, lr=0.02),
    )
    assert trainer.fit(data, epochs=15).frame.roc_auc.iloc[-1] > 0.8
    assert next(model.parameters()).dtype == torch.float32


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"batch_size": 0}, "batch_size must be at least 1, got 0"),
        ({"clip_norm": -1}, "clip_norm must be above 0"),
        ({"precision": "bf61"}, "did you mean 'bf16'"),
        ({"precision": "fp16", "device": "cpu"}, "needs a GPU"),
        ({"schedule_every": "step"}, "schedule_every"),
        ({"optimizer": lambda p: torch.optim.LBFGS(p)}, "LBFGS"),
        ({"optimizer": torch.optim.SGD(nn.Linear(2, 2).parameters())}, "none of the model's"),
    ],
)
def test_settings_that_cannot_be_used_say_so(settings, message):
    with pytest.raises(TrainingError, match=message):
        mx.Trainer(network(), **settings)


def test_a_device_that_is_not_there_is_a_clear_error():
    with pytest.raises(DeviceError, match="unknown device 'gpu'"):
        mx.Trainer(network(), device="gpu")
    if not torch.cuda.is_available():
        with pytest.raises(DeviceError, match=r"rank 0 on .* sees no GPU"):
            mx.Trainer(network(), device="cuda")


def test_a_frozen_layer_stays_and_a_model_without_parameters_is_refused(data):
    model = network()
    model[0].requires_grad_(False)
    before = copy.deepcopy(model[0].state_dict())
    mx.Trainer(model).fit(data, epochs=2)
    assert all(torch.equal(v, before[k]) for k, v in model[0].state_dict().items())
    with pytest.raises(TrainingError, match="no trainable parameters"):
        mx.Trainer(nn.ReLU())
