import pytest
import torch

import acquisition
from acquisition.diagnostics import decompose
from acquisition.predictions import Gaussians


def test_the_parts_add_up_to_the_variance_of_draws_from_all_networks():
    generator = torch.Generator().manual_seed(0)
    means_T_N = 2 * torch.randn(5, 2, generator=generator, dtype=torch.float64)
    log_variances_T_N = torch.randn(5, 2, generator=generator, dtype=torch.float64)
    parts = decompose(Gaussians(means_T_N, log_variances_T_N))
    network = torch.randint(5, (2_000_000,), generator=generator)
    noise = torch.randn(2_000_000, 2, generator=generator, dtype=torch.float64)
    drawn = means_T_N[network] + (log_variances_T_N / 2).exp()[network] * noise
    assert torch.allclose(parts.total_N, drawn.var(0), rtol=0.01)


def test_parts_by_hand_divide_by_the_number_of_networks():
    parts = decompose(Gaussians(torch.tensor([[0.0], [2.0]]), torch.tensor([[0.0], [2.0]]).log1p()))
    assert parts.epistemic_N.tolist() == [1.0]
    assert parts.aleatoric_N.tolist() == pytest.approx([2.0])
    assert parts.total_N.tolist() == pytest.approx([3.0])


def test_predictions_of_classes_and_nan_are_refused():
    with pytest.raises(acquisition.InvalidInput, match="Expected Gaussians"):
        decompose(torch.zeros(2, 3, 4).log_softmax(-1))
    with pytest.raises(acquisition.NotFinite, match="rows: 1"):
        decompose(Gaussians(torch.tensor([[0.0, torch.nan]]), torch.zeros(1, 2)))
