"""Label Studio itself is killed while tasks come in, is away, and comes back: what is left is the same."""

import os
import signal
import threading
from contextlib import closing, suppress
from http.client import HTTPException
from pathlib import Path

import pytest

from connectors.errors import LabelerError
from connectors.labelers.label_studio import connect
from connectors.labelers.label_studio_people import invite_person
from connectors.labelers.label_studio_server import LabelStudioServer
from connectors.retry import Patience
from tests.conftest import ROOT
from tests.faults.comparing import ask_database, check_same, what_the_labeler_holds
from tests.faults.comparing import what_is_left as left
from tests.faults.little_project import PEOPLE, prepare
from tests.faults.proxy import Exchange, FaultyProxy, Planned
from tests.faults.test_disturbances import run
from tests.faults.working import everybody, finish, finish_stubbornly
from workbench.bootstrap import open_parts

pytestmark = [pytest.mark.chaos, pytest.mark.external]
IMPORT = "POST /api/projects/*/import"
#: Seconds after which the server is killed while it imports: before or after it has committed.
KILLED_AFTER = float(os.environ.get("FAULT_KILLED_AFTER", "0.05"))


def test_killed_while_tasks_come_in_and_back_later_it_holds_every_task_once(
    label_studio_program: Path, tmp_path: Path
) -> None:
    undisturbed = run(prepare(tmp_path / "undisturbed", "label studio dies", "embedded"))
    config = prepare(tmp_path / "project", "label studio dies", "label-studio")
    server = LabelStudioServer(
        tmp_path / "server",
        program=label_studio_program,
        template_dir=ROOT / ".cache" / "label-studio-template",
    ).start()
    pid, url, key = server.pid, server.url, server.owner.token

    def killed_meanwhile(exchange: Exchange) -> None:
        threading.Timer(KILLED_AFTER, os.kill, (pid, signal.SIGKILL)).start()
        with suppress(OSError, HTTPException):
            exchange.carry_out()
        exchange.hang_up()

    plan = [Planned(IMPORT, 1, killed_meanwhile)]
    try:
        staff = [invite_person(url, key, name, "a long password") for name in PEOPLE]
        people = everybody(staff)
        with (
            closing(staff[0]),
            closing(staff[1]),
            FaultyProxy(url, plan, patience=30.0) as proxy,
            connect(proxy.url, key, timeout=30.0, patience=Patience(ceiling=1.0)) as labeler,
        ):
            with pytest.raises(LabelerError), open_parts(config, labeler=labeler) as parts:
                finish(parts, people)
            assert proxy.happened == plan
            assert ask_database(config, "SELECT state FROM round") == [("selected",)], (
                "it waits, it has not failed"
            )
            assert ask_database(config, "SELECT count(*) FROM labeler_link WHERE away_since IS NOT NULL") == [
                (1,)
            ]
            server = LabelStudioServer(
                tmp_path / "server", program=label_studio_program, port=int(url.rpartition(":")[2])
            ).start()
            finish_stubbornly(config, labeler, people)
        with connect(url, key) as labeler:
            held = what_the_labeler_holds(labeler, config)
        assert len({(key, mark) for key, mark, _ in held}) == len(held) == 16, "a task is doubled or lost"
        check_same(left(config), undisturbed, "Label Studio was killed")
    finally:
        server.stop()
