import pytest
import torch

import acquisition
from acquisition.diagnostics import bald_bias, debiased_bald

#: BALD of Dirichlet(2, 1, 1) samples: H(mean) + Σ μ_c (ψ(a_c + 1) − ψ(a_0 + 1)).
EXACT = 0.206387


def dirichlet(n_samples, n_items):
    generator = torch.Generator().manual_seed(5)
    gammas = -torch.rand(4, n_samples, n_items, generator=generator, dtype=torch.float64).log()
    merged = torch.stack([gammas[0] + gammas[1], gammas[2], gammas[3]], -1)
    return (merged / merged.sum(-1, keepdim=True)).log()


@pytest.mark.parametrize("n_samples", [10, 20, 50])
def test_the_bias_of_few_samples_is_estimated_and_taken_off(n_samples):
    log_probs = dirichlet(n_samples, 20_000)
    error = acquisition.score("bald", log_probs).mean().item() - EXACT
    assert error < -0.15 / n_samples
    assert bald_bias(log_probs).mean().item() == pytest.approx(-0.2 / n_samples, rel=0.15)
    assert bald_bias(log_probs).mean().item() == pytest.approx(error, rel=0.15)
    assert abs(debiased_bald(log_probs).mean().item() - EXACT) < abs(error) / 5


def test_equal_samples_have_no_bias_also_where_a_class_is_impossible():
    log_probs = torch.tensor([[0.5, 0.5, 0.0], [1.0, 0.0, 0.0]]).log().expand(4, 2, 3)
    assert bald_bias(log_probs).tolist() == [0, 0]
    assert debiased_bald(log_probs).tolist() == pytest.approx([0, 0], abs=1e-12)
    with pytest.raises(acquisition.InvalidInput, match="at least two"):
        bald_bias(log_probs[:1])
