"""What travels between the workbench and a labeler: plain records, no tensor, no table."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class TaskType(StrEnum):
    """What an annotator looks at."""

    IMAGE = "image"
    TEXT = "text"


class Problem(StrEnum):
    """Why an annotation is kept but can not become a label."""

    #: Submitted with nothing chosen.
    EMPTY = "empty"
    #: A label that is not among the project's classes.
    UNKNOWN_LABEL = "unknown-label"
    #: Several labels where one is expected.
    SEVERAL_LABELS = "several-labels"
    #: Not a result of the project's control tag, or not a result at all.
    MALFORMED = "malformed"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectSpec:
    """The project as the workbench wants to see it in the labeler."""

    title: str
    task_type: TaskType
    classes: tuple[str, ...]
    #: How many annotations a task needs.
    overlap: int = 1
    #: Whether annotators see the model's answer pre-selected.
    show_predictions: bool = True
    #: Whether each task carries a note that is shown above its content.
    notes: bool = False
    #: The id of a project that exists already and is to be adopted.
    existing_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteProject:
    """A project as the labeler knows it.

    Attributes:
        url: Where a browser opens it; empty for a labeler without pages. In Label Studio, annotators begin
            with the button "Label All Tasks": only that serves the most wanted task first.
    """

    project_id: str
    url: str
    task_type: TaskType
    classes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """A model's answer that travels with a task.

    Attributes:
        label: The predicted class; None while there is no model, when only the order matters.
        score: The smaller, the earlier the task is served.
        model_version: Which model said so.
    """

    label: str | None
    score: float
    model_version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OutgoingTask:
    """A task to be sent: ``content`` is what the annotator sees (an image address or a text)."""

    item_key: str
    round_key: str
    content: str
    prediction: Prediction | None = None
    #: Shown above the content, in a project that was opened with notes.
    note: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskId:
    """Which task of the labeler carries which item of which round."""

    task_id: str
    item_key: str
    round_key: str
    #: Whether somebody has annotated or skipped it.
    annotated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectFacts:
    """How a project at a labeler is set up now, whoever set it up.

    Attributes:
        control: The name of the tag that asks; None when the interface does not fit.
        problem: Why the interface does not fit.
        overlap: How many annotations a task needs.
        most_wanted_first: Whether the smallest prediction score is served first.
        model_version: Whose predictions are served.
    """

    control: str | None
    classes: tuple[str, ...]
    problem: str | None
    overlap: int
    show_predictions: bool
    most_wanted_first: bool
    model_version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFacts:
    """A task as it stands at the labeler, whoever made it.

    Attributes:
        content: What the annotator sees; None when the interface finds nothing to show in it.
        predictions: All that models said of it.
    """

    task_id: str
    item_key: str | None
    round_key: str | None
    annotated: bool
    content: str | None
    predictions: tuple[Prediction, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteAnnotation:
    """One annotation as the labeler holds it now, already validated.

    Attributes:
        annotation_id: The labeler's id.
        annotator: Who made it, as the labeler names people.
        label: The class, or None when skipped or when ``problem`` says why not.
        problem: Why it can not become a label.
        skipped: The annotator declined to answer.
        seconds: How long the annotator needed, if known.
        updated_at: When it last changed: aware, UTC.
        raw: The labeler's own record.
    """

    annotation_id: str
    annotator: str
    label: str | None
    problem: Problem | None = None
    skipped: bool = False
    seconds: float | None = None
    created_at: datetime
    updated_at: datetime
    raw: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteTask:
    """A task with all its annotations as of now; an annotation that is gone is simply absent."""

    task_id: str
    item_key: str | None
    round_key: str | None
    updated_at: datetime
    annotations: tuple[RemoteAnnotation, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedTask:
    """A task handed to an annotator to work on."""

    task_id: str
    item_key: str | None
    prediction: str | None = None
    note: str | None = None
