"""What holds for every posterior and every function of the catalog."""

import numpy as np
import pytest
import torch
from torch import nn

import acquisition
from acquisition import diagnostics
from acquisition.catalog import needs, options_of

POSTERIORS = sorted(acquisition.catalog()["posteriors"])
FUNCTIONS = sorted(n for n in acquisition.catalog()["functions"] if n != "predictive_variance")


#: Fitted in closed form, so the seed changes nothing.
WITHOUT_CHANCE: set[str] = {"bayesian_linear", "gaussian_process"}


def quick(name, epochs):
    """Options that keep training short, for posteriors that are trained in epochs."""
    given = {"epochs": epochs, "tuning_epochs": epochs // 10}
    return {key: value for key, value in given.items() if key in options_of("posteriors", name)}


def factory():
    return nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Dropout(0.3), nn.Linear(16, 4))


@pytest.fixture(scope="module", params=POSTERIORS)
def name(request):
    return request.param


@pytest.fixture(scope="module")
def fitted(name, blobs):
    return acquisition.fit(name, factory, blobs, seed=3, **quick(name, 100))


@pytest.fixture(scope="module")
def pool():
    return 2 * torch.randn(1500, 6, generator=torch.Generator().manual_seed(9))


def others(function, pool):
    """Items that a function compares with."""
    return {name: pool[:9] for name in ("labeled", "targets") if name in needs("functions", function)}


def within(function):
    """How far rounding may move a score: a distance is in units of the embeddings, not in nats."""
    return 1e-5 if function == "ood_distance" else 1e-6


def refused(posterior, pool, function):
    """Whether one network is asked for disagreement: that has to be refused, and nothing more is tested."""
    if posterior.max_samples != 1 or "samples" not in needs("functions", function):
        return False
    with pytest.raises(acquisition.NotStochastic, match="this is one network"):
        acquisition.rank_pool(posterior, pool, function, **others(function, pool))
    return True


def _scores(posterior, pool, function, rows):
    chunks = list(
        acquisition.score_pool(posterior, pool.split(rows), function, seed=4, **others(function, pool))
    )
    assert [chunk.start for chunk in chunks] == list(np.cumsum([0, *[len(c.scores_N) for c in chunks]])[:-1])
    return torch.cat([chunk.scores_N for chunk in chunks])


@pytest.mark.parametrize("function", FUNCTIONS)
def test_chunks_of_7_and_of_1000_give_the_same_scores(fitted, pool, function):
    if refused(fitted, pool, function):
        return
    sevens, thousands = (_scores(fitted, pool, function, rows) for rows in (7, 1000))
    torch.testing.assert_close(sevens, thousands, atol=within(function), rtol=1e-6)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_shard_scored_alone_gets_the_scores_of_the_whole(fitted, pool, function):
    if refused(fitted, pool, function):
        return
    given = others(function, pool)
    whole = torch.cat([c.scores_N for c in acquisition.score_pool(fitted, pool, function, **given)])
    part = acquisition.score_pool(fitted, pool[900:], function, start=900, **given)
    shard = torch.cat([c.scores_N for c in part])
    torch.testing.assert_close(whole[900:], shard, atol=within(function), rtol=1e-6)


@pytest.mark.parametrize("function", sorted(set(FUNCTIONS) - {"random"}))
def test_equal_items_get_equal_scores(fitted, pool, function):
    if refused(fitted, pool, function):
        return
    doubled = torch.cat([pool[:50], pool[:50]])
    scores = _scores(fitted, doubled, function, 13)
    torch.testing.assert_close(scores[:50], scores[50:], atol=within(function), rtol=1e-6)


def test_the_same_seed_gives_the_same_networks_and_another_one_others(fitted, name, pool):
    first, again, other = (acquisition.predict(fitted, pool[:9], n_samples=3, seed=s) for s in (1, 1, 2))
    assert torch.equal(first, again)
    assert torch.equal(first, other) == (fitted.max_samples == 1)


def test_predictions_are_float32_log_probabilities(fitted, pool):
    log_probs_T_N_C = acquisition.predict(fitted, pool, n_samples=4)
    assert log_probs_T_N_C.dtype == torch.float32
    n_samples = min(4, fitted.max_samples or 4)
    assert log_probs_T_N_C.shape == (n_samples, 1500, 4)
    torch.testing.assert_close(log_probs_T_N_C.exp().sum(-1), torch.ones(n_samples, 1500))


def test_fitting_learns(fitted, blobs):
    inputs, targets = blobs
    predicted = acquisition.predict(fitted, inputs).exp().mean(0).argmax(-1)
    assert (predicted == targets).float().mean() > 0.9


def test_fitting_and_scoring_leave_the_global_random_state_and_the_mode_alone(name, blobs):
    made = []

    def remembered():
        made.append(factory())
        return made[-1]

    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    posterior = acquisition.fit(name, remembered, blobs, **quick(name, 2))
    modes = [module.training for model in made for module in model.modules()]
    acquisition.rank_pool(posterior, blobs[0], "margin" if posterior.max_samples == 1 else "bald")
    assert [module.training for model in made for module in model.modules()] == modes
    assert all(modes) or not any(modes)  # as they were made, or in evaluation mode as a whole
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert np.array_equal(np.random.get_state()[1], numpy_state)  # noqa: NPY002


def test_the_same_seed_trains_the_same_posterior(name, blobs):
    states = [acquisition.fit(name, factory, blobs, seed=s, **quick(name, 2)).state() for s in (5, 5, 6)]
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])
    differs = any(not torch.equal(states[0][key], states[2][key]) for key in states[0])
    assert differs == (name not in WITHOUT_CHANCE)


def test_a_restored_posterior_scores_alike(name, fitted, pool, tmp_path):
    from safetensors.torch import load_file, save_file

    save_file(fitted.state(), tmp_path / "posterior.safetensors")
    restored = acquisition.restore(name, factory, load_file(tmp_path / "posterior.safetensors"))
    assert torch.equal(acquisition.predict(restored, pool), acquisition.predict(fitted, pool))


def test_a_state_of_another_model_is_refused(name, fitted):
    with pytest.raises(acquisition.InvalidInput, match="does not fit the model of the factory"):
        acquisition.restore(name, lambda: nn.Sequential(nn.Linear(3, 2), nn.Dropout(0.5)), fitted.state())


def test_it_keeps_the_protocol(fitted, pool):
    assert fitted.task == "classification"
    assert fitted.n_outputs == 4
    assert fitted.max_samples is None or fitted.max_samples > 0
    n_samples = min(3, fitted.max_samples or 3)
    draw = fitted.draw(3, seed=0)
    assert len(draw) == n_samples
    assert fitted.forward(draw, fitted.features(pool[:5])).shape == (n_samples, 5, 4)


def test_progress_ends_with_the_whole(name, blobs):
    calls = []
    acquisition.fit(
        name, factory, blobs, progress=lambda done, total: calls.append((done, total)), **quick(name, 3)
    )
    assert calls[-1][0] == calls[-1][1]
    assert [done for done, _ in calls] == sorted({done for done, _ in calls})


def test_one_class_alone_can_be_learnt(name, blobs):
    posterior = acquisition.fit(
        name, factory, (blobs[0][:8], torch.ones(8, dtype=torch.long)), **quick(name, 5)
    )
    assert torch.isfinite(acquisition.predict(posterior, blobs[0])).all()


def test_its_sampling_passes_the_self_test(fitted, pool):
    if fitted.max_samples == 1:
        with pytest.raises(acquisition.NotStochastic):
            diagnostics.check_sampling(fitted, pool[:40])
        return
    diagnostics.check_sampling(fitted, pool[:40])
