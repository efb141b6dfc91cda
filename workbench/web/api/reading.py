"""The JSON side: everything that pages show, typed. Described at ``/api/openapi.json``."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.responses import Response

from workbench.domain.records import Selection, TaskState
from workbench.reports.chart import Chart
from workbench.reports.faces.document import rows_of
from workbench.reports.panel import Table
from workbench.reports.panels.catalog import PANELS
from workbench.storage.diary import Wanted
from workbench.storage.facts.rounds import RoundThen
from workbench.storage.facts.visits import Pick
from workbench.web.api import models
from workbench.web.desk import DeskHere
from workbench.web.lookup import MomentHere, ProjectHere
from workbench.web.pages.items import ItemKey, answer_rows
from workbench.web.pages.panels import PanelName, Recent, TableName, ViewHere, csv_of, recent
from workbench.web.pages.projects import card_of
from workbench.web.pages.rounds import RoundInPath, find
from workbench.web.plots import plot
from workbench.web.readings import asked_for
from workbench.web.refusals import NotHere
from workbench.web.security.access import ViewerHere
from workbench.web.site import Place

router = APIRouter(prefix="/api/v1", tags=["reading"])

Offset = Annotated[int, Query(ge=0, le=100_000_000)]
Limit = Annotated[int, Query(ge=1, le=1000)]


class Csv(Response):
    """A table as a file."""

    media_type = "text/csv"


@router.get("/me")
def me(visitor: ViewerHere) -> models.VisitorOut:
    """Who is asking, and what the token opens."""
    return models.VisitorOut(name=visitor.name, role=visitor.role, sees_names=visitor.sees_names)


@router.get("/projects")
def projects(desk: DeskHere, visitor: ViewerHere) -> list[models.ProjectOut]:
    """Every project that the token opens."""
    return [_project(place) for place in desk.site.places(visitor.store)]


@router.get("/projects/{slug}")
def project(place: ProjectHere) -> models.ProjectOut:
    """One project."""
    return _project(place)


@router.get("/projects/{slug}/panels")
def panels(_place: ProjectHere) -> list[models.PanelName]:
    """The panels that can be asked for."""
    return [models.PanelName(name=each.name, title=each.title, sentence=each.sentence) for each in PANELS]


@router.get("/projects/{slug}/panels/{panel}")
def panel(
    place: ProjectHere, visitor: ViewerHere, desk: DeskHere, at: MomentHere, panel: PanelName, view: ViewHere
) -> models.PanelOut:
    """What a panel says, now or at a moment."""
    return _panel(recent(place, visitor, desk, at, panel, view))


@router.get("/projects/{slug}/panels/{panel}/tables/{table}.csv", response_class=Csv)
def table(
    place: ProjectHere,
    visitor: ViewerHere,
    desk: DeskHere,
    at: MomentHere,
    panel: PanelName,
    view: ViewHere,
    table: TableName,
) -> Response:
    """A table of a panel as CSV, with all its rows."""
    return csv_of(recent(place, visitor, desk, at, panel, view).said, table)


@router.get("/projects/{slug}/rounds")
def rounds(place: ProjectHere, visitor: ViewerHere, desk: DeskHere, at: MomentHere) -> list[models.RoundOut]:
    """Every round, oldest first."""

    def read() -> list[models.RoundOut]:
        names = visitor.names(place.store, place.project)
        with place.store.read() as tx:
            facts = tx.facts(place.project, at, names)
            states = facts.rounds.tasks_by_state
            return [_round(found, states.get(found.id, {}), facts.words) for found in facts.rounds.all()]

    asked = asked_for(visitor, place.store, place.project, "rounds of the API", at=at)
    found: list[models.RoundOut] = desk.readings.once(asked, place.store, read)
    return found


@router.get("/projects/{slug}/rounds/{number}")
def one_round(
    place: ProjectHere, visitor: ViewerHere, at: MomentHere, number: RoundInPath
) -> models.RoundOut:
    """One round."""
    names = visitor.names(place.store, place.project)
    with place.store.read() as tx:
        facts = tx.facts(place.project, at, names)
        found = find(facts.rounds.all(), number)
        return _round(found, facts.visits.states(found.id), facts.words)


@router.get("/projects/{slug}/rounds/{number}/picks")
def picks(
    place: ProjectHere, at: MomentHere, number: RoundInPath, offset: Offset = 0, limit: Limit = 100
) -> models.PicksOut:
    """What a round picked, most wanted first."""
    with place.store.read() as tx:
        facts = tx.facts(place.project, at)
        found = find(facts.rounds.all(), number)
        chosen = facts.visits.picks(found.id, offset=offset, limit=limit)
        total = facts.visits.count(found.id)
    return models.PicksOut(total=total, offset=offset, picks=[_pick(each) for each in chosen])


@router.get("/projects/{slug}/item")
def item(place: ProjectHere, visitor: ViewerHere, at: MomentHere, key: ItemKey) -> models.ItemOut:
    """One item: why it was picked, what people said, what that amounts to."""
    names = visitor.names(place.store, place.project)
    with place.store.read() as tx:
        facts = tx.facts(place.project, at, names)
        found = facts.visits.item(key)
        if found is None:
            raise NotHere("The database knows no such item.")
        answers = answer_rows(facts.visits.answers([found.id]).get(found.id, []), facts)
        labels, picked = facts.visits.labels(found.id), facts.visits.picked(found.id)
    return models.ItemOut(
        key=found.key,
        split=found.split,
        known_label=found.known_label,
        labels=[models.LabelOut.model_validate(each, from_attributes=True) for each in labels],
        answers=[models.AnswerOut.model_validate(each, from_attributes=True) for each in answers],
        picked=[
            models.PickedOut(round=each.round_number, task=None, label=None, **_why(each.selection))
            for each in picked
        ],
    )


@router.get("/projects/{slug}/events")
def events(
    place: ProjectHere,
    visitor: ViewerHere,
    at: MomentHere,
    after: Annotated[int | None, Query(ge=0, le=2**31 - 1)] = None,
    kind: Annotated[str | None, Query(max_length=100)] = None,
    limit: Limit = 100,
) -> models.EventsOut:
    """The audit trail: the newest events, or those after one."""
    names = visitor.names(place.store, place.project)
    with place.store.read() as tx:
        facts = tx.facts(place.project, at, names)
        found = facts.trail.events(Wanted(after=after, kind=kind or None, limit=limit))
    return models.EventsOut(
        events=[
            models.EventOut(
                id=each.id,
                at=each.at,
                kind=each.kind,
                message=each.message,
                actor=each.actor,
                round=each.round_number,
            )
            for each in found
        ]
    )


def _project(place: Place) -> models.ProjectOut:
    card = card_of(place)
    point = card.point
    return models.ProjectOut(
        slug=place.slug,
        name=place.project.name,
        task=place.project.kind,
        classes=list(place.project.classes),
        read_only=place.read_only,
        rounds=card.rounds,
        open_round=card.open_round.number if card.open_round else None,
        labels=point.labels if point else None,
        cost=point.cost if point else None,
        currency=card.currency,
        metric=point.metric if point else None,
        value=point.value if point else None,
        target=card.target,
    )


def _panel(found: Recent) -> models.PanelOut:
    panel, report = found.said.panel, found.said.report
    terms = {**report.terms.content(), "changed": sorted(report.terms.changed)}
    return models.PanelOut(
        project=report.project.name,
        at=report.at,
        newer=found.newer,
        terms=models.TermsOut.model_validate(terms),
        name=panel.name,
        title=panel.title,
        sentence=panel.sentence,
        findings=[models.FindingOut(words=found.words, tone=found.tone) for found in panel.reading.findings],
        tables=[_table(each) for each in panel.reading.tables],
        charts=[_chart(each, report.terms.currency) for each in panel.reading.charts],
    )


def _table(table: Table) -> models.TableOut:
    columns = [
        models.ColumnOut(name=each.name, unit=each.unit, optional=each.optional) for each in table.columns
    ]
    return models.TableOut(name=table.name, title=table.title, columns=columns, rows=rows_of(table))


def _chart(chart: Chart, currency: str) -> models.ChartOut:
    return models.ChartOut(
        name=chart.name,
        title=chart.title,
        summary=chart.summary,
        notes=list(chart.notes),
        figure=plot(chart, currency),
    )


def _round(found: RoundThen, tasks: dict[TaskState, int], words: Any) -> models.RoundOut:
    return models.RoundOut(
        number=found.number,
        state=found.state,
        failed_from=found.failed_from,
        since=found.since,
        created_at=found.created_at,
        chosen_by=found.strategy,
        batch=found.batch_size,
        tasks={str(state): count for state, count in tasks.items()},
        pool_size=found.pool_size,
        seed=found.seed,
        error=words(found.error) if found.error else None,
    )


def _pick(pick: Pick) -> models.PickOut:
    label = pick.label.value if pick.label else None
    return models.PickOut(task=pick.task, label=label, **_why(pick.selection))


def _why(selection: Selection) -> dict[str, Any]:
    names = set(models.PickOut.model_fields) - {"item", "task", "label"}
    return {"item": selection.item_key, **{name: getattr(selection, name) for name in names}}
