"""The nouns of the product as frozen records. What the database gives out, and what the steps pass on."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class TaskKind(StrEnum):
    """What is classified."""

    IMAGE = "image-classification"
    TEXT = "text-classification"
    FEATURES = "feature-classification"


class Split(StrEnum):
    """What an item may be used for. Only ``POOL`` items are ever trained on."""

    POOL = "pool"
    TEST = "test"
    #: Its label is known; mixed among the tasks to see how right annotators are. Never learnt from.
    GOLD = "gold"
    #: Taken out by hand: neither chosen, nor trained on, nor measured on. Its labels are kept.
    REMOVED = "removed"


class Reason(StrEnum):
    """Why an item was chosen."""

    #: The acquisition function wanted it.
    UNCERTAIN = "uncertain"
    #: It stands for a region of the pool; used while there is no model.
    COVERAGE = "coverage"
    #: Drawn at random, for an unbiased view of the pool.
    CONTROL = "control"
    #: Labeled already; one more opinion is worth more than a new item.
    RELABEL = "relabel"
    #: Its label is known: it measures the annotators.
    GOLD = "gold"


class TaskState(StrEnum):
    """Where a task of a round stands."""

    #: Intended, not yet known to be at the labeler.
    PENDING = "pending"
    #: At the labeler, waiting for annotations.
    OPEN = "open"
    #: Enough valid annotations.
    LABELED = "labeled"
    #: Somebody declined and too few have answered; later answers make it ``LABELED``.
    SKIPPED = "skipped"
    #: Answered, but not with anything that can become a label.
    INVALID = "invalid"
    #: Deleted at the labeler by somebody else.
    GONE = "gone"
    #: Its round was cancelled before anybody touched it; it is to be taken back from the labeler.
    CANCELLED = "cancelled"
    #: Taken back from the labeler.
    WITHDRAWN = "withdrawn"


class LabelStatus(StrEnum):
    """What the annotations of an item say together."""

    AGREED = "agreed"
    #: A tie between annotators.
    CONFLICT = "conflict"
    #: All annotations were taken back, skipped or invalid.
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A labeling project: what is classified, into which classes.

    ``uid`` tells its tasks at a labeler from those of another database with the same project name.
    """

    id: int
    name: str
    uid: str
    kind: TaskKind
    classes: tuple[str, ...]
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelerLink:
    """Which project of which labeler belongs to ours, and how far it has been read."""

    labeler: str
    external_id: str
    url: str
    cursor: datetime | None = None
    #: When the labeler last said that something happened there (a webhook); a pull clears it.
    woken_at: datetime | None = None
    #: Since when it has not answered, how often it was tried, when next, and what it said last.
    away_since: datetime | None = None
    attempts: int = 0
    next_attempt_at: datetime | None = None
    last_error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolShard:
    """One immutable Parquet file of pool items."""

    id: int
    number: int
    uri: str
    rows: int
    sha256: str
    source: str
    #: When the pool received it.
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """An item that was touched: selected, labeled or held out. ``known_label`` came with the source."""

    id: int
    key: str
    split: Split
    payload: Mapping[str, Any]
    sha256: str
    known_label: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewItem:
    """An item about to be touched for the first time."""

    key: str
    split: Split
    payload: Mapping[str, Any]
    sha256: str
    shard_id: int
    row: int
    known_label: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """One pick of a round, with everything that led to it. Scores and entropies in nats."""

    item_key: str
    rank: int
    reason: Reason
    score: float | None = None
    predictive_entropy: float | None = None
    expected_entropy: float | None = None
    mutual_information: float | None = None
    predicted: str | None = None
    confidence: float | None = None
    #: Probability of being drawn in the random share; None for deterministic picks.
    propensity: float | None = None
    #: Probability of being drawn next when it was, among all that were left; None where nothing was drawn.
    proposal: float | None = None
    #: The nearest labeled item and how far it is, in the encoder's space.
    neighbour: str | None = None
    neighbour_distance: float | None = None
    #: Cosine similarity to the most similar item that was chosen before it in the batch.
    redundancy: float | None = None
    #: Where it lies on the map of the pool.
    x: float | None = None
    y: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One selected item as a piece of work at a labeler; the rows in ``PENDING`` are the outbox."""

    id: int
    round_id: int
    item_id: int
    item_key: str
    labeler: str
    external_id: str | None
    state: TaskState
    #: How many annotations it needs; the project's overlap if None.
    overlap: int | None = None
    #: Shown without the model's answer, to see what showing it does.
    blind: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotation:
    """One version of one annotation. Edits are new versions; ``deleted`` marks a tombstone."""

    external_id: str
    task_id: int
    item_id: int
    annotator: str
    label: str | None
    problem: str | None = None
    skipped: bool = False
    deleted: bool = False
    seconds: float | None = None
    created_at: datetime
    updated_at: datetime
    #: It was made in the adjudication queue: it rules, and is no vote.
    adjudicates: bool = False
    raw: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """What the annotations of an item amount to. A change is a new revision."""

    item_id: int
    item_key: str
    revision: int
    value: str | None
    status: LabelStatus
    confidence: float
    method: str
    annotations: tuple[str, ...]
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRun:
    """A trained model and everything needed to get it again."""

    id: int
    round_number: int
    posterior: str
    seed: int
    data_hash: str
    labels: int
    uri: str
    sha256: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A number with its 95 % interval and the number of items behind it."""

    split: str
    name: str
    value: float
    low: float
    high: float
    n: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetPoint:
    """What had been spent, and what it had bought, when a round was closed. Totals since the beginning."""

    round_number: int
    metric: str
    labels: int
    annotations: int
    seconds: float
    cost: float
    compute_seconds: float
    value: float | None
    low: float | None
    high: float | None
    n: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Who did what when, in words."""

    #: Grows with every event of the database.
    id: int = 0
    at: datetime
    kind: str
    message: str
    round_number: int | None = None
    #: Who: a person, a worker, an annotator.
    actor: str = "workbench"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEvent:
    """An event about to be written; by whoever opened the database if ``actor`` is None."""

    kind: str
    message: str
    round_id: int | None = None
    actor: str | None = None
