"""Who watches a project hears of every change: one reader a project asks the database, however many listen.

Only the newest state is kept. A listener that is slow misses what was in between and gets what is; nothing
piles up for it, and nobody else waits for it.
"""

import asyncio
import secrets
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias, TypeVar

from starlette.concurrency import run_in_threadpool

from workbench.web.refusals import Refusal

#: How often the database is asked while somebody listens.
POLL_SECONDS = 1.0
#: Silence is broken before a proxy takes it for the end; so often it is asked whether a listener still may.
HEARTBEAT_SECONDS = 5.0
#: Then the browser connects again: who may not any more is sent away.
LONGEST_SECONDS = 300.0
#: A database that has not answered for so long is said to be away.
PATIENCE_SECONDS = 5.0
MOST_LISTENERS, MOST_OF_ONE = 400, 150
#: Listeners and readers that wait for the database at once: pages have threads left, however many listen.
AT_ONCE = 8
RETRY_MILLISECONDS = 2000
T = TypeVar("T")


class TooMany(Refusal):
    """No more can listen."""

    status = 503


class News(NamedTuple):
    """What is said to everybody with the same rights, and how it is numbered."""

    id: str
    data: str


#: Reads what is to be said now, as JSON in one line; in a thread of its own.
Read: TypeAlias = Callable[[], str]
#: Said while nothing is known: what was said last may be old.
AWAY = '{"away": true}'
#: Whether a listener may still hear it; in a thread of its own.
May: TypeAlias = Callable[[], bool]


def everybody() -> bool:
    """For what is told to whoever came in."""
    return True


@dataclass(slots=True, eq=False)
class Feed:
    """The newest state of one project for one kind of visitor."""

    read: Read
    leaving: Callable[[], bool] = lambda: False
    turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))
    listeners: int = 0
    newest: News | None = None
    reader: asyncio.Task[None] | None = None
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    _mark: str = field(default_factory=lambda: secrets.token_hex(4))
    _number: int = 0

    async def follow(self) -> None:
        """Read again and again; what is the same as before is no news."""
        while not self.leaving():
            reading = asyncio.ensure_future(_in_turn(self.turns, self.read))
            if not (await asyncio.wait({reading}, timeout=PATIENCE_SECONDS))[0]:
                await self._say(AWAY)
            # The database is away, or the project is gone: whoever looks is told, until it is back.
            try:
                said = await reading
            except Exception:  # noqa: BLE001  # whatever it is, nothing is known
                said = AWAY
            await self._say(said)
            await asyncio.sleep(POLL_SECONDS)
        async with self._changed:
            self._changed.notify_all()

    async def _say(self, data: str) -> None:
        if self.newest is None or data != self.newest.data:
            self._number += 1
            async with self._changed:
                self.newest = News(f"{self._mark}-{self._number}", data)
                self._changed.notify_all()

    async def after(self, seen: str | None) -> News | None:
        """The newest state if it is not the one that was seen, soon; None if nothing changes for a while."""
        try:
            async with asyncio.timeout(HEARTBEAT_SECONDS), self._changed:
                await self._changed.wait_for(
                    lambda: self.leaving() or (self.newest is not None and self.newest.id != seen)
                )
        except TimeoutError:
            return None
        return None if self.leaving() else self.newest


Key: TypeAlias = tuple[int, int, bool]


@dataclass(slots=True, eq=False)
class Live:
    """Everybody who watches. Lives in the event loop: no locks."""

    #: Set from anywhere when the dashboard is told to stop: every stream ends by itself.
    leaving: threading.Event = field(default_factory=threading.Event)
    _feeds: dict[Key, Feed] = field(default_factory=dict)
    _seated: int = 0
    _of_one: dict[str, int] = field(default_factory=dict)
    _reading: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))
    _asking: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))

    @property
    def listeners(self) -> int:
        """How many listen now."""
        return sum(feed.listeners for feed in self._feeds.values())

    @property
    def readers(self) -> int:
        """How many projects are read now."""
        return sum(feed.reader is not None and not feed.reader.done() for feed in self._feeds.values())

    @contextmanager
    def seat(self, who: str) -> Iterator[None]:
        """A place among the listeners, inside the block: counted where it is asked for, so none too many.

        Raises:
            TooMany: There are enough, of all or of this one.
        """
        if self._seated >= MOST_LISTENERS or self._of_one.get(who, 0) >= MOST_OF_ONE:
            raise TooMany(
                "Too many pages watch already. This one can be looked at, and brought up to date by hand.",
                headers={"Retry-After": "30"},
            )
        self._seated += 1
        self._of_one[who] = self._of_one.get(who, 0) + 1
        try:
            yield
        finally:
            self._seated -= 1
            self._of_one[who] -= 1
            if not self._of_one[who]:
                del self._of_one[who]

    async def listen(
        self, key: Key, read: Read, seen: str | None, may: May = everybody
    ) -> AsyncIterator[bytes]:
        """Everything that is new, as server-sent events, until the listener leaves, may not, or it is long.

        Args:
            may: Asked before anything is said: keys are revoked, sessions end.
        """
        feed = self._feed(key, read)
        loop = asyncio.get_running_loop()
        end = loop.time() + LONGEST_SECONDS
        asked: asyncio.Future[bool] | None = None
        try:
            yield f"retry: {RETRY_MILLISECONDS}\n\n".encode()
            while loop.time() < end and not self.leaving.is_set():
                news = await feed.after(seen)
                asked = asked or asyncio.ensure_future(_in_turn(self._asking, may))
                if not (await asyncio.wait({asked}, timeout=PATIENCE_SECONDS))[0]:
                    # Nobody knows whether this one may hear it; that the database is away, everybody may.
                    yield f"data: {AWAY}\n\n".encode("ascii")
                    continue
                if not asked.result():
                    return
                asked = None
                if news is None:
                    yield b": still here\n\n"
                else:
                    seen = news.id
                    # JSON in one line of plain letters: nothing in it can end the entry.
                    yield f"id: {news.id}\ndata: {news.data}\n\n".encode("ascii")
        finally:
            if asked is not None:
                asked.cancel()
            self._leave(key)

    def _feed(self, key: Key, read: Read) -> Feed:
        feed = self._feeds.setdefault(key, Feed(read, self.leaving.is_set, self._reading))
        feed.listeners += 1
        if feed.reader is None or feed.reader.done():
            feed.reader = asyncio.create_task(feed.follow())
        return feed

    def _leave(self, key: Key) -> None:
        feed = self._feeds[key]
        feed.listeners -= 1
        if not feed.listeners:
            if feed.reader is not None:
                feed.reader.cancel()
            del self._feeds[key]


async def _in_turn(turns: asyncio.Semaphore, ask: Callable[[], T]) -> T:
    """What a thread finds out, a few at a time."""
    async with turns:
        return await run_in_threadpool(ask)
