"""Columns of the HIGGS benchmark, in the order of the UCI file, with their units.

Source: P. Baldi, P. Sadowski, D. Whiteson, Searching for exotic particles in high-energy physics
with deep learning, Nature Communications 5 (2014) 4308, and the HIGGS data set of the UCI Machine
Learning Repository (doi:10.24432/C5V312).
"""

from __future__ import annotations

LABEL = "label"
"""1 for signal, 0 for background."""

JETS = 4
"""Jets kept for an event."""

LOW_LEVEL: tuple[str, ...] = (
    "lepton_pt",
    "lepton_eta",
    "lepton_phi",
    "missing_energy_magnitude",
    "missing_energy_phi",
    *(
        f"jet_{jet}_{quantity}"
        for jet in range(1, JETS + 1)
        for quantity in ("pt", "eta", "phi", "b_tag")
    ),
)
"""The 21 quantities that a detector measures."""

HIGH_LEVEL: tuple[str, ...] = ("m_jj", "m_jjj", "m_lv", "m_jlv", "m_bb", "m_wbb", "m_wwbb")
"""The 7 invariant masses that physicists derive from the low-level quantities."""

FEATURES: tuple[str, ...] = LOW_LEVEL + HIGH_LEVEL

COLUMNS: tuple[str, ...] = (LABEL, *FEATURES)
"""All columns of a file: the label, then the features."""


def unit(column: str) -> str:
    """Return the physical unit of a column: ``"GeV"``, ``"rad"`` or ``""`` for pure numbers."""
    if column.endswith("_phi"):
        return "rad"
    if column.endswith(("_pt", "_magnitude")) or column in HIGH_LEVEL:
        return "GeV"
    return ""
