"""``matexapps train``."""

from __future__ import annotations

from matexapps.cli.options import group
from matexapps.cli.train_molecules import train_molecules

train = group("Train one of the applications.")
train.command(
    "molecules",
    epilog="For example:  matexapps train molecules --data solubility.csv -n 2 --out model",
)(train_molecules)


@train.callback()
def train_an_application() -> None:
    """Train one of the applications."""
