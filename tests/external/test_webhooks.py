"""A real annotation in a real Label Studio calls a real receiver, and what it was about is read."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import uvicorn

from connectors.errors import LabelerRefused
from connectors.labelers.label_studio import connect
from tests.benchmarks.sync_cases import make_parts, select
from tests.conftest import RealLabelStudio
from workbench.steps.leases import lease
from workbench.steps.pull import pull
from workbench.steps.push import push, release
from workbench.storage.diary import Wanted
from workbench.storage.store import Store, open_store
from workbench.web.hooks import Hook, hook_app

pytestmark = pytest.mark.external
SECRET = "a secret of some length"


@contextmanager
def listening(app: Any) -> Iterator[str]:
    """Serve an application on a free port of this machine."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", ws="none"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started and thread.is_alive():
        thread.join(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(f"sqlite:///{tmp_path / 'workbench.db'}")
    opened.upgrade()
    yield opened
    opened.close()


def test_an_annotation_wakes_the_receiver_and_the_pull_finds_it(
    label_studio: RealLabelStudio, store: Store, tmp_path: Path
) -> None:
    found: list[Hook] = []
    woken = threading.Event()
    with (
        connect(label_studio.url, label_studio.owner.token) as labeler,
        listening(hook_app(lambda: found, woken.set)) as address,
    ):
        name = f"hooked {uuid4().hex[:8]}"
        section = {"webhook_url": address + "/"}
        parts = make_parts(
            store, labeler, tmp_path, name=name, labeler_section=section, webhook_secret=SECRET
        )
        found.append(Hook(store=store, project=parts.project, secret=SECRET))
        current = select(parts, ["a", "b"])
        with lease(parts, current) as held:
            release(parts, push(parts, held))
        with store.read() as tx:
            link = tx.projects.link(parts.project.id, labeler.name)
        assert link is not None
        assert link.woken_at is None
        ann = label_studio.person("hooked")
        served = ann.next_task(link.external_id)
        assert served is not None
        ann.annotate(served.task_id, "dog", seconds=1.0)
        assert woken.wait(20), "Label Studio has not called"
        with store.read() as tx:
            noted = tx.projects.link(parts.project.id, labeler.name)
        assert noted is not None
        assert noted.woken_at is not None
        assert pull(parts).labels == 1
        with store.read() as tx:
            read = tx.projects.link(parts.project.id, labeler.name)
        assert read is not None
        assert read.woken_at is None
        # A forged secret is not let in, and the person notices nothing of it.
        woken.clear()
        found[0] = replace(found[0], secret="another one of some length")
        served = ann.next_task(link.external_id)
        assert served is not None
        ann.annotate(served.task_id, "cat", seconds=1.0)
        assert not woken.is_set()
        assert pull(parts).labels == 1


def test_where_label_studio_does_not_call_the_round_goes_on_and_says_why(
    label_studio: RealLabelStudio, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with connect(label_studio.url, label_studio.owner.token) as labeler:

        def refuse(*_: object) -> None:
            raise LabelerRefused("it does not call such addresses")

        monkeypatch.setattr(labeler, "ensure_webhook", refuse)
        section = {"webhook_url": "http://127.0.0.1:9"}
        parts = make_parts(
            store,
            labeler,
            tmp_path,
            name=f"hooked {uuid4().hex[:8]}",
            labeler_section=section,
            webhook_secret=SECRET,
        )
        with lease(parts, select(parts, ["a"])) as held:
            push(parts, held)
        with store.read() as tx:
            told = tx.results.events(parts.project.id, Wanted(kind="webhook-refused"))
        assert [event.message for event in told] == ["it does not call such addresses"]
