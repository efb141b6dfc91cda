"""People who label in Label Studio, working through its own HTTP interface as their browsers would.

Used by simulations and tests. Each person has an account and a session of their own.
"""

import re
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

import httpx

from connectors.errors import LabelerRefused
from connectors.labelers.label_config import Control, find_control
from connectors.labelers.label_studio_answers import Refusal, read_json
from connectors.labelers.label_studio_format import make_result, read_served
from connectors.labelers.label_studio_http import LabelStudioClient, open_client, server_root
from connectors.labelers.protocol import Annotator
from connectors.labelers.records import ServedTask

NOT_FOUND: Final = 404


class LabelStudioAnnotator:
    """A person with a session open in Label Studio. Close it, or use ``with``."""

    def __init__(self, client: LabelStudioClient, name: str) -> None:
        self._client = client
        self.name = name
        self._controls: dict[int, Control] = {}
        self._projects: dict[str, int] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the session's connection."""
        self._client.close()

    def next_task(self, project_id: str) -> ServedTask | None:
        """Ask for the next task; Label Studio keeps it for this person until it is answered."""
        try:
            raw = read_json(self._client.get(f"/api/projects/{project_id}/next"), dict)
        except Refusal as refusal:
            if refusal.status == NOT_FOUND and "no tasks" in refusal.detail:
                return None
            raise
        self._projects[str(raw["id"])] = int(project_id)
        return read_served(self._control(int(project_id)), raw)

    def annotate(self, task_id: str, label: str, *, seconds: float) -> str:
        """Submit a label; returns the annotation's id."""
        result = make_result(self._control(self._project(task_id)), label)
        return self._submit(task_id, {"result": result, "lead_time": seconds})

    def skip(self, task_id: str, *, seconds: float) -> str:
        """Decline to answer; returns the annotation's id."""
        return self._submit(task_id, {"result": [], "lead_time": seconds, "was_cancelled": True})

    def inject(self, task_id: str, result: object, *, skipped: bool = False) -> str:
        """Submit any result whatever; for tests of what must not become a label."""
        return self._submit(task_id, {"result": result, "was_cancelled": skipped})

    def edit(self, annotation_id: str, label: str) -> None:
        """Change a label that was given before, or answer after a skip."""
        address = f"/api/annotations/{annotation_id}/"
        task_id = str(read_json(self._client.get(address), dict)["task"])
        result = make_result(self._control(self._project(task_id)), label)
        self._client.patch(address, json={"result": result, "was_cancelled": False})

    def delete(self, annotation_id: str) -> None:
        """Take an annotation back."""
        self._client.delete(f"/api/annotations/{annotation_id}/")

    def _submit(self, task_id: str, body: dict[str, Any]) -> str:
        made = read_json(self._client.post(f"/api/tasks/{task_id}/annotations/", json=body), dict)
        return str(made["id"])

    def _project(self, task_id: str) -> int:
        if task_id not in self._projects:
            task = read_json(self._client.get(f"/api/tasks/{task_id}/"), dict)
            self._projects[task_id] = int(task["project"])
        return self._projects[task_id]

    def _control(self, project: int) -> Control:
        if project not in self._controls:
            raw = read_json(self._client.get(f"/api/projects/{project}/"), dict)
            self._controls[project] = find_control(str(raw.get("label_config")))
        return self._controls[project]


def invite_person(
    server_url: str, admin_token: str, email: str, password: str, *, timeout: float = 60.0
) -> LabelStudioAnnotator:
    """Log a person in, after signing them up with an invitation link if they have no account yet.

    Raises:
        LabelerRefused: The account exists with another password, or the sign-up was refused.
    """
    root = server_root(server_url)
    client = LabelStudioClient(base_url=root, timeout=timeout)
    try:
        if not _log_in(client, email, password):
            _sign_up(client, _invitation(root, admin_token, timeout), email, password)
        return LabelStudioAnnotator(client, _enter(client))
    except BaseException:
        client.close()
        raise


def _invitation(root: str, token: str, timeout: float) -> str:
    with open_client(root, token, timeout=timeout) as owner:
        address = str(read_json(owner.get("/api/invite"), dict)["invite_url"])
    return "/user/signup/?" + address.partition("?")[2]


def _log_in(client: LabelStudioClient, email: str, password: str) -> bool:
    return _send_form(client, "/user/login/", email, password)


def _sign_up(client: LabelStudioClient, address: str, email: str, password: str) -> None:
    if not _send_form(client, address, email, password):
        raise LabelerRefused(
            f"Label Studio would not sign up {email}. Either the account exists with another password, or "
            "the password is shorter than 8 characters."
        )


def _send_form(client: LabelStudioClient, address: str, email: str, password: str) -> bool:
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', client.get(address).text)
    form = {"email": email, "password": password, "csrfmiddlewaretoken": token[1] if token else ""}
    referer = str(client.base_url.join(address))
    answer = client.post(address, data=form, headers={"Referer": referer}, extensions={"redirect": True})
    return answer.status_code == httpx.codes.FOUND


def _enter(client: LabelStudioClient) -> str:
    client.headers["X-CSRFToken"] = client.cookies.get("csrftoken") or ""
    client.headers["Referer"] = str(client.base_url)
    return str(read_json(client.get("/api/current-user/whoami"), dict)["email"])


if TYPE_CHECKING:
    _: type[Annotator] = LabelStudioAnnotator
