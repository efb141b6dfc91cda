"""The defaults learn well on real pictures, texts and numbers, in seconds on one core."""

import time
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from workbench.learning.evaluate import evaluate
from workbench.learning.learner import Learner, LearnerSpec
from workbench.learning.outcomes import outcomes

DATA = Path(__file__).parents[4] / "shared" / "data"
needs_data = pytest.mark.skipif(not DATA.exists(), reason="the shared data sets are not here")


def _accuracy(spec: LearnerSpec, payloads: Sequence[Mapping[str, Any]], labels: list[str], n: int) -> float:
    order = np.random.default_rng(0).permutation(len(payloads)).tolist()
    trained, measured = order[:n], order[n : n + 400]
    learner = Learner(spec)
    began = time.process_time()
    posterior = learner.fit([payloads[i] for i in trained], [labels[i] for i in trained], seed=0)
    assert time.process_time() - began < 20
    samples = learner.samples(posterior, [[payloads[i] for i in measured]], seed=0)
    return evaluate(outcomes(samples, [labels[i] for i in measured], spec.classes))[0].value


def test_the_convolutional_network_reads_digits(tmp_path: Path) -> None:
    digits = load_digits()
    payloads = []
    for number, pixels in enumerate(digits.images[:800]):
        path = tmp_path / f"{number}.png"
        Image.fromarray((pixels * 15.9375).astype(np.uint8)).save(path)
        payloads.append({"path": str(path)})
    spec = LearnerSpec(
        model="cnn",
        encoder="image",
        encoder_options={"size": [8, 8], "channels": 1},
        classes=tuple("0123456789"),
    )
    labels = [str(target) for target in digits.target[:800]]
    assert _accuracy(spec, payloads, labels, 100) > 0.85
    assert _accuracy(spec, payloads, labels, 200) > 0.9


@needs_data
def test_the_text_model_finds_spam() -> None:
    table = pq.read_table(DATA / "sms_spam.parquet").to_pydict()
    spec = LearnerSpec(model="text", encoder="text", classes=("ham", "spam"))
    assert _accuracy(spec, [{"text": text} for text in table["text"]], table["label_name"], 200) > 0.93


@needs_data
def test_the_network_for_numbers_reads_letters() -> None:
    table = pq.read_table(DATA / "letter_recognition.parquet")
    names = [name for name in table.column_names if name not in ("label_name", "label", "split")]
    rows = np.stack([table[name].to_numpy() for name in names], 1).astype(float).tolist()
    labels = table["label_name"].to_pylist()
    spec = LearnerSpec(model="mlp", encoder="features", classes=tuple(sorted(set(labels))))
    assert _accuracy(spec, [{"features": row} for row in rows], labels, 500) > 0.7


@needs_data
def test_photos_of_any_size_are_learnt_from(tmp_path: Path) -> None:
    with zipfile.ZipFile(DATA / "hymenoptera_photos.zip") as archive:
        archive.extractall(tmp_path)
    photos = sorted((tmp_path / "hymenoptera_data" / "train").glob("*/*.jp*g"))[::4]
    spec = LearnerSpec(
        model="cnn", encoder="image", posterior_options={"epochs": 2}, classes=("ants", "bees")
    )
    learner = Learner(spec)
    payloads = [{"path": str(photo)} for photo in photos]
    posterior = learner.fit(payloads, [photo.parent.name for photo in photos], seed=0)
    assert sum(map(len, learner.predict(posterior, [payloads], seed=0))) == len(photos)
    assert len(learner.coverage([payloads], seed=0)) == len(photos)
