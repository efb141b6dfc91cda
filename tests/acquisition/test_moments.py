"""Means and entropies straight from logits, against the definition in float64."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from acquisition.numerics import moments
from acquisition.predictions import Predictions


def by_definition(logits_T_N_C):
    probs = logits_T_N_C.double().softmax(-1)
    return probs.mean(0), -torch.special.xlogy(probs, probs).sum(-1).mean(0)


@settings(deadline=None, max_examples=60)
@given(
    st.integers(1, 6),
    st.integers(0, 9),
    st.integers(1, 12),
    st.integers(0, 2**32),
    st.sampled_from([0.1, 3, 30]),
)
def test_they_are_those_of_the_definition(samples, items, classes, seed, scale):
    logits = scale * torch.randn(samples, items, classes, generator=torch.Generator().manual_seed(seed))
    mean, entropy = by_definition(logits)
    found = moments(logits)
    torch.testing.assert_close(found.mean_probs_N_C.double(), mean, atol=1e-6, rtol=0)
    torch.testing.assert_close(found.expected_entropy_N.double(), entropy, atol=4e-6, rtol=0)


@pytest.mark.parametrize("largest", [3e38, 1e30, 88.0])
def test_logits_at_the_end_of_the_range_give_numbers(largest):
    logits = torch.tensor([[[largest, -largest, 0.0], [largest, largest, -largest]]])
    found = moments(logits)
    torch.testing.assert_close(found.mean_probs_N_C, torch.tensor([[1.0, 0, 0], [0.5, 0.5, 0]]))
    torch.testing.assert_close(
        found.expected_entropy_N, torch.tensor([0.0, 2.0]).log1p() * torch.tensor([0, 0.63093])
    )


@pytest.mark.parametrize("layout", ["T_N_C", "T_C_N", "N_T_C"])
def test_any_order_in_memory_gives_the_same(layout):
    logits = torch.randn(5, 40, 7, generator=torch.Generator().manual_seed(1))
    order = {"T_N_C": (0, 1, 2), "T_C_N": (0, 2, 1), "N_T_C": (1, 0, 2)}[layout]
    back = torch.tensor(order).argsort().tolist()
    other = logits.permute(order).contiguous().permute(back)
    for expected, found in zip(moments(logits), moments(other), strict=True):
        torch.testing.assert_close(found, expected, atol=1e-6, rtol=0)


def test_double_precision_stays_and_half_precision_becomes_single():
    logits = torch.randn(3, 4, 5, generator=torch.Generator().manual_seed(2))
    assert moments(logits.double()).expected_entropy_N.dtype == torch.float64
    assert moments(logits.bfloat16()).expected_entropy_N.dtype == torch.float32


def test_predictions_of_logits_are_those_of_their_log_probabilities():
    logits = 3 * torch.randn(6, 20, 4, generator=torch.Generator().manual_seed(3))
    rows = torch.arange(20)
    ours, plain = Predictions.of_logits(logits, rows), Predictions(logits.log_softmax(-1), rows)
    for name in (
        "mean_probs_N_C", "expected_entropy_N", "predictive_entropy_N", "mutual_information_N", "probs_T_N_C",
        "log_probs_T_N_C",
    ):  # fmt: skip
        torch.testing.assert_close(getattr(ours, name), getattr(plain, name), atol=2e-6, rtol=0)


def test_log_probabilities_are_made_only_when_asked_for():
    predictions = Predictions.of_logits(torch.zeros(2, 3, 4), torch.arange(3))
    assert predictions.mutual_information_N.tolist() == [0, 0, 0]
    assert predictions._log_probs_T_N_C is None
    assert predictions.log_probs_T_N_C.shape == (2, 3, 4)
