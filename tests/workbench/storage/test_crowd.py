"""What statistics read, on every database."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from workbench.domain.consensus import majority
from workbench.domain.records import Annotation, NewItem, Reason, Selection, Split, TaskKind
from workbench.domain.rounds import RoundState
from workbench.storage.facts.answers import Shown
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
        assert tx.crowd.decided_otherwise(project.id, ("mace", "adjudicated"))
        assert not tx.crowd.decided_otherwise(project.id, ("majority", "adjudicated"))
        assert not tx.crowd.decided_otherwise(other.id, ("mace",))


def _shown(store: Store, predicted: dict[str, str], *, shows: bool, blind: set[str]) -> Shown | None:
    """What a round that has chosen says of its tasks, in the order of their keys."""
    with store.begin() as tx:
        project = tx.projects.ensure("crowd", kind=TaskKind.TEXT, classes=("x", "y"), seed=1)
        shard = tx.pool.add_shard(project.id, uri="x", rows=3, sha256="f" * 64, source="here")
        new = [
            NewItem(key=key, split=Split.POOL, payload={}, sha256=key, shard_id=shard.id, row=0)
            for key in predicted
        ]
        tx.pool.touch(project.id, new)
        ids = {key: item.id for key, item in tx.pool.by_key(project.id, predicted).items()}
        config = {"labeler": {"show_predictions": shows}}
        planned = tx.rounds.plan(project.id, batch_size=len(predicted), seed=9, config=config)
        picks = [
            Selection(item_key=key, rank=rank, reason=Reason.UNCERTAIN, predicted=word)
            for rank, (key, word) in enumerate(predicted.items())
        ]
        held = tx.rounds.take(planned.id, "somebody", 60, is_gone=lambda _: True)
        assert held is not None
        while held.state is not RoundState.SCORED:
            held = tx.rounds.move(held, list(RoundState)[list(RoundState).index(held.state) + 1])
        tx.tasks.choose(planned.id, "labeler", picks, ids, blind=blind)
        tx.rounds.move(held, RoundState.SELECTED)
    with store.read() as tx:
        return tx.facts(project).answers.shown()


# What stands between words when a database joins them is a letter that a class may have in its name, too.
@pytest.mark.parametrize("other", ["y", "y\x1fz", "", "猫"])
def test_what_tasks_show_is_read_with_any_class(store: Store, other: str) -> None:
    shown = _shown(store, {"a": "x", "b": other, "c": "x"}, shows=True, blind={"b"})
    assert shown is not None
    order = shown.tasks_T.argsort()
    words = [shown.predicted_T.words[code] for code in shown.predicted_T.codes_N[order]]
    assert words == ["x", other, "x"]
    assert shown.blind_T[order].tolist() == [False, True, False]


@pytest.mark.parametrize(("shows", "blind"), [(False, {"a"}), (True, set())])
def test_where_all_or_nobody_sees_the_model_there_is_nothing_to_compare(
    store: Store, shows: bool, blind: set[str]
) -> None:
    assert _shown(store, {"a": "x"}, shows=shows, blind=blind) is None
