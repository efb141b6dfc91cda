"""What a fixed number of annotations buys when annotators err: one opinion, several, or as many as needed.

    python tests/benchmarks/annotator_policies.py [--seeds 6] [--first-seed 0] [--annotations 240]
[--people usual|careful|rough] [--arms NAME …]

scikit-learn's digits as rows of numbers; five people whose errors are their own. Each arm runs whole rounds
of the product (embedded labeler, MC dropout, BALD, power) with the same cap on annotations, and is measured
by the accuracy on held-out items whose labels are known. Arms of one seed share the held-out items and the
people's errors, so the difference to one opinion each is paired.
"""

from __future__ import annotations

import argparse
import math
import statistics
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import pandas as pd
from scipy.stats import t
from sklearn.datasets import load_digits

from connectors.labelers.embedded import EmbeddedLabeler
from connectors.labelers.embedded_people import embedded_annotator
from workbench import loop
from workbench.bootstrap import add_to_pool, open_parts, upgrade_database
from workbench.domain.errors import BudgetExhausted
from workbench.simulation.answers import Answers, Person, answer_all
from workbench.steps.parts import Parts

CLASSES = [str(digit) for digit in range(10)]
PEOPLE = {
    "careful": (0.02, 0.05, 0.05, 0.08, 0.10),
    "usual": (0.05, 0.10, 0.20, 0.30, 0.40),
    "rough": (0.20, 0.30, 0.40, 0.50, 0.60),
}
#: Annotations that a round asks for at first.
PER_ROUND = 40


class Arm(NamedTuple):
    """A policy: opinions asked for at first, and the rest of [annotators]."""

    overlap: int
    policy: str


ARMS = {
    "one opinion": Arm(1, ""),
    "two opinions": Arm(2, ""),
    "three opinions": Arm(3, ""),
    "two, more in doubt": Arm(2, "min_confidence = 0.6\nmax_overlap = 5"),
    "two, more in doubt, Dawid-Skene": Arm(
        2, 'consensus = "dawid_skene"\nmin_confidence = 0.8\nmax_overlap = 5'
    ),
    "relabel or new": Arm(1, 'relabel = "active_lab"\nmax_overlap = 5'),
    "two, relabel or new": Arm(2, 'relabel = "active_lab"\nmax_overlap = 5'),
}


class Bought(NamedTuple):
    """What the annotations of one run bought."""

    accuracy: float
    labels: int
    right: float


def write_pool(folder: Path, arm: Arm, seed: int, annotations: int) -> dict[str, str]:
    """Make a project with digits as rows of numbers; gives the truth by key."""
    digits = load_digits()
    names = [f"p{number:02d}" for number in range(64)]
    frame = pd.DataFrame(digits.data, columns=names)
    frame.insert(0, "key", [f"digit-{number:04d}" for number in range(len(frame))])
    frame["label"] = [str(digit) for digit in digits.target]
    frame.to_csv(folder / "digits.csv", index=False)
    (folder / "workbench.toml").write_text(
        f"""
[project]
name = "annotator policies"
task = "feature-classification"
classes = {CLASSES}
seed = {seed}
[posterior]
samples = 20
[round]
batch_size = {PER_ROUND // arm.overlap}
[labeler]
kind = "embedded"
overlap = {arm.overlap}
[annotators]
{arm.policy}
[budget]
per_annotation = 1
max_cost = {annotations}
""".replace("'", '"'),
        encoding="utf-8",
    )
    upgrade_database(folder / "workbench.toml")
    add_to_pool(
        folder / "workbench.toml",
        folder / "digits.csv",
        features=tuple(names),
        key="key",
        label="label",
        test_share=0.4,
    )
    return dict(zip(frame["key"], frame["label"], strict=True))


def run(arm: Arm, seed: int, annotations: int, rates: tuple[float, ...]) -> Bought:
    """Label until the budget is spent."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        truths = write_pool(folder, arm, seed, annotations)
        people = {f"person-{n}": Person(error_rate=rate) for n, rate in enumerate(rates)}
        answers = Answers(truths=truths, classes=CLASSES, seed=seed, skip_rate=0.0, people=people)
        (folder / "data").mkdir(exist_ok=True)
        with (
            EmbeddedLabeler(folder / "data" / "labeler.db") as labeler,
            open_parts(folder / "workbench.toml", labeler=labeler) as parts,
        ):
            while one_round(parts, labeler, answers, list(people)):
                pass
            return bought(parts, truths)


def one_round(parts: Parts, labeler: EmbeddedLabeler, answers: Answers, people: list[str]) -> bool:
    """One round, with as many further opinions as it asks for; False when the budget is spent."""
    try:
        current = loop.ask(parts)
    except BudgetExhausted:
        return False
    turn = current.number % len(people)
    order = [embedded_annotator(labeler, name) for name in people[turn:] + people[:turn]]
    while not (told := loop.tell(parts)).round or told.round.state == "labeling":
        if not answer_all(order, "1", answers):
            loop.tell(parts, close=True)
            break
    return True


def bought(parts: Parts, truths: dict[str, str]) -> Bought:
    """Accuracy after the last round, labels, and how many of those are right."""
    with parts.store.read() as tx:
        point = tx.results.budget_points(parts.project.id)[-1]
        examples = tx.annotations.training_set(parts.project.id)
    right = sum(truths[example.key] == example.label for example in examples) / len(examples)
    return Bought(point.value or math.nan, len(examples), right)


def half_width(gains: list[float]) -> float:
    """Half of the 95 % interval of a mean, by Student's t."""
    count = len(gains)
    if count < 2:
        return math.nan
    return float(t.ppf(0.975, count - 1)) * statistics.stdev(gains) / math.sqrt(count)


def main() -> None:
    """Print one line an arm."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=6)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--annotations", type=int, default=240)
    parser.add_argument("--people", choices=list(PEOPLE), default="usual")
    parser.add_argument("--arms", nargs="+", choices=list(ARMS), default=list(ARMS))
    asked = parser.parse_args()
    base: list[float] = []
    for name in asked.arms:
        began = time.process_time()
        seeds = range(asked.first_seed, asked.first_seed + asked.seeds)
        runs = [run(ARMS[name], seed, asked.annotations, PEOPLE[asked.people]) for seed in seeds]
        values = [found.accuracy for found in runs]
        base = base or values
        gains = [value - other for value, other in zip(values, base, strict=True)]
        error = half_width(gains)
        print(
            f"{name:32} accuracy {statistics.mean(values):.3f}  "
            f"gain {statistics.mean(gains):+.3f} ± {error:.3f}  "
            f"labels {statistics.mean(r.labels for r in runs):.0f}, "
            f"right {statistics.mean(r.right for r in runs):.1%}  CPU {time.process_time() - began:.0f} s",
            flush=True,
        )


if __name__ == "__main__":
    main()
