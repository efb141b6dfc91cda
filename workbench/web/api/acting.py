"""What is going on, what can be done, and the budget, for programs."""

from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Body

from workbench.domain.errors import BudgetProblem
from workbench.domain.terms import CHANGEABLE
from workbench.reports.budget_page import budget_page
from workbench.reports.now_page import as_json, now_page
from workbench.web.desk import DeskHere
from workbench.web.doing import Wish, do, possible
from workbench.web.lookup import ProjectHere
from workbench.web.pages.acting import LARGEST_BATCH, Name, find_act
from workbench.web.pages.budget import ELSEWHERE, change_budget
from workbench.web.refusals import Conflict, Wrong
from workbench.web.security.access import AdminHere, OperatorHere, ViewerHere
from workbench.web.security.visitors import Visitor
from workbench.web.site import Place

router = APIRouter(prefix="/api/v1", tags=["acting"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is wanted.

    Attributes:
        seen: The ``turn`` of the state in which it is wanted: refused if the project has moved on since.
        batch: How many items a round is to have; as configured if left out.
        reason: Why, for a pause.
    """

    seen: str | None = None
    batch: int | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What happens now."""

    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """How far the work that is under way has come."""

    words: str
    done: int
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NowSaid:
    """A project at this moment."""

    turn: str
    words: str
    round: int | None
    state: str | None
    open: bool
    error: str | None
    held_by: str | None
    stands_still: bool
    progress: Told | None
    answered: int | None
    tasks: int | None
    schedule: str | None
    next: str | None
    workers: int
    looked_after: bool
    away: list[str]
    #: What can be asked for, by name.
    acts: list[str] = field(default_factory=list)
    #: What the dashboard itself does for the project, or did last.
    errand: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TermSaid:
    """A term of the budget."""

    key: str
    words: str
    value: float | int | str | None
    file: float | int | str | None
    changed_by: str | None
    changed_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetSaid:
    """The budget: what holds, and what is used of it."""

    currency: str
    terms: list[TermSaid]
    spent_labels: int
    spent_cost: float
    spent_hours: float
    promised_labels: int
    #: What was changed just now; nothing if it is how it was.
    changed: str = ""
    notes: list[str] = field(default_factory=list)


@router.get("/projects/{slug}/now")
def now(place: ProjectHere, visitor: ViewerHere, desk: DeskHere) -> NowSaid:
    """What is going on."""
    names = visitor.names(place.store, place.project)
    config = place.settings.config if place.settings else None
    with place.store.read() as tx:
        found = now_page(tx, place.project, config, names)
    errand = desk.errands.last(place)
    said: dict[str, Any] = as_json(found)
    told = said.pop("progress")
    return NowSaid(
        **said,
        progress=Told(**told) if told else None,
        acts=[] if place.read_only else [act.name for act in possible(found)],
        errand=errand.title if errand and errand.under_way else None,
    )


@router.post("/projects/{slug}/acts/{act}", status_code=202)
def act(
    place: ProjectHere,
    visitor: OperatorHere,
    desk: DeskHere,
    act: Name,
    asked: Annotated[Asked | None, Body()] = None,
) -> Answer:
    """Have something done; what comes of it is told by ``now``."""
    wanted = asked or Asked()
    if wanted.batch is not None and not 1 <= wanted.batch <= LARGEST_BATCH:
        raise Wrong(f"batch is {wanted.batch}; expected 1 to {LARGEST_BATCH:,}, or nothing.")
    wish = Wish(find_act(act), visitor.name, seen=wanted.seen, batch=wanted.batch, reason=wanted.reason)
    return Answer(words=do(place, desk.errands, wish))


@router.get("/projects/{slug}/budget")
def budget(place: ProjectHere, visitor: ViewerHere) -> BudgetSaid:
    """The budget's terms, who set them, and what is spent."""
    return _budget(place, visitor)


@router.patch("/projects/{slug}/budget")
def change(
    place: ProjectHere,
    visitor: AdminHere,
    terms: Annotated[dict[str, bool | str | int | float | None], Body(max_length=20)],
) -> BudgetSaid:
    """Change terms: a value, ``"none"`` for no limit, null for what workbench.toml says."""
    back = tuple(key for key, value in terms.items() if value is None)
    texts = {key: str(value)[:400] for key, value in terms.items() if value is not None}
    if unknown := [key for key in back if key not in CHANGEABLE]:
        raise BudgetProblem(dict.fromkeys(unknown, "is nothing that people change"))
    changed = change_budget(place, visitor.name, texts, back)
    return _budget(place, visitor, changed.words, list(changed.notes))


def _budget(place: Place, visitor: Visitor, changed: str = "", notes: list[str] | None = None) -> BudgetSaid:
    if place.settings is None:
        raise Conflict(place.fault or ELSEWHERE)
    names = visitor.names(place.store, place.project)
    with place.store.read() as tx:
        page = budget_page(tx, place.project, place.settings.config, names)
    return BudgetSaid(
        currency=page.currency,
        terms=[TermSaid(**asdict(term)) for term in page.terms],
        spent_labels=page.spent.labels,
        spent_cost=page.spent_cost,
        spent_hours=page.spent.seconds / 3600,
        promised_labels=page.promised.labels,
        changed=changed,
        notes=notes or [],
    )
