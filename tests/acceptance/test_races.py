"""Two processes at once, answers that come at the wrong moment, and answers whose delivery was lost."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

import pytest

from connectors.errors import OutcomeUnknown
from connectors.labelers.embedded import EmbeddedLabeler
from connectors.labelers.records import RemoteTask
from workbench import loop
from workbench.bootstrap import open_parts
from workbench.domain.records import TaskState
from workbench.domain.rounds import RoundState
from workbench.steps import ingest as ingesting
from workbench.steps import pull as pulling
from workbench.steps.parts import Parts
from workbench.steps.present import picture_secret


class Meddling(EmbeddedLabeler):
    """A labeler in which something happens just before or after a call."""

    def __init__(self, folder: Any) -> None:
        super().__init__(folder.path / "data" / "labeler.db")
        self.before: dict[str, Any] = {}
        self.after: dict[str, Any] = {}

    def _meddle(self, when: dict[str, Any], name: str) -> None:
        if name in when:
            when.pop(name)()

    def find_tasks(self, *arguments: Any) -> Any:
        self._meddle(self.before, "find_tasks")
        return super().find_tasks(*arguments)

    def send_tasks(self, *arguments: Any) -> Any:
        self._meddle(self.before, "send_tasks")
        found = super().send_tasks(*arguments)
        self._meddle(self.after, "send_tasks")
        return found

    def changed_tasks(self, project_id: str, since: datetime | None) -> Iterator[RemoteTask]:
        found = list(super().changed_tasks(project_id, since))
        self._meddle(self.after, "changed_tasks")
        return iter(found)


@pytest.fixture
def labeler(folder: Any) -> Iterator[Meddling]:
    folder.ready()
    (folder.path / "data").mkdir(exist_ok=True)
    with Meddling(folder) as opened:
        yield opened


@pytest.fixture
def parts(folder: Any, labeler: Meddling) -> Iterator[Parts]:
    with open_parts(folder.path / "workbench.toml", labeler=labeler) as opened:
        yield opened


def _labels(parts: Parts) -> dict[str, str | None]:
    with parts.store.read() as tx:
        return {label.item_key: label.value for label in tx.annotations.labels(parts.project.id)}


def _states(parts: Parts) -> list[TaskState]:
    with parts.store.read() as tx:
        rounds = tx.rounds.all(parts.project.id)
        return [task.state for task in tx.tasks.of_round(rounds[-1].id)]


def test_a_page_that_is_older_than_what_another_process_wrote_takes_nothing_away(
    folder: Any, labeler: Meddling, parts: Parts
) -> None:
    loop.ask(parts)
    folder.label_all(limit=1)

    def somebody_else() -> None:
        folder.label_all()
        pulling.pull(parts)

    labeler.after["changed_tasks"] = somebody_else
    pulling.pull(parts)
    assert len(_labels(parts)) == 6
    assert None not in _labels(parts).values()
    assert set(_states(parts)) == {TaskState.LABELED}


def test_tasks_of_another_database_with_the_same_ids_give_us_no_labels(
    folder: Any, labeler: Meddling, parts: Parts
) -> None:
    loop.ask(parts)
    with parts.store.begin() as tx:
        # As if the server had been made anew: our ids stand for somebody else's tasks.
        connection = tx.tasks._connection
        connection.exec_driver_sql("UPDATE project SET uid = 'ffffffff'")
    folder.label_all()
    with open_parts(folder.path / "workbench.toml", labeler=labeler) as again:
        pulled = pulling.pull(again)
        assert (pulled.labels, pulled.strangers) == (0, 6)


def test_an_answer_lost_on_the_way_and_committed_late_leaves_one_copy_that_counts(
    folder: Any, labeler: Meddling, parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workbench.steps.push.LOOK_AGAIN_SECONDS", (0.0,))
    late: list[Any] = []

    def lose() -> None:
        raise OutcomeUnknown("the answer was lost")

    def remember(project_id: str, tasks: Any) -> Any:
        late.append((project_id, tasks))
        return Meddling.send_tasks(labeler, project_id, tasks)

    monkeypatch.setattr(labeler, "send_tasks", remember)
    labeler.before["send_tasks"] = lose
    asked = loop.ask(parts)
    assert len(late) == 2, "sent again after looking"
    EmbeddedLabeler.send_tasks(labeler, *late[0])
    folder.label_all()
    assert loop.tell(parts).round is not None
    assert len(_labels(parts)) == 6
    with parts.store.read() as tx:
        assert tx.rounds.get(asked.id).state is RoundState.CLOSED


def test_what_was_answered_before_its_delivery_was_noted_is_not_lost(
    folder: Any, labeler: Meddling, parts: Parts
) -> None:
    def killed() -> None:
        raise KeyboardInterrupt

    labeler.after["send_tasks"] = killed
    with pytest.raises(KeyboardInterrupt):
        loop.ask(parts)
    folder.label_all()
    pulling.pull(parts)
    assert len(_labels(parts)) == 6
    assert loop.resume(parts).state is RoundState.LABELING
    told = loop.tell(parts)
    assert told.round is not None
    assert told.round.state is RoundState.CLOSED


def test_cancelling_a_round_that_was_answered_meanwhile_keeps_the_answers_and_pays_once(
    folder: Any, labeler: Meddling, parts: Parts
) -> None:
    loop.ask(parts)
    answered: list[str] = []
    labeler.before["find_tasks"] = lambda: answered.extend(folder.label_all(limit=2))
    assert loop.cancel(parts).state is RoundState.CANCELLED
    assert sorted(_labels(parts)) == sorted(answered)
    again = loop.ask(parts)
    with parts.store.read() as tx:
        chosen = {pick.item_key for pick in tx.tasks.selections(again.id)}
    assert not chosen & set(answered)


def test_a_skipped_task_of_a_cancelled_round_does_not_go_out_a_second_time(
    folder: Any, labeler: Meddling, parts: Parts
) -> None:
    loop.ask(parts)
    ada = folder.person()
    skipped = ada.next_task("1")
    ada.skip(skipped.task_id, seconds=1.0)
    loop.cancel(parts)
    again = loop.ask(parts)
    with parts.store.read() as tx:
        assert skipped.item_key not in {pick.item_key for pick in tx.tasks.selections(again.id)}
    ben = folder.person("ben")
    served = [skipped.item_key, *folder.label_all(ben)]
    assert len(served) == len(set(served)) + 1, "it is still served to others, once"
    loop.tell(parts)
    assert skipped.item_key in _labels(parts)


def test_cancelling_is_taken_up_again_after_a_kill(
    folder: Any, labeler: Meddling, parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop.ask(parts)

    def killed(*_arguments: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(labeler, "delete_tasks", killed)
        with pytest.raises(KeyboardInterrupt):
            loop.cancel(parts)
    assert set(_states(parts)) == {TaskState.CANCELLED}
    loop.tell(parts)
    assert set(_states(parts)) == {TaskState.WITHDRAWN}
    assert folder.label_all() == []


def test_an_invalid_answer_whose_task_is_deleted_holds_nothing_up(
    folder: Any, labeler: Meddling, parts: Parts
) -> None:
    loop.ask(parts)
    ada = folder.person()
    wrong = ada.next_task("1")
    ada.inject(wrong.task_id, [])
    folder.label_all(ada)
    told = loop.tell(parts)
    assert told.progress is not None
    assert told.progress.invalid == 1
    labeler.delete_tasks("1", [wrong.task_id])
    told = loop.tell(parts)
    assert told.round is not None
    assert told.round.state is RoundState.CLOSED


def test_a_cancel_that_fails_leaves_the_round_as_it_was(
    labeler: Meddling, parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop.ask(parts)

    def away() -> None:
        raise OutcomeUnknown("the labeler is away")

    labeler.before["find_tasks"] = away
    with pytest.raises(OutcomeUnknown):
        loop.cancel(parts)
    with parts.store.read() as tx:
        assert [found.state for found in tx.rounds.all(parts.project.id)] == [RoundState.LABELING]


def test_an_edit_between_training_and_measuring_is_measured_on_the_trained_model(
    folder: Any, labeler: Meddling, parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop.ask(parts)
    folder.label_all()
    with monkeypatch.context() as patch:
        patch.setitem(loop.STEPS, RoundState.TRAINED, lambda *_args: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            loop.tell(parts)
    ada = folder.person()
    with parts.store.read() as tx:
        (first, *_) = tx.annotations.all(parts.project.id)
    ada.edit(first.external_id, "high" if first.label != "high" else "low")
    told = loop.tell(parts)
    assert told.round is not None
    with parts.store.read() as tx:
        runs = tx.results.runs(parts.project.id)
        assert [run.id for run in runs] == [told.round.model_run_id]


def test_two_sources_added_at_once_do_not_put_a_key_into_the_pool_twice(
    folder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.ready()
    folder.write("key,x,y\nnew,1,2\n", "first.csv")
    folder.write("key,x,y\nnew,3,4\n", "second.csv")
    words = ("--features", "x,y", "--key", "key")
    original = ingesting._refuse_clashes
    others: list[Any] = []

    def somebody_else(sieve: Any) -> None:
        original(sieve)
        if not others:
            others.append(None)
            others.append(folder.type("pool", "add", "second.csv", *words))

    monkeypatch.setattr(ingesting, "_refuse_clashes", somebody_else)
    late = folder.type("pool", "add", "first.csv", *words)
    assert (others[1].code, late.code) == (0, 1)
    assert "Another process has added to the pool" in late.err
    assert folder.type("pool", "stats", "--json").json["items"] == 41


def test_the_picture_secret_is_whole_for_whoever_comes_second(tmp_path: Any) -> None:
    with ThreadPoolExecutor(8) as threads:
        found = set(threads.map(lambda _: picture_secret(tmp_path), range(32)))
    assert [len(secret) for secret in found] == [32]
    assert [path.name for path in tmp_path.iterdir()] == ["picture-secret"]
