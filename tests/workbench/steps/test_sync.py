"""Laws of pull, push and tidy: twice is once, late is not lost, away is remembered and healed."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import LabelerRefused, LabelerUnreachable, OutcomeUnknown
from connectors.labelers.embedded import EmbeddedLabeler
from connectors.labelers.embedded_people import embedded_annotator
from connectors.labelers.records import OutgoingTask, RemoteTask
from tests.benchmarks.sync_cases import answered, make_parts, select
from workbench import loop
from workbench.domain.absence import CEILING_SECONDS, back_off, in_words, title, tried
from workbench.domain.errors import RoundBusy
from workbench.domain.records import LabelerLink, LabelStatus, TaskState
from workbench.domain.rounds import Round, RoundState
from workbench.reports.round_page import round_page
from workbench.steps.leases import lease
from workbench.steps.parts import Parts
from workbench.steps.pull import Pulled, keep, pull
from workbench.steps.push import push, release
from workbench.steps.tidy import take_back, tidy_waiting
from workbench.storage.diary import Wanted
from workbench.storage.store import Store, open_store

KEYS = [f"item-{number}" for number in range(6)]


class Moody(EmbeddedLabeler):
    """A labeler that answers with an error when told to, and counts how often it is looked into."""

    mood: Exception | None = None
    looks = 0
    #: Whether a send is carried out though its answer is an error.
    after_all = False

    def open_project(self, spec: Any) -> Any:
        self._answer()
        return super().open_project(spec)

    def changed_tasks(self, project_id: str, since: datetime | None) -> Iterator[RemoteTask]:
        self._answer()
        yield from super().changed_tasks(project_id, since)

    def find_tasks(self, project_id: str, round_key: str, item_keys: Any) -> Any:
        self.looks += 1
        self._answer()
        return super().find_tasks(project_id, round_key, item_keys)

    def _answer(self) -> None:
        if self.mood is not None:
            raise self.mood


class Prepared(EmbeddedLabeler):
    """A labeler that gives back what was prepared."""

    tasks: tuple[RemoteTask, ...] = ()

    def changed_tasks(self, project_id: str, since: datetime | None) -> Iterator[RemoteTask]:
        return iter(self.tasks)


@pytest.fixture
def local(tmp_path: Path) -> Iterator[Store]:
    """SQLite alone, with a clock that is moved by hand."""
    opened = open_store(f"sqlite:///{tmp_path / 'workbench.db'}", clock=lambda: CLOCK[0])
    CLOCK[0] = datetime.now(UTC)
    opened.upgrade()
    yield opened
    opened.close()


CLOCK = [datetime.now(UTC)]


def later(**span: float) -> None:
    CLOCK[0] += timedelta(**span)


def bring(parts: Parts, keys: list[str] = KEYS) -> Round:
    """A round in the hands of annotators."""
    current = select(parts, keys)
    with lease(parts, current) as held:
        return release(parts, push(parts, held))


def work(labeler: EmbeddedLabeler, name: str, label: str = "cat", limit: int = 99) -> list[str]:
    person, made = embedded_annotator(labeler, name), []
    while len(made) < limit and (task := person.next_task("1")) is not None:
        made.append(person.annotate(task.task_id, label, seconds=1.0))
    return made


def facts(parts: Parts) -> dict[str, Any]:
    """All that a pull writes."""
    with parts.store.read() as tx:
        return {
            "annotations": [replace(a, raw={}) for a in tx.annotations.all(parts.project.id)],
            "labels": [replace(x, created_at=CLOCK[0]) for x in tx.annotations.labels(parts.project.id)],
            "states": {
                (task.round_id, task.item_key): task.state
                for found in tx.rounds.all(parts.project.id)
                for task in tx.tasks.of_round(found.id)
            },
        }


def states(parts: Parts, current: Round) -> dict[str, TaskState]:
    with parts.store.read() as tx:
        return {task.item_key: task.state for task in tx.tasks.of_round(current.id)}


def events(parts: Parts) -> list[str]:
    with parts.store.read() as tx:
        return [event.kind for event in tx.results.events(parts.project.id, Wanted())]


# Pulling


def test_pulling_twice_adds_nothing(store: Store, tmp_path: Path) -> None:
    with EmbeddedLabeler() as labeler:
        parts = make_parts(store, labeler, tmp_path, labeler_section={"overlap": 2})
        bring(parts)
        made = work(labeler, "ada")
        work(labeler, "ben", "dog", limit=3)
        first = pull(parts)
        assert (first.versions, first.labels, first.strangers, first.late) == (9, 6, 0, 0)
        ada = embedded_annotator(labeler, "ada")
        ada.edit(made[0], "dog")
        ada.delete(made[5])
        assert pull(parts).versions == 2
        after = facts(parts)
        assert pull(parts) == Pulled()
        assert facts(parts) == after
        agreed = {label.item_key: label.status for label in after["labels"]}
        assert list(agreed.values()).count(LabelStatus.CONFLICT) == 2
        assert list(agreed.values()).count(LabelStatus.WITHDRAWN) == 1


def test_thousands_that_arrive_at_once_are_all_kept_once(store: Store, tmp_path: Path) -> None:
    keys = [f"item-{number:04d}" for number in range(1500)]
    with Prepared() as labeler:
        parts = make_parts(store, labeler, tmp_path, labeler_section={"overlap": 2})
        current = select(parts, keys)
        _link(parts)
        labeler.tasks = tuple(answered(parts, current, keys, each=2))
        assert pull(parts).versions == 3000
        assert pull(parts) == Pulled()
        found = facts(parts)
        assert len({a.external_id for a in found["annotations"]}) == len(found["annotations"]) == 3000
        assert {label.revision for label in found["labels"]} == {1}
        assert set(found["states"].values()) == {TaskState.LABELED}


def test_two_whole_pulls_at_once_are_one(store: Store, empty_database_url: str, tmp_path: Path) -> None:
    keys = [f"item-{number:04d}" for number in range(2500)]
    with Prepared() as labeler:
        parts = make_parts(store, labeler, tmp_path)
        current = select(parts, keys)
        _link(parts)
        labeler.tasks = tuple(answered(parts, current, keys))
        other = open_store(empty_database_url)
        both, start = [parts, replace(parts, store=other)], threading.Barrier(2)
        pulled: list[Pulled] = []

        def one(own: Parts) -> None:
            start.wait()
            pulled.append(pull(own))

        threads = [threading.Thread(target=one, args=(own,)) for own in both]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        other.close()
        assert sum(found.versions for found in pulled) == sum(found.labels for found in pulled) == 2500
        assert {label.revision for label in facts(parts)["labels"]} == {1}
        assert pull(parts) == Pulled()


def test_a_page_that_is_older_than_what_is_known_takes_nothing_away(store: Store, tmp_path: Path) -> None:
    with Prepared() as labeler:
        parts = make_parts(store, labeler, tmp_path)
        current = select(parts, KEYS)
        _link(parts)
        newer = tuple(answered(parts, current, KEYS))
        labeler.tasks = newer
        pull(parts)
        before = facts(parts)
        labeler.tasks = tuple(
            replace(task, annotations=(), updated_at=task.updated_at - timedelta(1)) for task in newer
        )
        assert pull(parts) == Pulled()
        assert facts(parts) == before


def test_a_class_that_was_renamed_at_the_labeler_is_no_label(local: Store, tmp_path: Path) -> None:
    with Prepared() as labeler:
        parts = make_parts(local, labeler, tmp_path)
        current = select(parts, KEYS[:1])
        _link(parts)
        (task,) = answered(parts, current, KEYS[:1])
        renamed = replace(task.annotations[0], label="kitten")
        labeler.tasks = (replace(task, annotations=(renamed,)),)
        assert pull(parts).labels == 0
        assert facts(parts)["annotations"][0].problem == "unknown-label"
        assert states(parts, current) == {KEYS[0]: TaskState.INVALID}


def test_a_labeler_whose_clock_is_ahead_makes_us_skip_nothing(local: Store, tmp_path: Path) -> None:
    with Prepared() as labeler:
        parts = make_parts(local, labeler, tmp_path)
        current = select(parts, KEYS[:1])
        _link(parts)
        labeler.tasks = tuple(
            replace(task, updated_at=CLOCK[0] + timedelta(hours=3))
            for task in answered(parts, current, KEYS[:1])
        )
        pull(parts)
        link = _known_link(parts)
        assert link.cursor is not None
        assert link.cursor <= CLOCK[0]


@pytest.mark.parametrize("told", [True, False])
def test_what_is_stamped_after_a_clock_was_set_back_is_read(local: Store, tmp_path: Path, told: bool) -> None:
    """Both clocks were three hours ahead, and somebody answers right after they were mended."""

    class Clocked(EmbeddedLabeler):
        def clock(self) -> datetime | None:
            return CLOCK[0] if told else None

    right = CLOCK[0]
    later(hours=3)
    with Clocked(clock=lambda: CLOCK[0]) as labeler:
        parts = make_parts(local, labeler, tmp_path)
        current = bring(parts)
        work(labeler, "ada", limit=1)
        pull(parts)
        CLOCK[0] = right
        (task, *_) = [t for t in labeler.changed_tasks("1", None) if not t.annotations]
        with labeler.store.write() as database:
            database.execute("UPDATE clock SET last = ''")
        embedded_annotator(labeler, "ben").annotate(task.task_id, "dog", seconds=1.0)
        later(hours=1)
        pull(parts)
        assert list(states(parts, current).values()).count(TaskState.LABELED) == 2
        after = _known_link(parts).cursor
        assert after is not None
        assert after <= CLOCK[0]


@pytest.mark.parametrize(("there", "expected"), [(None, 0), (-1, 0), (2, 2), (4, 4), (5, 4)])
def test_when_nothing_happens_the_cursor_follows_the_slower_of_both_clocks(
    local: Store, tmp_path: Path, there: int | None, expected: int
) -> None:
    """Else a batch that was pushed and not touched would be read as a whole by every look, for ever."""
    begun = CLOCK[0]

    class Clocked(Prepared):
        def clock(self) -> datetime | None:
            return None if there is None else begun + timedelta(hours=there)

    with Clocked() as labeler:
        parts = make_parts(local, labeler, tmp_path)
        current = select(parts, KEYS[:1])
        _link(parts)
        pushed = [replace(task, updated_at=begun) for task in answered(parts, current, KEYS[:1])]
        labeler.tasks = tuple(pushed)
        later(hours=4)
        pull(parts)
        assert _known_link(parts).cursor == begun + timedelta(hours=expected)


def test_two_pulls_that_each_see_half_of_the_answers_know_all_of_them_in_the_end(
    store: Store, empty_database_url: str, tmp_path: Path
) -> None:
    keys = [f"item-{number:04d}" for number in range(60)]
    with Prepared() as first, Prepared() as second:
        parts = make_parts(store, first, tmp_path, labeler_section={"overlap": 2})
        current = select(parts, keys)
        _link(parts)
        for labeler, half in ((first, slice(0, 1)), (second, slice(1, 2))):
            labeler.tasks = tuple(
                replace(task, annotations=task.annotations[half], updated_at=task.updated_at - timedelta(1))
                for task in answered(parts, current, keys, each=2)
            )
        other = open_store(empty_database_url)
        with store.begin() as tx:
            tx.tasks.sent({task.id: str(task.id) for task in tx.tasks.of_round(current.id)})
        late = threading.Thread(target=pull, args=(replace(parts, store=other, labeler=second),))
        with store.begin() as tx:
            keep(parts, tx, first.tasks)
            late.start()
            # Long enough for the other to read; with the lock it waits before it reads.
            late.join(0.7)
        late.join()
        other.close()
        assert {len(label.annotations) for label in facts(parts)["labels"]} == {2}
        assert set(states(parts, current).values()) == {TaskState.LABELED}


# Waking


def test_a_pull_answers_the_wake_it_saw_and_no_later_one(local: Store, tmp_path: Path) -> None:
    class Busy(EmbeddedLabeler):
        """Somebody annotates while it is read."""

        def changed_tasks(self, project_id: str, since: datetime | None) -> Iterator[RemoteTask]:
            later(seconds=1)
            with local.begin() as tx:
                tx.projects.wake(parts.project.id)
            yield from ()

    with EmbeddedLabeler() as labeler, Busy() as busy:
        parts = make_parts(local, labeler, tmp_path)
        bring(parts)
        with local.begin() as tx:
            tx.projects.wake(parts.project.id)
        assert _known_link(parts).woken_at is not None
        pull(replace(parts, labeler=busy))
        assert _known_link(parts).woken_at == CLOCK[0], "what came while it was read stays"
        pull(parts)
        assert _known_link(parts).woken_at is None


# Away


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_the_wait_grows_to_its_ceiling_and_is_never_cut_by_more_than_half(
    attempts: int, spread: float
) -> None:
    wait = back_off(attempts, spread)
    assert back_off(attempts, 0) / 2 <= wait <= back_off(attempts, 0) <= CEILING_SECONDS
    assert back_off(attempts, spread) <= back_off(attempts + 1, spread)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (25_920, "7 h 12 min"),
        (0.2, "0 s"),
        (61, "1 min 1 s"),
        (3600, "1 h"),
        (93_600, "1 d 2 h"),
        (-5, "0 s"),
    ],
)
def test_time_spans_are_read_at_a_glance(seconds: float, words: str) -> None:
    assert in_words(seconds) == words


def test_once_is_said_as_people_do() -> None:
    assert [tried(attempts) for attempts in (1, 2, 12)] == ["tried once", "tried 2 times", "tried 12 times"]


def test_names_of_labelers_are_those_of_people() -> None:
    assert [title("label-studio"), title("label-studio:adjudication")] == [
        "Label Studio",
        "Label Studio (adjudication)",
    ]


def test_an_absence_is_told_once_when_it_begins_and_once_when_it_ends(local: Store, tmp_path: Path) -> None:
    with Moody() as labeler:
        parts = make_parts(local, labeler, tmp_path)
        current = bring(parts)
        since = CLOCK[0]
        waits = []
        for attempt in range(1, 13):
            labeler.mood = LabelerUnreachable("nobody is there")
            with pytest.raises(LabelerUnreachable):
                pull(parts)
            link = _known_link(parts)
            assert link.next_attempt_at is not None
            assert (link.away_since, link.attempts, link.last_error) == (since, attempt, "nobody is there")
            waits.append((link.next_attempt_at - CLOCK[0]).total_seconds())
            later(minutes=36)
        assert 7.5 <= waits[0] <= 15
        assert all(450 <= wait <= 900 for wait in waits[-4:])
        with local.read() as tx:
            (words,) = round_page(tx, parts.project, current.number)["away"]
        assert f"Embedded has not answered since {since:%Y-%m-%d %H:%M} UTC, was tried 12 times" in words
        assert "next attempt at" in words
        labeler.mood = None
        pull(parts)
        assert _known_link(parts).away_since is None
        with local.read() as tx:
            diary = [
                e for e in tx.results.events(parts.project.id, Wanted()) if e.kind.startswith("labeler-")
            ]
            assert round_page(tx, parts.project, current.number)["away"] == []
        assert [event.kind for event in diary] == ["labeler-away", "labeler-back"]
        assert diary[1].message == "Embedded was away for 7 h 12 min; it was tried 12 times"


def test_whoever_has_asked_nothing_does_not_say_that_the_labeler_is_back(
    local: Store, tmp_path: Path
) -> None:
    with Moody() as labeler:
        parts = make_parts(local, labeler, tmp_path)
        bring(parts)
        labeler.mood = LabelerUnreachable("nobody is there")
        for attempt in range(1, 5):
            # What a worker does at every attempt; ahead of the reading comes what has nothing to ask.
            with pytest.raises(LabelerUnreachable):
                loop.tell(parts)
            assert _known_link(parts).attempts == attempt
            later(minutes=5)
        assert events(parts)[-1] == "labeler-away"
        assert "labeler-back" not in events(parts)


def test_a_labeler_that_asks_to_wait_is_left_alone_as_long(local: Store, tmp_path: Path) -> None:
    with Moody() as labeler:
        parts = make_parts(local, labeler, tmp_path)
        bring(parts)
        labeler.mood = LabelerUnreachable("too many", retry_after=3600)
        with pytest.raises(LabelerUnreachable):
            pull(parts)
        assert _known_link(parts).next_attempt_at == CLOCK[0] + timedelta(hours=1)


def test_a_refusal_is_an_answer(local: Store, tmp_path: Path) -> None:
    with Moody() as labeler:
        parts = make_parts(local, labeler, tmp_path)
        bring(parts)
        for mood in (LabelerUnreachable("away"), LabelerRefused("no")):
            labeler.mood = mood
            with pytest.raises(type(mood)):
                pull(parts)
        assert _known_link(parts).away_since is None
        assert events(parts)[-2:] == ["labeler-away", "labeler-back"]


@pytest.mark.parametrize("error", [LabelerUnreachable("away"), OutcomeUnknown("lost")])
def test_a_round_that_could_not_be_pushed_waits_where_it_stands(
    local: Store, tmp_path: Path, error: Exception
) -> None:
    with Moody() as labeler:
        parts = make_parts(local, labeler, tmp_path)
        current = select(parts, KEYS)
        labeler.mood = error
        with pytest.raises(type(error)), lease(parts, current) as held:
            push(parts, held)
        with local.read() as tx:
            stands = tx.rounds.get(current.id)
            absence = tx.projects.absence(parts.project.id, labeler.name)
            assert tx.projects.link(parts.project.id, labeler.name) is None, "it was never reached"
        assert (stands.state, stands.lease_owner) == (RoundState.SELECTED, None)
        assert absence is not None
        assert absence.attempts == 1
        labeler.mood = None
        with lease(parts, stands) as held:
            assert push(parts, held).state is RoundState.PUSHED
        assert len(list(labeler.all_tasks("1"))) == len(KEYS)
        with local.read() as tx:
            assert tx.projects.absence(parts.project.id, labeler.name) is None


# Pushing, tidying, taking back


def test_push_looks_once_before_and_not_after_when_the_count_is_right(
    local: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workbench.steps.tidy.FEW", 0)
    with Moody() as labeler:
        bring(make_parts(local, labeler, tmp_path))
        assert labeler.looks == 1


def test_a_second_copy_is_found_by_the_count_and_removed(
    local: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workbench.steps.tidy.FEW", 0)
    with Moody() as labeler:
        parts = make_parts(local, labeler, tmp_path)
        current = bring(parts)
        sent = list(labeler.all_tasks("1"))
        labeler.send_tasks("1", [_again(parts, current, KEYS[2])])
        tidy_waiting(parts)
        assert list(labeler.all_tasks("1")) == sent
        assert events(parts).count("doubles") == 1
        labeler.delete_tasks("1", [sent[0].task_id])
        tidy_waiting(parts)
        assert states(parts, current)[KEYS[0]] is TaskState.GONE
        looks = labeler.looks
        tidy_waiting(parts)
        assert labeler.looks == looks, "nothing has changed since"


def test_a_deletion_is_seen_though_a_second_copy_makes_the_count_right(local: Store, tmp_path: Path) -> None:
    with Moody() as labeler:
        parts = make_parts(local, labeler, tmp_path)
        current = bring(parts)
        first = next(iter(labeler.all_tasks("1")))
        labeler.send_tasks("1", [_again(parts, current, KEYS[2])])
        labeler.delete_tasks("1", [first.task_id])
        tidy_waiting(parts)
        assert states(parts, current)[KEYS[0]] is TaskState.GONE
        assert labeler.count_tasks("1", parts.round_key(current)) == len(KEYS) - 1


def test_a_process_that_was_overtaken_writes_nothing_down(local: Store, tmp_path: Path) -> None:
    class Slow(EmbeddedLabeler):
        """While it sends, the lease runs out and another process takes the round."""

        def send_tasks(self, project_id: str, tasks: Any) -> Any:
            sent = super().send_tasks(project_id, tasks)
            later(hours=1)
            with local.begin() as tx:
                tx.rounds.take(current.id, "another", 60, is_gone=lambda _: True)
            return sent

    with Slow() as labeler:
        parts = make_parts(local, labeler, tmp_path)
        current = select(parts, KEYS)
        with pytest.raises(RoundBusy), lease(parts, current) as held:
            push(parts, held)
        assert set(states(parts, current).values()) == {TaskState.PENDING}


def test_tasks_that_land_after_their_round_was_cancelled_are_taken_back_or_read(
    local: Store, tmp_path: Path
) -> None:
    with EmbeddedLabeler() as labeler:
        parts = make_parts(local, labeler, tmp_path)
        first = bring(parts, ["earlier"])
        current = _cancelled(parts, first)
        assert set(states(parts, current).values()) == {TaskState.WITHDRAWN}
        labeler.send_tasks("1", [_again(parts, current, key) for key in KEYS])
        work(labeler, "ada", limit=2)
        pulled = pull(parts)
        assert (pulled.versions, pulled.late) == (2, 5)
        left = [task.item_key for task in labeler.all_tasks("1")]
        found = states(parts, current)
        assert sorted(key for key, state in found.items() if state is TaskState.LABELED) == sorted(left[1:])
        assert list(found.values()).count(TaskState.WITHDRAWN) == 5
        assert pull(parts) == Pulled()
        assert facts(parts)["states"] == {(first.id, "earlier"): TaskState.LABELED} | {
            (current.id, key): state for key, state in found.items()
        }


def _cancelled(parts: Parts, first: Round) -> Round:
    """A second round that is given up before anything of it was seen at the labeler."""
    with lease(parts, first, recording=False) as held, parts.store.begin() as tx:
        tx.rounds.cancel(held)
    current = select(parts, KEYS)
    with lease(parts, current, recording=False) as held, parts.store.begin() as tx:
        tx.tasks.set_states({task.id: TaskState.CANCELLED for task in tx.tasks.of_round(held.id)})
        tx.rounds.cancel(held)
    take_back(parts)
    return current


def _again(parts: Parts, current: Round, key: str) -> OutgoingTask:
    return OutgoingTask(item_key=key, round_key=parts.round_key(current), content=key)


def _link(parts: Parts) -> None:
    with parts.store.begin() as tx:
        link = LabelerLink(labeler=parts.labeler.name, external_id="1", url="")
        tx.projects.save_link(parts.project.id, link)


def _known_link(parts: Parts) -> LabelerLink:
    with parts.store.read() as tx:
        link = tx.projects.link(parts.project.id, parts.labeler.name)
    assert link is not None
    return link
