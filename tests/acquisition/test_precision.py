import pytest
import torch

import acquisition
from acquisition.precision import in_precision


@pytest.mark.parametrize("name", ["mlp", "deep_mlp", "conv_channels", "blocks", "encoder", "little_dropped"])
def test_scores_in_bfloat16_are_near_those_in_float32(make_model, make_items, name):
    model = make_model(name)
    inputs = make_items(name, 200)
    exact, rounded = (
        torch.cat([c.scores_N for c in acquisition.score_pool(posterior, inputs)])
        for posterior in (
            acquisition.mc_dropout(model),
            in_precision(acquisition.mc_dropout(model), "bfloat16"),
        )
    )
    assert rounded.dtype == torch.float32
    assert not torch.equal(exact, rounded)
    assert (exact - rounded).abs().max() < 0.05 * exact.max()
    best = [set(scores.topk(40).indices.tolist()) for scores in (exact, rounded)]
    assert len(best[0] & best[1]) >= 36


def test_it_is_a_posterior_like_the_one_inside(make_model, make_items):
    inside = acquisition.mc_dropout(make_model("mlp"))
    posterior = in_precision(inside, "bfloat16")
    assert (posterior.n_outputs, posterior.task, posterior.max_samples) == (4, "classification", None)
    assert posterior.to("cpu").device == torch.device("cpu")
    assert acquisition.predict(posterior, make_items("mlp")).dtype == torch.float32
    assert acquisition.embed(posterior, make_items("mlp")).dtype == torch.float32
    assert torch.equal(posterior.draw(3, seed=1).state["seeds"], inside.draw(3, seed=1).state["seeds"])
    assert in_precision(inside, "float32") is inside


def test_float16_is_refused(make_model):
    with pytest.raises(acquisition.InvalidOption, match="precision is 'float16'; one of float32, bfloat16"):
        in_precision(acquisition.mc_dropout(make_model("mlp")), "float16")
