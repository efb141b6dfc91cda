"""What a consensus costs for 50,000 annotations, and how right its labels are in simulated crowds.

    python tests/benchmarks/consensus.py

Crowds are of ten people and three classes, of which the first is true six times in ten; each answer is right
as often as its author is, and else one of the other classes. ``careless``: eight people are right nine times
in ten and two answer at random. ``mixed``: people are right between 45 and 95 times in a hundred. ``alike``:
all are right eight times in ten.
"""

import argparse
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from workbench.domain.records import Annotation, NewItem, Reason, Selection, Split, TaskKind
from workbench.steps.consensus import MAJORITY, decide, reconsider
from workbench.steps.parts import Parts
from workbench.storage.annotations import Revision
from workbench.storage.store import Store, open_store

START = datetime(2026, 1, 1, tzinfo=UTC)
METHODS = ("majority", "dawid_skene", "mace")
CROWDS: dict[str, Callable[[int], float]] = {
    "careless": lambda person: 1 / 3 if person < 2 else 0.9,
    "mixed": lambda person: 0.45 + 0.5 * person / 9,
    "alike": lambda _person: 0.8,
}


def crowd(
    seed: int, right: Callable[[int], float], *, items: int, each: int, classes: int = 3, people: int = 10
) -> tuple[list[Annotation], dict[int, str]]:
    """Annotations and the truth; ``each`` people are asked of each item."""
    chance = random.Random(seed)
    names = [f"class {n}" for n in range(classes)]
    weights = [0.6, *[0.4 / (classes - 1)] * (classes - 1)]
    truth = dict(enumerate(chance.choices(names, weights, k=items), start=1))
    found = []
    for item, true in truth.items():
        for person in chance.sample(range(people), each):
            others = [name for name in names if name != true]
            label = true if chance.random() < right(person) else chance.choice(others)
            found.append(said(item, f"person {person}", label))
    return found, truth


def said(item: int, who: str, label: str) -> Annotation:
    """One annotation."""
    return Annotation(
        external_id=f"{item}-{who}",
        task_id=item,
        item_id=item,
        annotator=who,
        label=label,
        created_at=START,
        updated_at=START,
    )


def accuracies(name: str, *, items: int, each: int, seeds: int) -> dict[str, tuple[float, float, float]]:
    """By method: share of items with the right label (a conflict has none), its error, mean confidence."""
    shares: dict[str, list[float]] = {method: [] for method in METHODS}
    sure: dict[str, list[float]] = {method: [] for method in METHODS}
    for seed in range(seeds):
        annotations, truth = crowd(seed, CROWDS[name], items=items, each=each)
        for method in METHODS:
            found = decide(method, annotations, {})
            shares[method].append(
                statistics.fmean(found[i].consensus.value == true for i, true in truth.items())
            )
            sure[method].append(statistics.fmean(v.consensus.confidence for v in found.values()))
    return {
        method: (
            statistics.fmean(shares[method]),
            statistics.stdev(shares[method]) / seeds**0.5,
            statistics.fmean(sure[method]),
        )
        for method in METHODS
    }


def stored(store: Store, annotations: list[Annotation]) -> Any:
    """A project with these annotations and the labels that a pull leaves."""
    items = sorted({a.item_id for a in annotations})
    with store.begin() as tx:
        project = tx.projects.ensure("crowd", kind=TaskKind.TEXT, classes=("class 0", "class 1"), seed=1)
        shard = tx.pool.add_shard(project.id, uri="x", rows=9, sha256="f" * 64, source="here")
        keys = [f"{item:06}" for item in items]
        tx.pool.touch(
            project.id,
            [
                NewItem(key=key, split=Split.POOL, payload={}, sha256=key, shard_id=shard.id, row=0)
                for key in keys
            ],
        )
        ids = {key: item.id for key, item in tx.pool.by_key(project.id, keys).items()}
        planned = tx.rounds.plan(project.id, batch_size=len(items), seed=1, config={})
        picks = [Selection(item_key=key, rank=n, reason=Reason.UNCERTAIN) for n, key in enumerate(keys)]
        tx.tasks.choose(planned.id, "labeler", picks, ids)
        tx.annotations.add(project.id, "labeler", annotations)
        first = decide(MAJORITY, annotations, {})
        tx.annotations.revise_all([Revision(i, 1, v.consensus) for i, v in first.items()], method=MAJORITY)
    return project


def speed(annotations: list[Annotation], method: str) -> tuple[float, float, int, int]:
    """CPU s of deciding and of the whole step on SQLite; labels revised then, and after 100 more answers."""
    start = time.process_time()
    decide(method, annotations, {})
    decided = time.process_time() - start
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(f"sqlite:///{Path(folder) / 'workbench.db'}")
        store.upgrade()
        project = stored(store, annotations)
        config = SimpleNamespace(annotators=SimpleNamespace(consensus=method))
        parts = cast("Parts", SimpleNamespace(store=store, project=project, config=config))
        start = time.process_time()
        revised = reconsider(parts)
        whole = time.process_time() - start
        with store.begin() as tx:
            more = [said(item, "person late", "class 0") for item in range(1, 101)]
            tx.annotations.add(project.id, "labeler", more)
        again = reconsider(parts) if method != MAJORITY else 0
        store.close()
    return decided, whole, revised, again


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--items", type=int, default=25_000, help="for the speed; two annotations each")
    options = parser.parse_args()
    print("crowd, answers an item: right label ± standard error (mean confidence)")
    for name in CROWDS:
        for each in (2, 3):
            found = accuracies(name, items=1000, each=each, seeds=options.seeds)
            cells = [f"{m} {v:.3f} ± {e:.3f} ({c:.2f})" for m, (v, e, c) in found.items()]
            print(f"{name}, {each}: " + " | ".join(cells), flush=True)
    annotations, _ = crowd(0, CROWDS["mixed"], items=options.items, each=2, classes=10)
    print(f"\n{len(annotations)} annotations, ten classes: CPU s deciding | whole step | revised | 100 more")
    for method in METHODS:
        decided, whole, revised, again = speed(annotations, method)
        print(f"{method}: {decided:.1f} | {whole:.1f} | {revised} | {again}", flush=True)


if __name__ == "__main__":
    main()
