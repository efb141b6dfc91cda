"""Pages that ask once more, and the forms that have something done."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from fastapi import APIRouter, Form
from fastapi import Path as InPath
from starlette.responses import HTMLResponse, RedirectResponse, Response

from workbench.reports.now_page import now_page
from workbench.web.desk import DeskHere
from workbench.web.doing import ACTS, AT_ONCE, LONGEST_REASON, Act, Wish, do, possible
from workbench.web.heads import Head, frame_of, head_of
from workbench.web.lookup import ProjectHere
from workbench.web.refusals import NotHere, Wrong
from workbench.web.rendering import Frame, Renderer
from workbench.web.security.access import OperatorHere
from workbench.web.security.visitors import Visitor
from workbench.web.site import Place

router = APIRouter(include_in_schema=False)
LARGEST_BATCH = 100_000
Name = Annotated[str, InPath(max_length=40)]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfirmPage:
    """Asks once more, or for what is needed."""

    template: ClassVar[str] = "live/confirm.html"

    frame: Frame
    head: Head
    base: str
    act: Act
    csrf: str
    turn: str
    now_words: str
    batch: int
    #: Whether it fits what is going on.
    fits: bool
    problem: str | None


@router.get("/projects/{slug}/do/{act}")
def confirm(place: ProjectHere, visitor: OperatorHere, act: Name) -> HTMLResponse:
    """The page of an act; of one that does not fit, why not."""
    return _page(place, visitor, find_act(act))


@router.post("/projects/{slug}/do/{act}")
def done(
    place: ProjectHere,
    visitor: OperatorHere,
    desk: DeskHere,
    act: Name,
    seen: Annotated[str, Form(max_length=80)] = "",
    batch: Annotated[str, Form(max_length=20)] = "",
    reason: Annotated[str, Form(max_length=LONGEST_REASON * 4)] = "",
) -> Response:
    """Have it done, and go back to the project."""
    found = find_act(act)
    try:
        wish = Wish(found, visitor.name, seen=seen or None, batch=_batch(batch), reason=reason)
        do(place, desk.errands, wish)
    except Wrong as fault:
        return _page(place, visitor, found, str(fault.detail))
    return RedirectResponse(f"{head_of(place).base}/live", status_code=303)


def find_act(name: str) -> Act:
    """The act of an address.

    Raises:
        NotHere: There is none of that name.
    """
    if name not in ACTS:
        raise NotHere(f"Nothing is called so that can be done; there are {', '.join(ACTS)}.")
    return ACTS[name]


def _batch(text: str) -> int | None:
    if not text.strip():
        return None
    if not (text.strip().isascii() and text.strip().isdigit()) or not 1 <= int(text) <= LARGEST_BATCH:
        raise Wrong(f"'{text}' is no number of items; expected 1 to {LARGEST_BATCH:,}, or nothing.")
    return int(text)


def _page(place: Place, visitor: Visitor, act: Act, problem: str | None = None) -> HTMLResponse:
    config = place.settings.config if place.settings else None
    with place.store.read() as tx:
        now = now_page(tx, place.project, config)
    context = ConfirmPage(
        frame=frame_of(place, visitor, "live", act.title),
        head=head_of(place),
        base=head_of(place).base,
        act=act,
        csrf=visitor.csrf or "",
        turn=now.turn,
        now_words=now.words,
        batch=config.round.batch_size if config else 0,
        fits=act.name in AT_ONCE or act in possible(now),
        problem=problem,
    )
    return Renderer().page(context, status=422 if problem else 200)
