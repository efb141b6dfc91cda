import hashlib
import os
import struct
import unicodedata
import zlib
from pathlib import Path

import pytest
from PIL import Image

from connectors.errors import SourceError
from connectors.sources.catalog import open_source
from connectors.sources.folder import read_folder
from connectors.sources.records import BrokenItem, Content, SourceItem


def _image(path: Path, shade: int = 100, mode: str = "L", size: tuple[int, int] = (8, 8)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, shade).save(path)
    return path


def _only(path: Path) -> SourceItem | BrokenItem:
    (record,) = read_folder(path)
    return record


def _reason(path: Path) -> str:
    record = _only(path)
    assert isinstance(record, BrokenItem)
    return record.reason


def test_every_file_comes_exactly_once_in_the_same_order(tmp_path: Path) -> None:
    for name in ("b/2.png", "a.png", "b/1.png", "c/d/e.png", "B.png"):
        _image(tmp_path / name)
    keys = [record.key for record in read_folder(tmp_path)]
    assert keys == ["B.png", "a.png", "b/1.png", "b/2.png", "c/d/e.png"]
    assert keys == [record.key for record in read_folder(tmp_path)]


@pytest.mark.parametrize("suffix", ["png", "jpg", "bmp", "gif", "tiff", "webp", "ppm"])
def test_an_image_in_any_format_is_an_item_with_its_path_and_hash(tmp_path: Path, suffix: str) -> None:
    file = _image(tmp_path / f"x.{suffix}")
    record = _only(tmp_path)
    assert isinstance(record, SourceItem)
    assert record.payload == {"path": file.resolve().as_posix()}
    assert record.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    assert record.truth is None


def test_the_first_folder_is_the_class_when_asked(tmp_path: Path) -> None:
    for name in ("ants/1.png", "bees/deep/2.png", "flat.png"):
        _image(tmp_path / name)
    truths = {item.key: item.truth for item in read_folder(tmp_path, labels="folders")}  # type: ignore[union-attr]
    assert truths == {"ants/1.png": "ants", "bees/deep/2.png": "bees", "flat.png": None}


def test_a_prefix_is_put_before_every_key(tmp_path: Path) -> None:
    _image(tmp_path / "x.png")
    assert [record.key for record in read_folder(tmp_path, prefix="new/")] == ["new/x.png"]


def test_hidden_files_are_skipped_silently(tmp_path: Path) -> None:
    _image(tmp_path / "x.png")
    for name in (".DS_Store", "Thumbs.db", "desktop.ini", ".git/config", "__MACOSX/x.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    assert _only(tmp_path).key == "x.png"


def test_a_file_that_is_no_image_is_broken(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    assert "not an image" in _reason(tmp_path)


def test_an_empty_file_is_broken(tmp_path: Path) -> None:
    (tmp_path / "x.png").touch()
    assert "0 bytes" in _reason(tmp_path)


@pytest.mark.parametrize("suffix", ["png", "jpg", "bmp", "tiff"])
def test_a_truncated_image_is_broken(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"x.{suffix}"
    Image.effect_noise((64, 64), 50).save(file)
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    assert "damaged" in _reason(tmp_path)


def test_a_decompression_bomb_is_broken_and_not_decoded(tmp_path: Path) -> None:
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)
    chunk = struct.pack(">I", 13) + b"IHDR" + header + struct.pack(">I", zlib.crc32(b"IHDR" + header))
    pixels = struct.pack(">I", 0) + b"IDAT" + struct.pack(">I", zlib.crc32(b"IDAT"))
    (tmp_path / "bomb.png").write_bytes(b"\x89PNG\r\n\x1a\n" + chunk + pixels)
    assert "pixels" in _reason(tmp_path)


def test_a_link_to_nothing_and_a_pipe_are_broken(tmp_path: Path) -> None:
    (tmp_path / "dangling.png").symlink_to(tmp_path / "gone.png")
    os.mkfifo(tmp_path / "pipe.png")
    reasons = [record.reason for record in read_folder(tmp_path) if isinstance(record, BrokenItem)]
    assert reasons == ["a link to nothing", "not a regular file"]


def test_links_that_lead_in_circles_end(tmp_path: Path) -> None:
    _image(tmp_path / "a" / "x.png")
    (tmp_path / "a" / "up").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "b").symlink_to(tmp_path / "a", target_is_directory=True)
    assert [record.key for record in read_folder(tmp_path)] == ["a/x.png"]


def test_names_in_any_script_stay_as_they_are(tmp_path: Path) -> None:
    names = ["été.png", unicodedata.normalize("NFD", "été.png"), "画像.png", "🐝.png", "a b#?%.png"]
    for name in names:
        _image(tmp_path / name)
    assert {record.key for record in read_folder(tmp_path)} == set(names)


def test_a_name_that_is_not_unicode_is_broken_with_a_key_that_can_be_stored(tmp_path: Path) -> None:
    raw = os.fsencode(tmp_path) + b"/bad\xff.png"
    Path(os.fsdecode(raw)).write_bytes(_image(tmp_path / "ok.png").read_bytes())
    broken = [record for record in read_folder(tmp_path) if isinstance(record, BrokenItem)]
    assert [record.key.encode() for record in broken] == [rb"bad\udcff.png"]


def test_a_file_without_permission_is_broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = _image(tmp_path / "x.png")

    def refuse(opened: Path, *_args: object, **_options: object) -> None:
        assert opened == path
        raise PermissionError(13, "Permission denied", str(opened))

    # Rights would not do: root may read every file.
    monkeypatch.setattr(Path, "open", refuse)
    assert "Permission denied" in _reason(tmp_path)


def test_a_missing_folder_says_what_was_found(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"Found nothing at .*expected a folder"):
        read_folder(tmp_path / "gone")
    with pytest.raises(SourceError, match=r"Found a file at"):
        read_folder(_image(tmp_path / "x.png"))


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(SourceError, match=r"Found no file in .*expected images"):
        read_folder(tmp_path)


def test_a_folder_opens_by_its_path_alone(tmp_path: Path) -> None:
    _image(tmp_path / "ants" / "x.png")
    reading = open_source(tmp_path, label="folders")
    assert reading.content is Content.IMAGE
    assert [record.key for record in reading.records] == ["ants/x.png"]


def test_options_of_a_table_are_refused_for_a_folder(tmp_path: Path) -> None:
    _image(tmp_path / "x.png")
    with pytest.raises(SourceError, match="label='folders'"):
        open_source(tmp_path, label="species")
    with pytest.raises(SourceError, match="Leave out the columns"):
        open_source(tmp_path, text="message")
