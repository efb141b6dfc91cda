"""What must hold of a project's database at any moment, whatever was done to it.

Truth is computed another way than the product does it: by plain queries and a few lines of Python.
"""

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

Row = dict[str, Any]
Ask = Callable[[str], list[Row]]

APPEND_ONLY = ("annotation", "event", "selection", "metric", "budget_point", "label")
ORDER = ("planned", "scored", "selected", "pushed", "labeling", "settled", "trained", "evaluated", "closed")
FINAL = ("closed", "cancelled")
WAITING = ("pending", "open", "invalid")


@dataclass
class Witness:
    """Remembers what the database said, and holds what it says now against it and against the laws."""

    ask: Ask
    overlap: int
    max_labels: int | None
    rows: dict[str, dict[int, Row]] = field(default_factory=dict)
    rounds: dict[int, Row] = field(default_factory=dict)

    def look(self) -> None:
        """Hold every law."""
        self._nothing_is_taken_away()
        self._rounds_go_forwards()
        self._labels_have_gapless_revisions()
        self._labels_follow_from_annotations()
        self._tasks_follow_from_annotations()
        self._one_task_an_item()
        self._only_the_pool_is_chosen()
        self._budget_points_grow()
        self._history_ends_in_the_present()

    def _nothing_is_taken_away(self) -> None:
        for table in APPEND_ONLY:
            found = {row["id"]: row for row in self.ask(f"SELECT * FROM {table}")}
            for row in found.values():
                row.pop("current", None)
            for key, before in self.rows.get(table, {}).items():
                now = found.get(key)
                # Told once, and never again: reports of moments in between stay as they were.
                known = {"superseded_at": now["superseded_at"]} if now and _in_force(before) else {}
                assert now == {**before, **known}, f"{table} {key} was {before}, is {now}"
            newest = max(self.rows.get(table, {}), default=0)
            new = found.keys() - self.rows.get(table, {}).keys()
            assert all(key > newest for key in new), f"{table}: a row appeared among the old ones"
            self.rows[table] = found

    def _rounds_go_forwards(self) -> None:
        found = {row["id"]: row for row in self.ask("SELECT * FROM round ORDER BY number")}
        assert [row["number"] for row in found.values()] == list(range(len(found)))
        open_ones = [row["number"] for row in found.values() if row["state"] not in FINAL]
        assert len(open_ones) <= 1, f"rounds {open_ones} are open at once"
        for key, before in self.rounds.items():
            now = found[key]
            assert now["fence"] >= before["fence"]
            if before["state"] in FINAL:
                assert now["state"] == before["state"], f"{before['state']} became {now['state']}"
            elif now["state"] != "cancelled":
                old, new = ORDER.index(_position(before)), ORDER.index(_position(now))
                again = (_position(before), _position(now)) == ("scored", "planned")
                assert new >= old or again, f"a round went from {ORDER[old]} back to {ORDER[new]}"
        self.rounds = found

    def _labels_have_gapless_revisions(self) -> None:
        revisions = defaultdict(list)
        for row in self.ask("SELECT item_id, revision, current FROM label ORDER BY item_id, revision"):
            revisions[row["item_id"]].append((row["revision"], bool(row["current"])))
        for item, found in revisions.items():
            expected = [(n, n == len(found)) for n in range(1, len(found) + 1)]
            assert found == expected, f"item {item} has the revisions {found}"

    def _labels_follow_from_annotations(self) -> None:
        votes = _votes(self.ask("SELECT * FROM annotation ORDER BY id"))
        labels = {row["item_id"]: row for row in self.ask("SELECT * FROM label WHERE current")}
        for item, label in labels.items():
            expected = _majority(votes[item])
            found = (label["status"], label["value"])
            assert found == expected, f"item {item} is {found}, its annotations say {expected}"
        for item, said in votes.items():
            assert not said or item in labels, f"item {item} has the votes {said} and no label"

    def _tasks_follow_from_annotations(self) -> None:
        by_task = defaultdict(list)
        for row in self.ask("SELECT * FROM annotation ORDER BY id"):
            by_task[row["task_id"]].append(row)
        for task in self.ask("SELECT * FROM task"):
            said = _votes(by_task[task["id"]])[task["item_id"]]
            needed = task["overlap"] or self.overlap
            if task["state"] == "labeled":
                assert len(said) >= needed, f"task {task['id']} is labeled by {said}"
            elif task["state"] in WAITING:
                assert len(said) < needed, f"task {task['id']} is {task['state']} with {said}"

    def _one_task_an_item(self) -> None:
        live = Counter(
            row["item_id"]
            for row in self.ask(
                "SELECT s.item_id FROM selection s JOIN round r ON r.id = s.round_id "
                "JOIN task t ON t.round_id = s.round_id AND t.item_id = s.item_id "
                "WHERE t.state NOT IN ('cancelled', 'withdrawn') AND s.reason NOT IN ('relabel', 'gold')"
            )
        )
        assert all(number == 1 for number in live.values()), f"chosen twice: {live.most_common(3)}"

    def _only_the_pool_is_chosen(self) -> None:
        wrong = self.ask(
            "SELECT i.key, i.split FROM selection s JOIN item i ON i.id = s.item_id WHERE i.split = 'test'"
        )
        assert not wrong, f"held out and chosen: {wrong}"

    def _history_ends_in_the_present(self) -> None:
        """What reports of old moments are made of says, of this moment, what the tables say."""
        for table in ("round", "task"):
            last = {
                row["of"]: row["state"]
                for row in self.ask(f"SELECT {table}_id AS of, state FROM {table}_move ORDER BY id")
            }
            now = {row["id"]: row["state"] for row in self.ask(f"SELECT id, state FROM {table}")}
            assert last == now, f"{table}: moved to {last}, are {now}"
        for row in self.ask("SELECT * FROM label"):
            assert _in_force(row) == bool(row["current"]), f"label {row['id']} is {row}"
        said = self.ask("SELECT * FROM annotation")
        newest: dict[tuple[str, str], tuple[Any, bool]] = {}
        for row in said:
            newest[_name(row)] = max(newest.get(_name(row), _change(row)), _change(row))
        for row in said:
            assert _in_force(row) == (_change(row) == newest[_name(row)]), f"annotation {row['id']} is {row}"

    def _budget_points_grow(self) -> None:
        last = (0, 0.0)
        for row in self.ask(
            "SELECT b.annotations, b.seconds FROM budget_point b JOIN round r ON r.id = b.round_id "
            "ORDER BY r.number"
        ):
            assert row["annotations"] >= last[0]
            assert row["seconds"] >= last[1] - 1e-6
            last = (row["annotations"], row["seconds"])


def check_budget(ask: Ask, max_labels: int) -> None:
    """What is labeled and what is promised to tasks never exceeds the cap, at the moment of choosing."""
    ((labels, waiting),) = (
        tuple(row.values())
        for row in ask(
            "SELECT (SELECT count(*) FROM label WHERE current AND status = 'agreed') AS labels, "
            "(SELECT count(*) FROM task WHERE state IN ('pending', 'open', 'invalid')) AS waiting"
        )
    )
    assert labels + waiting <= max_labels, f"{labels} labels and {waiting} promised, {max_labels} allowed"


def _in_force(row: Row) -> bool:
    return "superseded_at" in row and row["superseded_at"] is None


def _name(row: Row) -> tuple[str, str]:
    return row["labeler"], row["external_id"]


def _change(row: Row) -> tuple[Any, bool]:
    return row["updated_at"], bool(row["deleted"])


def _position(row: Row) -> str:
    return str(row["failed_from"] if row["state"] == "failed" else row["state"])


def _votes(annotations: list[Row]) -> dict[int, list[str]]:
    """By item: the newest valid answer of each person, from the newest version of each annotation."""
    newest: dict[tuple[str, str], Row] = {}
    for row in annotations:
        key = (row["labeler"], row["external_id"])
        known = newest.get(key)
        if known is None or (row["updated_at"], row["deleted"]) > (known["updated_at"], known["deleted"]):
            newest[key] = row
    people: dict[int, dict[str, Row]] = defaultdict(dict)
    for row in newest.values():
        valid = not row["deleted"] and not row["skipped"] and row["problem"] is None and row["label"]
        known = people[row["item_id"]].get(row["annotator"])
        if valid and (known is None or _age(row) > _age(known)):
            people[row["item_id"]][row["annotator"]] = row
    found = {item: sorted(row["label"] for row in said.values()) for item, said in people.items()}
    return defaultdict(list, found)


def _age(row: Row) -> tuple[Any, str]:
    return row["updated_at"], row["external_id"]


def _majority(said: list[str]) -> tuple[str, str | None]:
    if not said:
        return "withdrawn", None
    counts = Counter(said)
    best = max(counts.values())
    winners = [label for label, count in counts.items() if count == best]
    return ("agreed", winners[0]) if len(winners) == 1 else ("conflict", None)
