"""The one place where objects are built: from settings to the parts that the steps are given."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from connectors.labelers.protocol import Annotator, Labeler
from connectors.sources.catalog import open_source
from connectors.sources.records import Content
from workbench.config.load import load_settings
from workbench.config.model import Settings
from workbench.domain.errors import ConfigProblem
from workbench.domain.records import Project, TaskKind
from workbench.learning.learner import Learner
from workbench.learning.methods import check_methods
from workbench.learning.spec import LearnerSpec
from workbench.steps.heartbeat import Watch
from workbench.steps.holders import this_person, this_process
from workbench.steps.ingest import Added, add_source, remove_items
from workbench.steps.parts import Parts, Progress, Report
from workbench.steps.present import presenter
from workbench.steps.terms import note_file
from workbench.storage.store import Clock, Store, open_store

if TYPE_CHECKING:
    from connectors.labelers.label_studio import LabelStudioLabeler

EMBEDDED_FILE = "labeler.db"
FEATURES_FOLDER = "features"
SHORTEST_SECRET = 16


def silent(_name: str) -> AbstractContextManager[Report]:
    """A progress bar that nobody sees."""
    return nullcontext(lambda _done, _total: None)


@contextmanager
def open_parts(
    path: Path,
    *,
    progress: Progress = silent,
    labeler: Labeler | None = None,
    clock: Clock | None = None,
    actor: str | None = None,
) -> Iterator[Parts]:
    """Build everything that a project needs, and let go of it at the end.

    Args:
        labeler: Use this one instead of the configured one.
        clock: Use this one instead of the database's own.
        actor: Who the audit trail says did it; whoever started this process if None.

    Raises:
        WorkbenchError: Configuration, database or project are not as they should be.
        ConnectorError: The labeler is away or refuses us.
    """
    settings = load_settings(path)
    check_methods(settings.config)
    watch = Watch()
    with project_store(settings, clock, actor) as store:
        project = ensure_project(store, settings)
        with closing(build_labeler(settings)) if labeler is None else nullcontext(labeler) as used:
            yield Parts(
                store=store,
                project=project,
                config=settings.config,
                directory=settings.directory,
                labeler=used,
                learner=build_learner(settings),
                present=presenter(settings, project),
                owner=this_process(),
                progress=watch.over(progress),
                watch=watch,
                webhook_secret=webhook_secret(settings),
            )


@contextmanager
def project_store(
    settings: Settings, clock: Clock | None = None, actor: str | None = None
) -> Iterator[Store]:
    """Open the project's database at the right revision.

    Raises:
        DatabaseProblem: It can not be reached, or needs `workbench db upgrade`.
    """
    store = open_store(settings.database_url, clock, actor or this_person())
    try:
        store.check()
        yield store
    finally:
        store.close()


def ensure_project(store: Store, settings: Settings) -> Project:
    """Find our project in the database, or make it; what its budget's terms are now is noted."""
    section = settings.config.project
    with store.begin() as tx:
        project = tx.projects.ensure(
            section.name, kind=section.kind, classes=section.classes, seed=section.seed
        )
        note_file(tx, project, settings.config)
        return project


def build_labeler(settings: Settings) -> Labeler:
    """Connect to where people label.

    Raises:
        ConfigProblem: An address or a token is missing.
    """
    if settings.config.labeler.kind == "embedded":
        from connectors.labelers.embedded import EmbeddedLabeler

        settings.directory.mkdir(parents=True, exist_ok=True)
        return EmbeddedLabeler(settings.directory / EMBEDDED_FILE)
    if settings.config.labeler.kind == "file-drop":
        from connectors.labelers.file_drop import FileDropLabeler

        return FileDropLabeler(settings.root / settings.config.labeler.folder)
    return connect_label_studio(settings)


def connect_label_studio(settings: Settings) -> "LabelStudioLabeler":
    """Connect to Label Studio with the address and the token of the environment.

    Raises:
        ConfigProblem: One of them is missing.
    """
    from connectors.labelers.label_studio import connect

    url, key = settings.label_studio_url, settings.label_studio_api_key
    missing = [
        name for name, value in (("LABEL_STUDIO_URL", url), ("LABEL_STUDIO_API_KEY", key)) if not value
    ]
    if not url or not key:
        raise ConfigProblem(
            f"{' and '.join(missing)} not set. Put it into the environment or into a file named .env beside "
            "workbench.toml; the token stands in Label Studio under Account & Settings."
        )
    return connect(url, key)


def webhook_secret(settings: Settings) -> str | None:
    """What a labeler that calls us shows; None for a project that nobody is to call.

    Raises:
        ConfigProblem: There is an address to call, and no secret, or one that is too easy or can not travel.
    """
    secret = settings.webhook_secret
    if settings.config.labeler.webhook_url is None:
        return None
    if not secret or len(secret) < SHORTEST_SECRET or not (secret.isascii() and secret.isprintable()):
        raise ConfigProblem(
            "[labeler] webhook_url is set, and WORKBENCH_WEBHOOK_SECRET is "
            f"{'not as it should be' if secret else 'not set'}. Put {SHORTEST_SECRET} or more letters and "
            "digits into it, in the environment or in .env, such as `openssl rand -hex 24` gives; or take "
            "webhook_url out."
        )
    return secret


def build_learner(settings: Settings) -> Learner:
    """The learner that the configuration describes, on as many CPU threads as it says."""
    torch.set_num_threads(settings.config.model.threads)
    return Learner(learner_spec(settings))


def learner_spec(settings: Settings) -> LearnerSpec:
    """What is trained and how, from the configuration."""
    config = settings.config
    return LearnerSpec(
        posterior=config.posterior.name,
        posterior_options=_frozen(config.posterior.options),
        model=config.factory,
        model_options=_frozen(config.model.options),
        encoder=config.encoder,
        encoder_options=_frozen(config.model.encoder_options),
        transform=config.model.transform,
        classes=config.project.classes,
        n_samples=config.posterior.samples,
        project_root=settings.root,
        features_folder=settings.directory / FEATURES_FOLDER,
    )


def _frozen(options: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in options.items()}


def upgrade_database(path: Path) -> None:
    """Bring the project's database to the newest revision."""
    store = open_store(load_settings(path).database_url)
    try:
        store.upgrade()
    finally:
        store.close()


def add_to_pool(
    path: Path,
    source: Path,
    *,
    text: str | None = None,
    features: tuple[str, ...] | None = None,
    key: str | None = None,
    label: str | None = None,
    prefix: str = "",
    encoding: str = "utf-8",
    separator: str | None = None,
    test_share: float = 0.0,
    gold: bool = False,
) -> Added:
    """Add a source to the project's pool, or to the items that measure annotators.

    Raises:
        ConfigProblem: The source is of another kind than the project.
        SourceError: The source can not be read as asked.
        PoolProblem: The pool can not take it.
    """
    settings = load_settings(path)
    kind = settings.config.project.kind
    reading = open_source(
        source.expanduser().resolve(),
        text=text,
        features=features,
        images=kind is TaskKind.IMAGE,
        key=key,
        label=label,
        prefix=prefix,
        encoding=encoding,
        separator=separator,
    )
    _check_content(reading.content, kind)
    with project_store(settings) as store:
        project = ensure_project(store, settings)
        return add_source(
            store,
            project,
            settings.directory,
            reading,
            test_share=test_share,
            gold=gold,
            feature_names=features or (),
        )


def remove_from_pool(path: Path, keys: Collection[str]) -> None:
    """Take items out of the project's pool.

    Raises:
        PoolProblem: A key that is not in the pool.
    """
    settings = load_settings(path)
    with project_store(settings) as store:
        remove_items(store, ensure_project(store, settings), settings.directory, keys)


def _check_content(content: Content, kind: TaskKind) -> None:
    expected = {
        TaskKind.IMAGE: (Content.IMAGE, "a folder of images"),
        TaskKind.TEXT: (Content.TEXT, "a table with --text COLUMN"),
        TaskKind.FEATURES: (Content.FEATURES, "a table with --features COLUMN,COLUMN"),
    }[kind]
    if content != expected[0]:
        raise ConfigProblem(
            f"The source holds {content} items, and this is a project of {kind}: it takes {expected[1]}."
        )


def hand_annotator(labeler: Labeler, name: str) -> Annotator | None:
    """Somebody who answers by hand, where no labeling tool is in charge; None where one is."""
    from connectors.labelers.embedded import EmbeddedLabeler
    from connectors.labelers.embedded_people import embedded_annotator

    return embedded_annotator(labeler, name) if isinstance(labeler, EmbeddedLabeler) else None
