import pytest
import torch

import acquisition
from acquisition.posteriors.point import point


def test_its_only_sample_is_the_network_itself(model_name, make_model, make_items):
    model, inputs = make_model(model_name), make_items(model_name)
    found = acquisition.predict(point(model), inputs, n_samples=9)
    with torch.no_grad():
        torch.testing.assert_close(found, model(inputs).log_softmax(-1)[None], atol=1e-6, rtol=0)


def test_disagreement_is_refused_and_uncertainty_is_not(make_model, make_items):
    posterior = point(make_model("mlp"))
    with pytest.raises(acquisition.NotStochastic, match="this is one network"):
        acquisition.rank_pool(posterior, make_items("mlp"))
    ranked = acquisition.rank_pool(posterior, make_items("mlp"), "predictive_entropy")
    assert len(ranked.indices) == 23
    assert ranked.mutual_information.abs().max() < 1e-6


def test_it_is_a_snapshot_and_leaves_the_model_alone(make_model, make_items):
    model = make_model("batch_norm").train()
    posterior = point(model)
    before = acquisition.predict(posterior, make_items("batch_norm"))
    torch.nn.init.zeros_(model[0].weight)
    assert model.training
    assert torch.equal(acquisition.predict(posterior, make_items("batch_norm")), before)
    assert posterior.to("cpu") is posterior
    assert posterior.to("meta").device == torch.device("meta")


def test_something_that_is_no_module_is_refused():
    with pytest.raises(acquisition.InvalidInput, match="found str"):
        point("model")
