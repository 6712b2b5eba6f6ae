"""How well molecular properties are predicted on fixed scaffold splits, and how fast.

    MATEXAPPS_DATA=... python benchmarks/molecules.py --json

MATEXAPPS_DATA, or --data, names a folder with molecules/{esol,freesolv,lipo}/{train,valid,test}.csv
(columns smiles and labels): MoleculeNet sets in the scaffold split of Uni-Mol and MUBen.

- Errors on the test molecules: the default ensemble, from several seeds, beside a random forest on
  Morgan counts with descriptors and, where the program is there, chemprop 2 with its defaults.
  Every model learns the training molecules, and chooses its epoch by the validation molecules.
- Times: from SMILES to trained weights, on the same cores, start of the programs left out.
- Coverage of 90 % intervals, on random splits and on the scaffold split.
- Features of many SMILES, all different, on one rank and on two; their prediction by a model of
  fingerprints, with the memory that it took.
"""

from __future__ import annotations

import argparse
import ast
import csv
import json
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from common import output_of_ranks
from rdkit import Chem

from matexapps.apps.molecules.baselines import FEATURES
from matexapps.apps.molecules.data.molecule_set import MoleculeSet
from matexapps.apps.molecules.data.standardize import Standard, standardize_all
from matexapps.apps.molecules.data.targets import Target
from matexapps.apps.molecules.domain import MOLECULES
from matexapps.apps.molecules.featurizers.featurize import featurize
from matexapps.apps.molecules.networks.architecture import Architecture
from matexapps.apps.molecules.prepared import Prepared
from matexapps.apps.molecules.settings import MoleculeSettings
from matexapps.apps.molecules.tasks.estimates import coverage
from matexapps.experiment.model.model import Model
from matexapps.experiment.ranks import Ranks
from matexapps.experiment.results import Training
from matexapps.experiment.runner import train_model
from matexapps.experiment.splitting import Split, make_split
from matexapps.experiment.statistics.figures_of_merit import figure, figure_value

SETS = {
    "esol": Target("log solubility", "log mol/L"),
    "freesolv": Target("hydration free energy", "kcal/mol"),
    "lipo": Target("logD at pH 7.4"),
}
PARTS = {"train": "train", "valid": "val", "test": "test"}

ON_RANKS = """
import json, sys, time
from matexapps.apps.molecules.featurizers.featurize import featurize
from matexapps.apps.molecules.data.reader import read_records
from matexapps.apps.molecules.data.molecule_set import standardize_records
from matexapps.apps.molecules.networks.architecture import Architecture
from matexapps.comm.world import open_world
from matexapps.experiment.ranks import Ranks
with open_world(3600) as comm:
    records = comm.on_root(lambda: read_records(sys.argv[1]))
    comm.barrier()
    began = time.monotonic()
    standards = standardize_records(records, Ranks(comm))
    smiles = [one.smiles for one in standards]
    featurize(smiles, smiles, Architecture().features, Ranks(comm))
    comm.barrier()
    if comm.rank == 0:
        print(time.monotonic() - began)
"""

PREDICT = """
import json, resource, sys
from matexapps.apps.molecules.domain import MOLECULES
from matexapps.comm.world import open_world
from matexapps.experiment.model.model import Model
from matexapps.experiment.model.prediction import predict_file
folder, library, out = sys.argv[1:]
with open_world(3600) as comm:
    model = Model.load(folder, MOLECULES)
    done = predict_file(model, MOLECULES.source(library), out, comm)
    mine = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    done["peak_mb"] = max(comm.all_gather_object(mine))
    if comm.rank == 0:
        print(json.dumps(done))
"""


def main() -> None:
    """Measure everything and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object last")
    parser.add_argument("--data", help="folder of data sets; default: MATEXAPPS_DATA")
    parser.add_argument("--seeds", type=int, default=3, help="trainings of each network")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument(
        "--chemprop", default=shutil.which("chemprop"), help="its program; empty: leave it out"
    )
    parser.add_argument(
        "--library",
        type=int,
        default=200_000,
        help="molecules to predict, half of which are featurized before, on one rank and on two; "
        "0: leave that out",
    )
    options = parser.parse_args()
    folder = Path(options.data or os.environ.get("MATEXAPPS_DATA", "")) / "molecules"
    if not folder.is_dir():
        parser.error(f"there is no {folder}: give --data, or set MATEXAPPS_DATA")
    began = time.monotonic()
    figures: dict[str, Any] = {"cores": len(os.sched_getaffinity(0))}
    for name in options.sets:
        figures |= judge(name, folder / name, options.seeds, options.chemprop)
    times = [figures[key] for key in figures if key.endswith("_time_over_chemprop")]
    if times:
        figures["time_over_chemprop"] = round(max(times), 3)
    if options.library:
        smiles = [row["smiles"] for name in options.sets for row in rows_of(folder / name)]
        model = fingerprint_model(options.sets[0], folder / options.sets[0])
        figures |= library_figures(smiles, model, options.library)
    figures["seconds"] = round(time.monotonic() - began, 1)
    print(json.dumps(figures) if options.json else figures)


def judge(name: str, folder: Path, seeds: int, chemprop: str | None) -> dict[str, Any]:
    """Train every model on one set, and return the figures."""
    rows = rows_of(folder)
    values = np.array([row["value"] for row in rows])
    split = Split(*(numbers(rows, part) for part in PARTS))
    settings = MoleculeSettings(split="column", split_column="part")
    trainings: list[Training] = []
    seconds = []
    for seed in range(seeds):
        start = time.monotonic()
        prepared = prepare(rows, SETS[name])
        training, _ = train_model(MOLECULES, settings, prepared, name, split, seed, Ranks.single())
        seconds.append(time.monotonic() - start)
        trainings.append(training)
        show(name, f"combined, seed {seed}", values[split.test], training.test.mean[:, 0])
    predicted = np.stack([one.test.mean[:, 0] for one in trainings])
    figures = error_figures(f"{name}_rmse", values[split.test], predicted)
    figures[f"{name}_seconds"] = round(float(np.mean(seconds)), 1)
    figures[f"{name}_scaffold_coverage"] = mean_coverage(trainings, values[split.test])
    figures |= random_figures(name, prepared, settings, seeds)
    for baseline, fit in MOLECULES.baselines(settings, prepared, split).items():
        found = fit.combined([job() for job in fit.jobs]).test
        show(name, baseline, values[split.test], found[:, 0])
        figures |= error_figures(f"{name}_rmse_{baseline}", values[split.test], found.T)
    if chemprop:
        found, taken = chemprop_predictions(chemprop, rows, seeds)
        show(name, "chemprop", values[split.test], found)
        figures |= error_figures(f"{name}_rmse_chemprop", values[split.test], found)
        figures[f"{name}_seconds_chemprop"] = round(taken, 1)
        figures[f"{name}_time_over_chemprop"] = round(float(np.mean(seconds)) / taken, 3)
    return figures


def fingerprint_model(name: str, folder: Path) -> Model:
    """Return a model that reads fingerprints and descriptors, trained briefly."""
    rows = rows_of(folder)
    split = Split(*(numbers(rows, part) for part in PARTS))
    settings = MoleculeSettings(
        split="column", split_column="part", network="fingerprint", epochs=5
    )
    prepared = prepare(rows, SETS[name], settings.network)
    return train_model(MOLECULES, settings, prepared, name, split, 0, Ranks.single())[1]


def random_figures(
    name: str, prepared: Prepared, settings: MoleculeSettings, seeds: int
) -> dict[str, Any]:
    """Train on random splits, one a seed: errors and coverage."""
    molecules = prepared.molecules
    errors, shares = [], []
    for seed in range(seeds):
        split = make_split("random", len(molecules), 0.1, 0.1, seed)
        training, _ = train_model(
            MOLECULES, settings, prepared, "random", split, seed, Ranks.single()
        )
        values = molecules.values[split.test, 0]
        errors.append(figure_value("rmse", values, training.test.mean[:, 0]))
        shares.append(mean_coverage([training], values))
    print(f"{name:9s} random splits: RMSE {np.mean(errors):.3f}, coverage {shares}", flush=True)
    return {
        f"{name}_rmse_random_split": round(float(np.mean(errors)), 4),
        f"{name}_random_coverage": round(float(np.mean(shares)), 4),
    }


def rows_of(folder: Path) -> list[dict[str, Any]]:
    """Return all rows of a set: SMILES, value and part."""
    rows = []
    for part in PARTS:
        with open(folder / f"{part}.csv", newline="") as file:
            for row in csv.DictReader(file):
                value = float(ast.literal_eval(row["labels"])[0])
                rows.append({"smiles": row["smiles"], "value": value, "part": part})
    return rows


def numbers(rows: list[dict[str, Any]], part: str) -> np.ndarray:
    """Return the numbers of the rows of a part."""
    return np.array([i for i, row in enumerate(rows) if row["part"] == part])


def prepare(
    rows: list[dict[str, Any]], target: Target, network: str = Architecture.network
) -> Prepared:
    """Standardize and featurize the rows; each stays a row, so that all models judge the same."""
    standards = standardize_all([row["smiles"] for row in rows])
    good = [one for one in standards if isinstance(one, Standard)]
    if len(good) != len(rows):
        raise ValueError(f"{len(rows) - len(good)} rows give no molecule")
    molecules = MoleculeSet(
        smiles=[one.smiles for one in good],
        inchikeys=[one.inchikey for one in good],
        values=np.array([[row["value"]] for row in rows]),
        targets=[target],
        rows=[(i + 1,) for i in range(len(rows))],
        rejected=[],
        conflicts=[],
    )
    names = dict.fromkeys((*Architecture(network=network).features, *FEATURES))
    features = featurize(molecules.smiles, molecules.inchikeys, list(names), Ranks.single())
    return Prepared(molecules, features, [None])


def chemprop_predictions(
    program: str, rows: list[dict[str, Any]], seeds: int
) -> tuple[np.ndarray, float]:
    """Train chemprop with its defaults; return test predictions, shape (seeds, rows), and seconds.

    The seconds are the mean over seeds, less what the program takes to say its version.
    """
    found, seconds = [], []
    start = time.monotonic()
    subprocess.run([program, "--help"], capture_output=True, check=True)
    loading = time.monotonic() - start
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "table.csv"
        with open(table, "w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(("smiles", "value", "split"))
            writer.writerows((r["smiles"], r["value"], PARTS[r["part"]]) for r in rows)
        for seed in range(seeds):
            out = Path(folder) / str(seed)
            words = ["train", "-i", table, "--splits-column", "split", "-o", out]
            words += ["--accelerator", "cpu", "--pytorch-seed", seed]
            start = time.monotonic()
            subprocess.run([program, *map(str, words)], capture_output=True, check=True)
            seconds.append(time.monotonic() - start - loading)
            with open(out / "model_0" / "test_predictions.csv", newline="") as file:
                found.append([float(row["value"]) for row in csv.DictReader(file)])
    return np.array(found), float(np.mean(seconds))


def library_figures(smiles: list[str], model: Model, molecules: int) -> dict[str, Any]:
    """Featurize half of many molecules on one rank and on two, and predict all on two."""
    figures: dict[str, Any] = {"library": molecules}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        library, half = folder / "all.smi", folder / "half.smi"
        program, predict = folder / "ranks.py", folder / "predict.py"
        forms = different(smiles, molecules)
        library.write_text("".join(f"{one}\n" for one in forms))
        half.write_text("".join(f"{one}\n" for one in forms[: molecules // 2]))
        program.write_text(ON_RANKS)
        predict.write_text(PREDICT)
        model.save(folder / "model")
        taken = {n: float(output_of_ranks(n, [program, half])) for n in (1, 2)}
        figures["featurize_speedup_2_ranks"] = round(taken[1] / taken[2], 3)
        figures["featurize_molecules"] = molecules // 2
        figures["featurize_molecules_per_s"] = round(molecules // 2 / taken[2], 1)
        words = [predict, folder / "model", library, folder / "predicted.csv"]
        done = json.loads(output_of_ranks(2, words))
        figures["predict_rows"] = done["rows"]
        figures["predict_rows_per_s"] = done["rows_per_s"]
        figures["predict_peak_mb_a_rank"] = round(done["peak_mb"], 1)
    return figures


def different(smiles: list[str], count: int) -> list[str]:
    """Return SMILES that all differ, of these molecules in turn, their atoms in random order."""
    each = 2 + 2 * count // len(smiles)
    forms = [
        Chem.MolToRandomSmilesVect(Chem.MolFromSmiles(one), each, randomSeed=seed)
        for seed, one in enumerate(smiles, 1)
    ]
    found = list(dict.fromkeys(one for in_turn in zip(*forms, strict=True) for one in in_turn))
    if len(found) < count:
        raise ValueError(f"only {len(found)} forms of {len(smiles)} molecules, not {count}")
    return found[:count]


def mean_coverage(trainings: list[Training], values: np.ndarray) -> float:
    """Return the share of values inside the intervals, over trainings."""
    shares = [coverage(one.test, one.calibration, values[:, None])[0] for one in trainings]
    return round(float(np.mean(shares)), 4)


def error_figures(key: str, values: np.ndarray, predicted: np.ndarray) -> dict[str, Any]:
    """Return the mean error over seeds, each seed's, and the interval over molecules."""
    error = figure("rmse", values, predicted)
    return {
        key: round(error.value, 4),
        f"{key}_by_seed": [
            round(figure_value("rmse", values, one), 4) for one in np.atleast_2d(predicted)
        ],
        f"{key}_95": [round(error.low, 4), round(error.high, 4)],
    }


def show(name: str, model: str, values: np.ndarray, predicted: np.ndarray) -> None:
    """Print a model's error."""
    print(f"{name:9s} {model:24s} RMSE {figure('rmse', values, predicted)}", flush=True)


if __name__ == "__main__":
    main()
