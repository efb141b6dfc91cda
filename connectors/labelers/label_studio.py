"""The Label Studio connector.

Projects and releases go through the vendor's SDK, which is imported when it is first needed (it takes more
than a second) and told never to repeat a request; imports and reading go through plain REST, where the SDK
is slow and its models are unreliable. Both share one client (``label_studio_http``).
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

import httpx

from connectors.errors import LabelerRefused, OutcomeUnknown
from connectors.labelers.checks import check_title
from connectors.labelers.label_config import (
    Control,
    check_classes,
    find_control,
    make_label_config,
    read_label_config,
)
from connectors.labelers.label_studio_answers import Refusal, read_json, understood
from connectors.labelers.label_studio_changes import tasks_by_change
from connectors.labelers.label_studio_folders import share_folder
from connectors.labelers.label_studio_format import MOST_WANTED_FIRST, make_settings, read_task, read_task_id
from connectors.labelers.label_studio_hooks import ensure_webhook
from connectors.labelers.label_studio_http import LabelStudioClient, open_client, server_root
from connectors.labelers.label_studio_reading import (
    People,
    Row,
    condition,
    count_tasks,
    naming_project,
    number,
    of_round,
    project_by_id,
    projects_titled,
    serve_as_often_as,
    server_time,
    tasks_by_id,
)
from connectors.labelers.label_studio_sending import act, check_batch, import_tasks
from connectors.labelers.label_studio_survey import describe, replace_predictions, survey
from connectors.labelers.protocol import Labeler
from connectors.labelers.records import (
    OutgoingTask,
    Prediction,
    ProjectFacts,
    ProjectSpec,
    RemoteProject,
    RemoteTask,
    TaskFacts,
    TaskId,
)
from connectors.retry import Patience

if TYPE_CHECKING:
    from label_studio_sdk import LabelStudio

#: Beyond these it is faster to read all tasks of the round than to look for each key in it.
FEW_KEYS: Final = 500


class ServerVersion(NamedTuple):
    """What answers at an address."""

    release: str
    edition: str


def connect(
    url: str,
    api_key: str,
    *,
    timeout: float = 60.0,
    transport: httpx.BaseTransport | None = None,
    patience: Patience | None = None,
) -> "LabelStudioLabeler":
    """Open a connection; nothing is asked of the server yet.

    Args:
        url: Where Label Studio opens in a browser.
        api_key: A legacy token or a personal access token.
        timeout: Seconds to wait for an answer.
        transport: Replaces the network in tests.
        patience: How long to repeat what may be repeated.

    Raises:
        LabelerRefused: The address or the key can not be one.
    """
    root = server_root(url)
    return LabelStudioLabeler(
        root, open_client(root, api_key, timeout=timeout, transport=transport, patience=patience)
    )


class LabelStudioLabeler:
    """A labeler that is a Label Studio server. Holds a connection open: close it, or use ``with``."""

    name = "label-studio"

    def __init__(self, root: str, client: LabelStudioClient) -> None:
        self._root = root
        self._client = client
        self._people = People(client)
        self._controls: dict[str, Control] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def ensure_webhook(self, project_id: str, url: str, secret: str) -> None:
        """Have ``url`` called when annotations change; see ``Labeler.ensure_webhook``."""
        with naming_project(project_id):
            ensure_webhook(self._client, project_id, url, secret)

    def close(self) -> None:
        """Let go of the connection."""
        self._client.close()

    def version(self) -> ServerVersion:
        """Say what answers at the address.

        Raises:
            LabelerRefused: Something else than Label Studio answers.
        """
        body = read_json(self._client.get("/api/version"), dict)
        if "release" not in body:
            raise LabelerRefused(
                f"{self._root} answers, but not as Label Studio does. Check LABEL_STUDIO_URL."
            )
        return ServerVersion(release=str(body["release"]), edition=str(body.get("edition", "Community")))

    def whoami(self) -> str:
        """Say whose key this is: the user's email."""
        return str(read_json(self._client.get("/api/current-user/whoami"), dict).get("email", ""))

    def open_project(self, spec: ProjectSpec) -> RemoteProject:
        """Find the project, or make it; see ``Labeler.open_project``.

        Overlap, order of serving and display of predictions are set to what the spec says if they differ.
        """
        check_title(spec.title)
        project = self._existing(spec) or self._create(spec)
        project_id = str(project["id"])
        control = read_label_config(str(project.get("label_config") or ""), spec.task_type)
        check_classes(control.classes, spec.classes)
        self._controls[project_id] = control
        self._adjust(project, spec)
        return RemoteProject(
            project_id=project_id,
            url=f"{self._root}/projects/{project_id}/data",
            task_type=spec.task_type,
            classes=control.classes,
        )

    def find_tasks(self, project_id: str, round_key: str, item_keys: Sequence[str]) -> list[TaskId]:
        """Say which of these items are there already for this round, doubles included."""
        if not item_keys:
            return []
        wanted = [of_round(round_key)]
        if len(item_keys) <= FEW_KEYS:
            wanted.append(condition("data.item_id", "in_list", "List", list(item_keys)))
        keys = set(item_keys)
        with naming_project(project_id):
            found = [read_task_id(row) for row in tasks_by_id(self._client, project_id, wanted)]
        return [task for task in found if task and task.round_key == round_key and task.item_key in keys]

    def count_tasks(self, project_id: str, round_key: str) -> int:
        """Count the tasks of a round that are there, doubles included."""
        with naming_project(project_id):
            return count_tasks(self._client, project_id, [of_round(round_key)])

    def send_tasks(self, project_id: str, tasks: Sequence[OutgoingTask]) -> list[TaskId]:
        """Send tasks in the given order, all or none; ids come back in request order."""
        if not tasks:
            return []
        check_batch(tasks)
        # As the project was when it was opened: asked for again only by whoever did not open it.
        control = self._controls.get(project_id) or self._control(project_id)
        return import_tasks(self._client, control, project_id, tasks)

    def delete_tasks(self, project_id: str, task_ids: Sequence[str]) -> None:
        """Remove tasks; one that is gone already is no error."""
        if not task_ids:
            return
        with naming_project(project_id):
            act(self._client, project_id, "delete_tasks", [number(key) for key in task_ids])

    def set_overlap(self, project_id: str, overlaps: Mapping[str, int]) -> None:
        """Say, by task id, how many people are to answer a task; what is so already is not written."""
        with naming_project(project_id):
            serve_as_often_as(self._client, project_id, overlaps)

    def release(self, project_id: str, model_version: str) -> None:
        """Serve the predictions of this model version from now on, most wanted first."""
        with naming_project(project_id):
            try:
                self._change(
                    number(project_id), {"model_version": model_version, "sampling": MOST_WANTED_FIRST}
                )
            except Refusal as refusal:
                # No task is left that carries a prediction of this model, so there is no order to serve by.
                if refusal.status != httpx.codes.BAD_REQUEST or "model_version" not in refusal.detail:
                    raise
                self._change(number(project_id), {"sampling": MOST_WANTED_FIRST})

    def clock(self) -> datetime | None:
        """What the server's own clock says; None when it does not tell."""
        return server_time(self._client)

    def changed_tasks(self, project_id: str, since: datetime | None) -> Iterator[RemoteTask]:
        """Stream tasks in the order of their last change, from ``since`` on.

        A task that changes while the pages are read comes once more at the end; none is lost.
        """
        control = self._control(project_id)
        with naming_project(project_id):
            for row in tasks_by_change(self._client, project_id, since):
                yield read_task(control, row, self._people.name)

    def all_tasks(self, project_id: str) -> Iterator[TaskId]:
        """Stream the ids of every task that carries an item key."""
        with naming_project(project_id):
            for row in tasks_by_id(self._client, project_id, []):
                if (task := read_task_id(row)) is not None:
                    yield task

    def describe_project(self, project_id: str) -> ProjectFacts | None:
        """Say how a project is set up now; None when there is none with this id."""
        return describe(self._client, project_id)

    def survey_tasks(self, project_id: str) -> Iterator[TaskFacts]:
        """Stream every task of a project, those of others too."""
        with naming_project(project_id):
            yield from survey(self._client, project_id)

    def set_predictions(self, project_id: str, predictions: Mapping[str, Prediction]) -> None:
        """Have tasks, by id, carry this prediction and no other."""
        with naming_project(project_id):
            replace_predictions(self._client, project_id, predictions)

    def ensure_local_storage(self, project_id: str, folder: Path) -> None:
        """Let a project show pictures below a folder; twice is once, and no task is made of them.

        The server must serve local files and its document root must be a parent of the folder.
        """
        with naming_project(project_id):
            share_folder(self._sdk, number(project_id), folder)

    @cached_property
    def _sdk(self) -> "LabelStudio":
        from label_studio_sdk import LabelStudio

        # The key is put on each request by our client; the SDK only needs something in its place.
        return LabelStudio(base_url=self._root, api_key="unused", httpx_client=self._client, max_retries=0)

    def _existing(self, spec: ProjectSpec) -> Row | None:
        if spec.existing_id is not None:
            return project_by_id(self._client, spec.existing_id)
        titled = projects_titled(self._client, spec.title)
        return min(titled, key=lambda project: int(project["id"]), default=None)

    def _create(self, spec: ProjectSpec) -> Row:
        config = make_label_config(spec.task_type, spec.classes, notes=spec.notes)
        with understood():
            made = self._sdk.projects.create(title=spec.title, label_config=config, **make_settings(spec)).id
        # Of several that were made at the same time, everybody takes the first.
        return self._existing(spec) or project_by_id(self._client, str(made))

    def _adjust(self, project: Row, spec: ProjectSpec) -> None:
        different = {name: value for name, value in make_settings(spec).items() if project.get(name) != value}
        if different:
            self._change(project["id"], different)

    def _change(self, project_id: int, values: Mapping[str, Any]) -> None:
        with understood():
            now = self._sdk.projects.update(project_id, **values)
        if any(getattr(now, name, None) != value for name, value in values.items()):
            raise OutcomeUnknown(
                f"Label Studio does not say that project {project_id} was changed as asked. Look again."
            )

    def _control(self, project_id: str) -> Control:
        config = str(project_by_id(self._client, project_id).get("label_config") or "")
        self._controls[project_id] = find_control(config)
        return self._controls[project_id]


if TYPE_CHECKING:
    _: type[Labeler] = LabelStudioLabeler
