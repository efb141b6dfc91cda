"""Nothing that a labeler stores may raise, and only a proper answer may become a label."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from connectors.labelers.label_config import Control
from connectors.labelers.label_studio_format import (
    make_result,
    make_task,
    read_annotation,
    read_moment,
    read_result,
    read_seconds,
    read_task,
    read_task_id,
)
from connectors.labelers.records import OutgoingTask, Prediction, Problem, TaskType

CONTROL = Control(
    task_type=TaskType.TEXT, name="label", target="text", variable="text", classes=("cat", "dog")
)
ANYTHING = some.recursive(
    some.none() | some.booleans() | some.floats() | some.integers() | some.text(max_size=5),
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(some.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
NEAR_MISSES = some.fixed_dictionaries(
    {
        "from_name": some.sampled_from(["label", "other"]),
        "to_name": some.sampled_from(["text", "other"]),
        "type": some.sampled_from(["choices", "labels"]),
        "value": some.fixed_dictionaries(
            {"choices": ANYTHING | some.lists(some.sampled_from(["cat", "emu"]))}
        )
        | ANYTHING,
    }
)


def test_what_is_written_is_read() -> None:
    assert read_result(CONTROL, make_result(CONTROL, "dog")) == ("dog", None)


@given(ANYTHING | some.lists(NEAR_MISSES | ANYTHING, max_size=2))
def test_a_result_is_either_a_class_or_a_problem(result: Any) -> None:
    label, problem = read_result(CONTROL, result)
    assert (label in CONTROL.classes) != (problem in Problem)


@given(some.dictionaries(some.text(max_size=8), ANYTHING), ANYTHING, ANYTHING, ANYTHING)
def test_a_task_with_anything_in_it_is_read(data: Any, result: Any, moment: Any, seconds: Any) -> None:
    annotation = {"id": 1, "result": result, "updated_at": moment, "lead_time": seconds, "completed_by": 3}
    raw = {"id": 5, "data": data, "annotations": [annotation, None], "updated_at": moment}
    found = read_task(CONTROL, raw, lambda who: f"user-{who}")
    assert found.task_id == "5"
    assert found.updated_at.tzinfo is UTC
    assert len(found.annotations) == 1


@pytest.mark.parametrize("result", ["a text", None, 7, {"choices": ["cat"]}, [{"value": "cat"}], [["cat"]]])
def test_a_result_that_is_no_list_of_answers_is_malformed(result: object) -> None:
    assert read_result(CONTROL, result) == (None, Problem.MALFORMED)


def test_a_skip_carries_neither_label_nor_problem() -> None:
    raw = {"id": 1, "result": make_result(CONTROL, "cat"), "was_cancelled": True}
    found = read_annotation(CONTROL, raw, str)
    assert (found.label, found.problem, found.skipped) == (None, None, True)


def test_our_keys_travel_in_data_and_in_meta() -> None:
    guess = Prediction(label="cat", score=-0.5, model_version="model-1")
    made = make_task(CONTROL, OutgoingTask(item_key="i", round_key="r", content="hello", prediction=guess))
    assert made["data"] == {"text": "hello", "item_id": "i", "round_id": "r"}
    assert made["meta"] == {"item_id": "i", "round_id": "r"}
    assert made["predictions"][0]["score"] == -0.5


def test_a_task_of_somebody_else_is_none_of_ours() -> None:
    assert read_task_id({"id": 1, "data": {"text": "x"}}) is None
    assert read_task_id({"id": 1, "data": "x"}) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-21T06:08:45.245044Z", datetime(2026, 11, 21, 6, 8, 45, 245044, UTC)),
        ("2026-11-21T08:08:45+02:00", datetime(2026, 11, 21, 6, 8, 45, 0, UTC)),
        ("2026-11-21T06:08:45", datetime(2026, 11, 21, 6, 8, 45, 0, UTC)),
    ],
)
def test_moments_are_aware_and_in_utc(text: str, expected: datetime) -> None:
    assert read_moment(text) == expected


@pytest.mark.parametrize("value", [None, "5", True, -1, float("nan"), float("inf")])
def test_a_lead_time_that_is_none_is_unknown(value: object) -> None:
    assert read_seconds(value) is None
