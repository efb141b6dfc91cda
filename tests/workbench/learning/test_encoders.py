import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from workbench.domain.errors import ModelProblem, PoolProblem
from workbench.learning.encoders.catalog import build_encoder
from workbench.learning.encoders.features import Scale
from workbench.learning.encoders.protocol import Encoder


def _encoder(name: str, transform: str | None = None, root: Path | None = None, **options: Any) -> Encoder:
    return build_encoder(name, options, transform=transform, project_root=root)


def _picture(
    path: Path, mode: str = "RGB", size: tuple[int, int] = (10, 6), color: Any = 0
) -> dict[str, str]:
    Image.new(mode, size, color).save(path)
    return {"path": str(path)}


def _payloads(name: str, folder: Path, n: int = 9) -> list[Mapping[str, Any]]:
    dice = random.Random(0)
    if name == "image":
        noise = [Image.effect_noise((12, 12), 80) for _ in range(n)]
        for number, image in enumerate(noise):
            image.save(folder / f"{number}.png")
        return [{"path": str(folder / f"{number}.png")} for number in range(n)]
    if name == "text":
        return [
            {"text": " ".join(dice.choices(["red", "green", "blue", "no", "yes"], k=6))} for _ in range(n)
        ]
    return [{"features": [dice.gauss(5, 2), dice.random(), 1.0]} for _ in range(n)]


@pytest.mark.parametrize("name", ["image", "text", "features"])
def test_any_cut_of_a_stream_encodes_the_same(name: str, tmp_path: Path) -> None:
    payloads, encoder = _payloads(name, tmp_path), _encoder(name)
    whole = encoder.encode(payloads)
    assert len(whole) == len(payloads)
    assert bool(whole.isfinite().all())
    assert torch.equal(torch.cat([encoder.encode(payloads[:4]), encoder.encode(payloads[4:])]), whole)


@pytest.mark.parametrize("name", ["image", "text", "features"])
def test_coverage_has_one_finite_row_per_item_and_is_repeatable(name: str, tmp_path: Path) -> None:
    payloads, encoder = _payloads(name, tmp_path), _encoder(name)
    features_N_D = encoder.coverage([payloads[:4], payloads[4:]], 3)
    assert features_N_D.dtype == np.float32
    assert len(features_N_D) == len(payloads)
    assert np.isfinite(features_N_D).all()
    assert np.array_equal(encoder.coverage([payloads], 3), features_N_D)


@pytest.mark.parametrize("name", ["image", "text", "features"])
@pytest.mark.parametrize("n", [0, 1, 2])
def test_coverage_of_few_or_equal_items_is_finite(name: str, n: int, tmp_path: Path) -> None:
    payloads: Sequence[Mapping[str, Any]] = _payloads(name, tmp_path, 1) * n
    features_N_D = _encoder(name).coverage([payloads] if n else [], 0)
    assert len(features_N_D) == n
    assert np.isfinite(features_N_D).all()


def test_near_in_coverage_means_alike() -> None:
    texts = ["goal match team win", "team win match", "stock market bank", "market bank price"]
    features_N_D = _encoder("text").coverage([[{"text": text} for text in texts]], 0)
    alike_N_N = features_N_D @ features_N_D.T
    assert alike_N_N[0, 1] > alike_N_N[0, 2]
    assert alike_N_N[2, 3] > alike_N_N[1, 3]


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I", "I;16"])
def test_pictures_of_every_mode_have_one_shape_and_range(mode: str, tmp_path: Path) -> None:
    suffix = "tiff" if mode in ("CMYK", "I") else "png"
    payload = _picture(tmp_path / f"x.{suffix}", mode)
    for channels in (1, 3):
        encoded = _encoder("image", size=[5, 7], channels=channels).encode([payload])
        assert encoded.shape == (1, channels, 5, 7)
        assert encoded.dtype == torch.float32
        assert -1 <= float(encoded.min()) <= float(encoded.max()) <= 1


def test_black_is_minus_one_and_white_is_one(tmp_path: Path) -> None:
    black, white = _picture(tmp_path / "b.png"), _picture(tmp_path / "w.png", color=(255, 255, 255))
    assert _encoder("image", size=2).encode([black, white])[:, 0, 0, 0].tolist() == [-1, 1]
    deep = _picture(tmp_path / "deep.png", "I;16", color=65535)
    assert _encoder("image", size=2).encode([deep]).unique().tolist() == [1]


def test_what_is_transparent_is_white(tmp_path: Path) -> None:
    clear = _picture(tmp_path / "x.png", "RGBA", color=(0, 0, 0, 0))
    assert _encoder("image").encode([clear]).unique().tolist() == [1]


def test_pictures_are_turned_upright(tmp_path: Path) -> None:
    picture = Image.new("L", (4, 2), 0)
    picture.paste(255, (0, 0, 2, 2))
    exif = Image.Exif()
    exif[0x0112] = 6
    picture.save(tmp_path / "turned.png", exif=exif)
    encoded = _encoder("image", size=[4, 2], channels=1).encode([{"path": str(tmp_path / "turned.png")}])
    assert encoded[0, 0, :, 0].tolist() == [1, 1, -1, -1]


def test_a_picture_that_is_gone_or_damaged_is_named(tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_bytes(b"x")
    for name in ("gone.png", "bad.png"):
        with pytest.raises(PoolProblem, match=name):
            _encoder("image").encode([{"path": str(tmp_path / name)}])


def test_an_own_transform_makes_the_tensor(tmp_path: Path) -> None:
    (tmp_path / "own_view.py").write_text(
        "import torch\n"
        "def view(picture): return torch.tensor(picture.size)\n"
        "def wild(picture): return torch.zeros(picture.size)\n"
        "def fails(picture): raise KeyError('oh')\n"
        "def text(picture): return 'a'\n"
    )
    payloads = [_picture(tmp_path / "a.png"), _picture(tmp_path / "b.png", size=(3, 3))]
    assert _encoder("image", "own_view:view", tmp_path).encode(payloads).tolist() == [[10, 6], [3, 3]]
    for name, message in {
        "wild": "different shapes",
        "fails": "raised KeyError",
        "text": "returned str",
    }.items():
        with pytest.raises(ModelProblem, match=message):
            _encoder("image", f"own_view:{name}", tmp_path).encode(payloads)


@given(st.text())
def test_every_text_has_length_one_or_none(text: str) -> None:
    length = float(_encoder("text", dimensions=64).encode([{"text": text}]).norm())
    assert length == pytest.approx(1, abs=1e-5) or length == 0


@given(
    st.lists(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=2), min_size=2, max_size=30),
    st.integers(1, 29),
)
def test_a_scale_learnt_from_a_stream_is_that_of_the_whole(rows: list[list[float]], cut: int) -> None:
    values = torch.tensor(rows, dtype=torch.float64)
    whole, streamed = Scale.of([values]), Scale.of([values[:cut], values[cut:]])
    assert torch.allclose(whole.mean, values.mean(0), atol=1e-6)
    assert torch.allclose(streamed.mean, whole.mean, atol=1e-6)
    varied = values.std(0) > 1e-3
    assert torch.allclose(streamed.deviation[varied], values.std(0, correction=0)[varied], rtol=1e-6)


def test_a_column_that_never_changes_is_zero_and_large_numbers_keep_their_digits() -> None:
    values = torch.tensor([[5.0, 1e9], [5.0, 1e9 + 1]], dtype=torch.float64)
    scale = Scale.of([values])
    assert scale(values).tolist() == [[0, -1], [0, 1]]
    assert scale(torch.tensor([[9.0, 1e12]], dtype=torch.float64)).tolist() == [[0, Scale.LIMIT]]


def test_rows_of_different_lengths_are_refused() -> None:
    with pytest.raises(PoolProblem, match="rows of 1 and of 2 numbers"):
        _encoder("features").encode([{"features": [1.0]}, {"features": [1.0, 2.0]}])


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("picture", {}, "known are image, text"),
        ("image", {"sise": 3}, "Did you mean 'size'"),
        ("image", {"size": [1, 2, 3]}, "height and width"),
        ("image", {"channels": 4}, "1 .grey. or 3"),
        ("text", {"dimensions": 1}, "at least 2"),
        ("text", {"ngrams": [3, 1]}, "shortest and the longest"),
        ("text", {"analyzer": "words"}, "word, char or char_wb"),
    ],
)
def test_wrong_names_and_options_are_refused(name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ModelProblem, match=message):
        _encoder(name, **options)


def test_a_transform_is_for_pictures_only() -> None:
    with pytest.raises(ModelProblem, match="is for pictures"):
        _encoder("text", "own_view:view")
