"""One item: what it looks like, why it was picked, what people said, what that amounts to."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, ClassVar, NamedTuple

from fastapi import APIRouter, Query
from starlette.responses import HTMLResponse

from workbench.domain.records import Annotation, Label, Split
from workbench.storage.facts.facts import Facts
from workbench.storage.facts.visits import Picked, TaskMove
from workbench.web.heads import Head, frame_of, head_of
from workbench.web.lookup import MomentHere, ProjectHere
from workbench.web.pages.rounds import said
from workbench.web.previews import Preview, preview
from workbench.web.refusals import NotHere
from workbench.web.rendering import Frame, Renderer
from workbench.web.security.access import ViewerHere

router = APIRouter(include_in_schema=False)
ItemKey = Annotated[str, Query(max_length=4000, description="The item's key, as in the pool.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerRow:
    """One version of an answer."""

    who: str
    said: str
    seconds: float | None
    at: datetime
    version: int
    current: bool
    adjudicates: bool


class Happening(NamedTuple):
    """Something that happened to an item."""

    at: datetime
    words: str
    round_number: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemPage:
    """One item."""

    template: ClassVar[str] = "item.html"

    frame: Frame
    head: Head
    key: str
    split: Split
    known_label: str | None
    preview: Preview
    picked: tuple[Picked, ...]
    answers: tuple[AnswerRow, ...]
    labels: tuple[Label, ...]
    history: tuple[Happening, ...]


@router.get("/projects/{slug}/item")
def item_page(place: ProjectHere, visitor: ViewerHere, at: MomentHere, key: ItemKey) -> HTMLResponse:
    """One item."""
    names = visitor.names(place.store, place.project)
    with place.store.read() as tx:
        facts = tx.facts(place.project, at, names)
        found = facts.visits.item(key)
        if found is None:
            raise NotHere(
                "The database knows no such item. It keeps those that were picked, labeled or held out; "
                "the rest of the pool lies in its files."
            )
        versions = facts.visits.answers([found.id]).get(found.id, [])
        picked, labels = facts.visits.picked(found.id), facts.visits.labels(found.id)
        answers = answer_rows(versions, facts)
        context = ItemPage(
            frame=frame_of(place, visitor, "rounds", key),
            head=head_of(place, at),
            key=key,
            split=found.split,
            known_label=found.known_label,
            preview=preview(place.slug, found, whole=True),
            picked=tuple(picked),
            answers=answers,
            labels=tuple(labels),
            history=history_of(picked, facts.visits.task_moves(found.id), answers, labels),
        )
    return Renderer().page(context)


def answer_rows(versions: Sequence[Annotation], facts: Facts) -> tuple[AnswerRow, ...]:
    """Every version of every answer, each with its number."""
    newest = {version.external_id: version for version in versions}
    counts: dict[str, int] = {}
    rows = []
    for version in versions:
        counts[version.external_id] = counts.get(version.external_id, 0) + 1
        rows.append(
            AnswerRow(
                who=facts.names(version.annotator),
                said=said(version, facts),
                seconds=version.seconds,
                at=version.updated_at,
                version=counts[version.external_id],
                current=newest[version.external_id] is version and not version.deleted,
                adjudicates=version.adjudicates,
            )
        )
    return tuple(rows)


def history_of(
    picked: Sequence[Picked],
    moves: Sequence[TaskMove],
    answers: Sequence[AnswerRow],
    labels: Sequence[Label],
) -> tuple[Happening, ...]:
    """All that happened to an item, newest first."""
    found = [
        *(Happening(each.at, f"picked: {each.selection.reason}", each.round_number) for each in picked),
        *(Happening(each.at, _moved(each), each.round_number) for each in moves),
        *(Happening(each.at, f"{each.who}: {each.said}") for each in answers),
        *(Happening(each.created_at, _became(each)) for each in labels),
    ]
    return tuple(sorted(found, key=lambda each: each.at, reverse=True))


def _moved(move: TaskMove) -> str:
    return f"{'adjudication' if move.adjudicates else 'task'} is {move.state}"


def _became(label: Label) -> str:
    value = f" '{label.value}'" if label.value is not None else ""
    return f"label{value} {label.status}, by {label.method}"
