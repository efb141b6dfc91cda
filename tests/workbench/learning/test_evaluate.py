import math
from collections.abc import Iterable, Sequence

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from workbench.domain.errors import ModelProblem
from workbench.domain.intervals import wilson
from workbench.learning.evaluate import MetricValue, ece
from workbench.learning.evaluate import evaluate as measure
from workbench.learning.outcomes import outcomes


def _two(*confidences: float) -> torch.Tensor:
    return torch.tensor([[p, 1 - p] for p in confidences], dtype=torch.float64)


def evaluate(
    chunks: torch.Tensor | Iterable[torch.Tensor], targets: Sequence[str], classes: Sequence[str]
) -> tuple[MetricValue, ...]:
    """Measure probabilities_N_C: the prediction of a posterior of one sample."""
    whole = [chunks] if isinstance(chunks, torch.Tensor) else chunks
    return measure(outcomes((chunk.log()[None] for chunk in whole), targets, classes))


@given(st.integers(0, 500), st.integers(1, 500))
def test_wilson_holds_the_share_inside_zero_and_one(successes: int, n: int) -> None:
    successes = min(successes, n)
    low, high = wilson(successes, n)
    assert 0 <= low <= successes / n <= high <= 1
    assert low < high


@given(st.integers(0, 500), st.integers(1, 500))
def test_wilson_is_symmetric(successes: int, n: int) -> None:
    successes = min(successes, n)
    low, high = wilson(successes, n)
    mirrored = wilson(n - successes, n)
    assert (mirrored.low, mirrored.high) == pytest.approx((1 - high, 1 - low))


def test_wilson_gives_the_published_numbers() -> None:
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)
    assert wilson(0, 20) == pytest.approx((0, 0.1611), abs=1e-4)
    assert wilson(0, 0) == (0, 1)


def test_accuracy_and_nll_are_those_done_by_hand() -> None:
    accuracy, nll, _ = evaluate(_two(0.9, 0.8, 0.3), ["a", "b", "b"], ["a", "b"])
    assert (accuracy.name, accuracy.value, accuracy.n) == ("accuracy", pytest.approx(2 / 3), 3)
    assert nll.value == pytest.approx(-(math.log(0.9) + math.log(0.2) + math.log(0.7)) / 3)
    assert nll.low <= nll.value <= nll.high


def test_a_confidence_of_exactly_one_belongs_to_the_last_bin() -> None:
    assert ece(torch.tensor([1.0, 1.0]), torch.tensor([True, False])).value == pytest.approx(0.5)


def test_calibration_error_is_that_done_by_hand() -> None:
    confidences = torch.tensor([0.55] * 10 + [0.58] * 10, dtype=torch.float64)
    right = torch.tensor([True] * 10 + [False] * 10)
    assert ece(confidences, right, bins=10).value == pytest.approx(0.065)


@given(st.integers(0, 10_000))
def test_every_interval_holds_its_value(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    probabilities = torch.rand(30, 3, generator=generator).softmax(-1)
    targets = ["abc"[int(i)] for i in torch.randint(3, (30,), generator=generator)]
    for metric in evaluate(probabilities, targets, "abc"):
        assert 0 <= metric.low <= metric.value <= metric.high
        assert metric.n == 30


def test_a_stream_of_chunks_measures_the_same() -> None:
    probabilities = _two(0.9, 0.8, 0.3)
    whole = evaluate(probabilities, "aab", "ab")
    assert evaluate(iter([probabilities[:2], probabilities[2:]]), "aab", "ab") == whole


def test_a_true_class_of_probability_zero_is_a_finite_surprise() -> None:
    assert math.isfinite(evaluate(_two(0.0), ["a"], ["a", "b"])[1].value)


def test_what_can_not_be_measured_is_refused() -> None:
    with pytest.raises(ModelProblem, match="true class 'c'; the classes are a, b"):
        evaluate(_two(0.5), ["c"], ["a", "b"])
    with pytest.raises(ModelProblem, match="no items"):
        evaluate([], [], ["a", "b"])
    with pytest.raises(ModelProblem, match="1 predictions for 2 items"):
        evaluate(_two(0.5), ["a", "b"], ["a", "b"])
