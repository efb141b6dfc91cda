"""A backup is whole or not there, and what is restored from it goes on as if nothing had happened."""

import json
import signal
import sqlite3
import stat
import subprocess
import sys
import tarfile
from collections.abc import Callable
from contextlib import closing
from io import BytesIO
from pathlib import Path

import pytest

from .conftest import Folder


def _restored(folder: Folder, backup: Path, capsys: pytest.CaptureFixture[str]) -> Folder:
    to = folder.path.parent / f"{folder.path.name}-again"
    done = folder.type("backup", "restore", str(backup), "--to", str(to))
    assert done.code == 0, done.err
    return Folder(to, capsys)


@pytest.fixture
def asked(folder: Folder) -> Folder:
    """A project with a closed round, an open one that is half answered, and a secret."""
    folder.ready()
    folder.type("round", "ask")
    folder.label_all()
    folder.type("round", "tell")
    folder.type("round", "ask")
    folder.label_all(limit=2)
    folder.type("round", "tell")
    folder.write("LABEL_STUDIO_API_KEY=topsecret\n", ".env")
    return folder


@pytest.fixture
def begun(folder: Folder) -> Folder:
    """A project with a filled pool."""
    folder.ready()
    return folder


def _finish(folder: Folder) -> tuple[object, ...]:
    folder.label_all()
    told = folder.type("round", "tell", "--json").json
    picked = [pick["item_key"] for pick in folder.type("round", "ask", "--json").json["picked"]]
    return told["state"], picked


def test_a_restored_project_goes_on_with_the_same_picks(
    asked: Folder, capsys: pytest.CaptureFixture[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    shelf = tmp_path_factory.mktemp("shelf")
    made = asked.type("backup", "create", str(shelf), "--json").json
    backup = Path(made["path"])
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
    assert b"topsecret" not in backup.read_bytes()
    assert asked.type("backup", "verify", str(backup), "--json").json["rows"] == made["rows"] > 50
    again = _restored(asked, backup, capsys)
    assert not (again.path / ".env").exists()
    assert _finish(again) == _finish(asked)
    assert [path.name for path in shelf.iterdir()] == [backup.name]


def test_what_the_embedded_labeler_has_not_written_into_its_file_yet_is_in_the_backup(
    asked: Folder, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    backup = tmp_path / "b.tar"
    with closing(sqlite3.connect(asked.path / "data" / "labeler.db")) as held:
        held.execute("PRAGMA wal_autocheckpoint = 0")
        held.execute("UPDATE projects SET model_version = 'late'")
        held.commit()
        assert asked.type("backup", "create", str(backup)).code == 0
    again = _restored(asked, backup, capsys)
    with closing(sqlite3.connect(again.path / "data" / "labeler.db")) as found:
        assert found.execute("SELECT model_version FROM projects").fetchall() == [("late",)]


def _flip(content: bytes) -> bytes:
    place = content.index(b"SQLite format 3") + 5000
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


def _without(name: str) -> Callable[[bytes], bytes]:
    def change(content: bytes) -> bytes:
        kept = BytesIO()
        with tarfile.open(fileobj=BytesIO(content)) as old, tarfile.open(fileobj=kept, mode="w") as new:
            for member in old:
                if name not in member.name:
                    new.addfile(member, old.extractfile(member))
        return kept.getvalue()

    return change


def _with(name: str) -> Callable[[bytes], bytes]:
    def change(content: bytes) -> bytes:
        made = BytesIO()
        with tarfile.open(fileobj=BytesIO(content)) as old, tarfile.open(fileobj=made, mode="w") as new:
            info = tarfile.TarInfo(name)
            info.size = 4
            new.addfile(info, BytesIO(b"evil"))
            for member in old:
                new.addfile(member, old.extractfile(member))
        return made.getvalue()

    return change


def _naming(database: str) -> Callable[[bytes], bytes]:
    """A manifest that says that the database is another file than it is."""

    def change(content: bytes) -> bytes:
        made = BytesIO()
        with tarfile.open(fileobj=BytesIO(content)) as old, tarfile.open(fileobj=made, mode="w") as new:
            for member in old:
                read = old.extractfile(member)
                assert read is not None
                content = read.read()
                if member.name == "manifest.json":
                    content = json.dumps({**json.loads(content), "database": database}).encode()
                    member.size = len(content)
                new.addfile(member, BytesIO(content))
        return made.getvalue()

    return change


DAMAGES: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "a bit": (_flip, "not what it was"),
    "cut in the middle": (lambda content: content[: len(content) // 2], "cut short"),
    "cut before the manifest": (_without("manifest.json"), "cut short"),
    "a file less": (_without(".parquet"), "is missing"),
    "a file more": (_with("data/extra"), "not what it was"),
    "a path that climbs": (_with("../outside"), "names the path"),
    "an absolute path": (_with("/tmp/outside-of-everything"), "names the path"),
    "a database that is not in it": (_naming("other.db"), "no database"),
    "a database elsewhere": (_naming("/tmp/outside-of-everything"), "no database"),
    "a database that is none": (_naming("workbench.toml"), "database can not be read"),
    "no tar at all": (lambda _content: b"hello", "no tar file"),
}


def test_damage_of_any_kind_is_found_and_nothing_is_restored(begun: Folder, tmp_path: Path) -> None:
    backup = tmp_path / "b.tar"
    assert begun.type("backup", "create", str(backup)).code == 0
    whole = backup.read_bytes()
    for name, (change, words) in DAMAGES.items():
        backup.write_bytes(change(whole))
        verified = begun.type("backup", "verify", str(backup))
        assert (verified.code, words in verified.err) == (1, True), f"{name}: {verified.err}"
        restored = begun.type("backup", "restore", str(backup), "--to", str(tmp_path / "again"))
        assert (restored.code, words in restored.err) == (1, True), f"{name}: {restored.err}"
        assert not (tmp_path / "again").exists()
        assert not (tmp_path.parent / "outside").exists()
    assert not Path("/tmp/outside-of-everything").exists()
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".") and path.is_dir()] == []


def test_nothing_is_overwritten(begun: Folder, tmp_path: Path) -> None:
    backup = tmp_path / "b.tar"
    assert begun.type("backup", "create", str(backup)).code == 0
    before = backup.read_bytes()
    assert "there already" in begun.type("backup", "create", str(backup)).err
    assert backup.read_bytes() == before
    assert "not empty" in begun.type("backup", "restore", str(backup), "--to", str(begun.path)).err


def test_a_backup_without_the_pool_is_refused(begun: Folder, tmp_path: Path) -> None:
    for shard in (begun.path / "data" / "pool").iterdir():
        shard.unlink()
    refused = begun.type("backup", "create", str(tmp_path / "b.tar"))
    assert refused.code == 1
    assert "workbench pool add" in refused.err
    assert not (tmp_path / "b.tar").exists()


KILLED = """
import os, signal, sys, tarfile
left = [int(sys.argv.pop())]
add = tarfile.TarFile.addfile
def count(*arguments, **options):
    left[0] -= 1
    if not left[0]:
        os.kill(os.getpid(), signal.SIGKILL)
    return add(*arguments, **options)
tarfile.TarFile.addfile = count
from workbench.cli.main import run
run(sys.argv[1:])
"""


def test_killed_in_the_middle_no_backup_is_left_and_the_next_one_is_whole(
    begun: Folder, tmp_path: Path
) -> None:
    backup = tmp_path / "b.tar"
    command = [sys.executable, "-c", KILLED, "backup", "create", str(backup), "3"]
    done = subprocess.run(command, cwd=begun.path, check=False, capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert not backup.exists()
    assert begun.type("backup", "create", str(backup)).code == 0
    assert begun.type("backup", "verify", str(backup)).code == 0
