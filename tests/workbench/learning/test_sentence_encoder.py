import sys
from pathlib import Path

import pytest
import torch

from workbench.domain.errors import ModelProblem
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
