import pytest
import torch

import acquisition
from acquisition import Candidates


def predictions(votes_N_T, n_classes=3):
    """Predictions of T samples with given classes; each sample is 0.8 sure."""
    votes_T_N = torch.tensor(votes_N_T).T
    probs = torch.full((*votes_T_N.shape, n_classes), 0.2 / (n_classes - 1))
    return probs.scatter(2, votes_T_N[..., None], 0.8).log()


def test_only_who_disagrees_with_the_mean_prediction_is_clustered():
    votes = [[0, 0, 0, 0], [0, 0, 1, 2], [0, 0, 1, 2], [0, 0, 0, 1], [0, 0, 2, 1], [0, 0, 2, 1]]
    features_N_D = torch.tensor([[0.0], [5.0], [5.1], [0.1], [-5.0], [-5.1]])
    given = Candidates(features_N_D=features_N_D, log_probs_T_N_C=predictions(votes))
    for seed in range(5):
        indices, gains = acquisition.select("drop_query", given, 2, seed=seed)
        assert {int(row) in (1, 2) for row in indices} == {True, False}
        assert set(indices.tolist()) <= {1, 2, 4, 5}
        assert gains.tolist() == [0.5, 0.5]


def test_where_too_few_disagree_the_next_most_disagreeing_fill_up():
    votes = [[0, 0, 0, 0], [0, 0, 1, 2], [0, 0, 0, 1], [1, 1, 1, 1]]
    given = Candidates(features_N_D=torch.zeros(4, 1), log_probs_T_N_C=predictions(votes))
    indices, gains = acquisition.select("drop_query", given, 3)
    assert indices.tolist() == [1, 2, 0]
    assert gains.tolist() == [0.5, 0.25, 0.0]


def test_among_equally_disagreeing_the_least_sure_come_first():
    log_probs_T_N_C = torch.tensor([[[0.9, 0.1], [0.6, 0.4], [0.7, 0.3]]]).log()
    given = Candidates(features_N_D=torch.zeros(3, 1), log_probs_T_N_C=log_probs_T_N_C)
    assert acquisition.select("drop_query", given, 3).indices.tolist() == [1, 2, 0]


@pytest.mark.parametrize("disagreement", [0.0, 1.5, float("nan")])
def test_a_disagreement_out_of_range_is_refused(disagreement):
    given = Candidates(features_N_D=torch.zeros(2, 1), log_probs_T_N_C=torch.zeros(1, 2, 1))
    with pytest.raises(acquisition.InvalidOption, match="disagreement is"):
        acquisition.select("drop_query", given, 1, disagreement=disagreement)
