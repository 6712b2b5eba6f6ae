"""The mean of gradients over ranks, at the end of each backward pass.

Clipping, gradient scalers, optimizers and schedulers then see what they would see on one rank. When
gradients accumulate, a gradient that was averaged before is averaged again together with what was
added; this leaves the older part unchanged, since it is the same on all ranks.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils.weak import WeakIdKeyDictionary

from matexapps.comm.communicator import Communicator
from matexapps.devices import choose_device
from matexapps.sharding.autograd import Averaged, OnBackward
from matexapps.train.gradients import GradientAverage, gradient_average
from matexapps.train.own_sharing import trainer_at_work


class GradientAverager:
    """Averages the gradients that a backward pass gives to registered parameters.

    Parameters that are registered together are averaged in one message, as a group.

    Parameters
    ----------
    comm : Communicator
    """

    def __init__(self, comm: Communicator) -> None:
        self._comm = comm
        self._group_of = WeakIdKeyDictionary()
        self._groups: dict[int, tuple[_WeakParameters, GradientAverage]] = {}
        self._count = 0
        self._pending: dict[int, set[int]] = {}
        self._paused = False

    def register(self, parameters: Sequence[nn.Parameter]) -> OnBackward:
        """Average the gradients of a network's parameters from now on. Collective.

        Returns
        -------
        callable
            To be called in each backward pass through the network, on every rank, even where the
            rows of some rank give no gradient to some parameters.
        """
        new = [p for p in parameters if p not in self._group_of]
        if new:
            self._add_group(new)
        groups = {self._group_of[p] for p in parameters}
        return lambda: self._average_later(groups)

    def compute_gradient(
        self, original: Callable[..., Any], outputs: Any, inputs: Any, *args: Any, **kwargs: Any
    ) -> Any:
        """Return what ``torch.autograd.grad`` returns, with gradients of parameters averaged.

        Parameters
        ----------
        original : callable
            ``torch.autograd.grad``.
        outputs, inputs, *args, **kwargs
            Its arguments.
        """
        # This does not change .grad, so there is nothing to average at the end of the pass.
        self._paused = True
        try:
            gradients = original(outputs, inputs, *args, **kwargs)
        finally:
            self._paused = False
        inputs = (inputs,) if isinstance(inputs, torch.Tensor) else tuple(inputs)
        return tuple(
            Averaged.apply(gradient, self._comm)
            if gradient is not None and value in self._group_of
            else gradient
            for value, gradient in zip(inputs, gradients, strict=True)
        )

    def stop(self) -> None:
        """Leave all gradients alone from now on."""
        self._groups.clear()

    def _add_group(self, parameters: list[nn.Parameter]) -> None:
        self._close_unused()
        self._count += 1
        number = self._count
        kind = parameters[0].device.type
        device = choose_device(self._comm, "cpu" if kind == "cpu" else "auto")
        references = _WeakParameters(parameters)
        average = gradient_average(self._comm, references, device)
        assert average is not None
        self._groups[number] = references, average
        for parameter in parameters:
            self._group_of[parameter] = number

    def _close_unused(self) -> None:
        """Free the memory for networks that no rank uses any more. Collective."""
        groups = self._groups.values()
        unused = np.array([references.all_deleted for references, _ in groups], np.uint8)
        if len(unused):
            self._comm.all_reduce(unused, "min")
        for number in [n for n, flag in zip(self._groups, unused, strict=True) if flag]:
            _, average = self._groups.pop(number)
            average.close()

    def _average_later(self, groups: set[int]) -> None:
        if self._paused or trainer_at_work():
            return
        # Backward passes may be nested, as where activations are recomputed; each has its number.
        task = torch._C._current_graph_task_id()
        if task not in self._pending:
            self._pending[task] = set()
            torch.autograd.Variable._execution_engine.queue_callback(lambda: self._average(task))
        self._pending[task] |= groups

    def _average(self, task: int) -> None:
        with torch.no_grad():
            for number in sorted(self._pending.pop(task)):
                _, average = self._groups[number]
                average.average(0.0, 1.0)


class _WeakParameters(Sequence[nn.Parameter]):
    """Parameters that are deleted once the program no longer uses them.

    A deleted one is replaced by an empty parameter, which never has a gradient.
    """

    def __init__(self, parameters: list[nn.Parameter]) -> None:
        self._references = [weakref.ref(parameter) for parameter in parameters]
        self._empty = nn.Parameter(torch.empty(0), requires_grad=False)

    def __len__(self) -> int:
        return len(self._references)

    def __getitem__(self, index: Any) -> Any:
        parameter = self._references[index]()
        return self._empty if parameter is None else parameter

    @property
    def all_deleted(self) -> bool:
        return all(reference() is None for reference in self._references)
