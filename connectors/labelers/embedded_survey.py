"""A project of the embedded labeler as it stands now, with every task in it."""

import json
import sqlite3
from collections.abc import Iterator, Mapping
from typing import Final

from connectors.labelers.embedded_store import EmbeddedStore, number
from connectors.labelers.records import Prediction, ProjectFacts, TaskFacts

PAGE: Final = 500
TASKS: Final = (
    "SELECT tasks.*, EXISTS (SELECT * FROM annotations WHERE task = tasks.id) AS annotated "
    "FROM tasks WHERE project = ? AND id > ? ORDER BY id LIMIT ?"
)


def describe(store: EmbeddedStore, project_id: str) -> ProjectFacts | None:
    """Read how a project is set up now; None when there is none with this id."""
    rows = store.read("SELECT * FROM projects WHERE id = ?", number(project_id))
    if not rows:
        return None
    return ProjectFacts(
        control="label",
        classes=tuple(json.loads(rows[0]["classes"])),
        problem=None,
        overlap=rows[0]["overlap"],
        show_predictions=bool(rows[0]["show_predictions"]),
        most_wanted_first=True,
        model_version=rows[0]["model_version"],
    )


def survey(store: EmbeddedStore, project: int) -> Iterator[TaskFacts]:
    """Stream every task of a project with what it shows and what a model said of it."""
    last = 0
    while rows := store.read(TASKS, project, last, PAGE):
        yield from map(_facts, rows)
        last = rows[-1]["id"]


def replace_predictions(store: EmbeddedStore, project: int, predictions: Mapping[str, Prediction]) -> None:
    """Have these tasks carry these predictions; a task that is gone is left out."""
    with store.write() as database:
        database.executemany(
            "UPDATE tasks SET label = ?, score = ?, model_version = ? WHERE project = ? AND id = ?",
            [
                (guess.label, guess.score, guess.model_version, project, number(key))
                for key, guess in predictions.items()
            ],
        )


def _facts(row: sqlite3.Row) -> TaskFacts:
    guess = Prediction(
        label=row["label"], score=row["score"] or 0.0, model_version=row["model_version"] or ""
    )
    return TaskFacts(
        task_id=str(row["id"]),
        item_key=row["item_key"],
        round_key=row["round_key"],
        annotated=bool(row["annotated"]),
        content=row["content"],
        predictions=() if row["model_version"] is None else (guess,),
    )
