"""Where a simulation's people work: a Label Studio of its own, or the embedded labeler."""

import json
import os
import secrets
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from connectors.errors import LabelerRefused
from connectors.labelers.protocol import Annotator, Labeler
from workbench.bootstrap import EMBEDDED_FILE
from workbench.domain.errors import DemoProblem
from workbench.steps.holders import is_gone, this_process

PEOPLE = ("ada@example.com", "ben@example.com")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A labeler and the people who work in it."""

    labeler: Labeler
    people: tuple[Annotator, ...]


@contextmanager
def embedded_place(directory: Path) -> Iterator[Place]:
    """The embedded labeler with two people."""
    from connectors.labelers.embedded import EmbeddedLabeler
    from connectors.labelers.embedded_people import embedded_annotator

    directory.mkdir(parents=True, exist_ok=True)
    with EmbeddedLabeler(directory / EMBEDDED_FILE) as labeler:
        people = tuple(embedded_annotator(labeler, name) for name in PEOPLE)
        yield Place(labeler=labeler, people=people)


@contextmanager
def label_studio_place(directory: Path, say: Callable[[str], None]) -> Iterator[Place]:
    """A Label Studio started for this directory alone, with two people who came by invitation.

    Raises:
        DemoProblem: There is no Label Studio on this machine.
        LabelerUnreachable: It does not start.
    """
    from connectors.labelers.label_studio import connect
    from connectors.labelers.label_studio_people import invite_person

    with ExitStack() as held:
        server = held.enter_context(label_studio_server(directory, say))
        labeler = held.enter_context(connect(server.url, server.token))
        people = []
        for name in PEOPLE:
            password = _password(directory, name)
            people.append(held.enter_context(invite_person(server.url, server.token, name, password)))
        yield Place(labeler=labeler, people=tuple(people))


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A Label Studio that answers; ``email`` and ``password`` are for a person's browser."""

    url: str
    email: str
    password: str
    token: str


@contextmanager
def label_studio_server(directory: Path, say: Callable[[str], None]) -> Iterator[Running]:
    """Run the Label Studio of a demonstration's directory, at the same address each time if it is free.

    Raises:
        DemoProblem: There is no Label Studio on this machine.
        LabelerUnreachable: It does not start.
    """
    from connectors.labelers.label_studio_server import LabelStudioServer, find_program, free_port

    beside = Path(sys.prefix).parent / ".venv-label-studio" / "bin" / "label-studio"
    try:
        program = find_program(os.environ, beside)
    except LabelerRefused as error:
        raise DemoProblem(
            f"{error} Or type `workbench demo --labeler simulated`, which needs no Label Studio."
        ) from error
    data = directory / "label-studio"
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    remembered = directory / "label-studio-port"
    try:
        port = free_port(int(remembered.read_text()))
    except (OSError, ValueError, LabelerRefused):
        port = free_port(None)
    server = LabelStudioServer(data, program=program, template_dir=_cache(), port=port, tell=say)
    ours = False
    try:
        server.start()
        ours = server.started_here or _left_behind(data / "started-by")
        if ours:
            (data / "started-by").write_text(this_process(), encoding="utf-8")
        remembered.write_text(server.url.rpartition(":")[2])
        owner = server.owner
        _write_env(directory, server.url, owner.token)
        yield Running(url=server.url, email=owner.email, password=owner.password, token=owner.token)
    finally:
        if ours:
            server.stop()


def _left_behind(note: Path) -> bool:
    """Whether the process that started a running server was killed; the server is ours to stop then."""
    return not note.exists() or is_gone(note.read_text(encoding="utf-8"))


def _write_env(directory: Path, url: str, token: str) -> None:
    """So that every command typed in the directory finds this server."""
    _write_private(directory / ".env", f"LABEL_STUDIO_URL={url}\nLABEL_STUDIO_API_KEY={token}\n")


def _password(directory: Path, name: str) -> str:
    path = directory / "label-studio" / "people.json"
    known: dict[str, str] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    if name not in known:
        known[name] = secrets.token_urlsafe(12)
        _write_private(path, json.dumps(known))
    return known[name]


def _write_private(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    temporary.replace(path)


def _cache() -> Path:
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(home) / "active-labeling-workbench" / "label-studio-template"
