"""A project with as many selected items as wanted, ready to be pushed and pulled, without a model."""

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

from connectors.labelers.protocol import Labeler
from connectors.labelers.records import RemoteAnnotation, RemoteTask
from workbench.config.model import Config
from workbench.domain.records import NewItem, Reason, Selection, Split, TaskKind
from workbench.domain.rounds import Round, RoundState
from workbench.steps.leases import lease
from workbench.steps.parts import Parts
from workbench.storage.store import Store

CLASSES = ("cat", "dog")
START = datetime(2026, 3, 1, tzinfo=UTC)


def make_parts(store: Store, labeler: Labeler, directory: Path, **changes: Any) -> Parts:
    """A project of texts that works with this labeler; ``labeler_section`` is [labeler]."""
    name = changes.pop("name", "a project")
    document = {
        "project": {"name": name, "task": "text-classification", "classes": CLASSES},
        "labeler": changes.pop("labeler_section", {}),
    }
    with store.begin() as tx:
        project = tx.projects.ensure(name, kind=TaskKind.TEXT, classes=CLASSES, seed=0)
    return Parts(
        store=store,
        project=project,
        config=Config.model_validate(document),
        directory=directory,
        labeler=labeler,
        learner=cast(Any, None),
        present=lambda key, _payload: f"the text of {key}",
        owner="somebody",
        progress=lambda _name: nullcontext(lambda _done, _total: None),
        **changes,
    )


def select(parts: Parts, keys: Sequence[str]) -> Round:
    """Plan a round of these items and bring it to where it can be pushed."""
    with parts.store.begin() as tx:
        shard = tx.pool.add_shard(
            parts.project.id, uri=keys[0], rows=len(keys), sha256=keys[0], source="nowhere"
        )
        new = [
            NewItem(key=key, split=Split.POOL, payload={}, sha256=key, shard_id=shard.id, row=row)
            for row, key in enumerate(keys)
        ]
        tx.pool.touch(parts.project.id, new)
        planned = tx.rounds.plan(parts.project.id, batch_size=len(keys), seed=0, config={})
    with lease(parts, planned) as held, parts.store.begin() as tx:
        tx.rounds.move(held, RoundState.SCORED)
        ids = {key: item.id for key, item in tx.pool.by_key(parts.project.id, keys).items()}
        picks = [
            Selection(item_key=key, rank=rank, reason=Reason.COVERAGE, predicted="cat")
            for rank, key in enumerate(keys)
        ]
        tx.tasks.choose(planned.id, parts.labeler.name, picks, ids)
        return tx.rounds.move(held, RoundState.SELECTED)


def answered(parts: Parts, current: Round, keys: Sequence[str], *, each: int = 1) -> Iterator[RemoteTask]:
    """These tasks as a labeler would give them back, with so many annotations each."""
    mark = parts.round_key(current)
    for place, key in enumerate(keys):
        at = START + timedelta(milliseconds=place)
        yield RemoteTask(
            task_id=str(place + 1),
            item_key=key,
            round_key=mark,
            updated_at=at,
            annotations=tuple(_annotation(place * each + n, n, at) for n in range(each)),
        )


def _annotation(number: int, person: int, at: datetime) -> RemoteAnnotation:
    label = CLASSES[number % 7 == 0]
    value = {"choices": [label]}
    raw = {
        "id": number,
        "result": [{"from_name": "label", "to_name": "text", "type": "choices", "value": value}],
        "was_cancelled": False,
        "completed_by": person,
        "lead_time": 3.5,
        "created_at": at.isoformat(),
        "updated_at": at.isoformat(),
    }
    return RemoteAnnotation(
        annotation_id=str(number),
        annotator=f"person-{person}@example.com",
        label=label,
        seconds=3.5,
        created_at=at,
        updated_at=at,
        raw=raw,
    )
