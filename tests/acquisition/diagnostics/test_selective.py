import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

import acquisition
from acquisition.diagnostics import auroc, error_auroc, ood_auroc, risk_coverage


@given(st.integers(0, 10**6), st.integers(2, 80), st.integers(2, 8))
@settings(max_examples=60, deadline=None)
def test_the_area_is_scikit_learns_also_with_ties(seed, n_items, levels):
    generator = torch.Generator().manual_seed(seed)
    scores = torch.randint(levels, (n_items,), generator=generator).float()
    wrong = torch.rand(n_items, generator=generator) < 0.4
    wrong[0], wrong[1] = True, False
    expected = roc_auc_score(wrong.numpy(), scores.numpy())
    assert error_auroc(scores, wrong) == pytest.approx(expected, abs=1e-12)
    assert ood_auroc(scores[~wrong], scores[wrong]) == pytest.approx(expected, abs=1e-12)
    assert auroc(scores[wrong], scores[~wrong]) + auroc(scores[~wrong], scores[wrong]) == pytest.approx(1)


def test_infinite_scores_are_ranked_and_nan_is_refused():
    assert ood_auroc(torch.tensor([0.0, 1.0]), torch.tensor([torch.inf])) == 1
    with pytest.raises(acquisition.NotFinite, match="positive_N of 1 rows: 1"):
        ood_auroc(torch.tensor([0.0]), torch.tensor([1.0, torch.nan]))
    with pytest.raises(acquisition.InvalidInput, match="they have 0 and 3 items"):
        error_auroc(torch.rand(3), torch.zeros(3, dtype=torch.bool))
    with pytest.raises(acquisition.InvalidInput, match="as booleans"):
        error_auroc(torch.rand(3), torch.zeros(3))
    with pytest.raises(acquisition.InvalidInput, match="Expected 3 uncertainties, found 2"):
        error_auroc(torch.rand(2), torch.zeros(3, dtype=torch.bool))


def predictions(confidences):
    confidence = torch.tensor(confidences, dtype=torch.float64)
    return torch.stack([confidence, 1 - confidence], -1).log()


def test_a_curve_by_hand():
    curve = risk_coverage(predictions([0.9, 0.8, 0.7, 0.6]), torch.tensor([0, 1, 0, 1]))
    assert curve.coverage_N.tolist() == [0.25, 0.5, 0.75, 1.0]
    assert curve.risk_N.tolist() == pytest.approx([0, 1 / 2, 1 / 3, 1 / 2])
    assert curve.area == pytest.approx((1 / 2 + 1 / 3 + 1 / 2) / 4)
    assert curve.excess_area == pytest.approx(curve.area - (1 / 3 + 1 / 2) / 4)


def test_a_perfect_order_has_no_excess_and_the_last_risk_is_the_error_rate(log_probs_T_N_C):
    targets = torch.arange(30) % 4
    wrong = (log_probs_T_N_C.exp().mean(0).argmax(-1) != targets).double()
    curve = risk_coverage(log_probs_T_N_C, targets, uncertainty_N=wrong)
    assert curve.excess_area == pytest.approx(0, abs=1e-12)
    assert curve.risk_N[-1].item() == pytest.approx(wrong.mean().item())
    assert risk_coverage(log_probs_T_N_C, targets).excess_area > 0


def test_where_all_tie_the_risk_is_the_error_rate_everywhere():
    curve = risk_coverage(predictions([0.7] * 4), torch.tensor([1, 0, 0, 0]))
    assert curve.risk_N.tolist() == pytest.approx([0.25] * 4)
    with pytest.raises(acquisition.InvalidInput, match="Expected 4 uncertainties, found 3"):
        risk_coverage(predictions([0.7] * 4), torch.tensor([1, 0, 0, 0]), torch.rand(3))
