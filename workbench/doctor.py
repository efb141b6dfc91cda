"""Look at everything that a project needs, and say for each what is wrong and what to type."""

import shutil
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from acquisition.errors import AcquisitionError
from connectors.errors import ConnectorError
from connectors.labelers.file_drop import REFUSED, FileDropLabeler
from connectors.labelers.protocol import Labeler
from connectors.labelers.records import ProjectSpec, TaskType
from workbench.bootstrap import build_learner, connect_label_studio
from workbench.config.load import load_settings
from workbench.config.model import Settings
from workbench.domain.errors import ModelProblem, WorkbenchError
from workbench.domain.records import TaskKind
from workbench.learning.methods import check_methods
from workbench.learning.trial import trial
from workbench.steps.present import presenter
from workbench.steps.terms import in_force, shown
from workbench.storage.shards import PoolRow, read_shard
from workbench.storage.store import Store, open_store

TRIAL_ITEMS = 10
LEAST_FREE_BYTES = 2 * 1024**3


class Finding(NamedTuple):
    """One thing that was looked at."""

    subject: str
    outcome: str
    text: str


class _Wrong(WorkbenchError):
    """What was looked at is not as it should be."""


class _Note(WorkbenchError):
    """What was looked at is worth a word, and no fault."""


def examine(path: Path) -> Iterator[Finding]:
    """Check a project from the configuration to the disk. Changes nothing in the project's database.

    A project that exists at the labeler is brought to the configured overlap and display of predictions.
    """
    try:
        settings = load_settings(path)
    except WorkbenchError as error:
        yield Finding("configuration", "failed", str(error))
        return
    yield Finding("configuration", "ok", f"{path} is valid")
    try:
        store = open_store(settings.database_url)
    except WorkbenchError as error:
        yield Finding("database", "failed", str(error))
        return
    rows: list[PoolRow] = []
    checks: tuple[tuple[str, Callable[[], str]], ...] = (
        ("database", lambda: _database(store)),
        ("pool", lambda: _pool(settings, store, rows)),
        ("budget", lambda: _budget(settings, store)),
        ("methods", lambda: _methods(settings)),
        ("model", lambda: _model(settings, rows)),
        ("labeler", lambda: _labeler(settings, store)),
        ("presentation", lambda: _presented(settings, store, rows)),
        ("gpu", _gpu),
        ("disk", lambda: _disk(settings)),
    )
    for subject, check in checks:
        yield _look(subject, check)
    store.close()


def _look(subject: str, check: Callable[[], str]) -> Finding:
    try:
        return Finding(subject, "ok", check())
    except _Note as note:
        return Finding(subject, "warning", str(note))
    except (WorkbenchError, ConnectorError, AcquisitionError) as error:
        return Finding(subject, "failed", str(error))


def _database(store: Store) -> str:
    file = store.engine.url.database if store.engine.dialect.name == "sqlite" else None
    if file and not Path(file).exists():
        raise _Wrong("there is none yet. Type `workbench db upgrade`.")
    store.check()
    return f"{store.engine.dialect.name}, at revision {store.status().found}"


def _pool(settings: Settings, store: Store, rows: list[PoolRow]) -> str:
    _database(store)
    with store.begin() as tx:
        project = tx.projects.get(settings.config.project.name)
        shards = tx.pool.shards(project.id) if project else []
        held_out = len(tx.pool.held_out(project.id)) if project else 0
    if not shards:
        raise _Note("empty. Type `workbench pool add PATH`.")
    for shard in shards:
        rows.extend(islice(next(read_shard(settings.directory / shard.uri)), TRIAL_ITEMS - len(rows)))
    total = sum(shard.rows for shard in shards)
    if not held_out:
        raise _Note(
            f"{total} items, none held out for testing: accuracy will come from the random share of each "
            "round alone. Add labeled items with `workbench pool add PATH --label ... --test-share 0.2`."
        )
    return f"{total} items, {held_out} of them held out for testing"


def _budget(settings: Settings, store: Store) -> str:
    _database(store)
    with store.read() as tx:
        project = tx.projects.get(settings.config.project.name)
        terms = in_force(tx, project, settings.config) if project else settings.config.terms
    if terms.changed:
        held, file = terms.content(), settings.config.terms.content()
        changed = (
            f"{key} is {shown(held[key])} (workbench.toml: {shown(file[key])})"
            for key in sorted(terms.changed)
        )
        return f"people have changed: {', '.join(changed)}; `workbench budget show` says who"
    return "as workbench.toml says"


def _methods(settings: Settings) -> str:
    config = settings.config
    check_methods(config)
    return (
        f"{config.acquisition.function} from {config.posterior.name}, "
        f"selected by {config.acquisition.selector}"
    )


def _model(settings: Settings, rows: list[PoolRow]) -> str:
    if not rows:
        raise _Note("not tried: the pool is empty.")
    if len(rows) < 2:
        raise ModelProblem("The pool has one item; a model needs two at least to be tried.")
    trial(build_learner(settings), [row.payload for row in rows])
    return f"'{settings.config.factory}' trains on {len(rows)} items and its samples differ"


def _labeler(settings: Settings, store: Store) -> str:
    if settings.config.labeler.kind == "embedded":
        return "the embedded one"
    if settings.config.labeler.kind == "file-drop":
        return _dropped(settings)
    with connect_label_studio(settings) as labeler:
        who = labeler.whoami()
        there = _project_there(settings, store, labeler)
    return f"{settings.label_studio_url} answers, signed in as {who}; {there}"


def _dropped(settings: Settings) -> str:
    with FileDropLabeler(settings.root / settings.config.labeler.folder) as labeler:
        refused = labeler.refused()
    if refused:
        first = refused[0]
        where = f"{first.file}, line {first.line}:" if first.line else first.file
        raise _Wrong(
            f"{len(refused)} dropped lines or files are no answers; the first: {where} "
            f"{first.reason}. All of them are in {labeler.folder / REFUSED}; mend the files in place."
        )
    return f"the folder {labeler.folder} can be read and written"


def _project_there(settings: Settings, store: Store, labeler: Labeler) -> str:
    existing = settings.config.labeler.project_id or _linked(settings, store)
    if existing is None:
        return "its project will be made with the first round"
    config = settings.config
    remote = labeler.open_project(
        ProjectSpec(
            title=config.project.name,
            task_type=TaskType.IMAGE if config.project.kind is TaskKind.IMAGE else TaskType.TEXT,
            classes=config.project.classes,
            overlap=config.labeler.overlap,
            show_predictions=config.labeler.show_predictions,
            existing_id=str(existing),
        )
    )
    return f"project {remote.project_id} fits the classes"


def _linked(settings: Settings, store: Store) -> str | None:
    try:
        with store.begin() as tx:
            project = tx.projects.get(settings.config.project.name)
            link = tx.projects.link(project.id, "label-studio") if project else None
    except WorkbenchError:
        return None
    return link.external_id if link else None


def _presented(settings: Settings, store: Store, rows: list[PoolRow]) -> str:
    if not rows:
        raise _Note("not tried: the pool is empty.")
    with store.begin() as tx:
        project = tx.projects.get(settings.config.project.name)
    assert project is not None
    shown = presenter(settings, project)(rows[0].key, rows[0].payload)
    if settings.config.labeler.pictures == "served" and project.kind is TaskKind.IMAGE:
        return _served(shown)
    what = "a picture" if project.kind is TaskKind.IMAGE else "a text"
    return f"'{rows[0].key}' is shown to annotators as {what} ({len(shown)} characters on the way)"


def _served(address: str) -> str:
    import httpx

    try:
        answer = httpx.get(address, headers={"Origin": "http://doctor.invalid"}, timeout=5.0)
    except httpx.HTTPError as error:
        raise _Wrong(
            f"nothing answers at {httpx.URL(address).copy_with(path='/', query=None)}. "
            "Type `workbench serve` in another terminal, or mend [labeler] serve_url."
        ) from error
    if answer.status_code not in (200, 404) or "access-control-allow-origin" not in answer.headers:
        raise _Wrong(
            "the server at [labeler] serve_url is not `workbench serve`: pictures would not be shown. "
            "Mend serve_url, or start `workbench serve` there."
        )
    return "`workbench serve` answers, with leave for the labeler's pages"


def _gpu() -> str:
    import torch

    if torch.cuda.is_available():
        return f"{torch.cuda.get_device_name(0)}"
    raise _Note("none seen; scoring runs on the CPU.")


def _disk(settings: Settings) -> str:
    place = settings.directory if settings.directory.exists() else settings.root
    free = shutil.disk_usage(place).free
    if free < LEAST_FREE_BYTES:
        raise _Wrong(f"{free / 1024**3:.1f} GiB free at {place}; 2 GiB at least are needed. Make room there.")
    return f"{free / 1024**3:.0f} GiB free at {place}"
