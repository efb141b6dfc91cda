"""What statistics read, on every database."""

from dataclasses import replace
from datetime import UTC, datetime

from workbench.domain.consensus import majority
from workbench.domain.records import Annotation, NewItem, Reason, Selection, Split, TaskKind
from workbench.storage.store import Store

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
KEYS = {"a": Split.POOL, "b": Split.POOL, "c": Split.GOLD}


def test_answers_predictions_and_known_labels_are_read_by_project(store: Store) -> None:
    with store.begin() as tx:
        project = tx.projects.ensure("crowd", kind=TaskKind.TEXT, classes=("x", "y"), seed=1)
        other = tx.projects.ensure("other", kind=TaskKind.TEXT, classes=("x", "y"), seed=1)
        shard = tx.pool.add_shard(project.id, uri="x", rows=3, sha256="f" * 64, source="here")
        new = [
            NewItem(
                key=key,
                split=split,
                payload={},
                sha256=key,
                shard_id=shard.id,
                row=0,
                known_label="y" if split is Split.GOLD else None,
            )
            for key, split in KEYS.items()
        ]
        tx.pool.touch(project.id, new)
        ids = {key: item.id for key, item in tx.pool.by_key(project.id, KEYS).items()}
        shows = {"labeler": {"show_predictions": True}}
        planned = tx.rounds.plan(project.id, batch_size=3, seed=9, config=shows)
        picks = [
            Selection(item_key="a", rank=0, reason=Reason.UNCERTAIN, predicted="x"),
            Selection(item_key="b", rank=1, reason=Reason.UNCERTAIN, predicted="y"),
            Selection(item_key="c", rank=2, reason=Reason.GOLD),
        ]
        tx.tasks.choose(planned.id, "labeler", picks, ids, blind={"b"})
        tasks = {task.item_key: task.id for task in tx.tasks.of_round(planned.id)}
        answer = Annotation(
            external_id="1",
            task_id=tasks["a"],
            item_id=ids["a"],
            annotator="ada",
            label="x",
            created_at=NOW,
            updated_at=NOW,
        )
        tx.annotations.add(project.id, "labeler", [replace(answer, raw={"long": "record"})])
        tx.annotations.add(project.id, "labeler:adjudication", [answer])
        tx.annotations.revise(ids["a"], 1, majority([answer]), method="majority")

    with store.read() as tx:
        assert tx.crowd.all(project.id) == [answer, replace(answer, adjudicates=True)]
        assert tx.crowd.all(other.id) == []
        assert tx.crowd.known_labels(project.id) == {ids["c"]: "y"}
        assert tx.crowd.predictions(project.id) == {tasks["a"]: ("x", False), tasks["b"]: ("y", True)}
        assert tx.crowd.decided_otherwise(project.id, ("mace", "adjudicated"))
        assert not tx.crowd.decided_otherwise(project.id, ("majority", "adjudicated"))
        assert not tx.crowd.decided_otherwise(other.id, ("mace",))


def test_where_nobody_sees_the_model_there_is_nothing_to_compare(store: Store) -> None:
    with store.begin() as tx:
        project = tx.projects.ensure("crowd", kind=TaskKind.TEXT, classes=("x", "y"), seed=1)
        shard = tx.pool.add_shard(project.id, uri="x", rows=3, sha256="f" * 64, source="here")
        new = NewItem(key="a", split=Split.POOL, payload={}, sha256="a", shard_id=shard.id, row=0)
        tx.pool.touch(project.id, [new])
        ids = {key: item.id for key, item in tx.pool.by_key(project.id, ["a"]).items()}
        hides = {"labeler": {"show_predictions": False}}
        planned = tx.rounds.plan(project.id, batch_size=1, seed=9, config=hides)
        pick = Selection(item_key="a", rank=0, reason=Reason.UNCERTAIN, predicted="x")
        tx.tasks.choose(planned.id, "labeler", [pick], ids)
    with store.read() as tx:
        assert tx.crowd.predictions(project.id) == {}
