"""Labels that do not exclude each other, and numbers: the same calls as for classes."""

import math

import pytest
import torch
from torch import nn
from torch.distributions import Normal

import acquisition
from acquisition.heads import Heteroscedastic, Homoscedastic
from acquisition.tasks import losses

BOTH = ["mc_dropout", "ensemble"]


@pytest.fixture(scope="module")
def line():
    """y = 2x₀ + noise whose spread depends on x₁."""
    seeded = torch.Generator().manual_seed(1)
    inputs = torch.randn(400, 2, generator=seeded)
    noise = torch.randn(400, generator=seeded) * (0.1 + 0.5 * (inputs[:, 1] > 0))
    return inputs, 2 * inputs[:, 0] + noise


def labels_of(inputs):
    return torch.stack([inputs[:, 0] > 0, inputs[:, 1] > 0, inputs[:, 0] > inputs[:, 1]], 1).long()


def number(head=Heteroscedastic):
    return lambda: nn.Sequential(nn.Linear(2, 32), nn.ReLU(), nn.Dropout(0.1), head(32))


def three_labels():
    return nn.Sequential(nn.Linear(2, 32), nn.ReLU(), nn.Dropout(0.1), nn.Linear(32, 3))


@pytest.mark.parametrize("name", BOTH)
@pytest.mark.parametrize("head", [Heteroscedastic, Homoscedastic])
def test_a_number_is_learnt_with_its_noise(name, head, line):
    posterior = acquisition.fit(name, number(head), line, epochs=60, learning_rate=1e-2)
    assert posterior.task == "regression"
    quiet, loud = torch.tensor([[1.0, -1.0]]), torch.tensor([[1.0, 1.0]])
    spread = {}
    for inputs, where in ((quiet, "quiet"), (loud, "loud")):
        found = acquisition.predict(posterior, inputs)
        assert found.means_T_N.mean().item() == pytest.approx(2, abs=0.4)
        spread[where] = found.log_variances_T_N.exp().mean().sqrt().item()
    if head is Heteroscedastic:
        assert 1.4 * spread["quiet"] < spread["loud"]
    else:
        assert spread["quiet"] == pytest.approx(spread["loud"])


@pytest.mark.parametrize("name", BOTH)
def test_a_pool_is_ranked_by_what_networks_disagree_about_in_a_number(name, line):
    posterior = acquisition.fit(name, number(), line, epochs=40)
    pool = torch.cat([line[0][:50], torch.tensor([[9.0, 9.0]])])
    ranked = acquisition.rank_pool(posterior, pool.split(7), keep=51)
    assert int(ranked.indices[0]) == 50
    found = acquisition.predict(posterior, pool)
    assert isinstance(found, acquisition.Gaussians)
    torch.testing.assert_close(
        acquisition.score("bald", found)[ranked.indices], ranked.scores, atol=1e-5, rtol=0
    )
    assert ranked.confidence.isnan().all()
    torch.testing.assert_close(ranked.predicted, found.means_T_N.mean(0)[ranked.indices])


@pytest.mark.parametrize("name", BOTH)
def test_several_labels_are_learnt_and_their_scores_added(name, line):
    inputs = line[0]
    posterior = acquisition.fit(
        name, three_labels, (inputs, labels_of(inputs)), epochs=60, learning_rate=1e-2
    )
    assert posterior.task == "multilabel"
    log_probs_T_N_L_2 = acquisition.predict(posterior, inputs)
    assert log_probs_T_N_L_2.shape[1:] == (400, 3, 2)
    likely_N_L = log_probs_T_N_L_2.exp().mean(0)[..., 1] > 0.5
    assert (likely_N_L == labels_of(inputs).bool()).float().mean() > 0.95
    for function in ("bald", "predictive_entropy", "margin"):
        each = [acquisition.score(function, log_probs_T_N_L_2[:, :, label]) for label in range(3)]
        torch.testing.assert_close(acquisition.score(function, log_probs_T_N_L_2), sum(each))
    ranked = acquisition.rank_pool(posterior, inputs.split(33), keep=10)
    scores_N = acquisition.score("bald", log_probs_T_N_L_2)
    torch.testing.assert_close(ranked.scores, scores_N.topk(10).values, atol=1e-6, rtol=0)
    assert ranked.predicted.shape == ranked.confidence.shape == (10, 3)


@pytest.mark.parametrize("name", BOTH)
def test_a_restored_posterior_keeps_its_task(name, line):
    posterior = acquisition.fit(name, number(), line, epochs=1)
    restored = acquisition.restore(name, number(), posterior.state(), task="regression")
    first, second = (acquisition.predict(p, line[0][:9], seed=1) for p in (posterior, restored))
    assert torch.equal(first.means_T_N, second.means_T_N)


def test_the_loss_of_a_number_is_that_of_the_normal_distribution():
    outputs, targets = torch.randn(50, 2).double(), torch.randn(50).double()
    normal = Normal(outputs[:, 0], (0.5 * outputs[:, 1]).exp())
    torch.testing.assert_close(losses("regression", outputs, targets), -normal.log_prob(targets))


def test_bald_of_numbers_is_zero_where_networks_agree_and_known_where_they_do_not():
    means_T_N = torch.tensor([[0.0, 0.0], [0.0, 2.0]]).double()
    found = acquisition.Gaussians(means_T_N, torch.zeros(2, 2).double())
    bald = acquisition.score("bald", found).tolist()
    assert bald == pytest.approx([0.0, 0.5 * math.log(2)])


def test_a_function_of_classes_refuses_numbers(line):
    posterior = acquisition.fit("ensemble", number(), line, epochs=1)
    with pytest.raises(acquisition.InvalidInput, match="'margin' is for classification and multilabel"):
        acquisition.rank_pool(posterior, line[0], "margin")


def test_targets_and_outputs_have_to_fit(line):
    inputs, targets = line
    with pytest.raises(acquisition.InvalidInput, match="3 outputs"):
        acquisition.fit("ensemble", three_labels, (inputs, labels_of(inputs)[:, :2]))
    with pytest.raises(acquisition.NotFinite, match="targets of 1 rows: 3"):
        acquisition.fit("ensemble", number(), (inputs, targets.index_fill(0, torch.tensor(3), torch.nan)))
    with pytest.raises(acquisition.InvalidOption, match="task is 'counting'"):
        acquisition.mc_dropout(three_labels(), task="counting")
    with pytest.raises(acquisition.InvalidOption, match="noise_variance"):
        Homoscedastic(3, noise_variance=0.0)


def test_one_network_is_refused_where_disagreement_is_asked_for(line):
    inputs = line[0]
    posterior = acquisition.mc_dropout(three_labels())
    with pytest.raises(acquisition.NotStochastic, match="this is one network"):
        acquisition.rank_pool(posterior, inputs, n_samples=1)
    assert acquisition.rank_pool(posterior, inputs, "margin", n_samples=1).n_items == 400


def test_sampling_that_does_nothing_is_refused():
    quiet = nn.Sequential(nn.Linear(2, 4), nn.Dropout(0.5), nn.Linear(4, 3))
    nn.init.zeros_(quiet[2].weight)
    with pytest.raises(acquisition.NotStochastic, match="All samples of the posterior are equal"):
        acquisition.rank_pool(acquisition.mc_dropout(quiet), torch.randn(40, 2))


def test_embeddings_are_what_the_last_layer_gets(line):
    network = three_labels().eval()
    inputs = line[0][:700]
    hidden = network[:3](inputs)
    torch.testing.assert_close(acquisition.embed(acquisition.mc_dropout(network), inputs), hidden)
    other = three_labels()
    both = acquisition.embed(acquisition.ensemble([network, other]), inputs)
    torch.testing.assert_close(both, torch.cat([hidden, other.eval()[:3](inputs)], 1))


def test_wrong_requests_are_refused_in_words(line):
    inputs, targets = line
    regression = acquisition.fit("ensemble", number(), line, epochs=1)
    with pytest.raises(acquisition.InvalidInput, match="'epig' is for classification and multilabel"):
        acquisition.rank_pool(regression, inputs, "epig", targets=inputs)
    with pytest.raises(acquisition.InvalidInput, match=r"acquisition.mc_dropout\(model\)"):
        acquisition.rank_pool(three_labels(), inputs)
    with pytest.raises(acquisition.InvalidInput, match="a function that makes a new network"):
        acquisition.fit("ensemble", three_labels(), line)
    with pytest.raises(acquisition.InvalidInput, match="a list of models"):
        acquisition.ensemble(three_labels())
    with pytest.raises(acquisition.InvalidOption, match="seed is -1"):
        acquisition.predict(regression, inputs, seed=-1)
    with pytest.raises(acquisition.InvalidOption, match="can not take beta='high'"):
        acquisition.select("power", acquisition.Candidates(scores_N=targets.abs()), 2, beta="high")
    with pytest.raises(acquisition.InvalidInput, match="one output"):
        acquisition.fit(
            "mc_dropout",
            lambda: nn.Sequential(nn.Dropout(0.5), nn.Linear(2, 1)),
            (inputs, torch.zeros(400, dtype=torch.long)),
        )
    with pytest.raises(acquisition.InvalidInput, match="too large"):
        acquisition.select(
            "badge",
            acquisition.Candidates(features_N_D=inputs * 1e20, log_probs_T_N_C=torch.zeros(2, 400, 1)),
            2,
        )


def test_rows_that_are_no_numbers_are_counted_over_all_batches(line):
    posterior = acquisition.mc_dropout(three_labels())
    broken = line[0].clone()
    broken[7, 0] = torch.nan
    with pytest.raises(acquisition.NotFinite, match="407") as caught:
        acquisition.embed(posterior, [line[0], broken])
    assert caught.value.rows == (407,)


def test_a_factory_that_hands_out_the_same_network_leaves_it_as_it_is(line):
    kept = three_labels()
    before = {name: tensor.clone() for name, tensor in kept.state_dict().items()}
    for name in ("mc_dropout", "mc_dropconnect", "last_layer_laplace", "ivon"):
        acquisition.fit(name, lambda: kept, (line[0], labels_of(line[0])), epochs=1)
    assert all(torch.equal(tensor, before[name]) for name, tensor in kept.state_dict().items())
    assert all(parameter.requires_grad for parameter in kept.parameters())


def test_the_random_control_of_a_batch_follows_the_seed(line):
    log_probs_T_N_C = torch.randn(4, 60, 3, generator=torch.Generator().manual_seed(1)).log_softmax(-1)
    picks = {
        tuple(acquisition.select("top_k", log_probs_T_N_C, 3, seed=seed, function="random").indices.tolist())
        for seed in range(5)
    }
    assert len(picks) == 5
