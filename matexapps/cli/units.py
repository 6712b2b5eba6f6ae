"""Numbers as people read them."""

from __future__ import annotations


def counted(count: int, one: str, several: str | None = None) -> str:
    """Return ``1 row``, ``2 rows``, ``2 classes``."""
    return f"{count:,} {one if count == 1 else several or one + 's'}"


def plain(value: float | None) -> str:
    """Return a number in four digits, whole numbers below a million in full; none for None."""
    if value is None:
        return ""
    if abs(value) < 1e6 and value == int(value):
        return str(int(value))
    return f"{value:.4g}"
