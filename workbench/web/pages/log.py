"""The audit trail: who did what when, newest first, a page at a time."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from fastapi import APIRouter, Query
from starlette.responses import HTMLResponse

from workbench.domain.records import Event
from workbench.storage.diary import Wanted
from workbench.web.heads import Head, frame_of, head_of
from workbench.web.lookup import MomentHere, ProjectHere
from workbench.web.pages.rounds import find
from workbench.web.rendering import Frame, Renderer
from workbench.web.security.access import ViewerHere

router = APIRouter(include_in_schema=False)
PAGE = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class LogPage:
    """Some events, and what was asked for.

    Attributes:
        by_name: Whether the visitor may ask for a person's doings.
        older: The id before which the next page begins; None on the last one.
    """

    template: ClassVar[str] = "log.html"

    frame: Frame
    head: Head
    events: tuple[Event, ...]
    kinds: tuple[str, ...]
    kind: str
    round: str
    actor: str
    by_name: bool
    before: int | None
    older: int | None


@router.get("/projects/{slug}/log")
def log(
    place: ProjectHere,
    visitor: ViewerHere,
    at: MomentHere,
    kind: Annotated[str, Query(max_length=100)] = "",
    number: Annotated[str, Query(alias="round", max_length=10, pattern=r"^\d*$")] = "",
    actor: Annotated[str, Query(max_length=200)] = "",
    before: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None,
) -> HTMLResponse:
    """Events, filtered."""
    names = visitor.names(place.store, place.project)
    with place.store.read() as tx:
        facts = tx.facts(place.project, at, names)
        round_id = find(facts.rounds.all(), int(number)).id if number else None
        # Whoever may not see names must not find them out by asking for them.
        by = actor or None if visitor.sees_names else None
        wanted = Wanted(round_id=round_id, kind=kind or None, actor=by, before=before, limit=PAGE + 1)
        events = list(reversed(facts.trail.events(wanted)))
        kinds = facts.trail.kinds()
    context = LogPage(
        frame=frame_of(place, visitor, "log", "Audit trail"),
        head=head_of(place, at),
        events=tuple(events[:PAGE]),
        kinds=tuple(kinds),
        kind=kind,
        round=number,
        actor=actor if visitor.sees_names else "",
        by_name=visitor.sees_names,
        before=before,
        older=events[PAGE - 1].id if len(events) > PAGE else None,
    )
    return Renderer().page(context)
