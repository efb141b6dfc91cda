"""LoRA posteriors on tiny transformers made here, and their algebra against closed forms."""

import copy
import sys

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.func import functional_call, jacrev

import acquisition
from acquisition.heads import Homoscedastic
from acquisition.lora.adaptation import Lora, adapted, base_hash
from acquisition.lora.curvature import PRIORS, differentiable, fisher_root
from acquisition.lora.low_rank import Precision, Sketch
from acquisition.lora.token_classifier import TokenClassifier, token_classifier
from acquisition.posteriors import laplace_lora, lora_ensemble

pytest.importorskip("peft", reason="the extra 'lora' is not installed")
METHODS = {"lora_ensemble": lora_ensemble, "laplace_lora": laplace_lora}
CLASSES, PADDING = 3, 0


def factory(model_type="distilbert"):
    from transformers import AutoConfig, AutoModelForSequenceClassification

    sizes = {
        "distilbert": {"dim": 16, "n_layers": 2, "n_heads": 2, "hidden_dim": 32},
        "gpt2": {"n_embd": 16, "n_layer": 2, "n_head": 2, "bos_token_id": 1, "eos_token_id": 1},
        "llama": {"bos_token_id": 1, "eos_token_id": 1},
    }
    usual = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    config = AutoConfig.for_model(
        model_type,
        **(usual if "hidden_size" not in sizes.get(model_type, {}) else {}) | sizes.get(model_type, {}),
        vocab_size=20,
        num_labels=CLASSES,
        pad_token_id=PADDING,
        max_position_embeddings=24,
    )
    return TokenClassifier(AutoModelForSequenceClassification.from_config(config))


@pytest.fixture(scope="module")
def sentences():
    """Forty-eight rows of tokens; the class is the one of three words that stands somewhere in them."""
    chance = torch.Generator().manual_seed(0)
    targets = torch.arange(48) % CLASSES
    tokens = torch.randint(4, 20, (48, 8), generator=chance)
    tokens[torch.arange(48), 1 + torch.arange(48) % 4] = 1 + targets
    for row in range(0, 48, 3):
        tokens[row, 6:] = PADDING
    return tokens, targets


@pytest.fixture(scope="module", params=sorted(METHODS))
def name(request):
    return request.param


def fit(name, make, data, seed=1, **options):
    fitter = METHODS[name].build(
        **{"epochs": 30, "learning_rate": 5e-3, "rank": 4, "batch_size": 16, **options}
    )
    return fitter(make, *data, seed=seed, progress=lambda done, total: None)


@pytest.fixture(scope="module")
def fitted(name, sentences):
    return fit(name, factory, sentences)


def test_it_learns(fitted, sentences):
    log_probs_T_N_C = acquisition.predict(fitted, sentences[0], n_samples=20)
    right = log_probs_T_N_C.exp().mean(0).argmax(-1) == sentences[1]
    assert right.float().mean() > 0.9


@pytest.mark.parametrize("model_type", ["bert", "gpt2", "llama", "roberta"])
def test_architectures_of_transformers_are_adapted(name, model_type, sentences):
    make = lambda: factory(model_type)  # noqa: E731
    posterior = fit(name, make, sentences, epochs=2)
    log_probs_T_N_C = acquisition.predict(posterior, sentences[0], n_samples=5)
    assert not torch.equal(log_probs_T_N_C[0], log_probs_T_N_C[1])
    restored = METHODS[name].restore(make, posterior.state())
    assert torch.equal(acquisition.predict(restored, sentences[0], n_samples=5), log_probs_T_N_C)
    assert acquisition.embed(posterior, sentences[0]).shape[0] == 48


def test_the_samples_of_a_seed_are_the_same_and_all_differ(fitted, sentences):
    first, again = (acquisition.predict(fitted, sentences[0], n_samples=5, seed=3) for _ in range(2))
    assert torch.equal(first, again)
    assert all(not torch.equal(first[a], first[b]) for a in range(5) for b in range(a))


@pytest.mark.parametrize("rows", [7, 20])
def test_chunks_change_nothing(fitted, sentences, rows):
    whole = acquisition.predict(fitted, sentences[0], n_samples=5)
    torch.testing.assert_close(
        acquisition.predict(fitted, sentences[0].split(rows), n_samples=5), whole, atol=1e-5, rtol=0
    )


def test_more_padding_changes_nothing(fitted, sentences):
    longer = nn.functional.pad(sentences[0], (0, 9), value=PADDING)
    torch.testing.assert_close(
        acquisition.predict(fitted, longer, n_samples=5),
        acquisition.predict(fitted, sentences[0], n_samples=5),
        atol=1e-5,
        rtol=0,
    )


def test_the_base_stays_as_it_was_and_is_in_no_state(name, sentences):
    made = []

    def remembered():
        made.append(factory())
        made.append({n: p.detach().clone() for n, p in made[-1].named_parameters()})
        return made[-2]

    state = fit(name, remembered, sentences, epochs=2).state()
    network, before = made[0], made[1]
    frozen = {n.replace(".base_layer", ""): p for n, p in network.named_parameters() if not p.requires_grad}
    assert len(frozen) > 20
    assert all(torch.equal(before[n], p) for n, p in frozen.items())
    assert len(made) == 2  # one base for all members
    assert not any(key.partition(".")[2] in frozen for key in state)


def test_another_base_is_refused(name, fitted):
    def other():
        network = factory()
        with torch.no_grad():
            next(network.parameters())[0, 0] += 1e-3
        return network

    with pytest.raises(acquisition.InvalidInput, match="its frozen weights are others"):
        METHODS[name].restore(other, fitted.state())


def test_the_hash_tells_names_shapes_and_values_but_not_the_head():
    network = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 2))
    head = {"1.weight", "1.bias"}
    found = base_hash(network, head)
    twin = copy.deepcopy(network)
    nn.init.zeros_(twin[1].weight)
    assert torch.equal(base_hash(twin, head), found)
    nn.init.zeros_(twin[0].bias)
    assert not torch.equal(base_hash(twin, head), found)
    assert not torch.equal(base_hash(network.double(), head), found)


@pytest.mark.parametrize("model_type", ["distilbert", "gpt2"])
def test_an_adapted_network_is_the_plain_one_with_the_product_added(model_type, sentences):
    make = lambda: factory(model_type)  # noqa: E731
    posterior = fit("lora_ensemble", make, sentences, epochs=2, members=2, alpha=6.0)
    state, plain = posterior.state(), acquisition.training.made(make, 0).eval()
    tensors = dict(plain.state_dict())
    for key, tensor in state.items():
        number, _, own = key.partition(".")
        if number != "1":
            continue
        if ".lora_A" in own:
            layer = own.partition(".lora_A")[0]
            change = 6.0 / 4 * state[f"1.{layer}.lora_B.default.weight"] @ tensor
            transposed = type(plain.get_submodule(layer)).__name__ == "Conv1D"
            tensors[f"{layer}.weight"] = tensors[f"{layer}.weight"] + (change.T if transposed else change)
        elif ".lora_B" not in own:
            tensors[own] = tensor
    expected = functional_call(plain, tensors, (sentences[0],))
    draw = acquisition.Draw(state={"members": torch.tensor([1])})
    torch.testing.assert_close(posterior.forward(draw, sentences[0])[0], expected, atol=1e-5, rtol=1e-5)
    assert not torch.allclose(plain(sentences[0]), expected, atol=1e-3)


def test_the_fused_layer_of_torch_does_not_skip_the_adapters():
    def make():
        layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True)
        encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        return nn.Sequential(encoder, nn.Flatten(), nn.Linear(24, CLASSES))

    chance = torch.Generator().manual_seed(0)
    inputs, targets = torch.randn(12, 3, 8, generator=chance), torch.arange(12) % CLASSES
    posterior = fit("lora_ensemble", make, (inputs, targets), epochs=5, members=2)
    network, draw = posterior._network.train(), posterior.draw(2, seed=0)
    slow = torch.stack([network.run(posterior._members[m], inputs) for m in draw.state["members"]])
    network.eval()
    torch.testing.assert_close(posterior.forward(draw, inputs), slow, atol=1e-5, rtol=1e-5)
    assert torch.backends.mha.get_fastpath_enabled()
    adapters = [name for name in posterior.state() if "lora_A" in name]
    assert adapters
    assert not any("self_attn" in name for name in adapters)


def test_batch_statistics_stay_those_of_the_base(name, blobs):
    def make():
        return nn.Sequential(nn.Linear(6, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 4))

    state = fit(name, make, blobs, epochs=2).state()
    assert torch.equal(state["buffers.1.running_mean"], torch.zeros(16))


def test_a_head_that_is_trained_already_is_kept_where_asked():
    lora = Lora.of(2, 4.0, None, None, fresh_head=False)
    network = adapted(lambda: nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 2)), lora)
    before = network.network[1].weight.clone()
    network.restart(5, fresh_head=False)
    assert torch.equal(network.network[1].weight, before)
    network.restart(5, fresh_head=True)
    assert not torch.equal(network.network[1].weight, before)


@pytest.mark.parametrize(
    ("model_type", "layers"),
    [
        ("bert", {"query", "value"}),
        ("gpt2", {"c_attn"}),
        ("distilbert", {"q_lin", "k_lin", "v_lin", "out_lin", "lin1", "lin2"}),
    ],
)
def test_without_targets_those_of_the_architecture_or_all_but_the_head_are_adapted(model_type, layers):
    network = adapted(lambda: factory(model_type), Lora.of(2, 4.0, None, None, fresh_head=True))
    names = [name for name in network.trained() if ".lora_A" in name]
    assert {name.partition(".lora_A")[0].rpartition(".")[2] for name in names} == layers
    assert len(names) == 2 * len(layers)


@pytest.mark.parametrize("targets", [["q_lin"], ["attention.v_lin", "lin1"]])
def test_adapters_go_where_they_are_asked_to(sentences, targets):
    state = fit("lora_ensemble", factory, sentences, epochs=1, members=2, targets=targets).state()
    adapted_layers = {
        key.partition(".lora_A")[0] for key in state if key.startswith("0.") and ".lora_A" in key
    }
    assert len(adapted_layers) == 2 * len(targets)
    assert all(layer.endswith(tuple(targets)) for layer in adapted_layers)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rank": 0}, "rank is 0"),
        ({"alpha": 0.0}, "alpha is 0.0"),
        ({"targets": "query"}, "a list of module names"),
        ({"head": []}, "a list of module names"),
    ],
)
def test_options_outside_their_range_are_refused(name, options, message):
    with pytest.raises(acquisition.InvalidOption, match=message):
        METHODS[name].build(**options)


@pytest.mark.parametrize("options", [{"prior_precision": 0.0}, {"directions": -1}])
def test_options_of_laplace_outside_their_range_are_refused(options):
    with pytest.raises(acquisition.InvalidOption):
        laplace_lora.build(**options)


def test_layers_that_are_not_there_are_named_with_those_that_are(blobs):
    with pytest.raises(acquisition.InvalidInput, match=r"no layer named query .* it has 0"):
        fit(
            "lora_ensemble", lambda: nn.Sequential(nn.Linear(6, 5), nn.Linear(5, 4)), blobs, targets=["query"]
        )
    with pytest.raises(acquisition.InvalidInput, match=r"no layer of type nn\.Linear"):
        fit("lora_ensemble", lambda: nn.Sequential(nn.Linear(6, 4)), blobs)
    with pytest.raises(acquisition.InvalidInput, match="no head for LoRA"):
        fit("lora_ensemble", lambda: nn.Sequential(nn.Conv1d(6, 4, 1)), blobs)


def test_without_the_extra_it_says_what_to_install(name, blobs, monkeypatch):
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(acquisition.InvalidOption, match=r'pip install "active-labeling-workbench\[lora\]"'):
        fit(name, lambda: nn.Sequential(nn.Linear(6, 5), nn.Linear(5, 4)), blobs)


def test_a_state_of_another_kind_is_refused(name):
    with pytest.raises(acquisition.InvalidInput, match="saved state is none of"):
        METHODS[name].restore(factory, {"a": torch.zeros(2)})


def test_a_pretrained_model_is_loaded_from_its_folder(tmp_path, sentences):
    model = factory().model
    model.save_pretrained(tmp_path)
    loaded = token_classifier(str(tmp_path), CLASSES)().eval()
    expected = TokenClassifier(model).eval()(sentences[0])
    torch.testing.assert_close(loaded(sentences[0]), expected, atol=1e-6, rtol=0)
    with pytest.raises(acquisition.InvalidOption, match="can not be loaded"):
        token_classifier(str(tmp_path / "none"), CLASSES)()
    with pytest.raises(acquisition.InvalidInput, match="token numbers as integers"):
        loaded(sentences[0].float())


# The algebra.


def _gaussian(seed, n_weights, n_rows):
    chance = torch.Generator().manual_seed(seed)
    return torch.randn(n_rows, n_weights, generator=chance)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 9), st.integers(1, 12), st.integers(0, 12))
def test_a_sketch_keeps_the_diagonal_and_never_exceeds_the_sum(seed, n_weights, n_rows, directions):
    rows = _gaussian(seed, n_weights, n_rows)
    sketch = Sketch(directions, n_weights, torch.device("cpu"))
    for row in rows:
        sketch.add(row[None])
    found = sketch.precision(0.5)
    dense = torch.diag(found.diagonal_P) + found.directions_R_P.T @ found.directions_R_P
    exact = rows.T @ rows + 0.5 * torch.eye(n_weights)
    torch.testing.assert_close(dense.diagonal(), exact.diagonal(), atol=1e-4, rtol=1e-4)
    kept = (rows.T @ rows - found.directions_R_P.T @ found.directions_R_P).double()
    assert torch.linalg.eigvalsh(kept).min() > -1e-4
    assert len(found.directions_R_P) <= directions
    if directions >= n_rows:
        torch.testing.assert_close(dense, exact, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("directions", [0, 2, 5])
def test_samples_have_the_covariance_of_the_precision(directions):
    diagonal = torch.tensor([0.3, 1.0, 2.0, 0.5])
    found = Precision(diagonal, _gaussian(1, 4, directions))
    exact = torch.linalg.inv((torch.diag(diagonal) + found.directions_R_P.T @ found.directions_R_P).double())
    torch.testing.assert_close(found.covariance(torch.eye(4)), exact, atol=1e-6, rtol=1e-5)
    sampled = torch.cov(found.sample(100_000, 0).double().T)
    assert (sampled - exact).abs().max() < 0.03 * exact.diagonal().max()


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(["classification", "multilabel", "regression"]), st.integers(0, 10_000))
def test_the_fisher_root_squares_to_the_expected_hessian(task, seed):
    outputs = 2 * torch.randn(2 if task == "regression" else 4, generator=torch.Generator().manual_seed(seed))
    outputs = outputs.double()

    def expected_loss(moved):  # minus the mean log-likelihood of answers that the outputs themselves give
        if task == "classification":
            return -(outputs.softmax(-1) * moved.log_softmax(-1)).sum()
        if task == "multilabel":
            yes = torch.sigmoid(outputs)
            log = nn.functional.logsigmoid
            return -(yes * log(moved) + (1 - yes) * log(-moved)).sum()
        squared = outputs[1].exp() + (outputs[0] - moved[0]) ** 2
        return 0.5 * (moved[1] + squared * torch.exp(-moved[1]))

    root = fisher_root(task, outputs)
    hessian = torch.autograd.functional.hessian(expected_loss, outputs)
    torch.testing.assert_close(root @ root.T, hessian, atol=1e-9, rtol=1e-9)


def test_on_a_linear_model_the_variance_is_that_of_bayesian_linear_regression():
    noise, prior, rank = 0.25, 2.0, 2
    chance = torch.Generator().manual_seed(0)
    inputs = torch.randn(30, 3, generator=chance)
    targets = inputs @ torch.tensor([1.0, -2.0, 0.5]) + 0.5 * torch.randn(30, generator=chance)
    make = lambda: nn.Sequential(nn.Linear(3, 4, bias=False), Homoscedastic(4, noise_variance=noise))  # noqa: E731
    posterior = fit(
        "laplace_lora", make, (inputs, targets), rank=rank, alpha=3.0, prior_precision=prior, directions=64
    )
    state = posterior.state()
    a, b = (state[f"mean.0.lora_{factor}.default.weight"] for factor in "AB")
    h, scale = state["mean.1.mean.weight"][0], 3.0 / rank
    w = acquisition.training.made(make, 0)[0].weight + scale * b @ a

    def columns(x):  # the derivatives of h·(W + s·B·A)·x + c by A, B, h and c, by hand
        by_a = scale * torch.einsum("r,ni->nri", b.T @ h, x).flatten(1)
        by_b = scale * torch.einsum("o,nr->nor", h, x @ a.T).flatten(1)
        return torch.cat([by_a, by_b, x @ w.T, torch.ones(len(x), 1)], 1).double().detach()

    known, asked = columns(inputs), columns(inputs[:5])
    covariance = torch.linalg.inv(known.T @ known / noise + prior * torch.eye(known.shape[1]))
    exact = (asked @ covariance @ asked.T).diagonal()
    found = posterior.precision.covariance(asked.float()).diagonal()
    torch.testing.assert_close(found, exact, atol=1e-6, rtol=1e-4)
    draws_T_N = posterior.forward(posterior.draw(4000, seed=0), inputs[:5])[..., 0].double()
    torch.testing.assert_close(draws_T_N.var(0), exact, atol=0, rtol=0.1)
    mean = inputs[:5] @ w.T @ h + state["mean.1.mean.bias"]
    assert ((draws_T_N.mean(0) - mean).abs() < 5 * (exact / 4000).sqrt()).all()


def test_derivatives_of_single_items_give_what_derivatives_along_samples_give(sentences, monkeypatch):
    posterior = fit("laplace_lora", factory, sentences, epochs=2, prior_precision=1.0)
    draw, one = posterior.draw(6, seed=0), posterior._one
    calls = []
    monkeypatch.setattr(posterior, "_one", lambda *given: calls.append(1) or one(*given))
    along = posterior.forward(draw, sentences[0])
    assert not calls
    monkeypatch.setattr(laplace_lora, "HEAVY_ITEM", 0)
    torch.testing.assert_close(posterior.forward(draw, sentences[0]), along, atol=1e-5, rtol=1e-5)
    assert len(calls) == 48
    with torch.inference_mode():
        torch.testing.assert_close(posterior.forward(draw, sentences[0] + 0), along, atol=1e-5, rtol=1e-5)
    posterior.forward(draw[:3], sentences[0])  # as many samples as outputs: along the samples
    assert len(calls) == 96


@pytest.mark.parametrize("directions", [0, 256])
def test_the_precision_of_a_transformer_is_the_dense_one(sentences, directions):
    tokens, targets = sentences
    posterior = fit(
        "laplace_lora",
        factory,
        (tokens[:9], targets[:9]),
        epochs=5,
        prior_precision=1.5,
        directions=directions,
    )
    mean = {key.removeprefix("mean."): t for key, t in posterior.state().items() if key.startswith("mean.")}
    with differentiable():
        jacobian = jacrev(lambda tensors: posterior._network.run(tensors, tokens[:9]))(mean)
    rows_N_C_P = torch.cat([jacobian[name].flatten(2) for name in mean], -1).double()
    probs = posterior._network.run(mean, tokens[:9]).softmax(-1).double().detach()
    fisher = torch.diag_embed(probs) - probs[:, :, None] * probs[:, None, :]
    dense = torch.einsum("ncp,ncd,ndq->pq", rows_N_C_P, fisher, rows_N_C_P).detach()
    found = posterior.precision
    kept = torch.diag(found.diagonal_P) + found.directions_R_P.T @ found.directions_R_P
    expected = dense if directions else torch.diag(dense.diagonal())
    torch.testing.assert_close(kept.double(), expected + 1.5 * torch.eye(len(dense)), atol=1e-4, rtol=1e-4)


def test_the_prior_is_chosen_from_held_out_labels(sentences):
    found = fit("laplace_lora", factory, sentences, epochs=2, directions=200).precision.diagonal_P
    assert float(found[0]) in [pytest.approx(prior) for prior in PRIORS]
    assert torch.equal(found, found[:1].expand_as(found))
    few = (sentences[0][:4], sentences[1][:4])
    assert float(fit("laplace_lora", factory, few, epochs=1).precision.diagonal_P[0]) == 1.0


@pytest.mark.parametrize("task", ["multilabel", "regression"])
def test_other_tasks_are_learnt_and_restored(name, task, blobs):
    inputs = blobs[0]
    targets = (inputs[:, :2] > 0).long() if task == "multilabel" else inputs[:, 0] - inputs[:, 1]
    end = nn.Linear(16, 2) if task == "multilabel" else None
    make = lambda: nn.Sequential(nn.Linear(6, 16), nn.Tanh(), copy.deepcopy(end) or Homoscedastic(16))  # noqa: E731
    posterior = fit(name, make, (inputs, targets), epochs=60)
    assert posterior.task == task
    assert posterior.n_outputs == 2
    found = acquisition.predict(posterior, inputs, n_samples=5)
    if task == "multilabel":
        assert ((found.exp().mean(0)[..., 1] > 0.5) == targets.bool()).float().mean() > 0.9
    else:
        assert (found.means_T_N.mean(0) - targets).square().mean() < 0.2 * targets.var()
    restored = METHODS[name].restore(make, posterior.state(), task=task)
    again = acquisition.predict(restored, inputs, n_samples=5)
    assert all(torch.equal(x, y) for x, y in zip(again, found, strict=True))
