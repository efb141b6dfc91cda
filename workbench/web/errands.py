"""Pieces of work that the dashboard has others do: one process for each, one at a time for each project."""

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, TypeAlias

from workbench.domain.errors import RoundBusy, WorkbenchError
from workbench.storage.store import Store
from workbench.web.site import Place

FAILED = "asked-failed"
#: For the interpreter: the process that does the work.
COMMAND = ("-m", "workbench.cli.errand")
#: More than any answer of an errand has.
LARGEST_ANSWER = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """A piece of work that was asked for, and how it went as far as is known.

    Attributes:
        title: What is done, in words.
        words: How it went; None while it is under way.
        done: Whether it went well.
    """

    title: str
    actor: str
    began_at: datetime
    words: str | None = None
    done: bool = False

    @property
    def under_way(self) -> bool:
        """Whether it goes on."""
        return self.words is None


#: Does a piece of work somewhere else and says how it went; may take hours.
Runner: TypeAlias = Callable[[Mapping[str, Any]], Mapping[str, Any]]
Key: TypeAlias = tuple[int, int]


def in_a_process(wanted: Mapping[str, Any]) -> Mapping[str, Any]:
    """Have another process do it. What it needs goes through stdin: lists of processes show none of it."""
    # A session of its own: Ctrl-C at the dashboard's terminal ends the dashboard and not the work.
    with subprocess.Popen(  # noqa: S603  # our own module, by our own interpreter
        [sys.executable, *COMMAND],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        out, _ = process.communicate(json.dumps(dict(wanted)).encode())
    try:
        said: Mapping[str, Any] = json.loads(out[:LARGEST_ANSWER])
    except ValueError:
        return {"done": False, "words": _ended(process.returncode)}
    return said


def _ended(code: int) -> str:
    how = f"by signal {-code}" if code < 0 else f"with code {code}"
    return f"The process that did it was ended {how}. Nothing that was recorded is lost: resume the round."


@dataclass(slots=True, eq=False)
class Errands:
    """What is under way for each project, and how the last one went. The trail has the rest."""

    runner: Runner = in_a_process
    _last: dict[Key, Errand] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def last(self, place: Place) -> Errand | None:
        """The one under way, or the one before."""
        return self._last.get(_key(place))

    @contextmanager
    def alone(self, place: Place, title: str, actor: str) -> Iterator[Errand]:
        """Keep all others from asking for anything while this is asked for; what fails is forgotten again.

        Raises:
            RoundBusy: A piece of work is under way for this project.
        """
        key, errand = _key(place), Errand(title=title, actor=actor, began_at=datetime.now(UTC))
        with self._lock:
            before = self._last.get(key)
            if before is not None and before.under_way:
                raise RoundBusy(
                    f"The dashboard is at work on this project already: '{before.title}', since "
                    f"{before.began_at:%H:%M:%S} UTC. Wait until that is done; nothing was begun twice."
                )
            self._last[key] = errand
        try:
            yield errand
        except BaseException:
            with self._lock:
                if before is None:
                    del self._last[key]
                else:
                    self._last[key] = before
            raise

    def start(self, place: Place, errand: Errand, wanted: Mapping[str, Any]) -> None:
        """Begin a piece of work that is asked for alone; how it goes is told by ``last``."""
        thread = threading.Thread(
            target=self._run, args=(place, errand, wanted), name=f"errand for {place.slug}", daemon=True
        )
        thread.start()

    def noted(self, place: Place, errand: Errand, words: str) -> None:
        """Keep how it went: it was done at once."""
        with self._lock:
            self._last[_key(place)] = replace(errand, words=words, done=True)

    def _run(self, place: Place, errand: Errand, wanted: Mapping[str, Any]) -> None:
        try:
            said = self.runner(wanted)
        except Exception as error:  # noqa: BLE001  # the outermost place of this thread: told, and gone on
            said = {"done": False, "words": f"It could not be begun: {type(error).__name__}."}
        words, done = str(said.get("words", "")), bool(said.get("done"))
        if not done:
            _note_failure(place, errand, words)
        with self._lock:
            self._last[_key(place)] = replace(errand, words=words, done=done)


def _key(place: Place) -> Key:
    return id(place.store), place.project.id


def _note_failure(place: Place, errand: Errand, words: str) -> None:
    try:
        with Store(place.store.engine, actor=errand.actor).begin() as tx:
            tx.results.note(place.project.id, FAILED, f"{errand.title}: {words}")
    except WorkbenchError:
        # The database is away: the words are on the page all the same.
        return
