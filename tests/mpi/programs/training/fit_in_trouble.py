"""Makes errors in training on purpose, and trains again after an interrupt."""

import sys

import torch
from recording_network import RecordingNetwork, data_set, flat, print_on_rank_0
from torch import nn

import matexapps as mx
from matexapps.errors import PeerAborted


class Tamper(mx.Callback):
    def on_step_end(self, trainer):
        if trainer.comm.rank == 1:
            next(trainer.model.parameters()).data.mul_(1.001)


def tampered():
    mx.Trainer(RecordingNetwork(), callbacks=[Tamper()]).fit(data_set(), epochs=1)


class Mixing(nn.Linear):
    def forward(self, x):
        return super().forward(x / x.std(0))


def mixing():
    mx.Trainer(Mixing(6, 1)).fit(data_set(), epochs=1)


def diverging():
    def too_fast(parameters):
        return torch.optim.SGD(parameters, lr=1e30)

    trainer = mx.Trainer(RecordingNetwork(), loss="mean_squared_error", optimizer=too_fast)
    trainer.fit(data_set(), epochs=3)


def no_gpu():
    if torch.cuda.is_available():
        raise mx.MatexError("device='cuda' was asked for, but rank")
    mx.Trainer(RecordingNetwork(), device="cuda")


def errors():
    messages = {}
    for case in (tampered, mixing, diverging, no_gpu):
        try:
            case()
        except mx.MatexError as error:
            messages[case.__name__] = str(error)
    return mx.open_world().all_gather_object(messages)


class InterruptOnce(mx.Callback):
    armed = True

    def on_step_end(self, trainer):
        if self.armed and trainer.comm.rank == 0 and trainer.position.step == 3:
            self.armed = False
            raise KeyboardInterrupt


def interrupted():
    net = RecordingNetwork()
    trainer = mx.Trainer(net, batch_size=64, callbacks=[InterruptOnce()])
    try:
        trainer.fit(data_set(), epochs=3)
    except (KeyboardInterrupt, PeerAborted):
        pass
    else:
        sys.exit("nothing interrupted the training")
    history = trainer.fit(data_set(), epochs=3)
    expected = mx.Trainer(RecordingNetwork(), batch_size=64).fit(data_set(), epochs=3)
    return {
        "weights": trainer.comm.all_gather_object(flat(net)),
        "losses": [row["loss"] for row in history.rows],
        "expected": [row["loss"] for row in expected.rows],
    }


print_on_rank_0(mx.open_world(), errors=errors(), interrupted=interrupted())
