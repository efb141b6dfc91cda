"""Attention with dropout inside, against attention written out by hand with the same masks."""

import pytest
import torch
from torch import nn

import acquisition
from acquisition.dropout.attention import MaskedAttention
from acquisition.dropout.layers import SiteKey
from acquisition.dropout.masks import make_noise
from acquisition.posteriors.mc_dropout import FIRST_ATTENTION
from acquisition.randomness import forked


class Attending(nn.Module):
    def __init__(self, *, weights=False, causal=False, batch_first=True, **options):
        super().__init__()
        self.attention = nn.MultiheadAttention(8, 2, dropout=0.4, batch_first=batch_first, **options)
        self.head = nn.Linear(8, 4)
        self.weights, self.causal, self.batch_first = weights, causal, batch_first

    def forward(self, x):
        sequence = x if self.batch_first else x.transpose(0, 1)
        mask = nn.Transformer.generate_square_subsequent_mask(x.shape[1], dtype=x.dtype)
        attended, _ = self.attention(
            sequence, sequence, sequence, need_weights=self.weights,
            attn_mask=mask if self.causal else None, is_causal=self.causal,
        )  # fmt: skip
        return self.head(attended.mean(1 if self.batch_first else 0))


def by_hand(model, x, factors_T_H_L_S, *, causal):
    attention = model.attention
    query, key, value = (
        part.unflatten(-1, (2, 4)).transpose(1, 2)
        for part in nn.functional.linear(x, attention.in_proj_weight, attention.in_proj_bias).chunk(3, -1)
    )
    scores = torch.einsum("nhle,nhse->nhls", query, key) / 2
    if causal:
        rows = torch.arange(x.shape[1])
        scores[:, :, rows[:, None] < rows] = -torch.inf
    weights = scores.softmax(-1)
    outputs = []
    for factors_H_L_S in factors_T_H_L_S:
        mixed = torch.einsum("nhls,nhse->nlhe", weights * factors_H_L_S, value).flatten(2)
        outputs.append(model.head(attention.out_proj(mixed).mean(1)))
    return torch.stack(outputs)


@pytest.mark.parametrize(
    "options",
    [{}, {"weights": True}, {"causal": True}, {"causal": True, "weights": True}, {"batch_first": False}],
)
def test_attention_equals_the_sums_written_out_with_the_same_masks(options):
    with forked(0), torch.no_grad():
        model, inputs = Attending(**options).eval(), torch.randn(9, 5, 8)
        posterior = acquisition.mc_dropout(model)
        draw = posterior.draw(6, seed=3)
        found = posterior.forward(draw, posterior.features(inputs))
        noise = posterior._engine(draw, posterior.features(inputs)).noise
        factors = noise[SiteKey(FIRST_ATTENTION, 0)].factor
        expected = by_hand(model, inputs, factors, causal=options.get("causal", False))
    assert factors.shape == (6, 2, 5, 5)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)
    assert (found.std(0) > 1e-4).any()


@pytest.mark.parametrize("weights", [False, True])
@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("kind", ["none", "boolean", "numbers", "per head"])
@pytest.mark.parametrize("options", [{}, {"kdim": 6, "vdim": 7}, {"bias": False}, {"batch_first": False}])
def test_nothing_dropped_is_pytorchs_attention(weights, padded, kind, options):
    with forked(0), torch.no_grad():
        options = {"batch_first": True} | options
        theirs = nn.MultiheadAttention(8, 2, dropout=0.4, **options).eval()
        ours = acquisition.mc_dropout(nn.Sequential(theirs))._model[0]
        shapes = [(3, 5, 8), (3, 4, options.get("kdim", 8)), (3, 4, options.get("vdim", 8))]
        inputs = [torch.randn(shape) for shape in shapes]
        inputs = inputs if options["batch_first"] else [x.transpose(0, 1) for x in inputs]
        mask = {
            "none": None, "boolean": torch.ones(5, 4).triu(2).bool(), "numbers": torch.randn(5, 4),
            "per head": torch.randn(6, 5, 4),
        }[kind]  # fmt: skip
        padding = torch.tensor([[0, 0, 0, 1], [0, 0, 1, 1], [0, 0, 0, 0]]).bool() if padded else None
        padding = padding.float() * -9 if padded and kind in ("numbers", "per head") else padding
        given = {"attn_mask": mask, "key_padding_mask": padding, "need_weights": weights}
        expected, found = theirs(*inputs, **given), ours(*inputs, **given)
    assert type(ours) is MaskedAttention
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=0)


def test_masks_are_those_of_the_seeds():
    with forked(0):
        posterior = acquisition.mc_dropout(Attending().eval())
    draw, inputs = posterior.draw(3, seed=1), torch.zeros(2, 5, 8)
    noise = posterior._engine(draw, posterior.features(inputs)).noise
    sites = posterior._sampling
    with sites.recording(2) as found:
        posterior._model(inputs)
    again = make_noise(found, draw.state["seeds"], torch.device("cpu"))
    assert all(torch.equal(noise[key].factor, again[key].factor) for key in again)


def test_an_encoder_with_dropout_everywhere_has_the_spread_of_its_training_mode():
    """Independent draws of PyTorch's own dropout and ours have the same mean and variance."""
    layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.3, batch_first=True)
    with forked(0), torch.no_grad():
        model = nn.Sequential(nn.TransformerEncoder(layer, 2, enable_nested_tensor=False), nn.Flatten())
        inputs = torch.randn(1, 3, 8)
        posterior = acquisition.mc_dropout(model.eval())
        ours = posterior.forward(posterior.draw(3000, seed=0), posterior.features(inputs))[:, 0]
        theirs = model.train()(inputs.expand(3000, -1, -1))
    error = (ours.var(0) + theirs.var(0)).div(3000).sqrt()
    assert ((ours.mean(0) - theirs.mean(0)).abs() < 5 * error).all()
    torch.testing.assert_close(ours.std(0), theirs.std(0), rtol=0.12, atol=0)


def test_equal_items_meet_equal_masks_inside_attention():
    with forked(0):
        posterior = acquisition.mc_dropout(Attending().eval())
    log_probs_T_N_C = acquisition.predict(posterior, torch.ones(1, 5, 8).repeat(7, 1, 1))
    assert (log_probs_T_N_C - log_probs_T_N_C[:, :1]).abs().max() < 1e-6


def test_attention_of_a_users_own_kind_is_refused():
    class Own(nn.MultiheadAttention):
        def forward(self, x):
            return super().forward(x, x, x)[0]

    model = nn.Sequential(Own(8, 2, dropout=0.1, batch_first=True), nn.Dropout(0.5))
    with pytest.raises(acquisition.NotStochastic, match=r"Own '0' has dropout=0\.1 inside"):
        acquisition.mc_dropout(model)
