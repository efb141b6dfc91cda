"""Every readable picture becomes one that a browser shows."""

import base64
import io
from pathlib import Path

import pytest
from PIL import Image

from connectors.errors import SourceError
from connectors.labelers.pictures import as_png, inline_picture, local_files_address


def drawn(folder: Path, name: str, mode: str = "RGB", **options: object) -> Path:
    path = folder / name
    Image.new(mode, (6, 4)).save(path, **options)
    return path


def decoded(address: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(address.partition("base64,")[2])))


@pytest.mark.parametrize(
    ("name", "kind"), [("a.png", "png"), ("a.jpg", "jpeg"), ("a.gif", "gif"), ("a.webp", "webp")]
)
def test_what_browsers_show_is_taken_as_it_is(tmp_path: Path, name: str, kind: str) -> None:
    path = drawn(tmp_path, name)
    address = inline_picture(path)
    assert address.startswith(f"data:image/{kind};base64,")
    assert base64.b64decode(address.partition(",")[2]) == path.read_bytes()


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        ("a.tiff", "RGB"),
        ("a.bmp", "RGB"),
        ("a.ppm", "RGB"),
        ("a.tiff", "CMYK"),
        ("a.tiff", "I;16"),
        ("a.pgm", "L"),
    ],
)
def test_other_formats_become_png(tmp_path: Path, name: str, mode: str) -> None:
    address = inline_picture(drawn(tmp_path, name, mode))
    assert address.startswith("data:image/png;base64,")
    assert decoded(address).size == (6, 4)


def test_the_name_of_a_file_does_not_say_what_it_is(tmp_path: Path) -> None:
    path = drawn(tmp_path, "a.png").rename(tmp_path / "a.jpg")
    assert inline_picture(path).startswith("data:image/png")


def test_a_picture_that_lies_on_its_side_is_turned(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    path = drawn(tmp_path, "a.tiff", exif=exif)
    assert Image.open(io.BytesIO(as_png(path))).size == (4, 6)


def test_a_picture_that_is_too_large_is_refused_with_the_other_ways(tmp_path: Path) -> None:
    path = drawn(tmp_path, "a.png")
    size = path.stat().st_size
    assert inline_picture(path, max_bytes=size)
    with pytest.raises(SourceError, match=rf"{size}.*{size - 1}.*local files.*served"):
        inline_picture(path, max_bytes=size - 1)


def test_what_is_no_picture_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("no picture")
    with pytest.raises(SourceError, match="not a picture"):
        inline_picture(tmp_path / "a.png")
    with pytest.raises(SourceError, match="can not be read"):
        inline_picture(tmp_path / "missing.png")
    with pytest.raises(SourceError, match="pixels of kind 'F'"):
        inline_picture(drawn(tmp_path, "a.tiff", "F"))


def test_a_picture_that_ends_too_early_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.bmp"
    Image.new("RGB", (60, 40)).save(path)
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(SourceError, match="damaged"):
        as_png(path)


def test_a_local_file_is_addressed_below_the_document_root(tmp_path: Path) -> None:
    path = tmp_path / "a folder" / "ä & b?.png"
    assert local_files_address(path, tmp_path) == "/data/local-files/?d=a%20folder/%C3%A4%20%26%20b%3F.png"


@pytest.mark.parametrize("place", ["../a.png", "folder/../../a.png", "a.png"])
def test_a_file_that_label_studio_would_not_show_is_refused(tmp_path: Path, place: str) -> None:
    with pytest.raises(SourceError, match="document root"):
        local_files_address(tmp_path / place, tmp_path)
