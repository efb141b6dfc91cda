import multiprocessing
import os
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor, nn

from workbench.domain.errors import ArtifactProblem
from workbench.learning.encoders.frozen import Kept, embedded, identity_of
from workbench.learning.encoders.protocol import Payload
from workbench.learning.feature_cache import LEFT_BEHIND_SECONDS, FeatureCache
from workbench.learning.feature_segments import Damaged, key_of, open_segment, write_segment


class Counting:
    """A frozen encoder that counts what it is asked for; a row is made of the text alone."""

    rows_at_once = 5

    def __init__(self, factor: float = 1.0) -> None:
        self.factor, self.asked = factor, list[str]()

    def encode(self, payloads: Sequence[Payload]) -> Tensor:
        self.asked.extend(payload["text"] for payload in payloads)
        return torch.tensor([row(payload["text"], self.factor) for payload in payloads]).reshape(-1, 3)

    def plain(self, payloads: Sequence[Payload]) -> NDArray[np.float32]:
        raise AssertionError("not asked for here")

    def coverage(self, batches: Iterable[Sequence[Payload]], seed: int) -> NDArray[np.float32]:
        return embedded(self, batches)

    def identity(self) -> str:
        return f"times-{self.factor}"

    def content(self, payload: Payload) -> bytes:
        return str(payload["text"]).encode()


def row(text: str, factor: float = 1.0) -> list[float]:
    return [factor * len(text), factor * sum(map(ord, text)), factor / (1 + len(text))]


def texts(*numbers: int) -> list[dict[str, str]]:
    return [{"text": f"item {number}"} for number in numbers]


def exact(payloads: Sequence[Payload]) -> Tensor:
    return torch.tensor([row(payload["text"]) for payload in payloads])


def files(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.rows"))


def test_nothing_is_computed_twice_neither_here_nor_in_another_process(tmp_path: Path) -> None:
    first, second = Counting(), Counting()
    kept = Kept(first, tmp_path)
    for numbers in ((1, 2, 3), (3, 2, 4), (1, 1, 4)):
        assert torch.equal(kept.encode(texts(*numbers)), exact(texts(*numbers)))
    assert sorted(first.asked) == ["item 1", "item 2", "item 3", "item 4"]
    assert torch.equal(Kept(second, tmp_path).encode(texts(4, 1)), exact(texts(4, 1)))
    assert second.asked == []


@settings(max_examples=25, deadline=None)
@given(batches=st.lists(st.lists(st.integers(0, 30), max_size=12), max_size=12))
def test_any_order_of_any_batches_gives_the_encoders_rows(
    tmp_path_factory: pytest.TempPathFactory, batches: list[list[int]]
) -> None:
    folder, encoder = tmp_path_factory.mktemp("kept"), Counting()
    kept, other = Kept(encoder, folder), Kept(Counting(), folder)
    for number, batch in enumerate(batches):
        used = kept if number % 3 else other
        assert torch.equal(used.encode(texts(*batch)), exact(texts(*batch)).reshape(-1, 3))
    assert len(encoder.asked) == len(set(encoder.asked))


def test_another_encoder_has_rows_of_its_own(tmp_path: Path) -> None:
    Kept(Counting(), tmp_path).encode(texts(1))
    other = Counting(factor=2.0)
    assert torch.equal(Kept(other, tmp_path).encode(texts(1)), 2 * torch.tensor([row("item 1")]))
    assert other.asked == ["item 1"]


def test_coverage_comes_from_the_same_rows_in_batches_that_memory_holds(tmp_path: Path) -> None:
    encoder = Counting()
    kept = Kept(encoder, tmp_path)
    features_N_D = kept.coverage([texts(*range(7)), texts(*range(7, 9))], 0)
    assert np.array_equal(features_N_D, exact(texts(*range(9))).numpy())
    assert kept.coverage([], 0).shape == (0, 1)
    kept.coverage([texts(*range(9))], 0)
    assert len(encoder.asked) == 9


def damage_row(content: bytearray) -> None:
    content[-5] ^= 1


def damage_key(content: bytearray) -> None:
    content[45] ^= 1


def swap_rows(content: bytearray) -> None:
    content[-24:-12], content[-12:] = content[-12:], content[-24:-12]


def cut_off(content: bytearray) -> None:
    del content[-1:]


def cut_to_a_stump(content: bytearray) -> None:
    del content[10:]


def empty(content: bytearray) -> None:
    content.clear()


def lie_about_columns(content: bytearray) -> None:
    content[8] ^= 1


@pytest.mark.parametrize(
    "damage", [damage_row, damage_key, swap_rows, cut_off, cut_to_a_stump, empty, lie_about_columns]
)
def test_a_damaged_file_gives_no_row_and_is_made_again(tmp_path: Path, damage: Any) -> None:
    Kept(Counting(), tmp_path).encode(texts(1, 2, 3))
    Kept(Counting(), tmp_path).encode(texts(4))
    path = files(tmp_path)[0]
    content = bytearray(path.read_bytes())
    damage(content)
    path.write_bytes(bytes(content))
    encoder = Counting()
    kept = Kept(encoder, tmp_path)
    for _ in range(2):
        assert torch.equal(kept.encode(texts(1, 2, 3, 4)), exact(texts(1, 2, 3, 4)))
    assert {"item 2", "item 3"} & set(encoder.asked)
    assert "item 4" not in encoder.asked
    assert len(encoder.asked) == len(set(encoder.asked))
    again = Counting()
    assert torch.equal(Kept(again, tmp_path).encode(texts(1, 2, 3, 4)), exact(texts(1, 2, 3, 4)))
    assert again.asked == []
    assert not path.exists()


@settings(max_examples=60, deadline=None)
@given(at=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_no_flipped_bit_ever_gives_a_wrong_row(
    tmp_path_factory: pytest.TempPathFactory, at: int, bit: int
) -> None:
    path = tmp_path_factory.mktemp("flipped") / "a.rows"
    keys, rows_N_D = [key_of(b"a"), key_of(b"b")], np.array([[1.5, 2], [3, 4]], np.float32)
    write_segment(path, keys, rows_N_D)
    content = bytearray(path.read_bytes())
    content[at % len(content)] ^= 1 << bit
    path.write_bytes(bytes(content))
    for number in range(2):
        try:
            segment = open_segment(path)
            read = segment.row(number)
        except Damaged:
            continue
        assert segment.keys_N[number].tobytes() == keys[number]
        assert np.array_equal(read, rows_N_D[number])


def test_what_a_dying_process_left_is_ignored_and_swept_when_it_is_old(tmp_path: Path) -> None:
    kept = Kept(Counting(), tmp_path)
    kept.encode(texts(1))
    whole = files(tmp_path)[0]
    young, old = whole.with_name(".1-a.rows.7.tmp"), whole.with_name(".1-b.rows.7.tmp")
    for path in (young, old):
        path.write_bytes(whole.read_bytes()[:-3])
    os.utime(old, (0, time.time() - LEFT_BEHIND_SECONDS - 60))
    assert torch.equal(Kept(Counting(), tmp_path).encode(texts(1)), exact(texts(1)))
    assert young.exists()
    assert not old.exists()


def test_a_file_that_another_process_deleted_costs_nothing_but_work(tmp_path: Path) -> None:
    Kept(Counting(), tmp_path).encode(texts(1, 2))
    reader = Counting()
    kept = Kept(reader, tmp_path)
    files(tmp_path)[0].unlink()
    assert torch.equal(kept.encode(texts(1, 2)), exact(texts(1, 2)))
    assert len(files(tmp_path)) == 1


def test_the_index_finds_every_row_of_many_files(tmp_path: Path) -> None:
    cache = FeatureCache(tmp_path)
    keys = [key_of(str(number).encode()) for number in range(700)]
    rows_N_D = np.random.default_rng(0).normal(size=(700, 4)).astype(np.float32)
    for first in range(0, 700, 7):
        cache.add(keys[first : first + 7], rows_N_D[first : first + 7])
    for found in (cache.find(keys), FeatureCache(tmp_path).find(keys)):
        assert np.array_equal(np.stack([r for r in found if r is not None]), rows_N_D)
    assert len(cache._runs) < 12
    assert FeatureCache(tmp_path).find([key_of(b"other")]) == [None]
    assert cache.find([]) == []


def _work(folder: str, seed: int) -> None:
    dice = np.random.default_rng(seed)
    kept = Kept(Counting(), Path(folder))
    for _ in range(30):
        payloads = texts(*dice.integers(0, 200, 11).tolist())
        assert torch.equal(kept.encode(payloads), exact(payloads))


def test_processes_at_once_disturb_each_other_in_nothing(tmp_path: Path) -> None:
    workers = [
        multiprocessing.get_context("fork").Process(target=_work, args=(str(tmp_path), seed))
        for seed in range(3)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
        assert worker.exitcode == 0
    last = Counting()
    assert torch.equal(Kept(last, tmp_path).encode(texts(*range(200))), exact(texts(*range(200))))
    assert len(last.asked) < 100


def test_a_folder_that_can_not_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "times-1.0").write_text("a file where the folder should be")
    with pytest.raises(ArtifactProblem, match=r"times-1\.0"):
        Kept(Counting(), tmp_path).encode(texts(1))


def test_a_full_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("workbench.learning.feature_cache.write_segment", full)
    with pytest.raises(ArtifactProblem, match="disk is full"):
        Kept(Counting(), tmp_path).encode(texts(1))


def test_the_identity_tells_names_values_types_and_options() -> None:
    network = nn.Linear(2, 2)
    found = identity_of(network, {"pooling": "mean"})
    assert identity_of(network, {"pooling": "mean"}) == found
    assert identity_of(network, {"pooling": "class"}) != found
    assert identity_of(nn.Sequential(network), {"pooling": "mean"}) != found
    with torch.no_grad():
        network.bias[0] += 1e-6
    assert identity_of(network, {"pooling": "mean"}) != found
