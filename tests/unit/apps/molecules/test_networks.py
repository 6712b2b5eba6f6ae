"""Networks: message passing against a loop over bonds, batches that do not mix, gaps in values."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats

from matexapps.apps.molecules.featurizers.featurize import featurize
from matexapps.apps.molecules.networks.architecture import NETWORKS, Architecture
from matexapps.apps.molecules.networks.batch_graph import PackedGraphs
from matexapps.apps.molecules.networks.message_passing import DirectedMessagePassing
from matexapps.apps.molecules.networks.network import MoleculeNetwork
from matexapps.apps.molecules.networks.scaling import ScaledColumns
from matexapps.apps.molecules.tasks.estimates import Estimates
from matexapps.apps.molecules.tasks.regression_loss import FREEDOM, MeanVarianceLoss, TargetRmse
from matexapps.apps.molecules.training import warmup_and_cosine
from matexapps.errors import TrainingError
from matexapps.experiment.ranks import Ranks
from matexapps.train.losses import RowLoss

SMILES = ["CCO", "C", "c1ccccc1C(=O)N", "C" * 200, "CC.O", "C[C@H](N)O", "C1CC1C#N"]


def network_of(name, smiles=SMILES, targets=2):
    architecture = Architecture(name, targets=targets, members=2, width=16, head=12)
    network = MoleculeNetwork(architecture, seed=3)
    network.set_features(
        featurize(smiles, smiles, architecture.features, Ranks.single()), len(smiles)
    )
    values = np.arange(len(smiles) * targets, dtype=float).reshape(-1, targets)
    network.adapt(np.arange(len(smiles)), values)
    return network.eval()


def rows(*numbers):
    return torch.tensor(numbers, dtype=torch.float32).reshape(-1, 1)


def test_message_passing_is_that_of_a_loop_over_bonds():
    arrays = featurize(SMILES, SMILES, ["graph"], Ranks.single())
    packed = PackedGraphs({name: torch.from_numpy(array) for name, array in arrays.items()})
    torch.manual_seed(0)
    layer = DirectedMessagePassing(width=8, depth=4)
    graph = packed(torch.tensor([2]))
    edges = list(zip(graph.source.tolist(), graph.target.tolist(), strict=True))
    bond = layer.bond_in(graph.bonds).repeat(2, 1)
    atom = layer.atom_in(graph.atoms)
    start = {edge: atom[edge[0]] + bond[i] for i, edge in enumerate(edges)}
    hidden = {edge: value.relu() for edge, value in start.items()}
    for _ in range(3):
        hidden = {
            (v, w): (
                start[v, w]
                + layer.message(
                    sum((hidden[k, to] for k, to in edges if to == v and k != w), torch.zeros(8))
                )
            ).relu()
            for v, w in edges
        }
    expected = [
        (
            layer.atom_out(graph.atoms)[a]
            + layer.gathered(sum((hidden[e] for e in edges if e[1] == a), torch.zeros(8)))
        ).relu()
        for a in range(len(graph.atoms))
    ]
    torch.testing.assert_close(layer(graph), torch.stack(expected))


@pytest.mark.parametrize("name", list(NETWORKS))
def test_a_molecule_gets_the_same_alone_and_in_any_company(name):
    network = network_of(name)
    with torch.no_grad():
        together = network(rows(*range(len(SMILES))))
        backwards = network(rows(*reversed(range(len(SMILES)))))
        alone = torch.cat([network(rows(i)) for i in range(len(SMILES))])
    assert together.shape == (len(SMILES), 2, 2, 2)
    assert together.isfinite().all()
    torch.testing.assert_close(together, backwards.flip(0), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)
    assert not torch.allclose(together[0], together[2], atol=1e-4)
    assert not torch.allclose(together[:, 0], together[:, 1])  # members differ
    assert network(rows()).shape == (0, 2, 2, 2)  # a rank's part may be empty


@pytest.mark.parametrize("name", list(NETWORKS))
def test_gradients_of_parts_make_up_that_of_the_batch(name):
    network = network_of(name).train()
    values = torch.randn(len(SMILES), 2, generator=torch.Generator().manual_seed(0)).double()
    loss = MeanVarianceLoss(values.numpy(), network.target_mean * 0, network.target_scale)

    def gradient(numbers):
        network.zero_grad()
        loss(network(rows(*numbers)), torch.tensor(numbers)).sum().backward()
        return torch.cat([parameter.grad.flatten() for parameter in network.parameters()])

    of_batch = gradient(range(len(SMILES)))
    parts = gradient([0, 1]) + gradient([2, 3, 4]) + gradient([5, 6])
    assert (parts - of_batch).norm() < 1e-5 * of_batch.norm()


@pytest.mark.parametrize(
    ("member", "reads"), [(0, ("atoms", "properties")), (1, ("descriptors", "fingerprint"))]
)
def test_members_of_the_combined_network_read_different_features(member, reads):
    network = network_of("combined")
    with torch.no_grad():
        before = network(rows(2))[0]
        features = featurize(SMILES, SMILES, network.architecture.features, Ranks.single())
        for name in reads:
            features[name] = np.zeros_like(features[name])
        network.set_features(features, len(SMILES))
        changed = network(rows(2))[0] != before
    assert changed[member].any()
    assert not changed[1 - member].any()


def test_what_is_held_is_no_part_of_the_state():
    network = network_of("combined")
    state = {name: value.clone() for name, value in network.state_dict().items()}
    held = ("atoms", "inputs.properties", "inputs.descriptors", "inputs.fingerprint")
    assert not any(part in name for name in state for part in held)
    other = MoleculeNetwork(network.architecture, seed=9)
    features = other.architecture.features
    other.set_features(featurize(["CCO"], ["CCO"], features, Ranks.single()), 1)
    other.load_state_dict(state)
    torch.testing.assert_close(other.eval()(rows(0)), network(rows(0)))


def test_columns_are_scaled_by_the_training_molecules_alone():
    width = 12
    scaled = ScaledColumns(width)
    train = torch.randn(50, width) * 3 + 7
    train[:, 0] = 4.0  # does not vary
    train[::2, 1] = torch.nan
    train[:, 2] = torch.nan
    train[0, 3] = 1e38
    scaled.adapt(train)
    columns = scaled(train)
    assert columns.isfinite().all()
    assert (columns[:, [0, 2]] == 0).all()
    torch.testing.assert_close(columns[:, 4:].mean(0), torch.zeros(width - 4), atol=1e-2, rtol=0)
    torch.testing.assert_close(columns[:, 4:].std(0), torch.ones(width - 4), atol=0.1, rtol=0)
    assert scaled(train * 1e6).abs().max() <= 5.0


def test_the_loss_counts_known_values_only_and_leaves_the_mean_to_the_squared_error():
    values = np.array([[1.0, np.nan], [np.nan, np.nan], [2.0, 4.0]])
    loss = MeanVarianceLoss(values, torch.zeros(2), torch.ones(2))
    prediction = torch.zeros(3, 1, 2, 2, requires_grad=True)
    losses = loss(prediction, torch.tensor([0, 1, 2]))

    def of(value):  # the squared error, and -log of Student's t at scale 1, up to a constant
        constant = -stats.t.logpdf(0, FREEDOM)
        return value**2 - stats.t.logpdf(value, FREEDOM) - constant

    expected = torch.tensor([of(1.0), 0.0, (of(2.0) + of(4.0)) / 2]).float()
    torch.testing.assert_close(losses, expected)
    (gradient,) = torch.autograd.grad(losses.sum(), prediction)
    of_means = [[-2.0, 0.0], [0.0, 0.0], [-4 / 2, -8 / 2]]
    torch.testing.assert_close(gradient[:, 0, :, 0], torch.tensor(of_means))
    assert (gradient[..., 1].abs() <= FREEDOM / 2).all()  # however far off a value is
    # Weighted by known values, the mean over rows is the mean over values.
    weight = torch.tensor([1.0, 0.0, 2.0])
    mean, _ = RowLoss(loss)(prediction, torch.tensor([0, 1, 2]), weight, 3.0)
    assert float(mean.detach()) == pytest.approx((of(1.0) + of(2.0) + of(4.0)) / 3, rel=1e-5)
    nothing, _ = RowLoss(loss)(prediction[1:2], torch.tensor([1]), torch.zeros(1), 0.0)
    assert float(nothing.detach()) == 0.0


def test_the_scale_that_is_learned_is_that_of_the_residuals():
    torch.manual_seed(0)
    residual = torch.from_numpy(stats.t.rvs(FREEDOM, scale=0.3, size=4000, random_state=1))
    loss = MeanVarianceLoss(residual[:, None].numpy(), torch.zeros(1), torch.ones(1))
    log_scale = torch.zeros(1, requires_grad=True)
    optimizer = torch.optim.Adam([log_scale], lr=0.1)
    for _ in range(100):
        both = torch.stack([torch.zeros(4000), log_scale.expand(4000)], 1)[:, None, None, :]
        optimizer.zero_grad()
        loss(both, torch.arange(4000)).mean().backward()
        optimizer.step()
    outputs = np.array([[[[0.0, log_scale.item()]]]], np.float32)
    noise = Estimates.from_outputs(outputs, np.zeros(1), np.ones(1)).noise[0, 0]
    assert noise == pytest.approx(0.3 * np.sqrt(FREEDOM / (FREEDOM - 2)), rel=0.05)


def test_the_error_is_in_the_target_s_unit():
    values = np.array([[10.0], [np.nan], [30.0]])
    metric = TargetRmse(values, torch.tensor([20.0]), torch.tensor([10.0]))
    prediction = torch.tensor([[[[-1.5, 0.0]], [[-0.5, 0.0]]]] * 3)  # mean -1, so 10
    metric.update(prediction, torch.tensor([0, 1, 2]), None)
    assert metric.compute() == pytest.approx({"rmse": 200**0.5, "relative_rmse": 2**0.5})


def test_the_learning_rate_rises_and_falls_whatever_the_number_of_steps():
    for total in (1, 2, 3, 200):
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
        scheduler = warmup_and_cosine(optimizer, total)
        rates = []
        for _ in range(total):
            rates.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            scheduler.step()
        assert all(0 < rate <= 1 for rate in rates)
    assert max(rates) > 0.95 > 0.1 > rates[0]
    assert rates[-1] < 0.02


def test_what_cannot_be_learned_is_refused():
    with pytest.raises(TrainingError, match="did you mean 'combined'"):
        Architecture("combind")
    with pytest.raises(TrainingError, match="members=1: a combined network has members of 2 kinds"):
        Architecture("combined", members=1)
    network = network_of("fingerprint")
    values = np.array([[1.0, np.nan]] * len(SMILES))
    with pytest.raises(TrainingError, match="target 2 of 2 has no value"):
        network.adapt(np.arange(3), values)
