"""Connections with an end to them: whoever sends nothing, or takes nothing, holds none for long.

Without that a stranger who opens many and says half a word on each leaves no file for anybody else, forever.
"""

import asyncio
import resource

from uvicorn.protocols.http.h11_impl import H11Protocol

#: More than all streams and their pages need.
MOST, FEWEST = 2000, 20
#: Files that are left to databases, pictures, processes, and those who are at the door already.
OWN_FILES = 200
#: Whoever is at the door waits in the system; so many are let in at once.
BACKLOG = 64


class Impatient(H11Protocol):
    """One connection: requests come within seconds, answers are taken within a minute.

    Attributes:
        most: Beyond so many, the one that has said nothing for longest makes room.
        asking_seconds: For the whole head of a request, however often a letter of it comes.
        taking_seconds: For the next piece of an answer.
    """

    most = MOST
    asking_seconds = 20.0
    taking_seconds = 60.0
    _waits_since: float | None = None
    _asking: asyncio.TimerHandle | None = None
    _taking: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Accept the connection, in the place of one that only waits while there are too many."""
        super().connection_made(transport)
        self._watch()
        if len(self.connections) > self.most:
            self._make_room()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing more."""
        self._forget_asking()
        self.resume_writing()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on: a head that is whole is waited for no longer."""
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        """The next request, or the rest of a body that nobody reads, may come for as long again."""
        self._forget_asking()
        super().on_response_complete()
        self._watch()

    def pause_writing(self) -> None:
        """Whoever takes nothing is waited for a while."""
        super().pause_writing()
        if self._taking is None:
            self._taking = self.loop.call_later(self.taking_seconds, self.hang_up)

    def resume_writing(self) -> None:
        """It was taken."""
        super().resume_writing()
        if self._taking is not None:
            self._taking.cancel()
            self._taking = None

    def hang_up(self) -> None:
        """End the connection now, whatever was still to be sent."""
        self._waits_since = None
        # As if it was gone already: those who come in the same moment make room by others.
        self.connections.discard(self)
        self.transport.abort()

    def _watch(self) -> None:
        if self.cycle is not None and not self.cycle.response_complete:
            self._forget_asking()
        elif self._asking is None and not self.transport.is_closing():
            self._waits_since = self.loop.time()
            self._asking = self.loop.call_later(self.asking_seconds, self.hang_up)

    def _forget_asking(self) -> None:
        self._waits_since = None
        if self._asking is not None:
            self._asking.cancel()
            self._asking = None

    def _make_room(self) -> None:
        mine = [found for found in self.connections if isinstance(found, Impatient)]
        waiting = [(found._waits_since, found) for found in mine if found._waits_since is not None]
        # It is itself among them, as the one that came last.
        min(waiting, key=lambda pair: pair[0], default=(0.0, self))[1].hang_up()


def most_connections() -> int:
    """How many leave enough files for all else."""
    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MOST if allowed == resource.RLIM_INFINITY else max(FEWEST, min(MOST, allowed - OWN_FILES))
