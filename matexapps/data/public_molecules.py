"""Public tables of molecules: MoleculeNet, by name.

Where a checksum stands, two public programs that read these files give the same one (TorchDrug and
BioChemGNN). None was found for the table of FreeSolv, which is therefore not downloaded.
"""

from __future__ import annotations

from matexapps.data.catalog.entry import Entry
from matexapps.data.schema.schema import Schema

_URL = "https://deepchemdata.s3-us-west-1.amazonaws.com/datasets"
_MOLECULENET = (
    "Z. Wu et al., MoleculeNet: a benchmark for molecular machine learning, Chemical Science 9 "
    "(2018) 513; doi:10.1039/c7sc02664a"
)
_LICENSE = "not stated; distributed with DeepChem (MIT)"


def _entry(
    name: str,
    title: str,
    file: str,
    md5: str | None,
    origin: str,
    description: str,
    *,
    label: str | None = None,
    structures: str = "smiles",
    rows: int | None = None,
) -> Entry:
    return Entry(
        name=name,
        title=title,
        files=(file, file.removesuffix(".gz")) if file.endswith(".gz") else (file,),
        source="https://moleculenet.org",
        license=_LICENSE,
        citation=f"{_MOLECULENET}; {origin}",
        schema=Schema(features=(structures,), label=label),
        description=f"{description}\n",
        rows=rows,
        url=None if md5 is None else f"{_URL}/{file}",
        checksum=None if md5 is None else f"md5:{md5}",
    )


MOLECULENET = (
    _entry(
        "esol",
        "ESOL, solubility in water",
        "delaney-processed.csv",
        "0c90a51668d446b9e3ab77e67662bd1c",
        "J. S. Delaney, J. Chem. Inf. Comput. Sci. 44 (2004) 1000",
        "Measured decadic logarithm of the solubility, mol/L, beside the estimate of ESOL and "
        "descriptors, which are not learned without `--target-columns`.",
        label="measured log solubility in mols per litre",
        rows=1128,
    ),
    _entry(
        "freesolv",
        "FreeSolv, hydration free energies",
        "SAMPL.csv",
        None,
        "D. L. Mobley, J. P. Guthrie, J. Comput.-Aided Mol. Des. 28 (2014) 711",
        "Measured hydration free energy (`expt`, kcal/mol), beside one from molecular dynamics "
        "(`calc`). No published checksum of this table was found, so it is not downloaded: fetch "
        f"{_URL}/SAMPL.csv by hand.",
        label="expt",
        rows=642,
    ),
    _entry(
        "lipophilicity",
        "Lipophilicity, distribution between octanol and water",
        "Lipophilicity.csv",
        "85a0e1cb8b38b0dfc3f96ff47a57f0ab",
        "M. Wenlock, N. Tomkinson, ChEMBL document CHEMBL3301361 (AstraZeneca, 2015)",
        "Measured logD at pH 7.4.",
        label="exp",
        rows=4200,
    ),
    _entry(
        "bbbp",
        "BBBP, passage of the blood-brain barrier",
        "BBBP.csv",
        "66286cb9e6b148bd75d80c870df580fb",
        "I. F. Martins et al., J. Chem. Inf. Model. 52 (2012) 1686",
        "1 passes. Some rows hold no molecule that RDKit accepts; `b3db` is larger and newer.",
        label="p_np",
    ),
    _entry(
        "bace",
        "BACE, inhibitors of beta-secretase 1",
        "bace.csv",
        "ba7f8fa3fdf463a811fa7edea8c982c2",
        "G. Subramanian et al., J. Chem. Inf. Model. 56 (2016) 1936",
        "`Class` is 1 for inhibitors; `--target-columns pIC50` learns the potency. The other "
        "columns of numbers are descriptors.",
        label="Class",
        structures="mol",
        rows=1513,
    ),
    _entry(
        "hiv",
        "HIV, inhibition of its replication",
        "HIV.csv",
        "9ad10c88f82f1dac7eb5c52b668c30a7",
        "Developmental Therapeutics Program, AIDS antiviral screen, US National Cancer Institute",
        "`HIV_active` is 1 for active and moderately active substances, one in 28.",
        label="HIV_active",
        rows=41_127,
    ),
    _entry(
        "tox21",
        "Tox21, twelve toxicity assays",
        "tox21.csv.gz",
        "2882d69e70bba0fec14995f26787cc25",
        "Tox21 data challenge 2014, US National Institutes of Health",
        "Seven assays of nuclear receptors (NR) and five of stress response (SR), with gaps.",
        rows=7831,
    ),
    _entry(
        "clintox",
        "ClinTox, failed in the clinic for toxicity",
        "clintox.csv.gz",
        "db4f2df08be8ae92814e9d6a2d015284",
        "K. M. Gayvert, N. S. Madhukar, O. Elemento, Cell Chem. Biol. 23 (2016) 1294",
        "Two classes: approved by the FDA, and failed for toxicity, which exclude each other "
        "almost always.",
    ),
    _entry(
        "sider",
        "SIDER, side effects of marketed drugs",
        "sider.csv.gz",
        "77c0ef421f7cc8ce963c5836c8761fd2",
        "M. Kuhn et al., Nucleic Acids Res. 44 (2016) D1075",
        "27 groups of side effects by organ system.",
        rows=1427,
    ),
)

UNITS = {
    "esol": {"measured log solubility in mols per litre": "log mol/L"},
    "freesolv": {"expt": "kcal/mol", "calc": "kcal/mol"},
}
"""Units of columns whose headers do not name them, by data set."""
