"""Public data sets that are too large for the repository: where they are and what they hold."""

from __future__ import annotations

from matexapps.data.catalog.entry import Entry
from matexapps.data.public_molecules import MOLECULENET
from matexapps.data.schema.schema import Schema

_JETS = (
    f"jet_{jet}_{quantity}" for jet in (1, 2, 3, 4) for quantity in ("pt", "eta", "phi", "b_tag")
)

UCI_HIGGS = Entry(
    name="uci-higgs",
    title="HIGGS, 11 million simulated collisions",
    files=("HIGGS.csv.gz", "HIGGS.csv", "HIGGS.h5"),
    source="https://archive.ics.uci.edu/dataset/280/higgs",
    license="CC BY 4.0",
    citation=(
        "P. Baldi, P. Sadowski, D. Whiteson, Searching for exotic particles in high-energy "
        "physics with deep learning, Nature Communications 5 (2014) 4308; doi:10.24432/C5V312"
    ),
    schema=Schema(
        label="label",
        columns=(
            "label",
            "lepton_pt",
            "lepton_eta",
            "lepton_phi",
            "missing_energy_magnitude",
            "missing_energy_phi",
            *_JETS,
            "m_jj",
            "m_jjj",
            "m_lv",
            "m_jlv",
            "m_bb",
            "m_wbb",
            "m_wwbb",
        ),
    ),
    description=(
        "Signal (label 1, a heavy Higgs boson decaying through a charged one) against top-quark "
        "pairs (label 0): 21 quantities a detector measures, in units of their mean, and 7 "
        "invariant masses derived from them. No header; by custom the last 500,000 rows are the "
        "test set.\n"
    ),
    rows=11_000_000,
    size=2_816_407_858,
    simulated=True,
    url="https://archive.ics.uci.edu/ml/machine-learning-databases/00280/HIGGS.csv.gz",
    checksum="sha256:ea302c18164d4e3d916a1e2e83a9a8d07069fa6ebc7771e4c0540d54e593b698",
)

ATLAS_HIGGS_CHALLENGE = Entry(
    name="atlas-higgs-challenge-2014-v2",
    title="ATLAS Higgs boson machine learning challenge 2014",
    files=("atlas-higgs-challenge-2014-v2.csv.gz", "atlas-higgs-challenge-2014-v2.csv"),
    source="https://opendata.cern.ch/record/328",
    license="CC0 1.0",
    citation=(
        "ATLAS collaboration (2014), Dataset from the ATLAS Higgs Boson Machine Learning "
        "Challenge 2014, CERN Open Data Portal, doi:10.7483/OPENDATA.ATLAS.ZBP2.M5T8"
    ),
    schema=Schema(
        features=(
            "DER_mass_MMC",
            "DER_mass_transverse_met_lep",
            "DER_mass_vis",
            "DER_pt_h",
            "DER_deltaeta_jet_jet",
            "DER_mass_jet_jet",
            "DER_prodeta_jet_jet",
            "DER_deltar_tau_lep",
            "DER_pt_tot",
            "DER_sum_pt",
            "DER_pt_ratio_lep_tau",
            "DER_met_phi_centrality",
            "DER_lep_eta_centrality",
            "PRI_tau_pt",
            "PRI_tau_eta",
            "PRI_tau_phi",
            "PRI_lep_pt",
            "PRI_lep_eta",
            "PRI_lep_phi",
            "PRI_met",
            "PRI_met_phi",
            "PRI_met_sumet",
            "PRI_jet_num",
            "PRI_jet_leading_pt",
            "PRI_jet_leading_eta",
            "PRI_jet_leading_phi",
            "PRI_jet_subleading_pt",
            "PRI_jet_subleading_eta",
            "PRI_jet_subleading_phi",
            "PRI_jet_all_pt",
        ),
        label="Label",
        weight="Weight",
        missing=-999.0,
        classes=("b", "s"),
    ),
    description=(
        "Higgs to tau tau (label s) against three backgrounds (label b), from ATLAS's full "
        "detector simulation: 17 measured and 13 derived quantities (momenta, energies and masses "
        "in GeV, angles in radian). -999 stands for a quantity that does not exist in an event. "
        "Weight is normalized to the luminosity of 2012; KaggleSet tells the challenge's parts: "
        "t training, b public and v private leaderboard, u unused.\n"
    ),
    rows=818_238,
    size=65_630_848,
    simulated=True,
    url="https://opendata.cern.ch/record/328/files/atlas-higgs-challenge-2014-v2.csv.gz",
    checksum="sha1:639b1dbd97a709a739122a9a5dcd99b49d55d86c",
)

PUBLIC = (UCI_HIGGS, ATLAS_HIGGS_CHALLENGE, *MOLECULENET)
