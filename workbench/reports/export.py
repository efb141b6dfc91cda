"""Labels with their provenance, for whoever trains on them elsewhere."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from workbench.domain.consensus import usable
from workbench.domain.errors import ArtifactProblem, WorkbenchError
from workbench.domain.records import LabelStatus, Project
from workbench.storage.store import Store, Transaction

COLUMNS = [
    "key",
    "label",
    "confidence",
    "method",
    "revision",
    "labeled_at",
    "annotators",
    "annotations",
    "seconds",
    "round",
    "reason",
    "rank",
    "score",
    "predicted",
    "propensity",
    "payload",
    "sha256",
]


def export_labels(store: Store, project: Project, path: Path, file_format: str | None = None) -> int:
    """Write the agreed labels in force, one row an item, by key; says how many.

    Raises:
        WorkbenchError: The format is not known.
        ArtifactProblem: The file can not be written.
    """
    write = _writer(path, file_format)
    with store.read() as tx:
        rows = _rows(tx, project)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(pd.DataFrame(rows, columns=COLUMNS), temporary)
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise ArtifactProblem(
            f"{path} can not be written: {error.strerror or error}. Name another file."
        ) from error
    return len(rows)


def _rows(tx: Transaction, project: Project) -> list[dict[str, Any]]:
    labels = [label for label in tx.annotations.labels(project.id) if label.status is LabelStatus.AGREED]
    annotations = tx.annotations.of_items(label.item_id for label in labels)
    items = tx.pool.by_key(project.id, [label.item_key for label in labels])
    picks = {
        pick.item_key: (current.number, pick)
        for current in tx.rounds.all(project.id)
        for pick in tx.tasks.selections(current.id)
    }
    rows = []
    for label in labels:
        votes = usable(annotations[label.item_id])
        number, pick = picks[label.item_key]
        rows.append(
            {
                "key": label.item_key,
                "label": label.value,
                "confidence": label.confidence,
                "method": label.method,
                "revision": label.revision,
                "labeled_at": label.created_at.isoformat(),
                "annotators": json.dumps([vote.annotator for vote in votes], ensure_ascii=False),
                "annotations": json.dumps(list(label.annotations)),
                "seconds": sum(vote.seconds or 0.0 for vote in votes),
                "round": number,
                "reason": pick.reason,
                "rank": pick.rank,
                "score": pick.score,
                "predicted": pick.predicted,
                "propensity": pick.propensity,
                "payload": json.dumps(items[label.item_key].payload, ensure_ascii=False),
                "sha256": items[label.item_key].sha256,
            }
        )
    return rows


def _writer(path: Path, file_format: str | None) -> Callable[[pd.DataFrame, Path], None]:
    writers: dict[str, Callable[[pd.DataFrame, Path], None]] = {
        "parquet": lambda frame, to: frame.to_parquet(to, index=False),
        "csv": lambda frame, to: frame.to_csv(to, index=False),
        "jsonl": lambda frame, to: frame.to_json(to, orient="records", lines=True, force_ascii=False),
    }
    name = file_format or path.suffix.removeprefix(".")
    if name not in writers:
        raise WorkbenchError(
            f"'{name or path.name}' is no known format for labels; expected one of {', '.join(writers)}. "
            "Type for example `workbench labels export labels.csv`, or name it with --format."
        )
    return writers[name]
