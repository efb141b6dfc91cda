import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from workbench.bootstrap import learner_spec
from workbench.config.model import Config, Settings
from workbench.domain.errors import ModelProblem, PoolProblem
from workbench.learning.encoders.catalog import build_encoder
from workbench.learning.encoders.protocol import Payload
from workbench.learning.encoders.vision import Vision, build
from workbench.learning.learner import Learner
from workbench.learning.spec import LearnerSpec, fingerprint

pytestmark = pytest.mark.filterwarnings("ignore:.*deprecated:FutureWarning")
SIZES = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
#: What stands in preprocessor_config.json: an odd mean, so that the order of the steps shows.
PREPARATION = {
    "image_processor_type": "ViTImageProcessor",
    "size": {"height": 32, "width": 32},
    "image_mean": [0.5, 0.4, 0.3],
    "image_std": [0.5, 0.25, 0.2],
    "do_resize": True,
    "do_rescale": True,
    "do_normalize": True,
    "resample": 2,
    "rescale_factor": 1 / 255,
}


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("transformers", reason="the extra 'vision' is not installed")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


def _saved(folder: Path, model: Any, **preparation: Any) -> str:
    model.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps(PREPARATION | preparation))
    return str(folder)


def _vit(folder: Path, *, pooler: bool = True, seed: int = 0) -> tuple[str, Any]:
    from transformers import ViTConfig, ViTModel

    with torch.random.fork_rng():
        torch.random.default_generator.manual_seed(seed)
        model = ViTModel(ViTConfig(**SIZES, image_size=32, patch_size=8), add_pooling_layer=pooler).eval()
    return _saved(folder, model), model


@pytest.fixture
def pictures(tmp_path: Path) -> list[Payload]:
    """Five pictures of different sizes and kinds, one grey and one with transparency."""
    dice = np.random.default_rng(0)
    payloads = []
    for number, shape in enumerate([(40, 50, 3), (32, 32, 3), (20, 90), (64, 64, 4), (33, 31, 3)]):
        path = tmp_path / f"{number}.png"
        Image.fromarray(dice.integers(0, 255, shape, dtype=np.uint8)).save(path)
        payloads.append({"path": str(path)})
    return payloads


def _pixels(path: str) -> torch.Tensor:
    """The preprocessing by hand, on a picture without transparency."""
    picture = Image.open(path).convert("RGB").resize((32, 32), Image.Resampling.BILINEAR)
    values = torch.from_numpy(np.asarray(picture).copy()).movedim(-1, 0).float() / 255
    mean, deviation = (torch.tensor(PREPARATION[key])[:, None, None] for key in ("image_mean", "image_std"))
    return (values - mean) / deviation


def test_pictures_become_the_pooled_output_of_the_saved_model(
    tmp_path: Path, pictures: list[Payload]
) -> None:
    name, model = _vit(tmp_path / "vit")
    state = torch.random.get_rng_state()
    found = build(model=name, batch_size=2).encode(pictures)
    assert found.shape == (5, 16)
    assert found.dtype == torch.float32
    assert not found.is_inference()
    assert torch.equal(torch.random.get_rng_state(), state)
    pixels = torch.stack([_pixels(pictures[row]["path"]) for row in (0, 1, 2, 4)])
    with torch.no_grad():
        expected = model(pixel_values=pixels).pooler_output
    torch.testing.assert_close(found[[0, 1, 2, 4]], expected, atol=2e-5, rtol=0)


def test_the_size_of_the_batch_changes_nothing(tmp_path: Path, pictures: list[Payload]) -> None:
    name, _ = _vit(tmp_path / "vit")
    whole, single = (build(model=name, batch_size=rows).encode(pictures) for rows in (8, 1))
    torch.testing.assert_close(whole, single, atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("pooling", "pooled"),
    [
        ("class", lambda output: output.last_hidden_state[:, 0]),
        ("mean", lambda output: output.last_hidden_state.mean(1)),
        ("pooler", lambda output: output.pooler_output),
    ],
)
def test_the_pooling_can_be_chosen(
    tmp_path: Path, pictures: list[Payload], pooling: str, pooled: Callable[[Any], torch.Tensor]
) -> None:
    name, model = _vit(tmp_path / "vit")
    with torch.no_grad():
        expected = pooled(model(pixel_values=_pixels(pictures[0]["path"])[None]))
    found = build(model=name, pooling=pooling).encode(pictures[:1])
    torch.testing.assert_close(found, expected, atol=2e-5, rtol=0)


def test_a_pooler_that_the_checkpoint_lacks_is_not_used(tmp_path: Path, pictures: list[Payload]) -> None:
    name, model = _vit(tmp_path / "vit", pooler=False)
    first, again = (build(model=name).encode(pictures[:1]) for _ in range(2))
    with torch.no_grad():
        expected = model(pixel_values=_pixels(pictures[0]["path"])[None]).last_hidden_state[:, 0]
    assert torch.equal(first, again)
    torch.testing.assert_close(first, expected, atol=2e-5, rtol=0)
    with pytest.raises(ModelProblem, match="lacks pooler"):
        build(model=name, pooling="pooler").encode(pictures[:1])


def test_a_checkpoint_that_lacks_other_weights_is_refused(tmp_path: Path, pictures: list[Payload]) -> None:
    from safetensors.torch import load_file, save_file

    name, _ = _vit(tmp_path / "vit")
    weights = load_file(tmp_path / "vit" / "model.safetensors")
    lost = next(key for key in weights if "intermediate" in key or "fc1" in key)
    del weights[lost]
    save_file(weights, tmp_path / "vit" / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelProblem, match=r"lacks .* which would be random"):
        build(model=name).encode(pictures[:1])


def test_models_of_other_kinds_give_one_row_per_picture(tmp_path: Path, pictures: list[Payload]) -> None:
    from transformers import CLIPConfig, CLIPModel, ConvNextConfig, ConvNextModel, Dinov2Config, Dinov2Model

    text = {**SIZES, "vocab_size": 20, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
    models = {
        "clip": CLIPModel(
            CLIPConfig(
                text_config=text,
                vision_config={**SIZES, "image_size": 32, "patch_size": 8},
                projection_dim=7,
            )
        ),
        "convnext": ConvNextModel(ConvNextConfig(hidden_sizes=[4, 8], depths=[1, 1], num_stages=2)),
        "dinov2": Dinov2Model(Dinov2Config(**SIZES, image_size=32, patch_size=8)),
    }
    columns = {"clip": 7, "convnext": 8, "dinov2": 16}
    for name, model in models.items():
        kind = "CLIPImageProcessor" if name == "clip" else "BitImageProcessor"
        folder = _saved(
            tmp_path / name, model, image_processor_type=kind, crop_size={"height": 32, "width": 32}
        )
        assert build(model=folder).encode(pictures).shape == (5, columns[name]), name
    convolutions = build(model=str(tmp_path / "convnext"), pooling="mean").encode(pictures)
    assert convolutions.shape == (5, 8)


def test_no_pictures_give_no_rows_and_coverage_is_the_features(
    tmp_path: Path, pictures: list[Payload]
) -> None:
    encoder = build(model=_vit(tmp_path / "vit")[0])
    assert len(encoder.encode([])) == 0
    features_N_D = encoder.coverage([pictures[:2], pictures[2:]], 0)
    torch.testing.assert_close(torch.from_numpy(features_N_D), encoder.encode(pictures), atol=1e-6, rtol=0)


def test_the_identity_follows_weights_preparation_and_pooling_and_not_the_folder(tmp_path: Path) -> None:
    name, _ = _vit(tmp_path / "vit")
    same, other = _vit(tmp_path / "same")[0], _vit(tmp_path / "other", seed=1)[0]
    assert build(model=same).identity() == build(model=name).identity()
    assert build(model=other).identity() != build(model=name).identity()
    assert build(model=name, pooling="mean").identity() != build(model=name).identity()
    config = tmp_path / "same" / "preprocessor_config.json"
    config.write_text(json.dumps(PREPARATION | {"image_mean": [0.5, 0.5, 0.5]}))
    assert build(model=same).identity() != build(model=name).identity()


def test_a_picture_is_encoded_once_and_again_when_it_is_another(
    tmp_path: Path, pictures: list[Payload], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    encode = Vision.encode
    monkeypatch.setattr(Vision, "encode", lambda self, some: asked.append(len(some)) or encode(self, some))
    options = {"model": _vit(tmp_path / "vit")[0]}

    def encoder() -> Any:
        return build_encoder(
            "vision", options, transform=None, project_root=None, features_folder=tmp_path / "features"
        )

    first, again = encoder().encode(pictures), encoder().encode(pictures)
    assert torch.equal(first, again)
    assert asked == [5]
    Image.new("RGB", (40, 40), "red").save(pictures[1]["path"])
    changed = encoder().encode(pictures)
    assert asked == [5, 1]
    assert not torch.equal(changed[1], first[1])
    assert torch.equal(changed[[0, 2, 3, 4]], first[[0, 2, 3, 4]])
    Path(pictures[0]["path"]).unlink()
    with pytest.raises(PoolProblem, match="can not be read"):
        encoder().encode(pictures)


def test_without_the_extra_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, pictures: list[Payload]
) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(ModelProblem, match=r"pip install 'active-labeling-workbench\[vision\]'"):
        build().encode(pictures)


def test_a_model_that_is_not_there_is_named(tmp_path: Path, pictures: list[Payload]) -> None:
    with pytest.raises(ModelProblem, match=r"can not be loaded: .* Set model in encoder_options"):
        build(model=str(tmp_path / "none")).encode(pictures)


def test_a_model_of_texts_is_refused(tmp_path: Path, pictures: list[Payload]) -> None:
    from transformers import BertConfig, BertModel

    model = BertModel(BertConfig(**SIZES, vocab_size=20))
    with pytest.raises(ModelProblem, match="pixel_values"):
        build(model=_saved(tmp_path / "bert", model)).encode(pictures)


@pytest.mark.parametrize("options", [{"pooling": "max"}, {"batch_size": 0}, {"batch_size": True}])
def test_options_outside_their_range_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ModelProblem, match=next(iter(options))):
        build(**options)


def test_a_learner_learns_from_the_features_and_reads_the_pool_from_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    payloads, labels = [], []
    for number in range(12):
        colour = "red" if number % 2 else "blue"
        Image.new("RGB", (32, 32), colour).rotate(number).save(tmp_path / f"{number}.png")
        payloads.append({"path": str(tmp_path / f"{number}.png")})
        labels.append(colour)
    spec = LearnerSpec(
        model="mlp",
        encoder="vision",
        encoder_options={"model": _vit(tmp_path / "vit")[0]},
        classes=("red", "blue"),
        features_folder=tmp_path / "features",
    )
    assert fingerprint(spec) == fingerprint(replace(spec, features_folder=None))
    learner = Learner(spec)
    posterior = learner.fit(payloads, labels, seed=0)
    saved = learner.save(posterior, tmp_path, "model")
    probabilities_N_C = torch.cat(list(learner.predict(posterior, [payloads], seed=0)))
    assert [spec.classes[c] for c in probabilities_N_C.argmax(-1).tolist()] == labels
    monkeypatch.setattr(Vision, "encode", None)
    another = Learner(spec)
    again = torch.cat(list(another.predict(another.load(*saved), [payloads], seed=0)))
    assert torch.equal(again, probabilities_N_C)


def test_a_project_may_ask_for_it_and_keeps_its_features_with_its_files(tmp_path: Path) -> None:
    config = Config.model_validate(
        {
            "project": {"name": "photos", "task": "image-classification", "classes": ["a", "b"]},
            "model": {"factory": "mlp", "encoder": "vision", "encoder_options": {"batch_size": 8}},
        }
    )
    settings = Settings(
        config=config,
        root=tmp_path,
        database_url="sqlite://",
        label_studio_url=None,
        label_studio_api_key=None,
    )
    spec = learner_spec(settings)
    assert spec.encoder == "vision"
    assert spec.features_folder == tmp_path / "data" / "features"
