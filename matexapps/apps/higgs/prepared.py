"""The events of an experiment: three parts, and what the full sample amounts to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from matexapps.apps.higgs.data import KAGGLE_SET, balance_classes, load_higgs
from matexapps.apps.higgs.report.significance import Yields
from matexapps.apps.higgs.settings import HiggsSettings
from matexapps.data.dataset import DataSet
from matexapps.data.loading.streamed import in_memory
from matexapps.data.rows import Rows
from matexapps.experiment.ranks import Ranks
from matexapps.experiment.splitting import Split


@dataclass(frozen=True)
class HiggsRows:
    """Events in three parts, numbered through: training, then validation, then test rows.

    Attributes
    ----------
    split : {"random", "test-file", "challenge"}
        How the parts were made.
    train, validation, test : Rows
    missing : tuple of float
        Numbers that stand for a missing value in the source.
    yields : Yields
        Events expected in the full sample.
    """

    split: str
    train: Rows
    validation: Rows
    test: Rows
    missing: tuple[float, ...]
    yields: Yields

    @property
    def parts(self) -> tuple[Rows, Rows, Rows]:
        return self.train, self.validation, self.test

    @property
    def numbers(self) -> Split:
        """The numbers of each part's rows."""
        ends = np.cumsum([len(part) for part in self.parts])
        ranges = zip([0, *ends[:-1]], ends, strict=True)
        return Split(*(np.arange(start, end) for start, end in ranges))

    @cached_property
    def balanced(self) -> Rows:
        """The training rows, weighted such that both classes count the same."""
        return balance_classes(self.train)

    @cached_property
    def label(self) -> NDArray[np.float32]:
        """1 for signal, 0 for background, shape (rows,)."""
        return np.concatenate([part.label for part in self.parts])

    @cached_property
    def weight(self) -> NDArray[np.float64] | None:
        """Of each row, as the source has it; None without weights."""
        weights = [part.weight for part in self.parts if part.weight is not None]
        return np.concatenate(weights) if len(weights) == len(self.parts) else None

    @cached_property
    def ids(self) -> NDArray[np.int64]:
        """Of each row, its number in the source."""
        return np.concatenate([part.ids for part in self.parts])


def prepare_rows(settings: HiggsSettings, ranks: Ranks) -> HiggsRows:
    """Read the events that an experiment is about. Collective."""
    test: str | float = 0.2 if settings.test is None else settings.test
    data = ranks.load(
        ranks.on_root(lambda: load_higgs(settings.data, test, seed=settings.seed)),
    )
    parts = [in_memory(part) for part in (data.train, data.validation, data.test)]
    is_challenge = data.split.kind == KAGGLE_SET
    rows = HiggsRows(
        split="challenge" if is_challenge else "random" if settings.test is None else "test-file",
        train=parts[0],
        validation=parts[1],
        test=parts[2],
        missing=_missing(data),
        # In the challenge each part by itself stands for the full sample.
        yields=_yields(settings, parts[2:] if is_challenge else parts),
    )
    return rows if settings.rows is None else _reduced(rows, settings.rows)


def _missing(data: DataSet) -> tuple[float, ...]:
    missing = data.schema.missing
    if missing is None:
        return ()
    return tuple(missing) if isinstance(missing, Sequence) else (missing,)


def _yields(settings: HiggsSettings, parts: Sequence[Rows]) -> Yields:
    """Return the events of the full sample: what its weights add up to, or the settings'."""
    if any(part.weight is None for part in parts):
        return Yields(settings.expected_signal, settings.expected_background)

    def total(label: int) -> float:
        return sum(float(p.weight[p.label == label].sum()) for p in parts if p.weight is not None)

    return Yields(total(1), total(0))


def _reduced(rows: HiggsRows, count: int) -> HiggsRows:
    """Return the first rows of each part, the same share of each."""
    share = min(1.0, count / sum(len(part) for part in rows.parts))
    train, validation, test = (part.take(slice(0, round(share * len(part)))) for part in rows.parts)
    return replace(rows, train=train, validation=validation, test=test)
