"""What the JSON API answers with."""

from datetime import date, datetime
from typing import Any

from pydantic import BaseModel, Field


class Problem(BaseModel):
    """Why there is no other answer (RFC 9457)."""

    title: str
    status: int
    detail: str


class ProjectOut(BaseModel):
    """A project in a few numbers."""

    slug: str = Field(description="What it is called in addresses.")
    name: str
    task: str
    classes: list[str]
    read_only: bool = Field(description="Whether its configuration is not here.")
    rounds: int
    open_round: int | None = Field(description="The number of the round that is not finished.")
    labels: int | None
    cost: float | None
    currency: str
    metric: str | None
    value: float | None
    target: float | None


class PanelName(BaseModel):
    """A panel that can be asked for."""

    name: str
    title: str
    sentence: str


class FindingOut(BaseModel):
    """An answer in words."""

    words: str
    tone: str


class ColumnOut(BaseModel):
    """A column, and how its values are meant."""

    name: str
    unit: str
    optional: bool


class TableOut(BaseModel):
    """Typed rows."""

    name: str
    title: str
    columns: list[ColumnOut]
    rows: list[dict[str, Any]]


class ChartOut(BaseModel):
    """A chart in words, and as plotly draws it; colours are names such as ``@blue``."""

    name: str
    title: str
    summary: str
    notes: list[str]
    figure: dict[str, Any] | None


class TermsOut(BaseModel):
    """The budget's terms at that moment."""

    currency: str
    per_annotation: float
    per_hour: float
    max_labels: int | None
    max_cost: float | None
    max_hours: float | None
    target: float | None
    floor: float | None
    deadline: date | None
    changed: list[str] = Field(description="Which of them a person has changed.")


class PanelOut(BaseModel):
    """What a panel says of a project at a moment."""

    project: str
    at: datetime
    newer: bool = Field(
        description="Whether something has changed since `at`, less than a minute ago, and is being read."
    )
    terms: TermsOut
    name: str
    title: str
    sentence: str
    findings: list[FindingOut]
    tables: list[TableOut]
    charts: list[ChartOut]


class RoundOut(BaseModel):
    """Where a round stands."""

    number: int
    state: str
    failed_from: str | None
    since: datetime
    created_at: datetime
    chosen_by: str | None
    batch: int
    tasks: dict[str, int] = Field(description="How many tasks stand in each state.")
    pool_size: int | None
    seed: int
    error: str | None


class PickOut(BaseModel):
    """A pick with everything that led to it; scores and entropies in nats."""

    rank: int
    item: str
    reason: str
    score: float | None
    predictive_entropy: float | None
    expected_entropy: float | None
    mutual_information: float | None
    predicted: str | None
    confidence: float | None
    propensity: float | None
    redundancy: float | None
    neighbour: str | None
    neighbour_distance: float | None
    task: str | None
    label: str | None


class PicksOut(BaseModel):
    """Some picks of a round."""

    total: int
    offset: int
    picks: list[PickOut]


class AnswerOut(BaseModel):
    """One version of an answer; ``who`` is a made-up name for viewers."""

    who: str
    said: str
    seconds: float | None
    at: datetime
    version: int
    current: bool
    adjudicates: bool


class LabelOut(BaseModel):
    """A revision of what the answers amount to."""

    revision: int
    value: str | None
    status: str
    confidence: float
    method: str
    created_at: datetime


class PickedOut(PickOut):
    """A pick with its round."""

    round: int


class ItemOut(BaseModel):
    """An item that was touched."""

    key: str
    split: str
    known_label: str | None
    labels: list[LabelOut]
    answers: list[AnswerOut]
    picked: list[PickedOut]


class EventOut(BaseModel):
    """Who did what when."""

    id: int
    at: datetime
    kind: str
    message: str
    actor: str
    round: int | None


class EventsOut(BaseModel):
    """Some events, oldest first; ask again with ``after`` set to the last id for those that follow."""

    events: list[EventOut]


class VisitorOut(BaseModel):
    """Who is asking."""

    name: str
    role: str
    sees_names: bool
