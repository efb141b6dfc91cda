"""A report as of a moment is, byte for byte, what was printed at that moment, whatever happened since."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple

import pytest

from connectors.labelers.embedded import EmbeddedLabeler
from connectors.labelers.embedded_people import EmbeddedAnnotator, embedded_annotator
from workbench.reports.faces.document import as_document, as_json
from workbench.reports.reading import Report, read_report
from workbench.storage.diary import Wanted
from workbench.storage.store import Store, open_store

CLASSES = ("low", "middle", "high")
MORE = """overlap = 2
[budget]
per_annotation = 0.1
max_labels = {labels}
[report]
target = 0.9
[annotators]
consensus = "{consensus}"
blind_share = 0.3
adjudication = true
"""


#: What the story is about.
HAPPENED = {
    "round-failed",
    "resumed",
    "cancelled",
    "closed",
    "annotation-refused",
    "label-revised",
    "adjudication",
    "consensus",
    "pool-removed",
    "reconcile",
    "terms-changed",
    "terms-file",
}


class Printed(NamedTuple):
    """A report as it was printed when something had just happened."""

    after: str
    at: datetime
    text: str


class Story:
    """A project that is worked on, and the reports that were read meanwhile."""

    def __init__(self, folder: Any) -> None:
        self.folder = folder
        self.store: Store = open_store(f"sqlite:///{folder.path / 'workbench.db'}")
        self.printed: list[Printed] = []

    def type(self, *words: str, code: int = 0) -> None:
        done = self.folder.type(*words)
        assert done.code == code, done.err
        self.read(" ".join(words))

    def read(self, after: str) -> None:
        found = self.report()
        self.printed.append(Printed(after, found.at, _text(found)))

    def report(self, at: datetime | None = None) -> Report:
        with self.store.read() as tx:
            project = tx.projects.get("a project")
        assert project is not None
        return read_report(self.store, project, at=at)

    def happened(self) -> set[str]:
        """The kinds of all events."""
        with self.store.read() as tx:
            project = tx.projects.get("a project")
            assert project is not None
            return {event.kind for event in tx.results.events(project.id, Wanted())}

    def tasks(self) -> list[str]:
        """The labeler's numbers of the first round's tasks."""
        with self.store.read() as tx:
            project = tx.projects.get("a project")
            assert project is not None
            tasks = tx.tasks.of_round(tx.rounds.all(project.id)[0].id)
        return [task.external_id for task in tasks if task.external_id]

    def person(self, name: str, labeler: str = "1") -> "Person":
        store = EmbeddedLabeler(self.folder.path / "data" / "labeler.db")
        return Person(embedded_annotator(store, name), labeler)

    def configure(self, **values: Any) -> None:
        self.folder.configure(more=MORE.format(**{"labels": 500, "consensus": "majority", **values}))


class Person:
    """Somebody who answers what is served."""

    def __init__(self, annotator: EmbeddedAnnotator, project: str) -> None:
        self.annotator = annotator
        self.project = project
        self.given: list[str] = []

    def answer(self, *, wrong: set[int] = frozenset(), skip: set[int] = frozenset()) -> None:  # type: ignore[assignment]
        place = 0
        while (task := self.annotator.next_task(self.project)) is not None:
            truth = int((task.item_key or "0")[-2:]) % 3
            if place in skip:
                self.annotator.skip(task.task_id, seconds=1.0)
            else:
                label = CLASSES[(truth + (place in wrong)) % 3]
                self.given.append(self.annotator.annotate(task.task_id, label, seconds=2.0 + place))
            place += 1


def _text(report: Report) -> str:
    """All that any face shows of it."""
    return f"{as_json(as_document(report))}\n{report.panels!r}"


@pytest.fixture
def story(folder: Any) -> Iterator[Story]:
    """A project whose pool is filled."""
    folder.ready(more=MORE.format(labels=500, consensus="majority"))
    told = Story(folder)
    yield told
    told.store.close()


def _label(story: Story) -> None:
    """A round of two people who disagree, skip, write what is no label, change their minds and take back."""
    ada, ben = story.person("ada"), story.person("ben")
    story.type("round", "ask", "--batch", "8")
    ada.answer(skip={2})
    story.type("round", "tell")
    ben.answer(wrong={0, 3})
    task = story.tasks()[0]
    ada.annotator.inject(task, [{"type": "choices", "value": {"choices": ["no class"]}}])
    story.type("round", "tell")
    ada.annotator.edit(ada.given[0], "high")
    story.type("round", "tell")
    ben.annotator.delete(ben.given[1])
    story.type("reconcile", "--fix")
    story.person("judge", "2").answer()
    story.type("round", "tell")


def _fail_and_cancel(story: Story) -> None:
    """A round that fails and goes on, and one that is given up."""
    (shard,) = (story.folder.path / "data").rglob("*.parquet")
    hidden = shard.rename(shard.with_suffix(".away"))
    story.type("round", "ask", "--batch", "4", code=1)
    hidden.rename(shard)
    story.type("round", "resume")
    story.type("round", "cancel")


def _change(story: Story) -> None:
    """Other terms, a smaller pool, another consensus; then one more round."""
    story.type("budget", "set", "max_labels=30")
    story.type("pool", "remove", "item-01", "item-02")
    story.configure(consensus="dawid_skene", labels=40)
    story.type("annotators", "consensus")
    story.type("round", "ask", "--batch", "4")
    story.person("eve").answer(wrong={1})
    story.person("ben").answer()
    story.type("round", "tell")


def test_every_old_report_can_be_made_again(story: Story) -> None:
    story.read("the pool was filled")
    _label(story)
    _fail_and_cancel(story)
    _change(story)
    assert story.happened() >= HAPPENED
    told = {printed.text.replace(printed.at.isoformat(), "") for printed in story.printed}
    assert len(told) > 10
    for printed in story.printed:
        assert _text(story.report(printed.at)) == printed.text, printed.after
    last = story.report()
    (integrity,) = (panel.reading.tables[0] for panel in last.panels if panel.name == "integrity")
    reconciled = {row.check: (row.found, row.state) for row in integrity.rows}
    assert reconciled["difference between database and labeler"] == (0, "in order")
