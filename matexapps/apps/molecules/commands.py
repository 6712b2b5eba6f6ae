"""``matexapps molecules``: train, predict, pretrain, quantum."""

from __future__ import annotations

from matexapps.apps.molecules import DOMAIN
from matexapps.apps.molecules.pretraining.settings import PretrainingSettings
from matexapps.apps.molecules.quantum.settings import CampaignSettings
from matexapps.apps.molecules.settings import TITLE, MoleculeSettings, PredictionSettings
from matexapps.experiment.cli.app import add_verb, domain_app

app = domain_app(
    DOMAIN,
    TITLE,
    MoleculeSettings,
    "matexapps molecules",
    "--data solubility.csv ",
    PredictionSettings,
)
add_verb(
    app,
    "pretrain",
    "Teach a network RDKit's descriptors, which any molecule has, and keep it to start from.",
    PretrainingSettings,
    "matexapps.apps.molecules.pretraining.run:run",
    "matexapps molecules pretrain library.smi --task solubility.csv --out pretrained -n 4;  then  "
    "matexapps molecules train --data solubility.csv --pretrained pretrained",
    positional="data",
)
add_verb(
    app,
    "quantum",
    "Compute GFN2-xTB energies, orbitals, dipoles and solvation of molecules, to learn from.",
    CampaignSettings,
    "matexapps.apps.molecules.quantum.campaign:run",
    "matexapps molecules quantum library.smi --out labels.csv -n 4",
    positional="data",
)
