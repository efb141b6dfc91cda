"""Predictions beside the truth: the same numbers however they are streamed, and inside their ranges."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.domain.errors import ModelProblem
from workbench.learning.outcomes import Outcomes, outcomes

CLASSES = "abc"


def _predictions(seed: int, samples: int = 4, items: int = 12) -> torch.Tensor:
    source = torch.Generator().manual_seed(seed)
    return (3 * torch.randn(samples, items, 3, generator=source)).log_softmax(-1)


def _truths(seed: int, items: int = 12) -> list[str]:
    source = torch.Generator().manual_seed(seed + 1)
    return [CLASSES[int(number)] for number in torch.randint(3, (items,), generator=source)]


def _columns(found: Outcomes) -> dict[str, np.ndarray]:
    return {name: getattr(found, name) for name in Outcomes.__dataclass_fields__}


@settings(derandomize=True)
@given(st.integers(0, 10_000), st.integers(1, 12))
def test_any_chunks_give_the_same_and_all_is_in_range(seed: int, size: int) -> None:
    log_probs, truths = _predictions(seed), _truths(seed)
    whole = outcomes([log_probs], truths, CLASSES)
    parts = outcomes(log_probs.split(size, 1), truths, CLASSES)
    for name, column in _columns(whole).items():
        np.testing.assert_allclose(_columns(parts)[name], column, rtol=1e-6, atol=1e-7)
    assert ((whole.squared_error_N >= 0) & (whole.squared_error_N <= 2)).all()
    assert (whole.true_probability_N <= whole.confidence_N).all()
    assert ((whole.mutual_information_N >= 0) & (whole.mutual_information_N <= whole.entropy_N)).all()
    assert (whole.entropy_N <= np.log(3) + 1e-6).all()
    assert ((whole.true_probability_N == whole.confidence_N) == whole.right_N).all()


def test_one_sample_knows_nothing_of_the_models_doubt() -> None:
    found = outcomes([_predictions(0, samples=1)], _truths(0), CLASSES)
    assert found.mutual_information_N == pytest.approx(np.zeros(12), abs=1e-6)


def test_two_sure_samples_that_disagree_differ_by_one_bit() -> None:
    log_probs = torch.tensor([[[1.0, 0.0, 0.0]], [[0.0, 1.0, 0.0]]]).log()
    found = outcomes([log_probs], ["c"], CLASSES)
    assert found.mutual_information_N.tolist() == pytest.approx([np.log(2)])
    assert found.entropy_N.tolist() == pytest.approx([np.log(2)])
    assert found.squared_error_N.tolist() == pytest.approx([1.5])
    assert found.true_probability_N.tolist() == [0.0]


def test_more_or_fewer_predictions_than_items_are_refused() -> None:
    for items in (11, 13):
        with pytest.raises(ModelProblem, match=f"{items} predictions for 12 items"):
            outcomes([_predictions(0, items=items)], _truths(0), CLASSES)
