"""Label Studio's tasks and annotations as our records, and back. Pure: no network, no clock.

Label Studio stores whatever it is sent: labels that do not exist, results of foreign tags, no result at
all, and a skip that keeps the pre-selected label. So nothing in a result is trusted here.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from connectors.labelers.label_config import NOTE, Control
from connectors.labelers.records import (
    OutgoingTask,
    Prediction,
    Problem,
    ProjectSpec,
    RemoteAnnotation,
    RemoteTask,
    ServedTask,
    TaskFacts,
    TaskId,
)

Json = Mapping[str, Any]
#: Stands for a moment that is unknown.
BEGINNING: Final = datetime.min.replace(tzinfo=UTC)


class Answer(NamedTuple):
    """What a result says: a class, or why it says none."""

    label: str | None
    problem: Problem | None


DAY_SECONDS: Final = 86_400
#: Label Studio's name for serving the task with the smallest prediction score first.
MOST_WANTED_FIRST: Final = "Uncertainty sampling"


def make_settings(spec: ProjectSpec) -> dict[str, Any]:
    """Write the settings of a project that we keep as the spec says."""
    return {
        "maximum_annotations": spec.overlap,
        "sampling": MOST_WANTED_FIRST,
        "show_collab_predictions": spec.show_predictions,
    }


def make_result(control: Control, label: str) -> list[dict[str, Any]]:
    """Write the result that choosing this class makes."""
    value = {"choices": [label]}
    return [{"from_name": control.name, "to_name": control.target, "type": "choices", "value": value}]


def make_task(control: Control, task: OutgoingTask) -> dict[str, Any]:
    """Write a task as it is imported; our keys are in ``data`` because only that can be searched."""
    keys = {"item_id": task.item_key, "round_id": task.round_key}
    made: dict[str, Any] = {"data": {control.variable: task.content, **keys}, "meta": keys}
    if task.note is not None:
        made["data"][NOTE] = task.note
    if task.prediction is not None:
        made["predictions"] = [make_prediction(control, task.prediction)]
    return made


def make_prediction(control: Control, prediction: Prediction) -> dict[str, Any]:
    """Write a model's answer, with no label if it only orders; the smaller the score, the earlier."""
    return {
        "model_version": prediction.model_version,
        "score": prediction.score,
        "result": [] if prediction.label is None else make_result(control, prediction.label),
    }


def read_result(control: Control, result: object) -> Answer:
    """Take the class out of a result, or say why there is none."""
    if not isinstance(result, list):
        return Answer(None, Problem.MALFORMED)
    if not result:
        return Answer(None, Problem.EMPTY)
    if len(result) > 1 and all(_is_answer(control, part) for part in result):
        return Answer(None, Problem.SEVERAL_LABELS)
    if len(result) > 1 or not _is_answer(control, result[0]):
        return Answer(None, Problem.MALFORMED)
    return _read_choices(control, result[0]["value"])


def _is_answer(control: Control, part: object) -> bool:
    return (
        isinstance(part, dict)
        and part.get("from_name") == control.name
        and part.get("to_name", control.target) == control.target
        and part.get("type", "choices") == "choices"
        and isinstance(part.get("value"), dict)
    )


def _read_choices(control: Control, value: Json) -> Answer:
    choices = value.get("choices")
    if choices is None or choices == []:
        return Answer(None, Problem.EMPTY)
    if not isinstance(choices, list):
        return Answer(None, Problem.MALFORMED)
    if len(choices) > 1:
        return Answer(None, Problem.SEVERAL_LABELS)
    if not isinstance(choices[0], str):
        return Answer(None, Problem.MALFORMED)
    if choices[0] not in control.classes:
        return Answer(None, Problem.UNKNOWN_LABEL)
    return Answer(choices[0], None)


def read_annotation(control: Control, raw: Json, who: Callable[[object], str]) -> RemoteAnnotation:
    """Validate one annotation; whatever it holds, it becomes a record and never an error."""
    skipped = bool(raw.get("was_cancelled"))
    answer = Answer(None, None) if skipped else read_result(control, raw.get("result"))
    updated_at = read_moment(raw.get("updated_at"))
    return RemoteAnnotation(
        annotation_id=str(raw.get("id")),
        annotator=who(raw.get("completed_by")),
        label=answer.label,
        problem=answer.problem,
        skipped=skipped,
        seconds=read_seconds(raw.get("lead_time")),
        created_at=read_moment(raw.get("created_at"), updated_at),
        updated_at=updated_at,
        raw=dict(raw),
    )


def read_task(control: Control, raw: Json, who: Callable[[object], str]) -> RemoteTask:
    """Read a task with all its annotations."""
    annotations = _list(raw.get("annotations"))
    data = _data(raw)
    return RemoteTask(
        task_id=str(raw["id"]),
        item_key=_key(data, "item_id"),
        round_key=_key(data, "round_id"),
        updated_at=read_moment(raw.get("updated_at")),
        annotations=tuple(
            read_annotation(control, part, who) for part in annotations if isinstance(part, dict)
        ),
    )


def read_facts(control: Control | None, raw: Json) -> TaskFacts:
    """Read a task with what it shows and what models said of it, whoever made it."""
    data = _data(raw)
    guesses = [part for part in _list(raw.get("predictions")) if isinstance(part, dict)]
    return TaskFacts(
        task_id=str(raw["id"]),
        item_key=_key(data, "item_id"),
        round_key=_key(data, "round_id"),
        annotated=_touched(raw),
        content=_key(data, control.variable) if control else None,
        predictions=tuple(_read_prediction(control, guess) for guess in guesses),
    )


def _read_prediction(control: Control | None, raw: Json) -> Prediction:
    score = raw.get("score")
    return Prediction(
        label=read_result(control, raw.get("result")).label if control else None,
        score=_real(score),
        model_version=str(raw.get("model_version") or ""),
    )


def read_task_id(raw: Json) -> TaskId | None:
    """Read which item a task carries; None for a task that is not ours."""
    item_key = _key(_data(raw), "item_id")
    if item_key is None:
        return None
    return TaskId(
        task_id=str(raw["id"]),
        item_key=item_key,
        round_key=_key(_data(raw), "round_id") or "",
        annotated=_touched(raw),
    )


def read_served(control: Control, raw: Json) -> ServedTask:
    """Read a task as it is handed to an annotator."""
    predictions = raw.get("predictions") or []
    shown = read_result(control, predictions[0].get("result")).label if predictions else None
    data = _data(raw)
    return ServedTask(
        task_id=str(raw["id"]), item_key=_key(data, "item_id"), prediction=shown, note=_key(data, NOTE)
    )


def read_moment(value: object, otherwise: datetime = BEGINNING) -> datetime:
    """Read a moment as Label Studio writes it: a naive one is UTC, an unreadable one ``otherwise``."""
    try:
        moment = datetime.fromisoformat(str(value))
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return otherwise


def write_moment(moment: datetime) -> str:
    """Write a moment in the only form that Label Studio's filters take."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def read_seconds(value: object) -> float | None:
    """Read a lead time; what is no number of seconds, or more than a day of them, is unknown."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= DAY_SECONDS:
        return None
    return float(value)


def count_of(raw: Json, name: str) -> int:
    """Read a number of things; what is no number is none."""
    value = raw.get(name)
    return value if isinstance(value, int) else 0


def _touched(raw: Json) -> bool:
    # What can not be read is taken for an answer: nothing that a person did is ever removed.
    counts = [raw.get(name, 0) for name in ("total_annotations", "cancelled_annotations")]
    return any(count not in (0, None) for count in counts)


def _real(value: object) -> float:
    try:
        return float(value) if isinstance(value, int | float) else 0.0
    except OverflowError:
        return 0.0


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _data(raw: Json) -> Json:
    data = raw.get("data")
    return data if isinstance(data, dict) else {}


def _key(data: Json, name: str) -> str | None:
    value = data.get(name)
    return None if value is None else str(value)
