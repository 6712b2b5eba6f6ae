"""From a trained network to the beginning of another training."""

from __future__ import annotations

from itertools import cycle

import torch
from rdkit import Chem, rdBase
from torch import nn

from matexapps.apps.molecules.data.components import split
from matexapps.apps.molecules.model import load_model
from matexapps.apps.molecules.networks.architecture import NETWORKS, Architecture
from matexapps.apps.molecules.networks.encoders import Encoder
from matexapps.apps.molecules.networks.network import Member, MoleculeNetwork
from matexapps.apps.molecules.networks.scaling import SCALED
from matexapps.comm.communicator import Communicator
from matexapps.data.partition import share
from matexapps.errors import TrainingError

_SIZES = ("width", "depth", "head")


def begin_with(network: MoleculeNetwork, pretrained: MoleculeNetwork) -> None:
    """Copy what a trained network has learned of structure: encoders and hidden layers.

    Heads stay as they are, and so do the hidden layers' weights of inputs that the trained network
    does not have, and members that read nothing that it reads. Where it has fewer members, several
    begin alike and differ in their heads.

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
        (member, source, common)
        for kind in NETWORKS[own.network]
        for member, (source, common) in zip(
            _that_read(network, kind), cycle(_in_common(own, kind, pretrained)), strict=False
        )
    ]
    if not pairs:
        raise TrainingError(
            f"a {own.network!r} network cannot begin with a pre-trained {other.network!r} network: "
            f"they read {', '.join(own.features)} and {', '.join(other.features)}; give another "
            "network, or pre-train one that reads the same"
        )
    for size in _SIZES:
        if getattr(own, size) != getattr(other, size):
            raise TrainingError(
                f"the pre-trained network has {size} {getattr(other, size)} and this one "
                f"{getattr(own, size)}: they must be equal"
            )
    for member, source, common in pairs:
        _copy(member, source, common)


def learned_from(folder: str | None, comm: Communicator) -> set[str]:
    """Return the InChIKeys of the molecules that a model has learned from. Collective.

    None has learned from none.
    """
    if folder is None:
        return set()
    rows = comm.on_root(lambda: load_model(folder).training.smiles)
    smiles = list(dict.fromkeys(one for row in rows for one in split(row)))
    mine = smiles[share(len(smiles), comm.rank, comm.world_size)]
    with rdBase.BlockLogs():
        keys = {Chem.MolToInchiKey(Chem.MolFromSmiles(one)) for one in mine}
    return set().union(*comm.all_gather_object(keys))


def _that_read(network: MoleculeNetwork, kind: tuple[str, ...]) -> list[Member]:
    """Return the members of a kind."""
    ensemble = zip(network.members, network.architecture.ensemble, strict=True)
    return [member for member, reads in ensemble if reads == kind and isinstance(member, Member)]


def _in_common(
    own: Architecture, kind: tuple[str, ...], pretrained: MoleculeNetwork
) -> list[tuple[Member, list[tuple[str, str]]]]:
    """Return the trained members that have encoders of what a kind reads, with both names."""
    found = []
    for source, reads in zip(pretrained.members, pretrained.architecture.ensemble, strict=True):
        assert isinstance(source, Member)
        inputs = pretrained.architecture.inputs(reads)
        trained = {feature: name for name, _, feature in reversed(inputs)}
        common = [
            (name, trained[feature])
            for name, _, feature in own.inputs(kind)
            if feature in trained and feature not in SCALED
        ]
        if common:
            found.append((source, common))
    return found


@torch.no_grad()
def _copy(member: Member, trained: Member, pairs: list[tuple[str, str]]) -> None:
    """Copy encoders, given by their names here and there, and what reads their outputs."""
    own, other = _columns(member), _columns(trained)
    reads, read = member.hidden[0], trained.hidden[0]
    assert isinstance(reads, nn.Linear)
    assert isinstance(read, nn.Linear)
    for name, source in pairs:
        member.encoders[name].load_state_dict(trained.encoders[source].state_dict())
        reads.weight[:, own[name]] = read.weight[:, other[source]]
    reads.bias.copy_(read.bias)


def _columns(member: Member) -> dict[str, slice]:
    """Return where each encoder's outputs lie among the inputs of the hidden layer."""
    columns, end = {}, 0
    for name, encoder in member.encoders.items():
        assert isinstance(encoder, Encoder)
        columns[name] = slice(end, end + encoder.outputs)
        end += encoder.outputs
    return columns
