"""What a dashboard serves: projects of some configurations, and their neighbours in the databases."""

import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from workbench.config.load import load_settings
from workbench.config.model import Settings
from workbench.domain.errors import DatabaseAway, WorkbenchError
from workbench.domain.records import Project
from workbench.storage.store import Store, open_store
from workbench.storage.tokens import Tokens
from workbench.web.files import Identity, Stamp, identity, stamp_of
from workbench.web.noting import Noting

#: What can stand in an address as it is.
PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
#: How often folders are searched for new projects, and databases asked for their revision.
LOOK_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A project at hand.

    Attributes:
        slug: What it is called in addresses: its name where that can stand there, else its uid.
        config: Its configuration's file; None if there is none here, and then it can only be read.
        settings: What that says; None while it can not be read, and then nothing is done by it either.
        fault: Why it can not be read.
    """

    slug: str
    store: Store
    project: Project
    settings: Settings | None = None
    config: Path | None = None
    fault: str = ""

    @property
    def read_only(self) -> bool:
        """Whether nothing can be done here but reading."""
        return self.settings is None


class Fault(NamedTuple):
    """A configuration that can not be shown, and why."""

    config: Path
    words: str


class Configured(NamedTuple):
    """A configuration that was read, the database it names, and why it can not be read any more."""

    config: Path
    settings: Settings
    store: Store
    fault: str = ""


@dataclass(slots=True, eq=False)
class Site:
    """All that is served. Configurations are read again when they change; databases stay open.

    Attributes:
        find: Finds configurations anew: projects are added to folders while they are served.
    """

    configs: Sequence[Path]
    opener: Callable[[str], Store] = open_store
    find: Callable[[], Sequence[Path]] | None = None
    ticking: Callable[[], float] = time.monotonic
    _read: dict[Path, tuple[tuple[Stamp | None, ...], Settings]] = field(default_factory=dict)
    _stores: dict[str, Store] = field(default_factory=dict)
    _files: dict[str, Identity | None] = field(default_factory=dict)
    _known: dict[Path, Configured] = field(default_factory=dict)
    #: Databases that can not be used, and why.
    _wrong: dict[str, WorkbenchError] = field(default_factory=dict)
    _noting: Noting = field(default_factory=Noting)
    _looked: float = float("-inf")
    _guarded: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def configured(self) -> tuple[list[Configured], list[Fault]]:
        """Every configuration that can be read, with its database; and those that can not.

        One that could be read before stands among both: its project is still there to be looked at.
        """
        self._look_again()
        good, faults = [], []
        with self._lock:
            for config in self.configs:
                try:
                    found = self._known[config] = self._configured(config)
                    good.append(found)
                except WorkbenchError as error:
                    faults.append(Fault(config, str(error)))
                    known = self._known.get(config)
                    if known is not None and known.settings.database_url not in self._wrong:
                        good.append(known._replace(fault=str(error)))
        return good, faults

    def stores(self) -> list[Store]:
        """Every database, once."""
        return list(dict.fromkeys(found.store for found in self.configured()[0]))

    def has_tokens(self) -> bool:
        """Whether any database has a token, good or not: one that is revoked or expired opens no door.

        Tokens are never deleted, so what was seen once holds, also while a configuration can not be read.
        """
        if not self._guarded:
            self._guarded = self._any(lambda tokens: tokens.exist())
        return self._guarded

    def can_be_entered(self) -> bool:
        """Whether any database has a token that opens something."""
        return self._any(lambda tokens: tokens.any_good())

    def places(self, only: Store | None = None) -> list[Place]:
        """Every project that can be read now; those of one database if one is given."""
        good, _ = self.configured()
        for each in good:
            if not each.fault:
                self._noting.note(each.config, each.settings, each.store)
        found = [place for store in dict.fromkeys(each.store for each in good) for place in _of(store, good)]
        return [place for place in _named(found) if only in (None, place.store)]

    def missing(self, only: Store | None = None) -> str:
        """Why projects may be missing: what is wrong with that database, or any; empty if nothing.

        Raises:
            DatabaseAway: It does not answer.
        """
        if why := self.wrong(only):
            return why
        for store in self.stores() if only is None else [only]:
            with store.read() as tx:
                tx.projects.all()
        return ""

    def wrong(self, only: Store | None = None) -> str:
        """Why a database, or any, is not as this version needs it; empty if all are."""
        for url, error in list(self._wrong.items()):
            if only is None or self._stores.get(url) is only:
                return str(error)
        return ""

    def again(self, place: Place) -> Place:
        """The same project with what its configuration says now."""
        for found in self.configured()[0]:
            if found.config == place.config and found.store is place.store:
                return _place(place.store, place.project, found)
        return place

    def faults(self) -> list[Fault]:
        """Configurations that can not be shown."""
        return self.configured()[1]

    def close(self) -> None:
        """Let go of all databases."""
        for store in self._stores.values():
            store.close()
        self._stores.clear()

    def _any(self, holds: Callable[[Tokens], bool]) -> bool:
        for store in self.stores():
            with store.read() as tx:
                if holds(tx.tokens):
                    return True
        return False

    def _look_again(self) -> None:
        """Now and then: is there a new project, and is every database still as this version needs it?"""
        with self._lock:
            if self.ticking() - self._looked < LOOK_SECONDS:
                return
            self._looked = self.ticking()
            stores = dict(self._stores)
        if self.find is not None:
            # A folder that is away for a while takes nothing along.
            with suppress(WorkbenchError, OSError):
                self.configs = list(dict.fromkeys([*self.configs, *self.find()]))
        for url, store in stores.items():
            try:
                if identity(store) != self._files.get(url):
                    self._let_go(url)
                    continue
                store.check()
                self._wrong.pop(url, None)
            except DatabaseAway:
                # Whoever asks it is told.
                continue
            except WorkbenchError as error:
                self._wrong[url] = error

    def _let_go(self, url: str) -> None:
        """Forget a database: another file stands where it stood, and what is open is of the one before."""
        with self._lock:
            before = self._stores.pop(url, None)
            self._wrong.pop(url, None)
            self._read = {config: read for config, read in self._read.items() if read[1].database_url != url}
        if before is not None:
            before.close()

    def _configured(self, config: Path) -> Configured:
        settings = self._settings(config)
        return Configured(config, settings, self._store(settings.database_url))

    def _settings(self, config: Path) -> Settings:
        stamp = (stamp_of(config), stamp_of(config.parent / ".env"))
        known = self._read.get(config)
        if known is None or known[0] != stamp:
            known = self._read[config] = (stamp, load_settings(config))
        return known[1]

    def _store(self, url: str) -> Store:
        if url in self._wrong:
            raise self._wrong[url]
        store = self._stores.get(url)
        if store is None:
            store = self.opener(url)
            try:
                self._files[url] = identity(store)
                store.check()
            except WorkbenchError:
                store.close()
                raise
            self._stores[url] = store
        return store


@contextmanager
def open_site(configs: Sequence[Path], find: Callable[[], Sequence[Path]] | None = None) -> Iterator[Site]:
    """Serve these configurations, and those that are found later, while inside the block."""
    site = Site(configs, find=find)
    try:
        yield site
    finally:
        site.close()


def _of(store: Store, configured: Sequence[Configured]) -> list[Place]:
    """The projects of a database; none while it is away."""
    own = {each.settings.config.project.name: each for each in configured if each.store is store}
    try:
        with store.read() as tx:
            projects = tx.projects.all()
    except WorkbenchError:
        return []
    return [_place(store, project, own.get(project.name)) for project in projects]


def _place(store: Store, project: Project, at: Configured | None) -> Place:
    if at is None:
        return Place(slug=project.uid, store=store, project=project)
    settings = None if at.fault else at.settings
    return Place(
        slug=project.uid,
        store=store,
        project=project,
        settings=settings,
        config=at.config,
        fault=at.fault,
    )


def _named(places: Sequence[Place]) -> list[Place]:
    """Give every place an address of its own: the name where it is plain and only one has it."""
    taken: set[str] = set()
    named = []
    for place in sorted(places, key=lambda place: (place.config is None, place.project.name)):
        plain = PLAIN.fullmatch(place.project.name) is not None
        wanted = place.project.name if plain and place.project.name not in taken else place.project.uid
        slug = next(name for name in _numbered(wanted) if name not in taken)
        taken.add(slug)
        named.append(replace(place, slug=slug))
    return sorted(named, key=lambda place: place.project.name.casefold())


def _numbered(name: str) -> Iterator[str]:
    yield name
    number = 2
    while True:
        yield f"{name}-{number}"
        number += 1
