"""As much of Label Studio's HTTP interface as the connector uses, in memory: for wide sweeps.

What it does and does not was measured at the real server: it doubles whatever is imported twice, deletes
quietly, orders and filters tasks. The sweep over the real one holds it to the truth.
"""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from workbench.simulation.answers import Answers

Row = dict[str, Any]
USERS = [{"id": 1, "email": "ada@example.com"}]
OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "equal": lambda found, value: found == value,
    "in_list": lambda found, value: found in value,
    "greater": lambda found, value: found > value,
    "greater_or_equal": lambda found, value: found >= value,
    "less_or_equal": lambda found, value: found <= value,
}


@dataclass
class FakeLabelStudio:
    """Projects and tasks."""

    projects: dict[int, Row] = field(default_factory=dict)
    tasks: dict[int, Row] = field(default_factory=dict)
    url: str = ""
    lock: threading.RLock = field(default_factory=threading.RLock)

    def answer_all(self, answers: Answers) -> None:
        """Have somebody answer or skip whatever nobody has answered."""
        with self.lock:
            for task in self.tasks.values():
                if not task["annotations"]:
                    answer = answers.of(task["data"]["item_id"])
                    choice = {"choices": [answer.label]}
                    result = [{"from_name": "label", "to_name": "text", "type": "choices", "value": choice}]
                    self._annotate(task, [] if answer.label is None else result, answer.seconds)

    def _annotate(self, task: Row, result: list[Row], seconds: float) -> None:
        task["annotations"] = [
            {
                "id": task["id"] + 1000,
                "result": result,
                "was_cancelled": not result,
                "completed_by": 1,
                "lead_time": seconds,
                "created_at": _now(),
                "updated_at": _now(),
            }
        ]
        task["total_annotations"], task["cancelled_annotations"] = int(bool(result)), int(not result)
        task["updated_at"] = _now()

    def asked(self, method: str, path: list[str], query: Row, body: Any) -> tuple[int, Any]:
        """Answer a request to ``/api/…``."""
        with self.lock:
            if path[:1] == ["projects"]:
                return self._asked_of_projects(method, path, body)
            match method, path:
                case "GET", ["version"]:
                    return 200, {"release": "1.23.2"}
                case "GET", ["users"]:
                    return 200, USERS
                case "GET", ["tasks"]:
                    return 200, self._list(query, body)
                case "PATCH", ["tasks", key]:
                    self.tasks[int(key)].update(body)
                    return 200, self.tasks[int(key)]
                case "POST", ["dm", "actions"]:
                    for key in body["selectedItems"]["included"]:
                        self.tasks.pop(key, None)
                    return 200, {"processed_items": len(body["selectedItems"]["included"])}
        return 404, {"detail": "Not found."}

    def _asked_of_projects(self, method: str, path: list[str], body: Any) -> tuple[int, Any]:
        match method, path:
            case "GET", ["projects"]:
                return 200, {"results": list(self.projects.values()), "next": None}
            case "POST", ["projects"]:
                new = len(self.projects) + 1
                self.projects[new] = {"id": new, "task_number": 0, **body}
                return 201, self.projects[new]
            case "GET", ["projects", key]:
                return 200, self.projects[int(key)]
            case "PATCH", ["projects", key]:
                self.projects[int(key)].update(body)
                return 200, self.projects[int(key)]
            case "POST", ["projects", key, "import"]:
                return 201, self._import(int(key), body)
        return 404, {"detail": "Not found."}

    def _import(self, project: int, body: list[Row]) -> Row:
        first = max(self.tasks, default=0) + 1
        for key, task in enumerate(body, first):
            facts = {"id": key, "project": project, "overlap": 1, "is_labeled": False}
            counts = {"total_annotations": 0, "cancelled_annotations": 0, "annotations": []}
            self.tasks[key] = {**task, **facts, **counts, "updated_at": _now(), "created_at": _now()}
        ids = list(range(first, first + len(body)))
        return {"task_count": len(ids), "annotation_count": 0, "prediction_count": len(ids), "task_ids": ids}

    def _list(self, query: Row, body: Row) -> Row:
        rows = [task for task in self.tasks.values() if str(task["project"]) == query["project"][0]]
        for wanted in body["filters"]["items"]:
            name = wanted["filter"].removeprefix("filter:tasks:")
            meets = OPERATORS[wanted["operator"]]
            rows = [row for row in rows if meets(_value(row, name), wanted["value"])]
        (order,) = body["ordering"]
        rows.sort(key=lambda row: row[order.removeprefix("tasks:")])
        return {"tasks": rows[: int(query["page_size"][0])], "total": len(rows)}


def _value(row: Row, name: str) -> Any:
    return row["data"].get(name.removeprefix("data.")) if name.startswith("data.") else row[name]


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    fake: FakeLabelStudio

    def _answer(self) -> None:
        address = urlsplit(self.path)
        content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = [part for part in address.path.split("/") if part][1:]
        status, found = self.fake.asked(
            self.command, path, parse_qs(address.query), json.loads(content or b"null")
        )
        body = json.dumps(found).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PATCH = _answer

    def log_message(self, *_words: Any) -> None:
        """Say nothing."""


@contextmanager
def fake_label_studio() -> Iterator[FakeLabelStudio]:
    """A server on a free port."""
    fake = FakeLabelStudio()
    handler = type("_Bound", (_Handler,), {"fake": fake})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as listener:
        listener.daemon_threads = True
        listener.block_on_close = False
        threading.Thread(target=listener.serve_forever, args=(0.02,), daemon=True).start()
        fake.url = f"http://127.0.0.1:{listener.server_address[1]}"
        try:
            yield fake
        finally:
            listener.shutdown()
