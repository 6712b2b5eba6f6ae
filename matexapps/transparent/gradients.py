"""The mean of gradients over ranks, at the end of each backward pass.

So clipping, gradient scalers, optimizers and schedulers see what they would see on one rank. A
gradient that was averaged before and is added to, as when gradients accumulate, is averaged once
more, which leaves the older part as it is: it is the same on all ranks.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils.weak import WeakIdKeyDictionary

from matexapps.comm.communicator import Communicator
from matexapps.devices import choose_device
from matexapps.sharding.autograd import Averaged, Told
from matexapps.train.gradients import GradientAverage, gradient_average
from matexapps.train.own_sharing import trainer_at_work


class GradientAverager:
    """Averages the gradients that a backward pass gives to the parameters it watches.

    Parameters that are first seen together travel together, as one group.
    """

    def __init__(self, comm: Communicator) -> None:
        self._comm = comm
        self._group_of = WeakIdKeyDictionary()
        self._groups: dict[int, _Group] = {}
        self._count = 0
        self._touched: dict[int, set[int]] = {}
        self._paused = False

    def watch(self, parameters: Sequence[nn.Parameter]) -> Told:
        """Average the gradients of a network's parameters from now on. Collective.

        Returns
        -------
        callable
            To be called in each backward pass through the network, on every rank, also where some
            rank's rows give no gradient to some parameters.
        """
        new = [p for p in parameters if p not in self._group_of]
        if new:
            self._add(new)
        groups = {self._group_of[p] for p in parameters}
        return lambda: self._touch(groups)

    def gradient(self, original: Callable[..., Any], inputs: Any, *args: Any, **kwargs: Any) -> Any:
        """Do what ``torch.autograd.grad`` does; gradients of parameters come back averaged."""
        # What .grad holds is not touched, so it need not be averaged again.
        self._paused = True
        try:
            found = original(*args, **kwargs)
        finally:
            self._paused = False
        wanted = (inputs,) if isinstance(inputs, torch.Tensor) else tuple(inputs)
        return tuple(
            Averaged.apply(gradient, self._comm)
            if gradient is not None and value in self._group_of
            else gradient
            for value, gradient in zip(wanted, found, strict=True)
        )

    def stop(self) -> None:
        """Leave all gradients alone from now on."""
        self._groups.clear()

    def _add(self, parameters: list[nn.Parameter]) -> None:
        self._forget_the_dead()
        self._count += 1
        number = self._count
        self._groups[number] = _Group(parameters, self._comm)
        for parameter in parameters:
            self._group_of[parameter] = number

    def _forget_the_dead(self) -> None:
        """Give back the memory for networks that no rank has any more. Collective."""
        dead = np.array([group.dead for group in self._groups.values()], np.uint8)
        if len(dead):
            self._comm.all_reduce(dead, "min")
        for number in [n for n, gone in zip(self._groups, dead, strict=True) if gone]:
            self._groups.pop(number).close()

    def _touch(self, groups: set[int]) -> None:
        if self._paused or trainer_at_work():
            return
        # Backward passes may be nested, as where activations are recomputed; each has its number.
        task = torch._C._current_graph_task_id()
        if task not in self._touched:
            self._touched[task] = set()
            torch.autograd.Variable._execution_engine.queue_callback(lambda: self._average(task))
        self._touched[task] |= groups

    def _average(self, task: int) -> None:
        with torch.no_grad():
            for number in sorted(self._touched.pop(task)):
                self._groups[number].average()


class _Group:
    """Parameters that are averaged in one message."""

    def __init__(self, parameters: list[nn.Parameter], comm: Communicator) -> None:
        self._parameters = _Weakly(parameters)
        kind = parameters[0].device.type
        device = choose_device(comm, "cpu" if kind == "cpu" else "auto")
        average = gradient_average(comm, self._parameters, device)
        assert average is not None
        self._average: GradientAverage = average

    @property
    def dead(self) -> bool:
        return self._parameters.all_gone

    def average(self) -> None:
        self._average.average(0.0, 1.0)

    def close(self) -> None:
        self._average.close()


class _Weakly(Sequence[nn.Parameter]):
    """Parameters that may go when the program has no more use for them.

    In the place of one that is gone stands an empty one, which never has a gradient.
    """

    def __init__(self, parameters: list[nn.Parameter]) -> None:
        self._references = [weakref.ref(parameter) for parameter in parameters]
        self._gone = nn.Parameter(torch.empty(0), requires_grad=False)

    def __len__(self) -> int:
        return len(self._references)

    def __getitem__(self, index: Any) -> Any:
        found = self._references[index]()
        return self._gone if found is None else found

    def __iter__(self) -> Iterator[nn.Parameter]:
        for reference in self._references:
            found = reference()
            yield self._gone if found is None else found

    @property
    def all_gone(self) -> bool:
        return all(reference() is None for reference in self._references)
