"""What is going on in a project: a part of its pages, a page of its own, and a stream of every change."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import Annotated, ClassVar

from fastapi import APIRouter, Header
from starlette.requests import Request
from starlette.responses import HTMLResponse, StreamingResponse
from starlette.types import Receive, Scope, Send

from workbench.domain.roles import Role
from workbench.reports.now_page import Now, now_page
from workbench.storage.store import Transaction
from workbench.web.desk import Desk, DeskHere
from workbench.web.doing import Act, possible
from workbench.web.errands import Errand
from workbench.web.heads import Head, frame_of, head_of
from workbench.web.live import Live
from workbench.web.lookup import ProjectHere
from workbench.web.pages.rounds import RoundInPath
from workbench.web.rendering import Frame, Renderer
from workbench.web.security.access import ViewerHere, address_of, still_may
from workbench.web.security.visitors import Visitor
from workbench.web.site import Place

router = APIRouter(include_in_schema=False)
#: Proxies pass every line on at once; nobody keeps any.
STREAMED = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
LONGEST_MARK = 40
LOOK_AGAIN = timedelta(seconds=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusPart:
    """What changes while somebody looks."""

    template: ClassVar[str] = "live/status.html"

    now: Now
    errand: Errand | None
    actor: str
    outcome: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LivePart:
    """The same with what can be done."""

    template: ClassVar[str] = "live/part.html"

    now: Now
    errand: Errand | None
    actor: str
    outcome: str
    base: str
    mark: str
    at: datetime
    acts: tuple[Act, ...]
    csrf: str
    operator: bool
    read_only: bool
    fault: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LivePage:
    """The same as a page."""

    template: ClassVar[str] = "live/page.html"

    frame: Frame
    head: Head
    now: Now
    errand: Errand | None
    actor: str
    outcome: str
    base: str
    mark: str
    at: datetime
    acts: tuple[Act, ...]
    csrf: str
    operator: bool
    read_only: bool
    fault: str


@router.get("/projects/{slug}/live")
def live(request: Request, place: ProjectHere, visitor: ViewerHere, desk: DeskHere) -> HTMLResponse:
    """What is going on: a page, or for the scripts of pages the part alone."""
    part = part_of(desk, place, visitor)
    if request.headers.get("hx-request"):
        return Renderer().page(part)
    of_part = {each.name: getattr(part, each.name) for each in fields(part)}
    frame = frame_of(place, visitor, "live", "Now")
    return Renderer().page(LivePage(frame=frame, head=head_of(place), **of_part))


@router.get("/projects/{slug}/rounds/{number}/live")
def round_live(place: ProjectHere, visitor: ViewerHere, desk: DeskHere, number: RoundInPath) -> HTMLResponse:
    """The part, on the page of the newest round; of an older one nothing is going on."""
    part = part_of(desk, place, visitor)
    return Renderer().page(part) if part.now.number == number else HTMLResponse("")


@router.get("/projects/{slug}/live/events")
async def events(
    request: Request,
    place: ProjectHere,
    visitor: ViewerHere,
    desk: DeskHere,
    last_event_id: Annotated[str | None, Header(max_length=LONGEST_MARK)] = None,
) -> StreamingResponse:
    """Every change of it, as server-sent events."""
    who = visitor.session or f"{visitor.name} at {address_of(request)}"
    key = (id(place.store), place.project.id, visitor.sees_names)
    stream = desk.live.listen(
        key, Watcher(desk, place, visitor), last_event_id, lambda: still_may(request, desk, visitor)
    )
    return Streamed(desk.live, who, stream)


class Streamed(StreamingResponse):
    """A stream while there is a seat: it is taken before the first word, and given back at the end."""

    def __init__(self, live: Live, who: str, stream: AsyncIterator[bytes]) -> None:
        super().__init__(stream, media_type="text/event-stream", headers=STREAMED)
        self._live = live
        self._who = who

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send what is new as long as somebody listens."""
        with self._live.seat(self._who):
            await super().__call__(scope, receive, send)


@dataclass(slots=True, eq=False)
class Watcher:
    """Says what is going on to everybody with the same rights; nothing in it is a visitor's own.

    It looks at the database's fingerprint first: most of the time nothing has changed.
    """

    desk: Desk
    place: Place
    visitor: Visitor
    _seen: object = None
    _read_at: datetime | None = None
    _said: str = ""

    def __call__(self) -> str:
        """What is said now."""
        with self.place.store.read() as tx:
            seen, now = self._fingerprint(tx), tx.now
        # Some words depend on the time alone: a worker falls silent, a lease ends.
        if self._read_at is None or seen != self._seen or abs(now - self._read_at) > LOOK_AGAIN:
            # workbench.toml may have been edited since the first one came to listen.
            status = status_of(self.desk, self.desk.site.again(self.place), self.visitor)
            html = Renderer().text(status)
            self._said = json.dumps({"mark": _mark(status), "words": status.now.words, "html": html})
            self._seen, self._read_at = seen, now
        return self._said

    def _fingerprint(self, tx: Transaction) -> object:
        newest = tx.rounds.newest(self.place.project.id)
        held = newest and (newest.id, newest.state, newest.lease_owner, newest.advance, newest.error)
        schedule = tx.schedules.get(self.place.project.id)
        workers = [(found.name, found.doing) for found in tx.workers.all()]
        away = tx.projects.absences(self.place.project.id)
        return tx.pulse, held, schedule, workers, away, self.desk.errands.last(self.place)


def part_of(desk: Desk, place: Place, visitor: Visitor) -> LivePart:
    """What is going on and what this visitor can do about it."""
    status = status_of(desk, place, visitor)
    free = status.errand is None or not status.errand.under_way
    may = visitor.may(Role.OPERATOR) and not place.read_only
    return LivePart(
        now=status.now,
        errand=status.errand,
        actor=status.actor,
        outcome=status.outcome,
        base=head_of(place).base,
        mark=_mark(status),
        at=datetime.now(UTC),
        acts=tuple(possible(status.now)) if may and free else (),
        csrf=visitor.csrf or "",
        operator=visitor.may(Role.OPERATOR),
        read_only=place.read_only,
        fault=place.fault,
    )


def status_of(desk: Desk, place: Place, visitor: Visitor) -> StatusPart:
    """The project now, in words for this visitor."""
    names = visitor.names(place.store, place.project)
    config = place.settings.config if place.settings else None
    errand = desk.errands.last(place)
    with place.store.read() as tx:
        now = now_page(tx, place.project, config, names)
    outcome = errand.words or "" if errand else ""
    # Words of an error may name anything; whoever may not act need not read them.
    shown = outcome if visitor.sees_names or not outcome else "who runs it knows more."
    return StatusPart(now=now, errand=errand, actor=names(errand.actor) if errand else "", outcome=shown)


def _mark(status: StatusPart) -> str:
    """Changes whenever other things can be done."""
    now, errand = status.now, status.errand
    return f"{now.turn} {now.stands_still:d}{now.open:d} {errand.under_way if errand else ''}"
