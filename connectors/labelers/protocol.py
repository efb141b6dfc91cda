"""The one contract of every labeler, and of the people who work in it."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final, Protocol

from connectors.labelers.records import (
    OutgoingTask,
    Prediction,
    ProjectFacts,
    ProjectSpec,
    RemoteProject,
    RemoteTask,
    ServedTask,
    TaskFacts,
    TaskId,
)

#: Holds the secret by which a call from the labeler is known.
SECRET_HEADER: Final = "X-Workbench-Secret"  # noqa: S105  (a name, not a secret)


class Labeler(Protocol):
    """Where annotators work. The contract suite in ``tests/contracts`` is this text, running.

    Reads may be repeated by the labeler itself; writes are sent once. After ``OutcomeUnknown`` the caller
    looks with ``find_tasks`` before it sends again. All methods raise ``LabelerUnreachable`` when there is
    no answer and nothing was changed, and ``LabelerRefused`` when the labeler says no.
    """

    #: Names this labeler in the database; constant for a kind of labeler.
    name: str

    def open_project(self, spec: ProjectSpec) -> RemoteProject:
        """Find the project, or make it; opening twice gives the same project.

        With ``spec.existing_id`` the existing project is adopted if it fits: it must have one
        single-choice control tag for the task type and exactly the classes of the spec.
        Without it, a project that carries our exact title is taken (and must fit), else one is made.

        Raises:
            ProjectDoesNotFit: The project has no matching control tag, or other class names.
        """

    def find_tasks(self, project_id: str, round_key: str, item_keys: Sequence[str]) -> list[TaskId]:
        """Say which of these items are there already for this round: all tasks, doubles included."""

    def count_tasks(self, project_id: str, round_key: str) -> int:
        """Count the tasks of a round that are there, doubles included."""

    def send_tasks(self, project_id: str, tasks: Sequence[OutgoingTask]) -> list[TaskId]:
        """Send tasks in the given order, all or none; ids come back in request order.

        Sending twice makes two tasks: labelers do not deduplicate. Send the most wanted first: who labels
        from a list instead of the queue then gets the same order.

        Raises:
            OutcomeUnknown: The request was sent and no answer came.
            LabelerRefused: A text holds a NUL character, or the batch is too large; nothing was sent.
        """

    def delete_tasks(self, project_id: str, task_ids: Sequence[str]) -> None:
        """Remove tasks; one that is gone already is no error."""

    def set_overlap(self, project_id: str, overlaps: Mapping[str, int]) -> None:
        """Say, by task id, how many people are to answer a task; setting it twice is once.

        A task that had enough answers is served again when it needs more, and to nobody who has answered
        it. One that is gone is no error.
        """

    def release(self, project_id: str, model_version: str) -> None:
        """Serve the predictions of this model version from now on, most wanted first."""

    def clock(self) -> datetime | None:
        """What the labeler's own clock says; None when it does not tell.

        A reading that began then has seen every change that carries an older stamp, but for those that were
        stamped and not yet committed.
        """

    def changed_tasks(self, project_id: str, since: datetime | None) -> Iterator[RemoteTask]:
        """Stream tasks whose annotations changed at or after ``since`` (all tasks when None).

        In the order of change; a task that changes meanwhile may come again, later and newer. A cursor of
        the newest ``updated_at`` seen, less a small overlap, therefore loses nothing.
        """

    def ensure_local_storage(self, project_id: str, folder: Path) -> None:
        """Let the labeler show the pictures below a folder of its own machine; once is enough."""

    def ensure_webhook(self, project_id: str, url: str, secret: str) -> None:
        """Have ``url`` called, with the secret in a header, when annotations change; once is enough.

        A hint at most: calls may be lost, doubled or late. A labeler that calls nobody does nothing.

        Raises:
            LabelerRefused: It does not call such addresses. Reading by the clock goes on without.
        """

    def close(self) -> None:
        """Let go of connections and files; closing twice is no error."""

    def all_tasks(self, project_id: str) -> Iterator[TaskId]:
        """Stream the ids of every task that carries an item key, without annotations."""

    def describe_project(self, project_id: str) -> ProjectFacts | None:
        """Say how a project is set up now; None when there is none with this id."""

    def survey_tasks(self, project_id: str) -> Iterator[TaskFacts]:
        """Stream every task of a project, those of others too, with what it shows and what models said."""

    def set_predictions(self, project_id: str, predictions: Mapping[str, Prediction]) -> None:
        """Have tasks, by id, carry this prediction and no other; one that is gone is no error.

        Their place in the order changes; annotations are not touched. Setting it twice is once.
        """


class Annotator(Protocol):
    """A person who labels. Used by simulations and tests; every call goes the way a person's click goes."""

    #: As ``RemoteAnnotation.annotator`` names this person.
    name: str

    def next_task(self, project_id: str) -> ServedTask | None:
        """The task that the labeler serves next to this person, or None when there is nothing to do."""

    def annotate(self, task_id: str, label: str, *, seconds: float) -> str:
        """Submit a label; returns the annotation's id."""

    def skip(self, task_id: str, *, seconds: float) -> str:
        """Decline to answer; returns the annotation's id."""

    def edit(self, annotation_id: str, label: str) -> None:
        """Change a label that was given before."""

    def delete(self, annotation_id: str) -> None:
        """Take an annotation back."""
