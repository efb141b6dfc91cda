from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from workbench.domain.errors import ModelProblem
from workbench.learning.models.catalog import BUILT_IN, model_builder


def _build(name: str, shape: tuple[int, ...], root: Path | None = None, **options: Any) -> nn.Module:
    return model_builder(name, options, input_shape=shape, n_classes=3, project_root=root)()


def _refusal(name: str, root: Path | None = None, **options: Any) -> str:
    with pytest.raises(ModelProblem) as caught:
        _build(name, (4,), root, **options)
    assert "workbench doctor" in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    "shape",
    [(1, 1, 1), (1, 2, 3), (3, 8, 8), (1, 9, 31), (3, 28, 28), (3, 64, 64), (3, 5, 200), (3, 224, 224)],
)
def test_the_convolutional_network_takes_pictures_of_any_size(shape: tuple[int, ...]) -> None:
    module = _build("cnn", shape)
    assert module(torch.zeros(2, *shape)).shape == (2, 3)
    assert sum(parameter.numel() for parameter in module.parameters()) < 2_000_000


@pytest.mark.parametrize("name", ["mlp", "text"])
def test_the_networks_for_vectors_take_any_length(name: str) -> None:
    assert _build(name, (7,))(torch.zeros(2, 7)).shape == (2, 3)


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_built_in_model_has_dropout_and_ends_in_a_linear_layer(name: str) -> None:
    layers = list(_build(name, (1, 8, 8)).modules())
    assert any(isinstance(layer, nn.Dropout) for layer in layers)
    assert isinstance(layers[-1], nn.Linear)


def test_options_reach_the_model() -> None:
    assert _build("mlp", (4,), hidden=5)[1].out_features == 5  # type: ignore[index]


def test_unknown_names_and_options_are_refused_with_the_nearest() -> None:
    assert "Did you mean 'cnn'?" in _refusal("cn")
    assert "Did you mean 'hidden'?" in _refusal("mlp", hiden=3)
    assert "expects pictures" in _refusal_of_shape()


def _refusal_of_shape() -> str:
    with pytest.raises(ModelProblem) as caught:
        _build("cnn", (4,))
    return str(caught.value)


def test_a_model_of_the_project_folder_is_found(tmp_path: Path) -> None:
    (tmp_path / "own_net.py").write_text(
        "from torch import nn\n"
        "def build(n_classes, hidden=2):\n"
        "    return nn.Sequential(nn.Linear(4, hidden), nn.Dropout(), nn.Linear(hidden, n_classes))\n"
        "class Net(nn.Linear):\n"
        "    def __init__(self, *, input_shape, n_classes):\n"
        "        super().__init__(input_shape[0], n_classes)\n"
    )
    assert _build("own_net:build", (4,), tmp_path, hidden=6)(torch.zeros(1, 4)).shape == (1, 3)
    assert _build("own_net.build", (4,), tmp_path)(torch.zeros(1, 4)).shape == (1, 3)
    assert _build("own_net:Net", (4,), tmp_path)(torch.zeros(1, 4)).shape == (1, 3)


def test_two_projects_may_name_their_modules_alike(tmp_path: Path) -> None:
    for size in (5, 6):
        root = tmp_path / str(size)
        root.mkdir()
        (root / "alike_net.py").write_text(
            f"from torch import nn\ndef build(n_classes):\n    return nn.Linear({size}, n_classes)\n"
        )
        assert _build("alike_net:build", (size,), root).in_features == size


def test_the_project_folder_is_on_the_path_during_the_import_only(tmp_path: Path) -> None:
    import sys

    (tmp_path / "path_net.py").write_text("import sys\nSEEN = list(sys.path)\ndef build(): return SEEN\n")
    before = list(sys.path)
    assert "returned list" in _refusal("path_net:build", tmp_path)
    assert sys.path == before
    assert str(tmp_path) in sys.modules["path_net"].SEEN


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("no_such_net:build", "Found no module 'no_such_net'"),
        ("bad_net:biuld", "it has build"),
        ("bad_net:NUMBER", "is int, expected a function"),
        ("bad_net:fails", "raised RuntimeError: out of ideas"),
        ("bad_net:build", "returned str, expected a torch.nn.Module"),
        ("bad_net:needs", "needs the argument 'width'"),
        ("bad_import:build", "imports surely_not_installed, which is not installed"),
        ("bad_syntax:build", "raised SyntaxError"),
        ("bad net:build", "expected 'package.module:function'"),
    ],
)
def test_every_fault_of_an_own_model_says_what_it_is(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "bad_net.py").write_text(
        "NUMBER = 3\n"
        "def build(n_classes): return 'net'\n"
        "def fails(n_classes): raise RuntimeError('out of ideas')\n"
        "def needs(width): return None\n"
    )
    (tmp_path / "bad_import.py").write_text("import surely_not_installed\n")
    (tmp_path / "bad_syntax.py").write_text("def build(:\n")
    assert message in _refusal(name, tmp_path)
