import weakref

import pytest
import torch
from torch import nn

import acquisition
from acquisition.catalog import needs
from acquisition.checks import check_raw


@pytest.fixture
def posterior(make_model):
    return acquisition.mc_dropout(make_model("deep_mlp"))


@pytest.fixture
def pool(make_items):
    return make_items("deep_mlp", 500)


FUNCTIONS = sorted(n for n in acquisition.catalog()["functions"] if n != "predictive_variance")


@pytest.mark.parametrize("function", FUNCTIONS)
def test_the_best_of_a_pool_are_the_best_of_all_its_scores(posterior, pool, function):
    needed = needs("functions", function)
    others = {name: pool[:9] for name in ("labeled", "targets") if name in needed}
    ranked = acquisition.rank_pool(posterior, pool.split(33), function, keep=20, seed=3, **others)
    log_probs_T_N_C = acquisition.predict(posterior, pool, seed=3)
    at_hand = {
        "seed": 3,
        "features": acquisition.embed(posterior, pool),
        "labeled": acquisition.embed(posterior, pool[:9]),
        "targets": log_probs_T_N_C[:, :9],
    }
    options = {name: value for name, value in at_hand.items() if name in needed}
    scores_N = acquisition.score(function, log_probs_T_N_C, **options)
    torch.testing.assert_close(ranked.scores, scores_N.topk(20).values, atol=1e-6, rtol=0)
    torch.testing.assert_close(scores_N[ranked.indices], ranked.scores, atol=1e-6, rtol=0)
    assert ranked.n_items == 500


def test_the_parts_belong_to_the_items(posterior, pool):
    ranked = acquisition.rank_pool(posterior, pool, keep=50)
    log_probs_T_N_C = acquisition.predict(posterior, pool)[:, ranked.indices]
    mean_N_C = log_probs_T_N_C.exp().mean(0)
    torch.testing.assert_close(ranked.confidence, mean_N_C.amax(-1))
    assert torch.equal(ranked.predicted, mean_N_C.argmax(-1))
    torch.testing.assert_close(ranked.mutual_information, ranked.scores)
    entropy = -(mean_N_C * mean_N_C.log()).sum(-1)
    torch.testing.assert_close(ranked.predictive_entropy, entropy, atol=1e-6, rtol=0)
    difference = ranked.predictive_entropy - ranked.expected_entropy
    torch.testing.assert_close(ranked.mutual_information, difference, atol=1e-6, rtol=0)


def test_equal_scores_are_ranked_by_row_whatever_the_chunks(posterior, pool):
    doubled = torch.cat([pool[:1]] * 60)
    for rows in (7, 60):
        ranked = acquisition.rank_pool(posterior, doubled.split(rows), "variation_ratios", keep=10)
        assert ranked.indices.tolist() == list(range(10))


def test_a_small_pool_is_kept_whole_and_an_empty_one_is_empty(posterior, pool):
    assert sorted(acquisition.rank_pool(posterior, pool[:9]).indices.tolist()) == list(range(9))
    empty = acquisition.rank_pool(posterior, [])
    assert (empty.n_items, len(empty.indices)) == (0, 0)
    assert list(acquisition.score_pool(posterior, pool[:0])) == []


def test_memory_does_not_grow_with_the_pool(posterior, pool, monkeypatch):
    """Of a hundred chunks of predictions at most two are alive at any time, and none is large."""
    alive, most = weakref.WeakSet(), []

    def watched(task, raw_T_N_O, n_items, first_row):
        alive.add(raw_T_N_O)
        most.append(len(alive))
        assert raw_T_N_O.numel() <= 2**19
        check_raw(task, raw_T_N_O, n_items, first_row)

    monkeypatch.setattr("acquisition.prediction.check_raw", watched)
    batches = (pool + n for n in range(50))
    ranked = acquisition.rank_pool(posterior, batches, n_samples=100, keep=10)
    assert ranked.n_items == 25_000
    assert len(most) == 50
    assert max(most) <= 2


class Narrow:
    """A posterior on a device that can hold few items at once."""

    def __init__(self, posterior, most):
        self.posterior, self.most, self.sizes = posterior, most, []

    def __getattr__(self, name):
        return getattr(self.posterior, name)

    def forward(self, draw, features):
        self.sizes.append(len(features))
        if len(features) > self.most:
            raise torch.OutOfMemoryError("too many items")
        return self.posterior.forward(draw, features)


def test_chunks_that_do_not_fit_into_the_memory_are_halved(posterior, pool):
    narrow = Narrow(posterior, 70)
    found = torch.cat([chunk.scores_N for chunk in acquisition.score_pool(narrow, pool.split(400))])
    expected = torch.cat([chunk.scores_N for chunk in acquisition.score_pool(posterior, pool)])
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=0)
    assert narrow.sizes[:5] == [400, 200, 100, 50, 50]
    assert max(narrow.sizes[4:]) == 50
    with pytest.raises(torch.OutOfMemoryError):
        list(acquisition.score_pool(Narrow(posterior, 0), pool))


def test_rows_without_a_number_are_counted_over_the_whole_pool(posterior, pool):
    pool[321, 2] = torch.nan
    with pytest.raises(acquisition.NotFinite, match="in the inputs of 1 rows: 321") as caught:
        acquisition.rank_pool(posterior, pool.split(50))
    assert caught.value.rows == (321,)
    with pytest.raises(acquisition.NotFinite) as caught:
        list(acquisition.score_pool(posterior, pool, start=1000))
    assert caught.value.rows == (1321,)


def test_a_function_that_gives_no_numbers_is_refused(posterior, pool, monkeypatch):
    monkeypatch.setattr(
        "acquisition.pool._function",
        lambda *_: lambda predictions: predictions.predictive_entropy_N / 0 * 0,
    )
    with pytest.raises(acquisition.NotFinite, match="in the scores"):
        acquisition.rank_pool(posterior, pool)


@pytest.mark.parametrize(
    ("layers", "match"),
    [
        ([nn.Linear(6, 3), nn.Softmax(-1)], "probabilities already"),
        ([nn.Linear(6, 1)], r"at least two class scores"),
        ([nn.Linear(6, 12), nn.Unflatten(1, (3, 4))], r"the model gave \[23, 3, 4\]"),
    ],
)
def test_outputs_that_are_no_class_scores_are_refused(make_items, layers, match):
    with pytest.raises(acquisition.InvalidInput, match=match):
        acquisition.rank_pool(
            acquisition.mc_dropout(nn.Sequential(nn.Dropout(0.5), *layers)), make_items("mlp")
        )


def test_outputs_without_a_number_are_refused_by_row(make_items):
    class Faulty(nn.Sequential):
        def forward(self, x):
            return super().forward(x) + torch.where(x[:, :1] > 1, torch.nan, 0.0)

    inputs = make_items("mlp")
    with pytest.raises(acquisition.NotFinite, match="outputs of the model") as caught:
        acquisition.rank_pool(acquisition.mc_dropout(Faulty(nn.Dropout(0.5), nn.Linear(6, 2))), inputs)
    assert caught.value.rows == tuple((inputs[:, 0] > 1).nonzero().flatten().tolist())


def test_wrong_requests_are_refused(posterior, pool, make_model):
    with pytest.raises(acquisition.InvalidOption, match="keep is 0"):
        acquisition.rank_pool(posterior, pool, keep=0)
    with pytest.raises(acquisition.InvalidOption, match="n_samples is 0"):
        acquisition.rank_pool(posterior, pool, n_samples=0)
    with pytest.raises(acquisition.InvalidOption, match="Device 'gpu0' can not be used here"):
        acquisition.score_pool(posterior, pool, device="gpu0")
    with pytest.raises(acquisition.UnknownMethod):
        acquisition.score_pool(posterior, pool, "bold")
    with pytest.raises(acquisition.InvalidInput, match=r"items of shape \[5\] and type torch.float32"):
        acquisition.rank_pool(acquisition.ensemble([make_model("mlp"), make_model("mlp", 1)]), pool[:, :5])
    with pytest.raises(acquisition.InvalidInput, match="found list"):
        acquisition.rank_pool(posterior, [[1.0, 2.0]])
    with pytest.raises(acquisition.InvalidInput, match="no items"):
        acquisition.predict(posterior, pool[:0])


def test_a_device_is_where_the_scores_are_computed(posterior, pool):
    here = acquisition.rank_pool(posterior, pool, device="cpu")
    assert torch.equal(here.indices, acquisition.rank_pool(posterior, pool).indices)


def test_half_precision_logits_become_float32_log_probabilities(make_items):
    model = nn.Sequential(nn.Dropout(0.5), nn.Linear(6, 3)).bfloat16()
    log_probs_T_N_C = acquisition.predict(acquisition.mc_dropout(model), make_items("mlp").bfloat16())
    assert log_probs_T_N_C.dtype == torch.float32
    acquisition.score("bald", log_probs_T_N_C)
