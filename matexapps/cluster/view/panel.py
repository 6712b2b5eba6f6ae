"""Progress as HTML that uses the page's own colors, light or dark."""

from __future__ import annotations

import html

from matexapps.cluster.view.merged_progress import MergedProgress, RankState

_COLORS = {"failed": "#c62828", "stopped": "#ef6c00"}
_GREEN = "#2e7d32"
_WIDTH = "660px"
_FONT = "font-family:var(--jp-ui-font-family,sans-serif)"
_MAX_RANKS = 16
_LINE = "display:flex;flex-wrap:wrap;column-gap:18px;margin-top:5px;line-height:1.5"
_CELL = "padding:1px 0 1px 28px;text-align:right;border:0;background:transparent"


def panel_html(progress: MergedProgress, outcome: str) -> str:
    """Return the bar and its line, and, while ranks train, a row for each of them.

    Parameters
    ----------
    progress : MergedProgress
    outcome : str
        How the work ended, in words that begin with "done", "failed" or "stopped"; empty before
        that.
    """
    parts = "".join(f"<span>{html.escape(part)}</span>" for part in progress.parts(outcome))
    return (
        f'<div style="{_FONT};font-size:13px;font-variant-numeric:tabular-nums;'
        f'max-width:{_WIDTH};padding:6px 0 2px">'
        f"{_bar(progress.fraction, _COLORS.get(outcome.partition(' ')[0], _GREEN))}"
        f'<div style="{_LINE}">{parts}</div>{_table(progress.ranks)}'
        f"{_notices(progress.notices)}</div>"
    )


def outcome_html(outcome: str) -> str:
    """Return how work ended that reported no progress."""
    return f'<div style="{_FONT};font-size:12px;opacity:.7">{html.escape(outcome)}</div>'


def _bar(fraction: float, color: str) -> str:
    percent = 100.0 * fraction
    return (
        '<div style="background:rgba(128,128,128,.25);border-radius:4px;height:8px" '
        f'role="progressbar" aria-valuenow="{percent:.0f}" aria-valuemin="0" aria-valuemax="100">'
        f'<div style="background:{color};border-radius:4px;height:8px;width:{percent:.1f}%">'
        "</div></div>"
    )


def _notices(notices: list[str]) -> str:
    style = f"color:{_COLORS['stopped']};margin-top:5px;line-height:1.4"
    return "".join(f'<div style="{style}">{html.escape(notice)}</div>' for notice in notices)


def _table(ranks: list[RankState]) -> str:
    if not ranks:
        return ""
    slowest_first = sorted(ranks, key=lambda state: state.waiting)
    shown = sorted(slowest_first[:_MAX_RANKS], key=lambda state: state.rank)
    memory = any(state.memory_bytes is not None for state in ranks)
    head = ["rank", "rows/s", "waiting"] + (["memory"] if memory else [])
    rows = [_row("td", _cells(state, memory)) for state in shown]
    left_out = len(ranks) - len(shown)
    note = f"and {left_out} more ranks, which wait longer" if left_out else ""
    return (
        '<table style="border-collapse:collapse;border:0;margin:5px 0 0 0;font-size:12px;'
        f'line-height:1.35">{_row("th", head)}{"".join(rows)}</table>'
        f'<div style="font-size:12px;opacity:.7">{note}</div>'
    )


def _cells(state: RankState, memory: bool) -> list[str]:
    cells = [f"{state.rank}", f"{state.rows_per_s:,.0f}", f"{state.waiting:.0%}"]
    if memory:
        size = state.memory_bytes
        cells.append("" if size is None else f"{size / 2**30:.2f} GiB")
    return cells


def _row(tag: str, cells: list[str]) -> str:
    style_of_tag = ";font-weight:normal;opacity:.7" if tag == "th" else ""
    first = _CELL.replace("28px", "0")
    styles = [first, *[_CELL] * (len(cells) - 1)]
    content = "".join(
        f'<{tag} style="{style}{style_of_tag}">{cell}</{tag}>'
        for style, cell in zip(styles, cells, strict=True)
    )
    return f'<tr style="background:transparent">{content}</tr>'
