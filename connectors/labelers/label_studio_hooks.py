"""Webhooks of Label Studio: have it call us when somebody annotates. A hint only: it never calls twice.

Plain REST, since a change that leaves the list of actions out empties it.
"""

from typing import Any, Final
from urllib.parse import urlsplit

from connectors.errors import LabelerRefused
from connectors.labelers.label_studio_answers import Refusal, read_json
from connectors.labelers.label_studio_http import LabelStudioClient
from connectors.labelers.label_studio_reading import Row, number, rows_of
from connectors.labelers.protocol import SECRET_HEADER

FORBIDDEN: Final = 403
ACTIONS: Final = ("ANNOTATION_CREATED", "ANNOTATION_UPDATED", "ANNOTATIONS_DELETED", "TASKS_DELETED")


def ensure_webhook(client: LabelStudioClient, project_id: str, url: str, secret: str) -> None:
    """Have ``url`` called, with the secret in a header; once is enough, and only our own hook is touched.

    Raises:
        LabelerRefused: Label Studio does not call such addresses.
    """
    wanted = _hook(project_id, url, secret)
    answer = client.get("/api/webhooks/", params={"project": number(project_id)})
    known = rows_of(answer, read_json(answer, list))
    ours = sorted((hook for hook in known if _is_ours(hook, url)), key=lambda hook: int(hook["id"]))
    try:
        if not ours:
            client.post("/api/webhooks/", json=wanted)
        elif not _same(ours[0], wanted):
            client.patch(f"/api/webhooks/{ours[0]['id']}/", json=wanted, extensions={"repeatable": True})
        for double in ours[1:]:
            client.delete(f"/api/webhooks/{double['id']}/")
    except Refusal as refusal:
        if refusal.status == FORBIDDEN and "reserved" in refusal.detail:
            raise _reserved(url) from refusal
        raise


def _hook(project_id: str, url: str, secret: str) -> dict[str, Any]:
    return {
        "url": url,
        "project": number(project_id),
        "headers": {SECRET_HEADER: secret},
        # Nothing in it would be trusted, and a task that holds a picture is large.
        "send_payload": False,
        "send_for_all_actions": False,
        "is_active": True,
        "actions": list(ACTIONS),
    }


def _is_ours(hook: Row, url: str) -> bool:
    """The same last steps of the path: they name our project, wherever it is received."""
    return _tail(str(hook.get("url", ""))) == _tail(url)


def _tail(url: str) -> list[str]:
    try:
        return urlsplit(url).path.split("/")[-3:]
    except ValueError:
        return []


def _same(hook: Row, wanted: dict[str, Any]) -> bool:
    return all(
        _set(hook.get(name)) == set(value) if name == "actions" else hook.get(name) == value
        for name, value in wanted.items()
    )


def _set(found: object) -> set[str]:
    return {str(part) for part in found} if isinstance(found, list) else set()


def _reserved(url: str) -> LabelerRefused:
    return LabelerRefused(
        f"Label Studio does not call addresses of its own network, and {urlsplit(url).hostname} is one. "
        "Start it with SSRF_PROTECTION_ENABLED=false, or put an address that it may call into [labeler] "
        "webhook_url. Until then answers are read by the clock."
    )
