import copy

import pytest
import torch
from torch import nn

import acquisition
from acquisition.posteriors.ensemble import alike, looped, together
from acquisition.training import Recipe, made, train
from acquisition.weights.stacked_networks import Chain
from acquisition.weights.stacked_training import stackable, train_stacked


def _members(make_model, name, n=3):
    return [make_model(name, seed) for seed in range(n)]


def test_samples_are_the_members_in_evaluation_mode(model_name, make_model, make_items):
    members, inputs = _members(make_model, model_name), make_items(model_name)
    found = acquisition.predict(acquisition.ensemble(members), inputs)
    with torch.no_grad():
        expected = torch.stack([member.eval()(inputs).log_softmax(-1) for member in members])
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=0)


def test_fewer_samples_than_members_are_a_choice_of_the_seed(make_model, make_items):
    posterior = acquisition.ensemble(_members(make_model, "mlp", 6))
    chosen = posterior.draw(3, seed=1).state["members"].tolist()
    assert len(set(chosen)) == 3
    assert chosen == posterior.draw(3, seed=1).state["members"].tolist()
    assert len({tuple(posterior.draw(3, seed=s).state["members"].tolist()) for s in range(9)}) > 1
    assert posterior.draw(99, seed=1).state["members"].tolist() == list(range(6))
    assert acquisition.predict(posterior, make_items("mlp"), n_samples=50).shape[0] == 6


def test_members_of_different_build_are_accepted(make_model, make_items):
    members = [make_model("mlp"), make_model("deep_mlp"), make_model("residual")]
    assert not alike(members)
    assert acquisition.predict(acquisition.ensemble(members), make_items("mlp")).shape == (3, 23, 4)


def test_one_call_for_all_members_equals_the_loop(make_model, make_items):
    members = _members(make_model, "deep_mlp")
    assert alike(members)
    torch.testing.assert_close(
        together(members, make_items("mlp"))(make_items("mlp")),
        looped(members, make_items("mlp")),
        atol=1e-6,
        rtol=0,
    )


def test_wide_chains_run_together(make_items):
    members = [
        nn.Sequential(nn.Linear(6, 200), nn.ReLU(), nn.Linear(200, 200), nn.Linear(200, 4)) for _ in range(2)
    ]
    posterior = acquisition.ensemble(members)
    outputs = posterior.forward(posterior.draw(2, seed=0), make_items("mlp"))
    assert isinstance(posterior._prepared[1], Chain)
    torch.testing.assert_close(outputs, looped(posterior._members, make_items("mlp")), atol=1e-6, rtol=0)


def test_one_member_is_refused(make_model):
    with pytest.raises(acquisition.NotStochastic, match="found 1"):
        acquisition.ensemble([make_model("mlp")])
    with pytest.raises(acquisition.NotStochastic, match="members=2"):
        acquisition.fit("ensemble", nn.Identity, (torch.zeros(1, 1), torch.zeros(1)), members=1)


def test_equal_members_are_refused(make_model):
    model = make_model("mlp")
    with pytest.raises(acquisition.NotStochastic, match="Members 0 and 2 have equal parameters"):
        acquisition.ensemble([model, make_model("mlp", 1), copy.deepcopy(model)])
    with pytest.raises(acquisition.NotStochastic):
        acquisition.ensemble([nn.Identity(), *[nn.Flatten()] * 2])


def test_something_that_is_no_module_is_refused(make_model):
    with pytest.raises(acquisition.InvalidInput, match="found NoneType"):
        acquisition.ensemble([make_model("mlp"), None])


def test_the_users_models_stay_as_they_were(make_model, make_items):
    members = [model.train() for model in _members(make_model, "batch_norm")]
    before = [copy.deepcopy(member.state_dict()) for member in members]
    acquisition.rank_pool(acquisition.ensemble(members), make_items("batch_norm"))
    assert all(module.training for member in members for module in member.modules())
    for member, tensors in zip(members, before, strict=True):
        assert all(torch.equal(tensor, tensors[name]) for name, tensor in member.state_dict().items())


def test_stacked_training_equals_training_in_turn(blobs):
    def factory():
        return nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 4))

    recipe = Recipe.of(7, 16, 1e-2, 1e-2, "cpu")
    stacked = [made(factory, seed) for seed in (3, 4)]
    in_turn = copy.deepcopy(stacked)
    train_stacked(stacked, *blobs, recipe=recipe, seeds=[3, 4], progress=lambda done, total: None)
    for module, seed, other in zip(in_turn, (3, 4), stacked, strict=True):
        train(module, *blobs, recipe=recipe, seed=seed, progress=lambda done, total: None)
        for name, tensor in module.state_dict().items():
            torch.testing.assert_close(tensor, other.state_dict()[name], atol=1e-5, rtol=0)


def test_only_chains_without_convolution_and_batch_statistics_are_stacked(make_model):
    assert stackable(make_model("deep_mlp"))
    assert not any(stackable(make_model(name)) for name in ("conv_channels", "batch_norm", "residual"))


def test_batch_statistics_belong_to_each_member(blobs):
    def factory():
        return nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Linear(8, 4))

    posterior = acquisition.fit("ensemble", factory, blobs, members=2, epochs=3)
    state = posterior.state()
    assert not torch.equal(state["0.1.running_mean"], state["1.1.running_mean"])
    assert state["0.1.num_batches_tracked"] == state["1.1.num_batches_tracked"] == 6


def test_progress_counts_all_members(blobs):
    calls = []

    def factory():
        return nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Linear(8, 4))

    acquisition.fit(
        "ensemble",
        factory,
        blobs,
        members=2,
        epochs=3,
        progress=lambda done, total: calls.append((done, total)),
    )
    assert calls == [(done, 6) for done in range(1, 7)]


def test_tensors_of_another_kind_are_refused(make_model):
    with pytest.raises(acquisition.InvalidInput, match=r"'weight' is no tensor of an ensemble"):
        acquisition.restore("ensemble", lambda: nn.Linear(3, 2), {"weight": torch.zeros(2, 3)})


def test_moving_to_the_same_device_changes_nothing(make_model):
    posterior = acquisition.ensemble(_members(make_model, "mlp"))
    assert posterior.to("cpu") is posterior
    assert posterior.to("meta").device == torch.device("meta")
