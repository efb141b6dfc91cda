"""A made-up project as large as they come, for measuring reports and pages on.

    python tests/benchmarks/big_project.py DATABASE-URL [--rounds 200] [--batch 600] [--classes 50] [--pool N]

200 rounds, 120,000 tasks, more than 100,000 labels, 180,000 answers of 20 people, 50 classes, a pool of
1,000,000 items of which the database knows only those that were touched. Takes about half a minute on SQLite.
"""

import argparse
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.fixtures.made_up import MadeUp
from workbench.storage.store import open_store


def big(
    rounds: int = 200, batch: int = 600, classes: int = 50, people: int = 20, pool: int = 1_000_000
) -> MadeUp:
    """The project."""
    return MadeUp(
        name="big",
        rounds=rounds,
        batch=batch,
        pool=pool,
        test_items=2000,
        classes=[f"class {number:02d}" for number in range(classes)],
        people={f"person {number:02d}": 0.02 + 0.01 * number for number in range(people)},
        rare=["class 07", "class 31"],
        open_round=True,
        foreseen=rounds,
    )


def main() -> None:
    """Write it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("database")
    for name, size in (("rounds", 200), ("batch", 600), ("classes", 50), ("people", 20), ("pool", 1_000_000)):
        parser.add_argument(f"--{name}", type=int, default=size)
    given = parser.parse_args()
    store = open_store(given.database)
    store.upgrade()
    began = time.perf_counter()
    big(given.rounds, given.batch, given.classes, given.people, given.pool).write(store)
    print(f"written in {time.perf_counter() - began:.0f} s")
    store.close()


if __name__ == "__main__":
    main()
