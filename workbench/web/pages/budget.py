"""The budget's page: what holds, what is spent, and a form for those who may change it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar
from urllib.parse import parse_qsl, urlencode

from fastapi import APIRouter, Form
from starlette.responses import HTMLResponse, Response

from workbench.config.model import Config
from workbench.config.terms import read_terms
from workbench.domain.errors import BudgetProblem
from workbench.domain.roles import Role
from workbench.domain.terms import CHANGEABLE
from workbench.reports.budget_page import BudgetPage, budget_page
from workbench.steps.terms import Change, change_terms, shown
from workbench.storage.store import Store
from workbench.web.heads import Head, frame_of, head_of
from workbench.web.lookup import ProjectHere
from workbench.web.refusals import Conflict
from workbench.web.rendering import Frame, Renderer
from workbench.web.security.access import AdminHere, ViewerHere
from workbench.web.security.visitors import Visitor
from workbench.web.site import Place

router = APIRouter(include_in_schema=False)
Text = Annotated[str | None, Form(max_length=400)]
ELSEWHERE = (
    "This project's workbench.toml is not among those that the dashboard was started with: its budget can be "
    "changed where that file is."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TermsPage:
    """The budget.

    Attributes:
        values: What stands in the fields.
        seen: What holds, for the form to carry: whoever saves is told of what others changed meanwhile.
        files: What workbench.toml says, as text.
        faults: What is wrong with a field, by its key.
        said: What was changed just now.
    """

    template: ClassVar[str] = "live/budget.html"

    frame: Frame
    head: Head
    base: str
    csrf: str
    page: BudgetPage
    editable: bool
    why_not: str
    values: Mapping[str, str]
    seen: str
    files: Mapping[str, str]
    faults: Mapping[str, str] = field(default_factory=dict)
    said: str = ""
    notes: tuple[str, ...] = ()


@router.get("/projects/{slug}/budget")
def budget(place: ProjectHere, visitor: ViewerHere) -> HTMLResponse:
    """The budget now."""
    return _page(place, visitor)


@router.post("/projects/{slug}/budget")
def change(
    place: ProjectHere,
    visitor: AdminHere,
    max_labels: Text = None,
    max_cost: Text = None,
    max_hours: Text = None,
    target: Text = None,
    floor: Text = None,
    deadline: Text = None,
    seen: Annotated[str, Form(max_length=2000)] = "",
    reset: Annotated[str, Form(max_length=40)] = "",
) -> Response:
    """Change what is different from what the form was made with; faults are shown beside their fields."""
    given = dict(zip(CHANGEABLE, (max_labels, max_cost, max_hours, target, floor, deadline), strict=True))
    texts = {key: text.strip() or "none" for key, text in given.items() if text is not None}
    held = _held(_read(place, None))
    before = {**held, **dict(parse_qsl(seen))}
    # Fields that were left as they were are nobody's wish, whatever others changed meanwhile.
    wanted = {} if reset else {key: text for key, text in texts.items() if text != before[key]}
    try:
        _check_seen(wanted, before, held)
        changed = change_budget(place, visitor.name, wanted, (reset,) if reset else ())
    except BudgetProblem as problem:
        return _page(place, visitor, values=wanted, faults=problem.faults, status=422)
    said = f"{changed.words}." if changed.words else "That is how it is already; nothing was changed."
    return _page(place, visitor, said=said, notes=changed.notes)


def change_budget(place: Place, actor: str, texts: Mapping[str, str], back: tuple[str, ...]) -> Change:
    """Change the terms as somebody wrote them; the trail says who did.

    Raises:
        BudgetProblem: A value that can not be, or a key that people can not change.
        Conflict: The project can only be read here.
    """
    if place.settings is None:
        raise Conflict(place.fault or ELSEWHERE)
    values = read_terms(texts)
    if unknown := [key for key in back if key not in CHANGEABLE]:
        raise BudgetProblem(dict.fromkeys(unknown, "is nothing that people change"))
    with Store(place.store.engine, actor=actor).begin() as tx:
        return change_terms(tx, place.project, place.settings.config, values, back=back)


def _check_seen(wanted: Mapping[str, str], before: Mapping[str, str], held: Mapping[str, str]) -> None:
    """Nobody overwrites what they have not seen.

    Raises:
        BudgetProblem: What is to be changed was changed by somebody else since the form was made.
    """
    faults = {
        key: f"somebody made it {held[key]} since this page was opened; save again if it is to be {text}"
        for key, text in wanted.items()
        if held[key] not in (text, before[key])
    }
    if faults:
        raise BudgetProblem(faults)


def _held(page: BudgetPage) -> dict[str, str]:
    return {term.key: shown(term.value) for term in page.terms}


def _read(place: Place, visitor: Visitor | None) -> BudgetPage:
    config = _config(place)
    names = {"names": visitor.names(place.store, place.project)} if visitor else {}
    with place.store.read() as tx:
        return budget_page(tx, place.project, config, **names)


def _config(place: Place) -> Config:
    if place.settings is None:
        raise Conflict(place.fault or ELSEWHERE)
    return place.settings.config


def _why_not(visitor: Visitor) -> str:
    words = f"Changing the budget takes the role admin; '{visitor.name}' has {visitor.role}."
    if visitor.store is None:
        words += (
            " Type `workbench budget set max_labels=1500` in the project's folder, or start with "
            "`workbench serve --local-role admin`."
        )
    return words


def _page(
    place: Place,
    visitor: Visitor,
    *,
    values: Mapping[str, str] | None = None,
    faults: Mapping[str, str] | None = None,
    said: str = "",
    notes: tuple[str, ...] = (),
    status: int = 200,
) -> HTMLResponse:
    page = _read(place, visitor)
    context: Any = TermsPage(
        frame=frame_of(place, visitor, "budget", "Budget"),
        head=head_of(place),
        base=head_of(place).base,
        csrf=visitor.csrf or "",
        page=page,
        editable=visitor.may(Role.ADMIN),
        why_not=_why_not(visitor),
        values={**_held(page), **(values or {})},
        seen=urlencode(_held(page)),
        files={term.key: shown(term.file) for term in page.terms},
        faults=faults or {},
        said=said,
        notes=notes,
    )
    return Renderer().page(context, status=status)
