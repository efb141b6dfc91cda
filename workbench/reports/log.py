"""The audit trail as a stream, oldest first, however long it is; and one event in words."""

from collections.abc import Callable, Iterator
from dataclasses import replace

from workbench.domain.records import Event, Project
from workbench.storage.diary import Wanted
from workbench.storage.store import Store

PAGE = 1000
#: Of two processes that write at once, the one with the smaller ids may be seen later.
OVERLAP = 100


def read_log(store: Store, project: Project, wanted: Wanted) -> Iterator[Event]:
    """Stream the events that are there; with ``wanted.limit`` the newest ones only."""
    if wanted.limit is not None:
        yield from _page(store, project, wanted)
        return
    after = wanted.after or 0
    while page := _page(store, project, replace(wanted, after=after, limit=PAGE)):
        yield from page
        after = page[-1].id


def follow_log(
    store: Store, project: Project, wanted: Wanted, *, wait: Callable[[], object]
) -> Iterator[Event]:
    """Stream the events that are there, then those that come, without an end; ``wait`` is between looks."""
    last = _last(store, project)
    seen = {event.id for event in _window(store, project, wanted, last)}
    for event in read_log(store, project, wanted):
        last = max(last, event.id)
        seen.add(event.id)
        yield event
    while True:
        wait()
        for event in _window(store, project, wanted, last):
            if event.id not in seen:
                seen.add(event.id)
                last = max(last, event.id)
                yield event
        seen = {known for known in seen if known > last - OVERLAP}


def in_words(event: Event) -> str:
    """One line: when, which round, what, who. Names and messages are anybody's: no control characters."""
    about = f"round {event.round_number}" if event.round_number is not None else "project"
    line = f"{event.at:%Y-%m-%d %H:%M:%S}Z  {about}  {event.kind}: {event.message}  ({event.actor})"
    return "".join(letter if letter.isprintable() else " " for letter in line)


def _page(store: Store, project: Project, wanted: Wanted) -> list[Event]:
    with store.read() as tx:
        return tx.results.events(project.id, wanted)


def _last(store: Store, project: Project) -> int:
    newest = _page(store, project, Wanted(limit=1))
    return newest[-1].id if newest else 0


def _window(store: Store, project: Project, wanted: Wanted, last: int) -> list[Event]:
    return _page(store, project, replace(wanted, after=max(0, last - OVERLAP), limit=None))
