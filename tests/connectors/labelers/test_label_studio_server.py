"""Starting, finding and stopping a server, with a small program in Label Studio's place."""

import json
import os
import stat
import subprocess
import sys
import time
from pathlib import Path
from textwrap import dedent

import pytest

from connectors.errors import LabelerRefused, LabelerUnreachable
from connectors.labelers.label_studio_server import LabelStudioServer, find_program, free_port
from connectors.labelers.server_process import ServerProcess, read_record, start_time, write_record

PROGRAM = """\
#!{python}
import http.server, json, os, pathlib, sys
home = pathlib.Path(os.environ["LABEL_STUDIO_BASE_DATA_DIR"])
(home / "label_studio.sqlite3").touch()
with (home / "calls").open("a") as calls:
    calls.write(sys.argv[1] + "\\n")
if sys.argv[1] == "init":
    sys.exit()
(home / "environment").write_text(json.dumps(dict(os.environ)))
{before}
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        ours = self.headers["Authorization"] == "Token " + os.environ["LABEL_STUDIO_USER_TOKEN"]
        self.send_response(200 if ours else 401)
        self.end_headers()
        self.wfile.write(json.dumps(dict(email=os.environ["LABEL_STUDIO_USERNAME"])).encode())
host, port = sys.argv[sys.argv.index("--internal-host") + 1], int(sys.argv[sys.argv.index("--port") + 1])
http.server.ThreadingHTTPServer((host, port), Handler).serve_forever()
"""


def program(folder: Path, before: str = "") -> Path:
    path = folder / "label-studio"
    path.write_text(PROGRAM.format(python=sys.executable, before=dedent(before)))
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def test_a_server_is_started_and_stopped(tmp_path: Path) -> None:
    told: list[str] = []
    server = LabelStudioServer(tmp_path / "data", program=program(tmp_path), tell=told.append)
    with server:
        pid = server.pid
        assert server.url.startswith("http://127.0.0.1:")
        assert server.started_here
    assert start_time(pid) == ""
    assert not (tmp_path / "data" / "server.json").exists()
    assert told[0].startswith("Starting")
    server.stop()
    with pytest.raises(LabelerUnreachable, match=r"start\(\)"):
        _ = server.url


def test_credentials_are_drawn_at_random_kept_private_and_not_shown(tmp_path: Path) -> None:
    owners = []
    for name in ("one", "two", "one"):
        with LabelStudioServer(tmp_path / name, program=program(tmp_path)) as server:
            owners.append(server.owner)
    assert owners[0] == owners[2]
    assert owners[0].token != owners[1].token
    assert owners[0].password != owners[1].password
    assert owners[0].token not in repr(owners[0])
    assert stat.S_IMODE((tmp_path / "one" / "credentials.json").stat().st_mode) == 0o600


def test_the_users_own_settings_do_not_reach_the_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("LABEL_STUDIO_SENTRY_DSN", "HEARTEX_DEBUG", "DATABASE_NAME", "SECRET_KEY"):
        monkeypatch.setenv(name, "mine")
    with LabelStudioServer(tmp_path / "data", program=program(tmp_path), files_root=tmp_path):
        seen = json.loads((tmp_path / "data" / "environment").read_text())
    assert "mine" not in seen.values()
    assert (seen["COLLECT_ANALYTICS"], seen["SENTRY_DSN"]) == ("false", "")
    assert seen["LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT"] == str(tmp_path)


def test_the_template_is_prepared_once_and_holds_no_credentials(tmp_path: Path) -> None:
    for name in ("one", "two"):
        server = LabelStudioServer(
            tmp_path / name, program=program(tmp_path), template_dir=tmp_path / "template"
        )
        with server:
            pass
    assert [path.name for path in (tmp_path / "template").iterdir()] == ["label_studio.sqlite3"]
    assert (tmp_path / "one" / "calls").read_text() == "start\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["label-studio", "one", "template", "two"]


def test_a_program_that_can_not_prepare_a_template_is_said_so(tmp_path: Path) -> None:
    broken = tmp_path / "label-studio"
    broken.write_text("#!/bin/sh\necho the disk is full >&2\nexit 3\n")
    broken.chmod(0o700)
    with pytest.raises(LabelerUnreachable, match="the disk is full"):
        LabelStudioServer(tmp_path / "data", program=broken, template_dir=tmp_path / "template").start()
    assert not (tmp_path / "template").exists()


def test_a_running_server_is_found_again_and_left_running(tmp_path: Path) -> None:
    first = LabelStudioServer(tmp_path / "data", program=program(tmp_path)).start()
    try:
        with LabelStudioServer(tmp_path / "data", program=program(tmp_path)) as second:
            assert (second.url, second.pid, second.started_here) == (first.url, first.pid, False)
        assert LabelStudioServer(tmp_path / "data", program=program(tmp_path)).adopt()
    finally:
        first.stop()
    assert not LabelStudioServer(tmp_path / "data", program=program(tmp_path)).adopt()


def test_a_server_that_died_is_started_anew(tmp_path: Path) -> None:
    first = LabelStudioServer(tmp_path / "data", program=program(tmp_path)).start()
    os.kill(first.pid, 9)
    with LabelStudioServer(tmp_path / "data", program=program(tmp_path)) as second:
        assert second.pid != first.pid
        assert second.started_here


def test_a_stranger_with_the_noted_process_id_is_never_ended(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    with subprocess.Popen(["/bin/sleep", "60"]) as stranger:
        try:
            noted = ServerProcess(pid=stranger.pid, started="1", port=1)
            write_record(tmp_path / "data" / "server.json", noted)
            assert not noted.alive()
            LabelStudioServer(tmp_path / "data", program=program(tmp_path)).stop()
            assert stranger.poll() is None
        finally:
            stranger.kill()


def test_a_server_that_ends_at_once_is_told_with_its_last_words(tmp_path: Path) -> None:
    crashing = program(tmp_path, "sys.exit('no room left')")
    with pytest.raises(LabelerUnreachable, match=r"ended while starting[^$]*no room left"):
        LabelStudioServer(tmp_path / "data", program=crashing).start()
    assert read_record(tmp_path / "data" / "server.json") is None


def test_a_server_that_never_answers_is_ended(tmp_path: Path) -> None:
    silent = program(tmp_path, "import time; time.sleep(600)")
    server = LabelStudioServer(tmp_path / "data", program=silent, timeout=1.0)
    with pytest.raises(LabelerUnreachable, match="does not answer") as caught:
        server.start()
    pid = int(str(caught.value).partition("process ")[2].partition(")")[0])
    assert start_time(pid) == ""


def test_a_server_that_moves_to_another_port_is_not_taken(tmp_path: Path) -> None:
    moving = program(
        tmp_path,
        """
        import time
        port = sys.argv[sys.argv.index("--port") + 1]
        print(f"* Port {port} is in use.", flush=True)
        time.sleep(600)
        """,
    )
    with pytest.raises(LabelerRefused, match="was taken"):
        LabelStudioServer(tmp_path / "data", program=moving).start()


def test_a_port_that_is_taken_is_refused(tmp_path: Path) -> None:
    with LabelStudioServer(tmp_path / "data", program=program(tmp_path)) as server:
        port = int(server.url.rpartition(":")[2])
        with pytest.raises(LabelerRefused, match=f"Port {port} is taken"):
            free_port(port)
        with pytest.raises(LabelerRefused, match=f"Port {port} is taken"):
            LabelStudioServer(tmp_path / "other", program=program(tmp_path), port=port).start()


def test_the_program_is_found_by_variable_then_place_then_path(tmp_path: Path) -> None:
    here = program(tmp_path)
    assert find_program({"LABEL_STUDIO_BIN": str(here)}) == here
    assert find_program({}, tmp_path / "missing", here) == here
    assert find_program({"PATH": str(tmp_path)}) == here
    with pytest.raises(LabelerRefused, match="pip install label-studio"):
        find_program({"LABEL_STUDIO_BIN": str(tmp_path / "missing"), "PATH": str(tmp_path)})


def test_an_interrupt_of_the_terminal_does_not_reach_the_server(tmp_path: Path) -> None:
    with LabelStudioServer(tmp_path / "data", program=program(tmp_path)) as server:
        assert os.getsid(server.pid) != os.getsid(0)
        time.sleep(0)
