"""Reading by change passes nothing over, whatever happens to tasks between two pages or within one."""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.labelers.label_studio_changes import tasks_by_change
from connectors.labelers.label_studio_format import write_moment
from connectors.labelers.label_studio_http import open_client

START = datetime(2026, 3, 1, tzinfo=UTC)
LONG_AGO = timedelta(hours=1)
PAGE = 4
OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "greater": lambda found, value: found > value,
    "greater_or_equal": lambda found, value: found >= value,
    "less_or_equal": lambda found, value: found <= value,
}


@dataclass
class Tasks:
    """A server that, as the real one does, chooses the tasks of a page first and reads them after that."""

    moments: dict[int, datetime]
    #: Which task is changed in the middle of which request.
    changes: dict[int, int] = field(default_factory=dict)
    tells_time: bool = True
    now: datetime = START
    requests: list[int] = field(default_factory=list)

    def handle(self, request: httpx.Request) -> httpx.Response:
        assert len(self.requests) < 60, "it asks without end"
        self.now += timedelta(seconds=10)
        body = json.loads(request.content)
        by_time = body["ordering"] == ["tasks:updated_at"]
        chosen = [
            key
            for key in sorted(self.moments, key=lambda key: (self.moments[key] if by_time else START, key))
            if all(
                OPERATORS[c["operator"]](self._value(key, c["filter"]), c["value"])
                for c in body["filters"]["items"]
            )
        ][: int(request.url.params["page_size"])]
        if (changed := self.changes.get(len(self.requests))) in self.moments:
            self.moments[changed] = self.now
        self.requests.append(len(chosen))
        rows = [{"id": key, "data": {}, "updated_at": write_moment(self.moments[key])} for key in chosen]
        headers = {"date": format_datetime(self.now, usegmt=True)} if self.tells_time else {}
        return httpx.Response(200, json={"tasks": rows, "total": len(rows)}, headers=headers)

    def _value(self, key: int, name: str) -> Any:
        return key if name.endswith(":id") else write_moment(self.moments[key])


def read(tasks: Tasks, since: datetime | None = None) -> list[tuple[int, str]]:
    client = open_client("http://x", "key", timeout=5.0, transport=httpx.MockTransport(tasks.handle))
    with client:
        return [(row["id"], row["updated_at"]) for row in tasks_by_change(client, "7", since, page_size=PAGE)]


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.integers(0, 6), max_size=30),
    st.dictionaries(st.integers(0, 8), st.integers(0, 29), max_size=6),
)
def test_every_task_comes_as_it_stands_in_the_end(ages: list[int], changes: dict[int, int]) -> None:
    """Many share a moment, pages end anywhere, and tasks change while they are read."""
    moments = {key + 1: START - LONG_AGO + timedelta(seconds=age) for key, age in enumerate(ages)}
    tasks = Tasks(moments=moments, changes={turn: key + 1 for turn, key in changes.items()})
    seen = read(tasks)
    assert {key for key, _ in seen} == set(moments)
    last = tasks.now
    late = {key for key, moment in tasks.moments.items() if moment == last}
    assert all(
        (key, write_moment(moment)) in seen for key, moment in tasks.moments.items() if key not in late
    )


def test_the_last_task_of_a_page_that_changes_while_it_is_read_hides_no_other() -> None:
    moments = {key: START - LONG_AGO + timedelta(seconds=key) for key in range(1, 10)}
    seen = read(Tasks(moments=dict(moments), changes={0: PAGE}))
    assert {key for key, _ in seen} == set(moments)


@pytest.mark.parametrize("count", [PAGE - 1, PAGE, PAGE + 1, 2 * PAGE, 50])
@pytest.mark.parametrize("since", [None, START - LONG_AGO])
def test_thousands_of_the_very_same_moment_come_once_each_and_in_pages(
    count: int, since: datetime | None
) -> None:
    tasks = Tasks(moments=dict.fromkeys(range(1, count + 1), START - LONG_AGO))
    seen = read(tasks, since)
    assert set(Counter(key for key, _ in seen).values()) == {1}
    assert len(seen) == count
    assert max(tasks.requests) <= PAGE


def test_a_server_that_tells_no_time_is_read_all_the_same() -> None:
    moments = {key: START - LONG_AGO + timedelta(seconds=key // 3) for key in range(1, 30)}
    seen = read(Tasks(moments=moments, tells_time=False))
    assert {key for key, _ in seen} == set(moments)
