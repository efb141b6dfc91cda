"""How fast annotations that are read become rows and labels.

    python tests/benchmarks/ingest_speed.py [--annotations 50000] [--each 1] [--database URL]

The labeler gives prepared records, so what is timed is matching, storing, consensus and the tasks' states,
with every transaction of a pull. Then the same is pulled again, which must add nothing.
"""

import argparse
import itertools
import resource
import tempfile
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from sync_cases import answered, make_parts, select

from connectors.labelers.embedded import EmbeddedLabeler
from connectors.labelers.records import RemoteTask
from workbench.domain.records import LabelerLink
from workbench.steps.pull import pull
from workbench.storage.store import open_store


class Prepared(EmbeddedLabeler):
    """A labeler that gives back what was prepared."""

    tasks: tuple[RemoteTask, ...] = ()

    def changed_tasks(self, project_id: str, since: datetime | None) -> Iterator[RemoteTask]:
        """All of it."""
        return iter(self.tasks)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--annotations", type=int, default=50_000)
    parser.add_argument("--each", type=int, default=1)
    parser.add_argument("--database")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, Prepared() as labeler:
        directory = Path(name)
        store = open_store(chosen.database or f"sqlite:///{directory / 'workbench.db'}")
        store.upgrade()
        parts = make_parts(store, labeler, directory, labeler_section={"overlap": chosen.each})
        keys = [f"item-{number:06d}" for number in range(chosen.annotations // chosen.each)]
        current = select(parts, keys)
        with store.begin() as tx:
            link = LabelerLink(labeler=labeler.name, external_id="1", url="")
            tx.projects.save_link(parts.project.id, link)
            ids = {task.id: str(place + 1) for place, task in enumerate(tx.tasks.of_round(current.id))}
            tx.tasks.sent(ids)
        labeler.tasks = tuple(answered(parts, current, keys, each=chosen.each))
        for attempt in itertools.count(1):
            memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            wall, cpu = time.perf_counter(), time.process_time()
            pulled = pull(parts)
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            more = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory
            print(
                f"{store.engine.dialect.name}, pull {attempt}: {pulled.versions} annotations, "
                f"{pulled.labels} labels in {wall:.2f} s (CPU {cpu:.2f} s): "
                f"{chosen.annotations / wall:,.0f}/s, {chosen.annotations / cpu:,.0f}/CPU s, "
                f"+{more / 1024:.0f} MiB"
            )
            if attempt == 2:
                break
        store.close()


if __name__ == "__main__":
    main()
