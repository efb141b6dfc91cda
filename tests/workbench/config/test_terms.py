"""The law of changed terms: whatever is accepted, workbench.toml would accept too."""

import math
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.config.load import parse_config
from workbench.config.terms import PLACES, check_keys, read_terms
from workbench.domain.errors import BudgetProblem
from workbench.domain.terms import CHANGEABLE, OPEN_ENDED, Terms

PROJECT = {"name": "spots", "task": "text-classification", "classes": ["a", "b"]}
TEXTS = st.one_of(
    st.text(max_size=12),
    st.integers().map(str),
    st.floats().map(str),
    st.dates().map(str),
    st.sampled_from(["none", "None", "inf", "-inf", "nan", "1e400", "1_500", "٣", "0", "1", "0.999", "1e12"]),
)


@settings(derandomize=True, max_examples=300)
@given(st.sampled_from(CHANGEABLE), TEXTS)
def test_what_is_accepted_the_file_accepts_too_and_the_database_gives_back(key: str, text: str) -> None:
    found, faults = _read(key, text)
    if faults:
        assert list(faults) == [key]
        assert PLACES[key].expected in faults[key]
        return
    value = found[key]
    if value is None:
        assert key in OPEN_ENDED
        return
    section = {"floor": "report", "target": "report", "deadline": "schedule"}.get(key, "budget")
    config = parse_config({"project": PROJECT, section: {PLACES[key].key: value}}, Path("workbench.toml"))
    assert getattr(config.terms, key) == value
    assert not isinstance(value, float) or math.isfinite(value)
    assert Terms.of(config.terms.content()) == config.terms


def _read(key: str, text: str) -> tuple[dict[str, Any], dict[str, str]]:
    try:
        return read_terms({key: text}), {}
    except BudgetProblem as problem:
        return {}, problem.faults


def test_all_faults_are_told_together_each_with_what_was_expected() -> None:
    with pytest.raises(BudgetProblem) as raised:
        read_terms(
            {"max_labels": "many", "target": "90", "floor": "none", "deadline": "31.12.2026", "seed": "1"}
        )
    assert list(raised.value.faults) == ["max_labels", "target", "floor", "deadline", "seed"]
    assert "found 'many', expected a whole number, 1 or more, as in 1500, or none" in str(raised.value)
    assert "they change max_labels, max_cost" in raised.value.faults["seed"]
    assert "none" not in raised.value.faults["floor"].removeprefix("found 'none'")


def test_values_are_read_as_people_write_them() -> None:
    texts = {"max_labels": " 1500 ", "max_cost": "99.50", "max_hours": "none", "deadline": "2026-12-31"}
    assert read_terms(texts) == {
        "max_labels": 1500,
        "max_cost": 99.5,
        "max_hours": None,
        "deadline": date(2026, 12, 31),
    }


def test_prices_are_the_files_alone() -> None:
    with pytest.raises(BudgetProblem, match="nothing that people change"):
        check_keys(["per_hour"])
