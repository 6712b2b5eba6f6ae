"""N ranks give what one rank gives.

Starting ranks takes longer than what they do here. So one program does what all tests compare, each
test a function of it, and runs once on each number of ranks.
"""

from __future__ import annotations

import json
import textwrap

import numpy as np
import pytest

# Three ranks go on from what one has left, and two from what three have left.
RANKS = (1, 3, 2)
SEVERAL = (pytest.param(2, marks=pytest.mark.slow), 3)

SETUP = """
    import json, sys
    import numpy as np
    import torch
    from torch import nn
    import matexapps as mx

    def data_set(rows=1003, weighted=False, **settings):
        rng = np.random.default_rng(5)
        features = rng.normal(size=(rows, 6)).astype(np.float32)
        label = features[:, 0] + features[:, 1] ** 2 + rng.normal(size=rows) > 1
        features[:, 5] = np.arange(rows)
        weight = rng.random(rows) + 0.1 if weighted else None
        settings = {"validation": 0.2, "test": 0.1, **settings}
        return mx.DataSet.from_arrays(features, label.astype(np.float32), weight, **settings)

    class Net(nn.Module):
        '''Records the row numbers, kept in the last column, that it learns from.'''
        def __init__(self, seed=0):
            super().__init__()
            torch.manual_seed(seed)
            self.layers = nn.Sequential(nn.Linear(5, 24), nn.Tanh(), nn.Linear(24, 1))
            self.seen = []
        def forward(self, x):
            if self.training:
                self.seen.extend(x[:, 5].long().tolist())
            return self.layers(x[:, :5])

    def flat(model):
        return torch.cat([p.detach().reshape(-1) for p in model.parameters()]).tolist()

    def show(comm, **values):
        if comm.rank == 0:
            print(json.dumps(values), flush=True)
"""


CASES: dict[str, str] = {}


def script(body: str) -> str:
    return textwrap.dedent(SETUP) + textwrap.dedent(body)


def functions(cases: dict[str, str]) -> str:
    """A program that prints what each of the given bodies of functions returns, by name."""
    texts = [
        f"def {name}():\n{textwrap.indent(textwrap.dedent(body), '    ')}"
        for name, body in cases.items()
    ]
    calls = ", ".join(f"{name}={name}()" for name in cases)
    return "\n".join([*texts, f"results = dict({calls})", "show(mx.open_world(), **results)"])


def printed(result) -> dict:
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def on_ranks(run_ranks_once, tmp_path_factory) -> list[dict]:
    """What every case returned, for each number of ranks."""
    folder = tmp_path_factory.mktemp("checkpoints")
    program = script(functions(CASES))
    return [
        printed(run_ranks_once(n, program, folder / f"{n}", folder / f"{before}"))
        for before, n in zip((None, *RANKS), RANKS, strict=False)
    ]


def assert_equal_results(results: list[dict], keys: list[str], rel: float = 1e-5) -> None:
    for other in results[1:]:
        for key in keys:
            np.testing.assert_allclose(other[key], results[0][key], rtol=rel, atol=1e-7)


CASES["learning"] = """
    def learn(weighted):
        data = data_set(weighted=weighted, validation=0.0, test=0.0)
        net = Net()
        trainer = mx.Trainer(net, batch_size=64, metrics=["accuracy", "roc_auc"], seed=3)
        epochs = []
        for epoch in (1, 2, 3):
            net.seen.clear()
            history = trainer.fit(data, epochs=epoch)
            epochs.append(sorted(sum(trainer.comm.all_gather_object(net.seen), [])))
        predictions = trainer.predict(data.train)
        return dict(
            losses=[row["loss"] for row in history.rows], epochs=epochs,
            ids=sorted(data.train.ids.tolist()), predictions=predictions[:, 0].tolist(),
            evaluation=list(trainer.evaluate(data.train).values()))
    return {"plain": learn(False), "weighted": learn(True)}
"""


@pytest.mark.parametrize("rows", ["plain", "weighted"])
def test_loss_curve_ids_and_predictions_do_not_depend_on_the_ranks(on_ranks, rows):
    results = [seen["learning"][rows] for seen in on_ranks]
    assert_equal_results(results, ["losses", "evaluation"])
    for result in results:
        assert result["ids"] == list(range(1003))
        assert all(epoch == list(range(1003)) for epoch in result["epochs"])
        np.testing.assert_allclose(
            result["predictions"], results[0]["predictions"], rtol=1e-4, atol=1e-5
        )


CASES["settings"] = """
    def one_cycle(optimizer, total):
        return torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=total)
    def nesterov(parameters):
        return torch.optim.SGD(parameters, lr=0.1, momentum=0.9, nesterov=True)
    results = {}
    for name, settings in {
        "clip_norm": {"clip_norm": 0.1},
        "loss": {"loss": nn.MSELoss()},
        "own loss": {"loss": lambda prediction, label: (prediction - label).abs()},
        "optimizer": {"optimizer": nesterov},
        "scheduler": {"scheduler": one_cycle, "schedule_every": "batch"},
        "early stopping": {"callbacks": [mx.EarlyStopping(patience=1)]},
    }.items():
        net = Net()
        trainer = mx.Trainer(net, batch_size=50, **settings)
        history = trainer.fit(data_set(301), epochs=3)
        results[name] = [[r["loss"], r["validation_loss"]] for r in history.rows]
        results[name + ", weights"] = flat(net)
    return results
"""


def test_settings_do_not_make_ranks_matter(on_ranks):
    results = [seen["settings"] for seen in on_ranks]
    names = list(results[0])
    assert_equal_results(results, [n for n in names if not n.endswith("weights")])
    assert_equal_results(results, [n for n in names if n.endswith("weights")], rel=1e-3)


CASES["class_weights"] = """
    rng = np.random.default_rng(0)
    features = rng.normal(size=(200, 6)).astype(np.float32)
    data = mx.DataSet.from_arrays(features, rng.integers(0, 3, 200), validation=0.2, test=0.0)
    torch.manual_seed(0)
    net = nn.Linear(6, 3)
    loss = nn.CrossEntropyLoss(weight=torch.tensor([1.0, 5.0, 0.2]))
    trainer = mx.Trainer(net, loss=loss, batch_size=33, metrics=["accuracy"])
    history = trainer.fit(data, epochs=3)
    return dict(losses=[r["loss"] for r in history.rows],
                validation=[r["validation_loss"] for r in history.rows])
"""


def test_class_weights_average_over_all_ranks(on_ranks):
    assert_equal_results([seen["class_weights"] for seen in on_ranks], ["losses", "validation"])


CASES["small_batches"] = """
    data = data_set(20, validation=0.1, test=0.1)
    trainer = mx.Trainer(Net(), batch_size=2)
    history = trainer.fit(data, epochs=2)
    return dict(losses=[r["loss"] for r in history.rows], rows=len(trainer.predict(data.test)))
"""


def test_batches_smaller_than_the_number_of_ranks(on_ranks):
    results = [seen["small_batches"] for seen in on_ranks]
    assert_equal_results(results, ["losses"])
    assert {result["rows"] for result in results} == {2}


CASES["no_gradient"] = """
    class Gated(Net):
        '''One layer is used only for rows above 500, another for none.'''
        def __init__(self):
            super().__init__()
            self.rare, self.never = nn.Linear(5, 1), nn.Linear(5, 1)
        def forward(self, x):
            out = super().forward(x)
            high = x[:, 5] > 500
            if high.any():
                out = out + self.rare(x[:, :5]) * high[:, None]
            return out
    data = data_set(600)
    net = Gated()
    before = flat(net.never)
    decay = lambda parameters: torch.optim.AdamW(parameters, lr=0.01, weight_decay=0.5)
    trainer = mx.Trainer(net, batch_size=7, optimizer=decay)
    history = trainer.fit(data, epochs=1)
    return dict(losses=[r["loss"] for r in history.rows], rare=flat(net.rare),
                untouched=flat(net.never) == before)
"""


def test_a_parameter_without_gradient_anywhere_is_left_alone(on_ranks):
    results = [seen["no_gradient"] for seen in on_ranks]
    assert all(result["untouched"] for result in results)
    assert_equal_results(results, ["losses"])
    assert_equal_results(results, ["rare"], rel=1e-3)


CASES["other_first_weights"] = """
    comm = mx.open_world()
    net = Net(seed=comm.rank)
    mx.Trainer(net, comm=comm).fit(data_set(), epochs=1)
    return comm.all_gather_object(flat(net))
"""


def test_ranks_start_from_the_weights_of_rank_0(on_ranks):
    (alone,), *others = [seen["other_first_weights"] for seen in on_ranks]
    for weights in others:
        assert weights == [weights[0]] * len(weights)
        np.testing.assert_allclose(weights[0], alone, rtol=1e-3, atol=1e-7)


CASES["stopped"] = """
    class Stop(mx.Callback):
        def on_step_end(self, trainer):
            if trainer.position.epoch == 1 and trainer.position.step == 5:
                raise SystemExit(0)
    folder, folder_before = sys.argv[1:]
    def fit(seed, callbacks=(), resume=None):
        net = Net(seed)
        trainer = mx.Trainer(net, batch_size=32, callbacks=callbacks)
        history = trainer.fit(data_set(500), epochs=3, resume=resume)
        seen = sorted(sum(trainer.comm.all_gather_object(net.seen), []))
        return dict(losses=[r["loss"] for r in history.rows], weights=flat(net), seen=seen)
    results = {"whole": fit(seed=0)}
    if mx.open_world().world_size > 1:
        results["resumed"] = fit(seed=9, resume=folder_before)
    try:
        fit(seed=0, callbacks=[mx.Checkpointing(folder, every_steps=5), Stop()])
    except SystemExit:
        return results
"""


def test_a_run_stopped_in_mid_epoch_goes_on_with_another_number_of_ranks(on_ranks):
    whole = on_ranks[0]["stopped"]["whole"]
    for resumed in (seen["stopped"]["resumed"] for seen in on_ranks[1:]):
        assert_equal_results([whole, resumed], ["losses"])
        assert_equal_results([whole, resumed], ["weights"], rel=1e-3)
        # After the stop come the rest of the second epoch and all of the third.
        assert len(resumed["seen"]) == 350 - 5 * 32 + 350
        assert set(resumed["seen"]) == set(whole["seen"])


TROUBLE = {
    "errors": """
    class Tamper(mx.Callback):
        def on_step_end(self, trainer):
            if trainer.comm.rank == 1:
                next(trainer.model.parameters()).data.mul_(1.001)
    def tampered():
        mx.Trainer(Net(), callbacks=[Tamper()]).fit(data_set(), epochs=1)
    class Mixing(nn.Linear):
        def forward(self, x):
            return super().forward(x / x.std(0))
    def mixing():
        mx.Trainer(Mixing(6, 1)).fit(data_set(), epochs=1)
    def diverging():
        wild = mx.Trainer(
            Net(), loss="mean_squared_error", optimizer=lambda p: torch.optim.SGD(p, lr=1e30)
        )
        wild.fit(data_set(), epochs=3)
    def no_gpu():
        if torch.cuda.is_available():
            raise mx.MatexError("device='cuda' was asked for, but rank")
        mx.Trainer(Net(), device="cuda")
    messages = {}
    for case in (tampered, mixing, diverging, no_gpu):
        try:
            case()
        except mx.MatexError as error:
            messages[case.__name__] = str(error)
    return mx.open_world().all_gather_object(messages)
    """,
    "interrupted": """
    from matexapps.errors import PeerAborted
    class Interrupt(mx.Callback):
        armed = True
        def on_step_end(self, trainer):
            if self.armed and trainer.comm.rank == 0 and trainer.position.step == 3:
                self.armed = False
                raise KeyboardInterrupt
    net = Net()
    trainer = mx.Trainer(net, batch_size=64, callbacks=[Interrupt()])
    try:
        trainer.fit(data_set(), epochs=3)
    except (KeyboardInterrupt, PeerAborted):
        pass
    else:
        sys.exit("nothing interrupted the training")
    history = trainer.fit(data_set(), epochs=3)
    calm = mx.Trainer(Net(), batch_size=64)
    expected = calm.fit(data_set(), epochs=3)
    return dict(weights=trainer.comm.all_gather_object(flat(net)),
                losses=[r["loss"] for r in history.rows],
                expected=[r["loss"] for r in expected.rows])
    """,
}


@pytest.fixture(scope="module", params=SEVERAL)
def trouble(request, run_ranks_once) -> tuple[int, dict]:
    """A number of ranks, and how they came out of trouble."""
    n = request.param
    return n, printed(run_ranks_once(n, script(functions(TROUBLE))))


def test_errors_are_the_same_on_every_rank(trouble):
    n, seen = trouble
    messages, *others = seen["errors"]
    assert others == [messages] * (n - 1)
    assert "the weights of rank 1 differ from those of rank 0 after epoch 1" in messages["tampered"]
    assert f"Mixing would not give the result of one rank on {n} ranks" in messages["mixing"]
    assert "the loss became" in messages["diverging"]
    assert "device='cuda' was asked for, but rank" in messages["no_gpu"]


def test_after_an_interrupt_the_next_fit_goes_on_alike_on_every_rank(trouble):
    n, seen = trouble
    weights = seen["interrupted"]["weights"]
    assert weights == [weights[0]] * n
    np.testing.assert_allclose(
        seen["interrupted"]["losses"], seen["interrupted"]["expected"], rtol=1e-5
    )


@pytest.mark.parametrize("n", SEVERAL)
def test_an_exception_in_one_ranks_step_frees_the_others(run_ranks, n):
    result = run_ranks(
        n,
        script("""
    from matexapps.errors import PeerAborted
    class Trip(mx.Callback):
        def on_step_end(self, trainer):
            if trainer.comm.rank == 1 and trainer.position.step == 3:
                raise ValueError("row 17 is odd")
    try:
        mx.Trainer(Net(), batch_size=64, callbacks=[Trip()]).fit(data_set(), epochs=2)
    except PeerAborted as error:
        print(error, flush=True)
    """),
    )
    assert result.stdout.count("rank 1 on ") == n - 1
    assert result.stdout.count("stopped with ValueError: row 17 is odd") == n - 1
