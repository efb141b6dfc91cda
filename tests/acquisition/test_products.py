import pytest
import torch
from torch import nn
from torch.nn import functional

from acquisition import products
from acquisition.dropout.deterministic import deterministic
from acquisition.products import QuickLinear, linear, quicken


def tensors(*shape, dtype=torch.float32):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape))).to(dtype)


@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("shape", [(3, 7), (300, 130), (4, 50, 130), (0, 130), (1, 1024)])
def test_the_product_is_that_of_double_precision(shape, bias, relu):
    inputs, weight = tensors(*shape), tensors(200, shape[-1])
    added = tensors(200) if bias else None
    with torch.inference_mode():
        found = linear(inputs, weight, added, relu=relu)
    expected = functional.linear(inputs.double(), weight.double(), None if added is None else added.double())
    torch.testing.assert_close(found.double(), expected.relu() if relu else expected, atol=5e-5, rtol=0)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_other_precisions_stay(dtype):
    found = linear(tensors(300, 130, dtype=dtype), tensors(200, 130, dtype=dtype))
    assert torch.equal(
        found, functional.linear(tensors(300, 130, dtype=dtype), tensors(200, 130, dtype=dtype))
    )


def test_without_the_library_the_usual_product_is_taken(monkeypatch):
    monkeypatch.setattr(products, "_available", lambda: False)
    inputs, weight = tensors(300, 130), tensors(200, 130)
    assert torch.equal(linear(inputs, weight), functional.linear(inputs, weight))


def test_gradients_still_flow():
    inputs = tensors(300, 130).requires_grad_()
    linear(inputs, tensors(200, 130)).sum().backward()
    assert inputs.grad is not None


def test_layers_with_hooks_or_of_another_kind_stay_as_they_are():
    class Own(nn.Linear):
        pass

    model = nn.Sequential(nn.Linear(2, 2), Own(2, 2), nn.Linear(2, 2))
    model[2].register_forward_hook(lambda *_: None)
    quicken(model)
    assert [type(layer) for layer in model] == [QuickLinear, Own, nn.Linear]


def test_normalization_is_folded_and_images_run_in_blocks(monkeypatch):
    monkeypatch.setattr("acquisition.dropout.deterministic.BLOCK", 2000)
    chain = nn.Sequential(
        nn.Conv2d(3, 8, 3, bias=False), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 4, 3), nn.MaxPool2d(2)
    )
    chain.train()(4 + 3 * tensors(32, 3, 9, 9))
    chain.eval()
    images = tensors(50, 3, 9, 9)
    with torch.inference_mode():
        run = deterministic(chain)
        for _ in range(2):
            torch.testing.assert_close(run(images), chain(images), atol=1e-5, rtol=0)
    assert len(run.module) == 4
    assert list(run.rows.values()) == [8]
    assert chain[0].weight.is_contiguous()
