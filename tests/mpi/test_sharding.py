"""What acts inside networks gives on N ranks what it gives on one: dropout, batch norm, sums."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from global_batch_networks import BATCH, NETWORKS, data_set, flat, network, sgd
from torch import nn

from matexapps.data.loading.sampler import global_permutation

RANKS = (1, 2, 3)
# Batches that have fewer rows than there are ranks, or than two for each rank.
FEW_ROWS = {"lstm": 2, "attention": 2, "both": 4}

PROGRAM = """
    import json, sys, warnings
    sys.path.insert(0, sys.argv[1])
    from global_batch_networks import *

    FEW_ROWS, (folder, folder_before) = json.loads(sys.argv[2]), sys.argv[3:]

    class Stop(mx.Callback):
        def on_step_end(self, trainer):
            if trainer.position.epoch == 1 and trainer.position.step == 2:
                raise SystemExit(0)

    def stopped(name):
        callbacks = [mx.Checkpointing(f"{folder}/{name}", every_steps=2), Stop()]
        try:
            train(trainer_of(name, callbacks=callbacks))
        except SystemExit:
            pass

    warnings.simplefilter("ignore")
    results = {name: train(trainer_of(name)) for name in NETWORKS}
    for name, size in FEW_ROWS.items():
        results["few rows, " + name] = train(trainer_of(name, batch_size=size), rows=45)
    NETWORKS["compiled"] = lambda: torch.compile(NETWORKS["both"](), backend="eager")
    results["compiled"] = train(trainer_of("compiled"))
    results["bf16"] = train(trainer_of("both", precision="bf16"))
    for name in ("both", "lstm"):
        if mx.open_world().world_size > 1:
            results["resumed, " + name] = train(trainer_of(name), resume=f"{folder_before}/{name}")
        stopped(name)
    if mx.open_world().rank == 0:
        print(json.dumps(results), flush=True)
"""


@pytest.fixture(scope="module")
def on_ranks(run_ranks_once, request, tmp_path_factory) -> list[dict]:
    """What training gave for each number of ranks, which goes on from what the one before left."""
    helpers, folder = request.config.rootpath / "tests" / "helpers", tmp_path_factory.mktemp("at")
    results = []
    for before, n in zip((None, *RANKS), RANKS, strict=False):
        folders = folder / f"{n}", folder / f"{before}"
        done = run_ranks_once(n, PROGRAM, helpers, json.dumps(FEW_ROWS), *folders, timeout=280)
        assert done.returncode == 0, done.stderr[-5000:]
        results.append(json.loads(done.stdout.splitlines()[-1]))
    return results


@pytest.mark.parametrize("name", [*NETWORKS, *(f"few rows, {name}" for name in FEW_ROWS)])
def test_losses_weights_and_predictions_do_not_depend_on_the_ranks(on_ranks, name):
    for results in on_ranks[1:]:
        require_equal(results[name], on_ranks[0][name])


def require_equal(results: dict, expected: dict, tolerance: float = 1e-5) -> None:
    for what, values in results.items():
        np.testing.assert_allclose(
            values, expected[what], rtol=tolerance, atol=tolerance, err_msg=what
        )


def test_compiled_networks_give_the_same(on_ranks):
    for results in on_ranks:
        require_equal(results["compiled"], on_ranks[0]["both"])


def test_half_size_numbers_differ_by_their_rounding_alone(on_ranks):
    for results in on_ranks[1:]:
        require_equal(results["bf16"], on_ranks[0]["bf16"], 0.05)


@pytest.mark.parametrize("name", ["both", "lstm"])
def test_a_run_stopped_in_mid_epoch_goes_on_with_another_number_of_ranks(on_ranks, name):
    for results in on_ranks[1:]:
        require_equal(results["resumed, " + name], on_ranks[0][name])


@pytest.mark.parametrize("name", NETWORKS)
def test_one_rank_draws_what_a_plain_loop_draws(on_ranks, name):
    net, data = network(name), data_set()
    features, label = map(torch.from_numpy, (data.train.features, data.train.label))
    optimizer = sgd(net.parameters())
    for epoch in range(2):
        torch.manual_seed(int(np.random.SeedSequence([3, epoch, 0]).generate_state(1)[0]))
        order = torch.from_numpy(global_permutation(len(label), 3, epoch))
        for rows in order.split(BATCH):
            optimizer.zero_grad()
            loss = nn.functional.binary_cross_entropy_with_logits(
                net(features[rows])[:, 0], label[rows]
            )
            loss.backward()
            optimizer.step()
    np.testing.assert_allclose(on_ranks[0][name]["weights"], flat(net), rtol=1e-5, atol=1e-6)


DYING = """
    import json, sys, warnings
    sys.path.insert(0, sys.argv[1])
    from dying import DiesInStep
    from global_batch_networks import *

    warnings.simplefilter("ignore")
    results = train(trainer_of(sys.argv[2], callbacks=[DiesInStep(epoch=1, step=2)]))
    comm = mx.open_world()
    if comm.rank == 0:
        print(json.dumps([comm.world_size, results]), flush=True)
"""


@pytest.mark.open_mpi
@pytest.mark.parametrize("name", ["both", "transformer"])
def test_ranks_go_on_exactly_after_a_death_in_the_middle_of_a_step(
    on_ranks, run_ranks, request, name
):
    # The rank dies after its forward pass, which has drawn numbers and moved running statistics.
    helpers = request.config.rootpath / "tests" / "helpers"
    done = run_ranks(3, DYING, helpers, name, fault_tolerant=True)
    assert done.returncode == 0, done.stderr[-5000:]
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("[")]
    ranks, results = json.loads(line)
    assert ranks == 2
    require_equal(results, on_ranks[0][name])


COUNTING = """
    import json, sys
    sys.path.insert(0, sys.argv[1])
    from collections import Counter
    from global_batch_networks import *
    from matexapps.sharding.sharded_network import rows_to_try, shard_network

    NAMES = "barrier broadcast_object all_gather_object all_reduce broadcast all_gather_rows"

    def count(owner, names, counts):
        for name in names.split():
            def call(*args, _name=name, _original=getattr(owner, name), **settings):
                counts[_name] += 1
                return _original(*args, **settings)
            setattr(owner, name, call)

    class Steps(mx.Callback):
        def __init__(self, counts):
            self.counts, self.at = counts, []
        def on_step_end(self, trainer):
            self.at.append(Counter(self.counts))

    comm, counts = mx.open_world(), Counter()
    count(comm, NAMES, counts)
    make_buffer = comm.mean_buffer

    def mean_buffer(*args):
        buffer = make_buffer(*args)
        count(buffer, "average", counts)
        return buffer

    comm.mean_buffer = mean_buffer
    NETWORKS["plain"] = lambda: nn.Sequential(
        nn.Linear(COLUMNS, 16), nn.ReLU(), nn.LayerNorm(16), nn.Linear(16, 1)
    )
    results = {}
    for name in ("plain", "dropout", "batch norm 1d"):
        counts.clear()
        features = torch.from_numpy(data_set().train.features[:rows_to_try(comm.world_size)])
        rows_of_calls = []

        def forward(net, rows):
            rows_of_calls.append(len(rows))
            return net(rows)

        shard_network(network(name), forward, features, comm)
        results[name] = {"finding out": dict(counts), "rows of calls": rows_of_calls}
        steps = Steps(counts)
        train(trainer_of(name, callbacks=[steps], comm=comm))
        results[name]["step"] = dict(steps.at[2] - steps.at[1])
    if comm.rank == 0:
        print(json.dumps(results), flush=True)
"""


def test_only_networks_that_need_other_rows_exchange_messages(run_ranks, request):
    done = run_ranks(2, COUNTING, request.config.rootpath / "tests" / "helpers")
    assert done.returncode == 0, done.stderr[-5000:]
    counts = json.loads(done.stdout.splitlines()[-1])
    calls = {name: results.pop("rows of calls") for name, results in counts.items()}
    # All rows, and then two parts, or one and this rank's.
    assert list(calls.values()) == [[5, 3, 2]] * 3
    assert counts["plain"] == {"finding out": {}, "step": {"average": 1}}
    assert counts["dropout"] == {"finding out": {"all_gather_object": 1}, "step": {"average": 1}}
    # Two layers: one message each in the forward pass, and one in the backward pass.
    assert counts["batch norm 1d"] == {
        "finding out": {"all_gather_object": 1, "all_reduce": 2},
        "step": {"average": 1, "all_reduce": 4},
    }


REFUSED = """
    import json, sys
    sys.path.insert(0, sys.argv[1])
    from global_batch_networks import *

    # Some permutation of all rows may leave a rank's rows with this rank.
    torch.manual_seed(0)

    class Own(nn.Module):
        def __init__(self, function):
            super().__init__()
            self.layer, self.function = nn.Linear(COLUMNS, 1), function
        def forward(self, x):
            return self.layer(self.function(x) if self.training else x)

    class Codes(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(COLUMNS, 1)
            self.register_buffer("codes", torch.zeros(COLUMNS))
        def forward(self, x):
            self.codes.lerp_(x.detach().amax(0), 0.1)
            return self.layer(x)

    scripted = torch.jit.script(nn.Sequential(nn.Linear(COLUMNS, 4), nn.BatchNorm1d(4)))
    networks = {
        "numpy": Own(lambda x: x * np.random.rand()),
        "rows": Own(lambda x: x / x.std(0)),
        "shuffled": Own(lambda x: 0.5 * (x + x[torch.randperm(len(x))])),
        "script": nn.Sequential(scripted, nn.Linear(4, 1)),
        "buffer": Codes(),
    }
    messages = {}
    for name, net in networks.items():
        try:
            mx.Trainer(net, batch_size=32).fit(data_set(), epochs=1)
        except mx.MatexError as error:
            messages[name] = str(error)

    class Draws(mx.Callback):
        def on_step_end(self, trainer):
            if trainer.comm.rank == 1:
                torch.rand(1)

    try:
        trainer_of("dropout", callbacks=[Draws()]).fit(data_set(), epochs=1)
    except mx.MatexError as error:
        messages["callback"] = str(error)
    if mx.open_world().rank == 0:
        print(json.dumps(messages), flush=True)
"""


def test_what_would_depend_on_the_ranks_is_refused(run_ranks, request):
    done = run_ranks(2, REFUSED, request.config.rootpath / "tests" / "helpers")
    assert done.returncode == 0, done.stderr[-5000:]
    messages = json.loads(done.stdout.splitlines()[-1])
    assert messages["numpy"].startswith(
        "Own would not give the result of one rank on 2 ranks: it draws from numpy's generator"
    )
    for name in ("rows", "shuffled", "script"):
        assert "the outputs of some rows depend on other rows" in messages[name]
    assert "its buffer 'codes' depends on all rows" in messages["buffer"]
    assert "the random numbers of rank 1 differ from those of rank 0" in messages["callback"]
