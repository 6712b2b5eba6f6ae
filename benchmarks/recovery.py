"""What the death of a rank costs under each policy, and what it costs to be ready for it.

    python benchmarks/recovery.py --json
    python benchmarks/recovery.py --proof 200

Trains a small network on simulated rows on 4 ranks, one of which ends itself at a random moment
(seeded), and compares with a training that nothing disturbs.

- For each policy, medians: seconds from the death to the next finished step that the dead rank can
  have had no part in; rows that were computed twice; seconds lost in all; and how far losses and
  weights are from the undisturbed ones.
  `abort` ends the job: what had been done is lost, and nothing follows.
- when nothing fails: a step's time on 2 ranks that outlive others over its time without, the
  median over pairs of jobs that run one after the other.
- `--proof N`: at least N deaths at random moments under shrink. Jobs of 6 ranks train again and
  again, and one or two ranks die in each training, until one is left. All must finish, their
  ledgers must hold each row once an epoch, and nothing may be left running.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

RANKS, RANKS_OF_PROOF = 4, 6
RANKS_UNDISTURBED = 2  # a core for each, so that the scheduler's turns do not blur a percent
DEATHS = {"shrink": 20, "reinit": 5, "checkpoint": 5, "abort": 5}
PAIRS = 10
EPOCHS, EPOCHS_OF_PROOF, EPOCHS_UNDISTURBED = 6, 3, 60
ROWS = 20_000
BATCH = 512
STEP_S = 0.02
TIMEOUT_S = 120.0


def main() -> None:
    """Run the jobs, launch one, or be a rank of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object last")
    parser.add_argument("--proof", type=int, default=0, metavar="N", help="N random deaths")
    parser.add_argument("--pairs", type=int, default=PAIRS, help="pairs of undisturbed jobs")
    parser.add_argument("--launch", metavar="PLAN", help=argparse.SUPPRESS)
    parser.add_argument("--rank-of", metavar="PLAN", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.rank_of:
        be_a_rank(json.loads(options.rank_of))
    elif options.launch:
        launch(options.launch)
    elif options.proof:
        prove(options.proof)
    else:
        figures = measure(options.pairs)
        print(json.dumps(figures) if options.json else figures)


def launch(plan: str) -> None:
    """Start the ranks as `matexapps train` does."""
    from matexapps.launch.mpiexec import run_on_ranks

    here = {"PYTHONPATH": str(Path(__file__).parent), "OMP_NUM_THREADS": "1"}
    given = json.loads(plan)
    policy, n = given["policy"], given["ranks"]
    fault_tolerant, restarts = policy in ("shrink", "reinit"), 3 if policy == "checkpoint" else 0
    sys.exit(run_on_ranks("recovery", ["--rank-of", plan], n, here, fault_tolerant, restarts))


def be_a_rank(plan: dict[str, Any]) -> None:
    """Do the plan's trainings, one after the other."""
    import matexapps as mx

    for number, deaths in enumerate(plan["trainings"]):
        once = partial(train, plan, Path(plan["folder"]) / str(number), deaths)
        if plan["policy"] == "reinit":
            mx.reinit(once)
        else:
            once()


def train(plan: dict[str, Any], folder: Path, deaths: dict[str, float]) -> None:
    """Train; end this rank when ``deaths`` say so; write what happened into ``folder``."""
    import numpy as np
    import torch
    from torch import nn

    import matexapps as mx
    from matexapps.train.monitor.ledger import Ledger

    torch.set_num_threads(1)
    folder.mkdir(parents=True, exist_ok=True)
    comm = mx.open_world(timeout_s=TIMEOUT_S)
    born = comm.rank
    death, done = folder / f"died-{born}", 0
    written = open(folder / f"steps-{os.getpid()}", "a", buffering=1)  # noqa: SIM115

    class Stamps(mx.Callback):
        def on_step_end(self, trainer: Any) -> None:
            nonlocal done
            done = trainer.position.epoch * trainer.steps_per_epoch + trainer.position.step
            written.write(f"{done} {time.time()!r}\n")
            after, moment = divmod(deaths.get(str(born), -1.0), 1.0)
            if done == after and not death.exists():
                threading.Thread(target=die, args=[moment * STEP_S], daemon=True).start()

    def die(after_s: float) -> None:
        time.sleep(after_s)
        death.write_text(f"{done} {time.time()!r}")
        os.kill(os.getpid(), signal.SIGKILL)

    rng = np.random.default_rng(0)
    features = rng.normal(size=(ROWS, 28)).astype(np.float32)
    label = (features[:, 0] * features[:, 1] + features[:, 2] > 0).astype(np.float32)
    torch.manual_seed(0)
    hidden = [nn.Linear(300, 300), nn.ReLU()]
    model = nn.Sequential(nn.Linear(28, 300), nn.ReLU(), *hidden, nn.Linear(300, 1))
    callbacks: list[mx.Callback] = [Stamps()]
    if plan["ledger"]:
        callbacks.insert(0, Ledger(folder / "ledger"))
    if plan["policy"] == "checkpoint":
        callbacks.append(mx.Checkpointing(folder / "checkpoints"))
    trainer = mx.Trainer(
        model,
        optimizer=lambda parameters: torch.optim.SGD(parameters, lr=0.05, momentum=0.9),
        batch_size=BATCH,
        callbacks=callbacks,
        comm=comm,
        device="cpu",
        metrics=["roc_auc"],
        recovery=plan["policy"],
    )
    history = trainer.fit(mx.DataSet.from_arrays(features, label), plan["epochs"])
    result = {
        "ranks": comm.world_size,
        "loss": [row["loss"] for row in history.rows],
        "roc_auc": history.rows[-1]["roc_auc"],
        "weights": float(sum(p.detach().double().abs().sum() for p in model.parameters())),
    }
    (folder / f"rank-{comm.rank}.json").write_text(json.dumps(result))
    comm.close()


def job(
    folder: Path,
    trainings: list[dict[int, float]],
    policy: str = "shrink",
    *,
    ranks: int = RANKS,
    epochs: int = EPOCHS,
    ledger: bool = True,
) -> list[dict[str, Any]]:
    """Run trainings in one job.

    Parameters
    ----------
    folder : Path
        Gets a folder for each training.
    trainings : list of dict
        For each rank that dies, by its number when the training begins: the step after which it
        does, and the moment in the next step.
    policy, ranks, epochs, ledger
        As in a plan.

    Returns
    -------
    list of dict
        What rank 0 wrote of each training, and ``stamps``, when ranks ended which step.
    """
    folder.mkdir(parents=True)
    plan = {
        "folder": str(folder),
        "trainings": trainings,
        "policy": policy,
        "ranks": ranks,
        "epochs": epochs,
        "ledger": ledger,
    }
    command = [sys.executable, __file__, "--launch", json.dumps(plan)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    outcomes = []
    for number, deaths in enumerate(trainings):
        here = folder / str(number)
        lines = [line for path in here.glob("steps-*") for line in path.read_text().splitlines()]
        stamps = sorted((float(at), int(step)) for step, at in map(str.split, lines))
        results = [json.loads(path.read_text()) for path in sorted(here.glob("rank-*.json"))]
        unfinished = not results or len(results) != results[0]["ranks"]
        if (unfinished or done.returncode) and not (policy == "abort" and deaths):
            said = f"{done.stdout}\n{done.stderr[-5000:]}"
            raise SystemExit(f"a job failed, {here}, status {done.returncode}:\n{said}")
        outcomes.append({**(results[0] if results else {}), "stamps": stamps})
    return outcomes


def measure(pairs: int) -> dict[str, Any]:
    """Return the figures."""
    with tempfile.TemporaryDirectory() as name:
        folder, rng = Path(name), random.Random(0)
        (whole,) = job(folder / "whole", [{}])
        policies = {
            policy: cost(policy, folder / policy, count, whole, rng)
            for policy, count in DEATHS.items()
        }
        ratios = [
            step_time(folder, k, "shrink") / step_time(folder, k, "abort") for k in range(pairs)
        ]
    return {
        "shrink_s_median": policies["shrink"]["seconds_to_next_step"],
        "shrink_s_max": policies["shrink"]["seconds_to_next_step_max"],
        "no_failure_time_ratio": round(statistics.median(ratios), 4),
        "no_failure_time_ratios": [round(ratio, 3) for ratio in sorted(ratios)],
        "policies": policies,
        "ranks": RANKS,
    }


def cost(
    policy: str, folder: Path, count: int, whole: dict[str, Any], rng: random.Random
) -> dict[str, Any]:
    """Return what deaths cost under a policy."""
    length = whole["stamps"][-1][0] - whole["stamps"][0][0]
    gaps, twice, lost_s, apart = [], [], [], []
    for number in range(count):
        rank, moment = rng.randrange(RANKS), rng.uniform(0.1, 0.9) * steps(whole)
        (result,) = job(folder / str(number), [{rank: moment}], policy)
        here = folder / str(number) / "0"
        stamps = result["stamps"]
        last_step, died = map(float, (here / f"died-{rank}").read_text().split())
        if policy == "abort":
            lost_s.append(died - stamps[0][0])
            continue
        # The rank may have given its part of the step it was in, which others then finish.
        gaps.append(min(at for at, step in stamps if at > died and step > last_step + 1) - died)
        twice.append(rows_computed_twice(here))
        lost_s.append(stamps[-1][0] - stamps[0][0] - length)
        apart.append(furthest(result, whole))
        print(f"{policy}, death {number + 1}: rank {rank}, {gaps[-1]:.3f} s", file=sys.stderr)
    figures = {"seconds_lost": round(statistics.median(lost_s), 2), "deaths": count}
    if gaps:
        figures |= {
            "seconds_to_next_step": round(statistics.median(gaps), 3),
            "seconds_to_next_step_max": round(max(gaps), 3),
            "rows_twice": statistics.median(twice),
            "largest_difference": max(apart),
        }
    return figures


def steps(whole: dict[str, Any]) -> int:
    """Return how many steps an undisturbed training has."""
    return max(step for _, step in whole["stamps"])


def step_time(folder: Path, number: int, policy: str) -> float:
    """Return the median time of a step of an undisturbed job, in seconds."""
    here = folder / f"undisturbed-{number}-{policy}"
    many = {"ranks": RANKS_UNDISTURBED, "epochs": EPOCHS_UNDISTURBED}
    job(here, [{}], policy, **many, ledger=False)
    lines = next(here.glob("0/steps-*")).read_text().splitlines()
    ends = [float(line.split()[1]) for line in lines]
    return statistics.median(b - a for a, b in pairwise(ends))


def rows_computed_twice(folder: Path) -> int:
    """Return how many rows were computed for a step that was taken again."""
    from matexapps.train.monitor.ledger import read_ledger

    return int(read_ledger(folder / "ledger").duplicated(["epoch", "row"]).sum())


def furthest(one: dict[str, Any], other: dict[str, Any]) -> float:
    """Return the largest relative difference of losses, area under the curve and weights."""
    ours = [*one["loss"], one["roc_auc"], one["weights"]]
    theirs = [*other["loss"], other["roc_auc"], other["weights"]]
    return max(abs(a - b) / abs(b) for a, b in zip(ours, theirs, strict=True))


def prove(deaths: int) -> None:
    """Run jobs with random deaths and look at what they leave."""
    from matexapps.train.monitor.ledger import read_ledger

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        many = {"ranks": RANKS_OF_PROOF, "epochs": EPOCHS_OF_PROOF}
        (whole,) = job(folder / "whole", [{}], **many)
        rows = sorted(set(read_ledger(folder / "whole" / "0" / "ledger").row))
        died, jobs, trainings = 0, 0, 0
        while died < deaths:
            here = folder / str(jobs)
            plan = until_one_is_left(random.Random(jobs), steps(whole))
            for number, result in enumerate(job(here, plan, **many)):
                learned = read_ledger(here / str(number) / "ledger")
                learned = learned[learned.counts]
                for epoch in range(1, EPOCHS_OF_PROOF + 1):
                    if sorted(learned.row[learned.epoch == epoch]) != rows:
                        raise SystemExit(f"{here}, {number}: epoch {epoch} is not each row once")
                if (apart := furthest(result, whole)) > 1e-5:
                    raise SystemExit(f"{here}, {number}: {apart} from the undisturbed result")
                died += len(list((here / str(number)).glob("died-*")))
                trainings += 1
            left = subprocess.run(["pgrep", "-f", str(here)], capture_output=True, check=False)
            if left.stdout:
                raise SystemExit(f"job {jobs} left processes: {left.stdout.decode()}")
            jobs += 1
            print(f"{jobs} jobs, {trainings} trainings, {died} deaths", file=sys.stderr)
    print(json.dumps({"deaths": died, "trainings": trainings, "jobs": jobs}))


def until_one_is_left(rng: random.Random, steps: int) -> list[dict[int, float]]:
    """Return the deaths of one training after the other."""
    trainings, left = [], RANKS_OF_PROOF
    while left > 1:
        dying = rng.sample(range(left), min(left - 1, rng.choice([1, 1, 2])))
        trainings.append({rank: rng.uniform(0, 0.95) * steps for rank in dying})
        left -= len(dying)
    return trainings


if __name__ == "__main__":
    main()
