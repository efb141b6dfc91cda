import pytest
import torch
from scipy import stats

import acquisition
from acquisition import Candidates
from acquisition.selection.badge import prediction_errors


def candidates(n_items, seed, n_classes=4, n_features=3, n_samples=3):
    generator = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(n_samples, n_items, n_classes, generator=generator)
    return Candidates(
        features_N_D=torch.randn(n_items, n_features, generator=generator),
        log_probs_T_N_C=logits.log_softmax(-1),
    )


def embedding(given):
    """The gradients by autograd: of the loss by the weights of the last layer, for the predicted class."""
    probs_N_C = given.log_probs_T_N_C.exp().mean(0).double()
    rows = []
    for probs_C, features_D in zip(probs_N_C, given.features_N_D.double(), strict=True):
        weights = torch.zeros(len(probs_C), len(features_D), dtype=torch.float64, requires_grad=True)
        logits = weights @ features_D + probs_C.log()
        torch.nn.functional.cross_entropy(logits, probs_C.argmax()).backward()
        rows.append(weights.grad.flatten())
    return torch.stack(rows)


def test_gains_are_distances_between_the_gradients_of_the_last_layer():
    given = candidates(40, 0)
    gradients = embedding(given)
    indices, gains = acquisition.select("badge", given, 12, seed=3)
    assert indices[0] == gradients.norm(dim=1).argmax()
    assert gains[0].item() == pytest.approx(gradients.norm(dim=1).max().item(), rel=1e-5)
    for step in range(1, 12):
        nearest = (gradients[indices[:step]] - gradients[indices[step]]).norm(dim=1).min()
        assert gains[step].item() == pytest.approx(nearest.item(), rel=1e-4)


def test_the_second_choice_has_a_chance_like_its_squared_distance():
    given = candidates(8, 1)
    gradients = embedding(given)
    first = gradients.norm(dim=1).argmax()
    chances = (gradients - gradients[first]).square().sum(1)
    expected = (chances / chances.sum()).numpy()
    n = 3000
    seconds = [int(acquisition.select("badge", given, 2, seed=seed).indices[1]) for seed in range(n)]
    counts = torch.bincount(torch.tensor(seconds), minlength=8).numpy()
    others = expected > 0
    assert counts[~others].sum() == 0
    assert stats.chisquare(counts[others], n * expected[others]).pvalue > 0.01


def test_the_errors_of_a_prediction_sum_to_zero_and_are_negative_only_where_predicted():
    errors_N_C = prediction_errors(candidates(30, 2).log_probs_T_N_C)
    torch.testing.assert_close(errors_N_C.sum(1), torch.zeros(30), atol=1e-6, rtol=0)
    assert ((errors_N_C < 0).sum(1) == 1).all()


def test_duplicates_are_drawn_only_when_different_items_run_out():
    given = candidates(6, 3)
    twice = Candidates(
        features_N_D=given.features_N_D.repeat(2, 1), log_probs_T_N_C=given.log_probs_T_N_C.repeat(1, 2, 1)
    )
    for seed in range(20):
        assert len({int(row) % 6 for row in acquisition.select("badge", twice, 6, seed=seed).indices}) == 6


def test_sure_predictions_have_no_gradient_and_fill_up_in_order():
    sure = torch.tensor([[0.0, -torch.inf]]).expand(1, 5, 2)
    given = Candidates(features_N_D=torch.randn(5, 3), log_probs_T_N_C=sure)
    indices, gains = acquisition.select("badge", given, 5)
    assert indices.tolist() == [0, 1, 2, 3, 4]
    assert gains.tolist() == [0.0] * 5
