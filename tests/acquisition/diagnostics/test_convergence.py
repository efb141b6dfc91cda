import pytest
import torch

import acquisition
from acquisition.diagnostics import sample_convergence
from acquisition.predictions import Gaussians


def noisy(n_samples, n_items=60, seed=0):
    generator = torch.Generator().manual_seed(seed)
    centre = 2 * torch.randn(n_items, 3, generator=generator, dtype=torch.float64)
    width = torch.rand(n_items, 1, generator=generator, dtype=torch.float64) * 2
    noise = torch.randn(n_samples, n_items, 3, generator=generator, dtype=torch.float64)
    return (centre + width * noise).log_softmax(-1)


def test_more_samples_agree_more_and_err_less_as_one_over_the_square_root():
    found = sample_convergence(noisy(256), top=10)
    assert [row.n_samples for row in found.rows] == [2, 4, 8, 16, 32, 64, 128]
    assert found.rows[-1].overlap > found.rows[0].overlap + 0.3
    assert found.rows[2].standard_error / found.rows[4].standard_error == pytest.approx(2, rel=0.25)
    assert found.rows[0].noise_share > 0.4
    assert found.rows[-1].noise_share < 0.02
    assert found.rows[0].mean_shift < found.rows[2].mean_shift < 0


def test_the_standard_error_is_what_independent_draws_show():
    found = sample_convergence(noisy(512), pairs=30, top=10)
    of_eight = torch.stack([acquisition.score("bald", chunk) for chunk in noisy(8 * 400, seed=0).split(8)])
    expected = of_eight.var(0).mean().sqrt().item()
    assert next(row.standard_error for row in found.rows if row.n_samples == 8) == pytest.approx(
        expected, rel=0.12
    )


def test_enough_is_the_least_number_that_reaches_the_overlap_from_there_on():
    found = sample_convergence(noisy(256), top=10, overlap=0.6)
    reached = [row.overlap >= 0.6 for row in found.rows]
    first = max((i + 1 for i, good in enumerate(reached) if not good), default=0)
    assert found.enough == found.rows[first].n_samples
    assert f"{found.enough} samples are enough" in found.verdict
    never = sample_convergence(noisy(8), top=10, overlap=1.0)
    assert never.enough is None
    assert "4 samples are not enough" in never.verdict


def test_equal_samples_settle_at_once_and_have_no_error():
    equal = noisy(1).expand(16, -1, -1)
    found = sample_convergence(equal, function="predictive_entropy")
    assert found.enough == 2
    assert all(row.standard_error == 0 == row.noise_share for row in found.rows)
    alike = sample_convergence(equal[:, :1].expand(-1, 20, -1), function="predictive_entropy")
    assert all(row.noise_share == 0 for row in alike.rows)


def test_a_posterior_regression_and_several_labels_are_measured_too(make_model, make_items):
    posterior = acquisition.mc_dropout(make_model("mlp"))
    found = sample_convergence(posterior, make_items("mlp", 40), n_samples=32, seed=3)
    predicted = acquisition.predict(posterior, make_items("mlp", 40), n_samples=32, seed=3)
    assert found == sample_convergence(predicted, seed=3)
    generator = torch.Generator().manual_seed(0)
    gaussians = Gaussians(torch.randn(8, 20, generator=generator), torch.zeros(8, 20))
    assert sample_convergence(gaussians).rows
    labels = torch.randn(8, 20, 3, 2, generator=generator).log_softmax(-1)
    assert sample_convergence(labels).rows


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda p: sample_convergence(p[:3]), acquisition.InvalidInput, "found 3 samples"),
        (lambda p: sample_convergence(p, top=61), acquisition.InvalidInput, "top 61 of 60"),
        (lambda p: sample_convergence(p, overlap=0), acquisition.InvalidOption, "overlap is 0"),
        (lambda p: sample_convergence(p, pairs=0), acquisition.InvalidOption, "pairs is 0"),
        (lambda p: sample_convergence(p, function="bold"), acquisition.UnknownMethod, "bold"),
        (lambda p: sample_convergence(object()), acquisition.InvalidInput, "without items"),
        (lambda p: sample_convergence(p.exp()), acquisition.InvalidInput, "sum to"),
    ],
)
def test_what_can_not_be_measured_is_refused(call, error, match):
    with pytest.raises(error, match=match):
        call(noisy(8))


def test_sizes_can_be_asked_for():
    every = sample_convergence(noisy(64), top=10, pairs=30)
    found = sample_convergence(noisy(64), top=10, pairs=30, sizes=[20, 8, 8])
    assert [row.n_samples for row in found.rows] == [8, 20]
    of_eight = next(row for row in every.rows if row.n_samples == 8)
    assert found.rows[0].overlap == pytest.approx(of_eight.overlap, abs=0.1)


@pytest.mark.parametrize(("sizes", "words"), [([33], "at most 32"), ([], "sizes is empty"), ([0], "sizes")])
def test_sizes_that_can_not_be_drawn_twice_are_refused(sizes, words):
    with pytest.raises(acquisition.AcquisitionError, match=words):
        sample_convergence(noisy(64), sizes=sizes)
