"""The facts of a file, as a person reads them in 80 columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.filesize import decimal
from rich.markup import escape
from rich.table import Table

from matexapps.cli.units import counted, plain

if TYPE_CHECKING:
    from rich.console import Console

    from matexapps.data.overview.column_facts import ColumnFacts
    from matexapps.data.overview.label_balance import LabelBalance
    from matexapps.data.overview.overview import Overview, Training

_MOST_COLUMNS = 60
_MOST_STORAGE = 6
_MOST_CLASSES = 10
_MOST_LETTERS = 24


def show(facts: Overview, console: Console) -> None:
    """Print an overview."""
    files = f" in {counted(facts.files, 'file')}" if facts.files > 1 else ""
    kind = f"{facts.format}, {decimal(facts.bytes)}{files}"
    console.print(f"[bold]{escape(facts.source)}[/]  {kind}")
    console.print(f"{counted(facts.rows, 'row')}, {counted(len(facts.columns), 'column')}")
    for line in facts.storage[:_MOST_STORAGE]:
        console.print(f"[dim]{escape(line)}[/]")
    if len(facts.storage) > _MOST_STORAGE:
        console.print(f"[dim]... and {len(facts.storage) - _MOST_STORAGE:,} more[/]")
    shown = facts.columns[:_MOST_COLUMNS]
    numbers, texts = (
        [column for column in shown if column.is_text == is_text] for is_text in (False, True)
    )
    for columns, table in ((numbers, _numbers(numbers)), (texts, _texts(texts))):
        if columns:
            console.print()
            console.print(table)
    if len(facts.columns) > len(shown):
        console.print(f"... and {len(facts.columns) - len(shown):,} more columns; see --json")
    console.print()
    console.print(_summary(facts))


def _numbers(columns: list[ColumnFacts]) -> Table:
    table = Table("column", "type", box=None, pad_edge=False)
    for name in ("missing", "min", "mean", "max"):
        table.add_column(name, justify="right", no_wrap=True)
    for column in columns:
        values = (plain(column.minimum), plain(column.mean), plain(column.maximum))
        table.add_row(escape(column.name), column.type, _missing(column), *values)
    return table


def _texts(columns: list[ColumnFacts]) -> Table:
    table = Table("column", "type", box=None, pad_edge=False)
    for name in ("missing", "different"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("most frequent")
    for column in columns:
        different = "many" if column.different is None else f"{column.different:,}"
        frequent = ", ".join(f"{_short(text)} ({rows:,})" for text, rows in column.frequent)
        table.add_row(escape(column.name), "text", _missing(column), different, escape(frequent))
    return table


def _summary(facts: Overview) -> Table:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column()
    if facts.label is not None:
        grid.add_row("label", escape(_label(facts.label, facts)))
    if facts.training is not None:
        for name, text in _training(facts.training):
            grid.add_row(name, text)
    if facts.obstacle is not None:
        grid.add_row("[yellow]to do[/]", escape(facts.obstacle))
    for note in facts.notes:
        grid.add_row("[yellow]note[/]", escape(note))
    return grid


def _label(label: LabelBalance, facts: Overview) -> str:
    if label.classes:
        shown = ", ".join(
            f"{_short(str(value))}: {rows:,} ({rows / facts.rows:.1%})"
            for value, rows in label.classes[:_MOST_CLASSES]
        )
        more = len(label.classes) - _MOST_CLASSES
        number = counted(len(label.classes), "class", "classes")
        return f"{label.name}, {number}: {shown}{f' and {more} more' if more > 0 else ''}"
    own = next(column for column in facts.columns if column.name == label.name)
    if own.is_text:
        return f"{label.name}, texts, too many different ones to be classes"
    return f"{label.name}, {plain(own.minimum)} to {plain(own.maximum)}, mean {plain(own.mean)}"


def _training(training: Training) -> list[tuple[str, str]]:
    where = "held in memory" if training.in_memory else "read from the file in each epoch"
    least, most = training.rows_a_rank
    share = f"{least:,}" if least == most else f"{least:,} or {most:,}"
    return [
        (
            "memory",
            f"{decimal(training.bytes)}, {training.row_bytes:,} bytes a row with "
            f"{counted(training.features, 'feature')}; of {decimal(training.memory)} a rank, so "
            f"{where}",
        ),
        (
            "parts",
            f"{training.train:,} rows to train, {training.validation:,} to validate, "
            f"{training.test:,} to test",
        ),
        (counted(training.ranks, "rank"), f"{share} rows to train a rank and epoch"),
    ]


def _missing(column: ColumnFacts) -> str:
    return f"{column.missing:,}" if column.missing else ""


def _short(text: str) -> str:
    """Return a text on one line, cut where it is long."""
    line = " ".join(text.split())
    return line if len(line) <= _MOST_LETTERS else f"{line[: _MOST_LETTERS - 3]}..."
