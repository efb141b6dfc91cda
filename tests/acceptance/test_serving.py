"""``workbench serve`` and ``workbench token``: open here, shut to others, and told what to type."""

import json
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from tests.fixtures.made_up import MadeUp
from tests.workbench.web.sites import make_database
from workbench.cli.main import run

SMALL = MadeUp(name="small", rounds=1, batch=10, test_items=40, pool=100, open_round=True)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A small project."""
    make_database(tmp_path, SMALL).close()
    return tmp_path / "workbench.toml"


def test_a_token_is_printed_once_listed_without_its_key_and_revoked(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["token", "create", "ada", "--role", "operator", "--config", str(config)]) == 0
    secret = capsys.readouterr().out.strip()
    assert secret.startswith("wb_")
    assert run(["token", "list", "--json", "--config", str(config)]) == 0
    told = capsys.readouterr().out
    assert secret not in told
    (token,) = json.loads(told)["tokens"]
    assert (token["name"], token["role"], token["good"]) == ("ada", "operator", True)
    assert run(["token", "create", "ada", "--config", str(config)]) == 1
    assert "already" in capsys.readouterr().err
    assert run(["token", "revoke", "ada", "--config", str(config)]) == 0
    assert run(["token", "list", "--json", "--config", str(config)]) == 0
    assert not json.loads(capsys.readouterr().out)["tokens"][0]["good"]
    assert run(["token", "revoke", "nobody", "--config", str(config)]) == 1


def test_nobody_serves_to_others_without_a_token(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["serve", "--config", str(config), "--host", "0.0.0.0"]) == 1
    assert "workbench token create NAME --role viewer" in capsys.readouterr().err


@pytest.mark.parametrize("proxy", ["*", "0.0.0.0/0", "::/0", "proxy.example", "", "127.0.0.1,*"])
def test_not_everybody_is_believed_to_be_a_proxy(
    config: Path, proxy: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["serve", "--config", str(config), "--proxy", proxy]) == 1
    assert "expected the address of the proxy" in capsys.readouterr().err


def test_a_folder_without_projects_is_said_to_be_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["serve", str(tmp_path)]) == 1
    assert "There is no workbench.toml below" in capsys.readouterr().err


def test_a_place_where_nobody_can_listen_is_said_before_an_address_is_told(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert run(["serve", "--config", str(config), "--port", str(port)]) == 1
    told = capsys.readouterr().err
    assert f"Nothing can listen at 127.0.0.1, port {port}: Address already in use. Another dashboard" in told
    assert "--port" in told
    assert "The dashboard is at" not in told


def test_the_dashboard_is_served_and_brings_no_torch_along(config: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    program = (
        "import sys, threading, time\n"
        "from workbench.cli.main import run\n"
        f"code = run(['serve', '--config', {str(config)!r}, '--port', '{port}'])\n"
        "print('torch' in sys.modules, code)\n"
    )
    server = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    try:
        address = f"http://127.0.0.1:{port}"
        for _ in range(600):
            try:
                assert httpx.get(f"{address}/health").text == "ok"
                break
            except httpx.TransportError:
                time.sleep(0.1)
        assert "small" in httpx.get(f"{address}/").text
        assert httpx.get(f"{address}/projects/small/panels/headline?whole=true").status_code == 200
        assert httpx.get(f"{address}/pictures/guess?item=x").status_code == 404
        assert httpx.post(f"{address}/hooks/label-studio/small", json={}).status_code == 401
        assert httpx.get(f"{address}/", headers={"Host": "evil.example"}).status_code == 403
    finally:
        server.terminate()
        out, _ = server.communicate(timeout=60)
    assert out.split()[:1] == ["False"], out
