"""The law of shown pictures: nothing but pictures, from nowhere but the pool's folders, at bounded cost."""

import io
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from connectors.errors import SourceError
from connectors.sources import pictures
from connectors.sources.pictures import as_picture, read_guarded


def _png(size: tuple[int, int] = (8, 8), kind: str = "PNG", mode: str = "RGB") -> bytes:
    buffer = io.BytesIO()
    Image.new(mode, size, 120).save(buffer, format=kind)
    return buffer.getvalue()


@pytest.fixture
def pool(tmp_path: Path) -> Path:
    folder = tmp_path / "pool"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "one.png").write_bytes(_png())
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret.png").write_bytes(_png())
    return folder


def test_a_file_of_the_pool_is_read_also_where_the_folder_itself_is_reached_by_a_link(
    pool: Path, tmp_path: Path
) -> None:
    assert read_guarded(str(pool / "deep" / "one.png"), [pool]) == _png()
    (tmp_path / "short").symlink_to(pool)
    assert read_guarded(str(tmp_path / "short" / "deep" / "one.png"), [tmp_path / "short"]) == _png()
    (pool / "same.png").symlink_to(pool / "deep" / "one.png")
    assert read_guarded(str(pool / "same.png"), [pool]) == _png()


ATTACKS: dict[str, Callable[[Path], str]] = {
    "a file of the system": lambda _: "/etc/passwd",
    "up and away": lambda pool: f"{pool}/../../../../../../etc/passwd",
    "up and beside": lambda pool: f"{pool}/../outside/secret.png",
    "a name that only begins alike": lambda pool: f"{pool}-private/one.png",
    "relative": lambda _: "../../etc/passwd",
    "relative and there": lambda pool: os.path.relpath(pool / "deep" / "one.png"),
    "the folder itself": str,
    "nothing": lambda _: "",
    "a zero byte": lambda pool: f"{pool}/deep/one.png\0.txt",
    "an endless name": lambda pool: f"{pool}/{'a' * 10_000}",
    "a device": lambda _: "/dev/zero",
    "missing": lambda pool: f"{pool}/deep/none.png",
    "a surrogate": lambda pool: f"{pool}/\udcff.png",
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_path_that_leads_anywhere_else_opens_nothing(pool: Path, attack: str) -> None:
    beside = pool.with_name("pool-private")
    beside.mkdir()
    (beside / "one.png").write_bytes(_png())
    with pytest.raises(SourceError) as raised:
        read_guarded(ATTACKS[attack](pool), [pool])
    assert str(pool) not in str(raised.value), "the words are for anybody"
    assert "passwd" not in str(raised.value)


def test_links_that_lead_out_of_the_pool_are_followed_only_to_folders_that_were_named(
    pool: Path, tmp_path: Path
) -> None:
    (pool / "link.png").symlink_to(tmp_path / "outside" / "secret.png")
    (pool / "folder").symlink_to(tmp_path / "outside")
    (pool / "round").symlink_to(pool / "round")
    for name in ("link.png", "folder/secret.png", "round"):
        with pytest.raises(SourceError):
            read_guarded(str(pool / name), [pool])
    assert read_guarded(str(pool / "link.png"), [pool, tmp_path / "outside"]) == _png()


def test_a_pipe_is_refused_at_once_and_not_waited_for(pool: Path) -> None:
    os.mkfifo(pool / "pipe.png")
    with pytest.raises(SourceError, match="no file"):
        read_guarded(str(pool / "pipe.png"), [pool])


def test_a_folder_that_is_exchanged_while_the_file_is_opened_gives_nothing(
    pool: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "outside" / "one.png").write_bytes(b"secret")
    opened = os.open

    def exchanging(path: Path, flags: int) -> int:
        (pool / "deep").rename(pool / "gone")
        (pool / "deep").symlink_to(tmp_path / "outside")
        return opened(path, flags)

    monkeypatch.setattr(pictures.os, "open", exchanging)
    with pytest.raises(SourceError, match="exchanged"):
        read_guarded(str(pool / "deep" / "one.png"), [pool])


def test_too_large_a_file_is_refused(pool: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "LARGEST_BYTES", 10)
    with pytest.raises(SourceError, match="larger"):
        read_guarded(str(pool / "deep" / "one.png"), [pool])


def test_what_browsers_show_is_sent_as_it_is_and_other_kinds_become_png() -> None:
    for kind, media in pictures.SHOWN.items():
        content = _png(kind=kind)
        assert as_picture(content) == (media, content)
    for kind, mode in (("BMP", "RGB"), ("TIFF", "CMYK"), ("PPM", "L"), ("TIFF", "I;16")):
        found = as_picture(_png(kind=kind, mode=mode))
        assert found.kind == "image/png"
        assert Image.open(io.BytesIO(found.content)).size == (8, 8)


def test_a_small_picture_is_small_whatever_the_large_one_is() -> None:
    small = as_picture(_png((3000, 1000), kind="JPEG"), 240)
    image = Image.open(io.BytesIO(small.content))
    assert image.size == (240, 80)
    assert len(small.content) < 10_000
    assert as_picture(_png((8, 8)), 240).kind == "image/png", "tiny ones keep each of their pixels"
    with_hole = Image.open(io.BytesIO(as_picture(_png((400, 400), mode="RGBA"), 240).content))
    assert with_hole.mode == "RGBA"


def _bomb(width: int, height: int) -> bytes:
    """A PNG of a few bytes that says it has so many pixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        )

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(b"\0"))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("size", [(8_000, 8_000), (20_000, 20_000), (2**31 - 1, 2**31 - 1)])
@pytest.mark.parametrize("longest", [None, 240])
def test_a_picture_with_too_many_pixels_is_never_decoded(size: tuple[int, int], longest: int | None) -> None:
    with pytest.raises(SourceError, match=r"pixels|damaged"):
        as_picture(_bomb(*size), longest)


NO_PICTURES = {
    "a page": b"<html><script>alert(1)</script></html>",
    "a drawing with a script": b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
    "a program for printers": b"%!PS-Adobe-3.0 EPSF-3.0\n(/etc/passwd) (r) file\n%%EOF",
    "passwords": b"root:x:0:0:root:/root:/bin/bash\n",
    "nothing": b"",
}


@pytest.mark.parametrize("name", NO_PICTURES)
@pytest.mark.parametrize("longest", [None, 240])
def test_what_is_no_picture_is_not_sent(name: str, longest: int | None) -> None:
    with pytest.raises(SourceError, match=r"no picture|damaged"):
        as_picture(NO_PICTURES[name], longest)


def test_a_damaged_picture_is_told_and_breaks_nothing() -> None:
    with pytest.raises(SourceError, match="damaged"):
        as_picture(_png((400, 400), kind="JPEG")[:300], 240)
