"""From a trained network to the initial weights of another training."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle

import torch
from rdkit import Chem, rdBase
from torch import nn

from matexapps.apps.molecules.data.components import split_structures
from matexapps.apps.molecules.networks.architecture import NETWORKS, Architecture
from matexapps.apps.molecules.networks.encoders import Encoder
from matexapps.apps.molecules.networks.network import Member, MoleculeNetwork
from matexapps.apps.molecules.networks.scaling import SCALED
from matexapps.errors import TrainingError
from matexapps.experiment.ranks import Ranks

_SIZES = ("width", "depth", "head")


def initialize_from(network: MoleculeNetwork, pretrained: MoleculeNetwork) -> None:
    """Copy the encoders and hidden layers of a trained network.

    Heads keep their weights. So do members that share no input with the trained network, and those
    weights of hidden layers that belong to inputs it does not have. Where the trained network has
    fewer members, several start from the same encoders and differ in their heads.

    Parameters
    ----------
    network : MoleculeNetwork
        Is changed.
    pretrained : MoleculeNetwork

    Raises
    ------
    TrainingError
        If the two have no encoder in common, or differ in size.
    """
    own, other = network.architecture, pretrained.architecture
    pairs = [
        (member, trained, encoders)
        for kind in NETWORKS[own.network]
        for member, (trained, encoders) in zip(
            _members_of_kind(network, kind),
            cycle(_trained_members(own, kind, pretrained)),
            strict=False,
        )
    ]
    if not pairs:
        raise TrainingError(
            f"a {own.network!r} network cannot start from a pre-trained {other.network!r} network: "
            f"they read {', '.join(own.features)} and {', '.join(other.features)}; give another "
            "network, or pre-train one that reads the same"
        )
    for size in _SIZES:
        if getattr(own, size) != getattr(other, size):
            raise TrainingError(
                f"the pre-trained network has {size} {getattr(other, size)} and this one "
                f"{getattr(own, size)}: they must be equal"
            )
    for member, trained, encoders in pairs:
        _copy(member, trained, encoders)


def inchikeys_of(rows: Sequence[str], ranks: Ranks) -> frozenset[str]:
    """Return the InChIKeys of all structures in rows. Collective."""
    smiles = list(dict.fromkeys(text for row in rows for text in split_structures(row)))
    with rdBase.BlockLogs():
        return frozenset(
            ranks.map(lambda text: Chem.MolToInchiKey(Chem.MolFromSmiles(text)), smiles)
        )


def _members_of_kind(network: MoleculeNetwork, kind: tuple[str, ...]) -> list[Member]:
    ensemble = zip(network.members, network.architecture.ensemble, strict=True)
    return [member for member, inputs in ensemble if inputs == kind and isinstance(member, Member)]


def _trained_members(
    own: Architecture, kind: tuple[str, ...], pretrained: MoleculeNetwork
) -> list[tuple[Member, list[tuple[str, str]]]]:
    """Return the trained members with encoders that a kind has, too, and both names of these."""
    members = []
    for member, reads in zip(pretrained.members, pretrained.architecture.ensemble, strict=True):
        assert isinstance(member, Member)
        inputs = pretrained.architecture.inputs(reads)
        trained = {feature: name for name, _, feature in reversed(inputs)}
        encoders = [
            (name, trained[feature])
            for name, _, feature in own.inputs(kind)
            if feature in trained and feature not in SCALED
        ]
        if encoders:
            members.append((member, encoders))
    return members


@torch.no_grad()
def _copy(member: Member, trained: Member, encoders: list[tuple[str, str]]) -> None:
    """Copy encoders, given by both names, and the weights that read their outputs."""
    own_columns, trained_columns = _columns(member), _columns(trained)
    own_layer, trained_layer = member.hidden[0], trained.hidden[0]
    assert isinstance(own_layer, nn.Linear)
    assert isinstance(trained_layer, nn.Linear)
    for name, source in encoders:
        member.encoders[name].load_state_dict(trained.encoders[source].state_dict())
        weight = trained_layer.weight[:, trained_columns[source]]
        own_layer.weight[:, own_columns[name]] = weight
    own_layer.bias.copy_(trained_layer.bias)


def _columns(member: Member) -> dict[str, slice]:
    """Return the positions of each encoder's outputs among the inputs of the hidden layer."""
    columns, end = {}, 0
    for name, encoder in member.encoders.items():
        assert isinstance(encoder, Encoder)
        columns[name] = slice(end, end + encoder.outputs)
        end += encoder.outputs
    return columns
