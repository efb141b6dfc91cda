"""Label Studio's calls, doubled, out of order, forged and far too large, change nothing of what is left.

That calls which never come change nothing needs no test of its own: the undisturbed run has none.
"""

import itertools
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import torch
import uvicorn

from connectors.labelers.embedded import EmbeddedLabeler
from connectors.labelers.embedded_people import embedded_annotator
from tests.faults.comparing import check_same, what_is_left
from tests.faults.little_project import PEOPLE, prepare
from tests.faults.working import everybody, finish
from workbench.bootstrap import open_parts
from workbench.steps.parts import Parts
from workbench.web.hooks import Hook, hook_app

pytestmark = pytest.mark.chaos

SECRET = "a secret of some length"
KNOWN = {"X-Workbench-Secret": SECRET, "Content-Type": "application/json"}
MADE = b'{"action": "ANNOTATION_CREATED", "annotation": {"id": 1}}'
GONE = b'{"action": "ANNOTATIONS_DELETED", "annotations": [{"id": 1}]}'
CALLS: list[dict[str, Any]] = [
    {"headers": KNOWN, "content": GONE},
    {"headers": KNOWN, "content": MADE},
    {"headers": KNOWN, "content": MADE},
    {"headers": KNOWN | {"X-Workbench-Secret": "somebody else's secret"}, "content": MADE},
    {"headers": {}, "content": MADE},
    {"headers": KNOWN, "content": b"x" * 10_000_000},
    {"headers": KNOWN, "content": b"\xff not JSON"},
]


def run(directory: Path, *, calls: bool) -> tuple[dict[str, list[Any]], Counter[int]]:
    config = prepare(directory, "called", "embedded")
    answered: Counter[int] = Counter()
    torch.set_num_threads(1)
    with EmbeddedLabeler(directory / "labeler.db") as labeler:
        people = everybody([embedded_annotator(labeler, name) for name in PEOPLE])
        with open_parts(config, labeler=labeler) as parts:
            if calls:
                with called(parts, answered):
                    finish(parts, people)
            else:
                finish(parts, people)
    return what_is_left(config), answered


@contextmanager
def called(parts: Parts, answered: Counter[int]) -> Iterator[None]:
    """Somebody calls all the time, in every way; ``answered`` counts the answers by their status."""
    hook = Hook(store=parts.store, project=parts.project, secret=SECRET)
    where = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(hook_app(lambda: [hook], lambda: None), log_level="error"))
    receiver = threading.Thread(target=server.run, args=([where],))
    url = f"http://127.0.0.1:{where.getsockname()[1]}/hooks/label-studio/{parts.project.uid}"
    enough = threading.Event()

    def call() -> None:
        for wanted in itertools.cycle(CALLS):
            try:
                answered[httpx.post(url, timeout=10, **wanted).status_code] += 1
            except httpx.TransportError:
                answered[0] += 1
            if enough.is_set() and sum(answered.values()) > 2 * len(CALLS):
                return

    caller = threading.Thread(target=call)
    receiver.start()
    caller.start()
    try:
        yield
    finally:
        enough.set()
        caller.join()
        server.should_exit = True
        receiver.join()
        where.close()


def test_calls_of_every_kind_change_nothing_of_what_is_left(tmp_path: Path) -> None:
    undisturbed, _ = run(tmp_path / "quiet", calls=False)
    left, answered = run(tmp_path / "called", calls=True)
    check_same(left, undisturbed, "called in every way")
    assert answered[202] + answered[200] + answered[204] > 0, answered
    assert answered[401] > 0, answered
    assert answered[413] + answered[0] > 0, "far too large is refused or hung up on"
    assert not any(status >= 500 for status in answered if status != 503), answered
