"""Calls of networks, each rank computing its part of the rows."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_flatten, tree_map

from matexapps.comm.communicator import Communicator
from matexapps.transparent.batch_norm import batch_norm
from matexapps.transparent.gradients import MeanGradients
from matexapps.transparent.part import Part
from matexapps.transparent.randomness import draw, draws
from matexapps.transparent.rows import Cut, Joined, join

_RELATIVE, _ABSOLUTE = 1e-3, 1e-5
_BATCH_NORM_DEFAULTS = (None, None, None, None, False, 0.1, 1e-5)
_BATCH_NORM_NAMES = (
    "running_mean", "running_var", "weight", "bias", "training", "momentum", "eps",
)  # fmt: skip


class SharedForwards:
    """Shares out the outermost calls of networks that have parameters.

    A network may treat the first axis of its inputs as rows that it computes independently of each
    other, or not (a graph's nodes, a sequence's steps). So its first call of each kind is computed
    both ways, by copies of it in evaluation mode; only where both agree are its calls shared out.
    Others are computed by every rank alike, which is as exact, and as slow as one rank.

    Parameters
    ----------
    comm : Communicator
    gradients : MeanGradients
        Told of the parameters of each network.
    """

    def __init__(self, comm: Communicator, gradients: MeanGradients) -> None:
        self._comm, self._gradients = comm, gradients
        self._decisions: WeakKeyDictionary[nn.Module, dict[Any, bool]] = WeakKeyDictionary()
        self._inside = False

    def call(self, original: Callable[..., Any], module: nn.Module, args: Any, kwargs: Any) -> Any:
        """Call ``module`` as the program asked for, on this rank's rows if that is right."""
        if self._inside or not any(True for _ in module.parameters()):
            return original(module, *args, **kwargs)
        network = getattr(module, "_orig_mod", module)
        self._gradients.watch(network.parameters())
        self._inside = True
        try:
            rows = self._rows((args, kwargs))
            if rows is None or not self._may_be_shared(original, network, args, kwargs, rows):
                return original(module, *args, **kwargs)
            return self._shared(original, network, args, kwargs, rows)
        finally:
            self._inside = False

    def _rows(self, inputs: Any) -> int | None:
        """Return the rows that all tensors among the inputs have, if there are enough of them."""
        leaves = [leaf for leaf in tree_flatten(inputs)[0] if isinstance(leaf, torch.Tensor)]
        counts = {len(leaf) for leaf in leaves if leaf.dim()}
        if len(counts) != 1:
            return None
        (rows,) = counts
        return rows if rows >= self._comm.world_size else None

    def _may_be_shared(
        self, original: Callable[..., Any], network: nn.Module, args: Any, kwargs: Any, rows: int
    ) -> bool:
        leaves, structure = tree_flatten((args, kwargs))
        kind = (
            str(structure),
            tuple((x.dim(), x.dtype) if isinstance(x, torch.Tensor) else type(x) for x in leaves),
        )
        known = self._decisions.setdefault(network, {})
        if kind not in known:
            known[kind] = self._agrees(original, network, args, kwargs, rows)
            if not known[kind]:
                warnings.warn(
                    f"{type(network).__name__} does not compute the rows of its inputs one by one, "
                    "so every rank computes all of them: right, and no faster than one rank",
                    stacklevel=2,
                )
        return known[kind]

    def _agrees(
        self, original: Callable[..., Any], network: nn.Module, args: Any, kwargs: Any, rows: int
    ) -> bool:
        generators = torch.get_rng_state()
        part = Part(rows, self._comm)
        try:
            with torch.no_grad():
                trial = copy.deepcopy(network).eval()
                whole = original(trial, *args, **kwargs)
                trial = copy.deepcopy(network).eval()
                cut_args, cut_kwargs = tree_map(part_of(part), (args, kwargs))
                here = original(trial, *cut_args, **cut_kwargs)
            same = _same_rows(whole, here, part)
        except Exception:
            same = False
        finally:
            torch.set_rng_state(generators)
        everywhere = np.array([same], np.uint8)
        self._comm.all_reduce(everywhere, "min")
        return bool(everywhere[0])

    def _shared(
        self, original: Callable[..., Any], network: nn.Module, args: Any, kwargs: Any, rows: int
    ) -> Any:
        part = Part(rows, self._comm)

        def cut(value: Any) -> Any:
            if not isinstance(value, torch.Tensor) or not value.dim():
                return value
            return Cut.apply(value, self._comm) if value.requires_grad else part.cut(value)

        cut_args, cut_kwargs = tree_map(cut, (args, kwargs))
        with _PartOfBatch(part):
            outputs = original(network, *cut_args, **cut_kwargs)

        def whole(value: Any) -> Any:
            if not isinstance(value, torch.Tensor):
                return value
            if value.requires_grad:
                return Joined.apply(value, rows, self._comm)
            return join(value, rows, self._comm)

        return tree_map(whole, outputs)


class _PartOfBatch(TorchFunctionMode):
    """Inside it, what depends on the whole batch is computed as for the whole batch."""

    def __init__(self, part: Part) -> None:
        super().__init__()
        self._part = part

    def __torch_function__(
        self, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        if draws(function):
            return draw(function, args, kwargs, self._part)
        if function is functional.batch_norm:
            given: dict[str, Any] = dict(zip(_BATCH_NORM_NAMES, _BATCH_NORM_DEFAULTS, strict=True))
            given |= dict(zip(_BATCH_NORM_NAMES, args[1:], strict=False)) | kwargs
            values = given.pop("input", args[0] if args else None)
            if given.pop("training"):
                return batch_norm(values, **given, part=self._part)
        return function(*args, **kwargs)


def part_of(part: Part) -> Callable[[Any], Any]:
    """Return a function that cuts tensors that have rows, and leaves other values."""

    def cut(value: Any) -> Any:
        return part.cut(value) if isinstance(value, torch.Tensor) and value.dim() else value

    return cut


def _same_rows(whole: Any, here: Any, part: Part) -> bool:
    """Whether the outputs for a part are the part of the outputs, and each has rows."""
    leaves, structure = tree_flatten(whole)
    own, own_structure = tree_flatten(here)
    if structure != own_structure or not any(isinstance(leaf, torch.Tensor) for leaf in leaves):
        return False
    for all_rows, rows in zip(leaves, own, strict=True):
        if not isinstance(all_rows, torch.Tensor):
            if all_rows is not rows and all_rows != rows:
                return False
            continue
        if not all_rows.dim() or len(all_rows) != part.rows or len(rows) != len(part):
            return False
        if not torch.allclose(part.cut(all_rows), rows, _RELATIVE, _ABSOLUTE, equal_nan=True):
            return False
    return True
