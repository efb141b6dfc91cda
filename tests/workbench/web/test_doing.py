"""The law of acts: for those who may, once, in the state that was seen; and the audit trail says who."""

import json
import threading
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.workbench.web.little_desk import NAMES, LittleDesk
from workbench.domain.records import LabelerLink, TaskKind
from workbench.domain.roles import Role
from workbench.domain.rounds import ORDER, RoundState
from workbench.storage.tables import token
from workbench.web.doing import ACTS, possible
from workbench.web.errands import Errands, in_a_process
from workbench.web.filters import said

BASE = "/projects/spots"
API = "/api/v1/projects/spots"


def _now(client: TestClient) -> dict[str, Any]:
    found: dict[str, Any] = client.get(f"{API}/now").json()
    return found


def _idle(client: TestClient) -> dict[str, Any]:
    """As it is when the work that was asked for is done."""
    while (found := _now(client))["errand"] is not None:
        pass
    return found


def _worker(desk: LittleDesk, *, late: timedelta = timedelta()) -> None:
    """A worker that looks after the project, or did until some time ago."""
    with desk.store.begin() as tx:
        (project,) = tx.projects.all()
        schedule = tx.schedules.ensure(project.id)
        tx.schedules.claim(schedule, tx.now + timedelta(seconds=60) - late)
        tx.workers.seen("worker far-away:7", None)


@pytest.mark.parametrize("act", ACTS)
def test_whoever_only_looks_can_do_nothing_and_changes_nothing(desk: LittleDesk, act: str) -> None:
    client = desk.client(Role.VIEWER)
    before = desk.trail()
    assert client.get(f"{BASE}/do/{act}").status_code == 403
    assert client.post(f"{BASE}/do/{act}", data={"reason": "x"}).status_code == 403
    assert client.post(f"{API}/acts/{act}", json={"reason": "x"}).status_code == 403
    assert client.post(f"{BASE}/budget", data={"max_labels": "5"}).status_code == 403
    assert client.patch(f"{API}/budget", json={"max_labels": 5}).status_code == 403
    page = client.get(f"{BASE}/live").text
    assert "<form method" not in page
    assert "/do/" not in page
    assert (desk.trail(), desk.wanted) == (before, [])


def test_who_may_act_is_asked_for_a_batch_and_the_work_is_begun_once(desk: LittleDesk) -> None:
    client = desk.client()
    page = client.get(f"{BASE}/do/start")
    assert "8 if left empty" in page.text
    told = client.post(f"{BASE}/do/start", data={"seen": "none-unseen", "batch": "5"})
    assert (told.status_code, told.headers["location"]) == (303, f"{BASE}/live")
    _idle(client)
    assert desk.wanted == [{"act": "start", "config": str(desk.config), "actor": "otto", "batch": 5}]
    assert desk.trail()[-1] == ("asked", "Start a round", "otto")
    assert "It was only noted." in client.get(f"{BASE}/live").text


@pytest.mark.parametrize("batch", ["0", "-1", "many", "1e3", "9" * 30, "٣"])
def test_a_batch_that_is_none_is_shown_beside_its_field(desk: LittleDesk, batch: str) -> None:
    answer = desk.client().post(f"{BASE}/do/start", data={"batch": batch[:20]})
    assert answer.status_code == 422
    assert "expected 1 to 100,000" in answer.text
    assert desk.wanted == []


def test_a_second_click_while_the_first_is_under_way_is_refused_in_words(desk: LittleDesk) -> None:
    going, over = threading.Event(), threading.Event()

    def slow(wanted: Mapping[str, Any]) -> Mapping[str, Any]:
        going.set()
        over.wait(30)
        return desk.run(wanted)

    desk.desk.errands.runner = slow
    client = desk.client()
    assert client.post(f"{API}/acts/start").status_code == 202
    assert going.wait(30)
    for name in ("start", "reconcile"):
        second = client.post(f"{API}/acts/{name}")
        assert second.status_code == 409
        assert "at work on this project already: 'Start a round'" in second.json()["detail"]
    page = client.get(f"{BASE}/live").text
    assert "asked for by otto" in page
    assert "/do/" not in page, "nothing can be asked for meanwhile"
    over.set()
    _idle(client)
    assert len(desk.wanted) == 1


def test_many_who_click_at_once_begin_the_work_once(desk: LittleDesk) -> None:
    over = threading.Event()
    desk.desk.errands.runner = lambda wanted: (over.wait(30), desk.run(wanted))[1]
    codes: list[int] = []
    ready = threading.Barrier(6)

    def click() -> None:
        client = desk.client()
        ready.wait()
        codes.append(client.post(f"{API}/acts/start", json={"seen": "none-unseen"}).status_code)

    threads = [threading.Thread(target=click) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    over.set()
    _idle(desk.client())
    assert sorted(codes) == [202] + [409] * 5
    assert len(desk.wanted) == 1
    assert [kind for kind, _, _ in desk.trail()].count("asked") == 1, "who was refused asked for nothing"


def test_what_was_refused_leaves_the_project_free_and_the_last_outcome_on_the_page(desk: LittleDesk) -> None:
    client = desk.client()
    client.post(f"{API}/acts/reconcile")
    _idle(client)
    assert client.post(f"{API}/acts/start", json={"seen": "another turn"}).status_code == 409
    assert "Compare with the labeler: It was only noted." in client.get(f"{BASE}/live").text
    assert client.post(f"{API}/acts/start").status_code == 202


def test_what_was_asked_of_another_state_is_not_done(desk: LittleDesk) -> None:
    client = desk.client()
    seen = _now(client)["turn"]
    with desk.store.begin() as tx:
        (project,) = tx.projects.all()
        tx.rounds.plan(project.id, batch_size=3, seed=1, config={})
    for act in ACTS:
        answer = client.post(f"{API}/acts/{act}", json={"seen": seen, "reason": "x"})
        assert answer.status_code == 409
        assert "moved on" in answer.json()["detail"]
    assert desk.wanted == []
    assert all(kind != "asked" for kind, _, _ in desk.trail())


def test_a_worker_that_looks_after_the_project_is_handed_the_work(desk: LittleDesk) -> None:
    _worker(desk)
    client = desk.client()
    assert _now(client)["looked_after"]
    for _ in range(2):
        answer = client.post(f"{API}/acts/start")
        assert "the worker that looks after this project does it" in answer.json()["words"]
    assert desk.wanted == []
    with desk.store.read() as tx:
        (project,) = tx.projects.all()
        schedule = tx.schedules.get(project.id)
        assert schedule is not None
        assert schedule.wanted_at is not None
        assert schedule.next_look_at <= tx.now
    assert desk.trail()[-1] == ("schedule-wanted", "A round out of turn was asked for", "otto")
    client.post(f"{API}/acts/start", json={"batch": 3})
    _idle(client)
    assert [wanted["batch"] for wanted in desk.wanted] == [3], "a worker takes the configured batch only"


@pytest.mark.parametrize("how", ["silent", "elsewhere"])
def test_a_worker_that_is_dead_or_looks_after_other_projects_is_handed_nothing(
    desk: LittleDesk, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _worker(desk, late=timedelta(hours=1) if how == "elsewhere" else timedelta())
    if how == "silent":
        monkeypatch.setattr("workbench.reports.now_page.SILENT_SECONDS", -1.0)
        monkeypatch.setattr("workbench.web.doing.SILENT_SECONDS", -1.0)
    client = desk.client()
    client.post(f"{API}/acts/start")
    _idle(client)
    assert [wanted["act"] for wanted in desk.wanted] == ["start"]


def test_the_schedule_is_paused_with_a_reason_and_resumed_and_the_trail_says_by_whom(
    desk: LittleDesk,
) -> None:
    client = desk.client()
    nothing = client.post(f"{BASE}/do/pause", data={"reason": "  "})
    assert nothing.status_code == 422
    assert "needs a reason" in nothing.text
    client.post(f"{BASE}/do/pause", data={"reason": "the <b>annotators</b> are on holiday"})
    page = client.get(f"{BASE}/live").text
    assert "the &lt;b&gt;annotators&lt;/b&gt; are on holiday" in page
    assert _now(client)["schedule"] == "paused"
    assert "go-on" in _now(client)["acts"]
    client.post(f"{API}/acts/go-on")
    assert _now(client)["schedule"] == "active"
    assert [(kind, actor) for kind, _, actor in desk.trail()[-2:]] == [
        ("schedule-paused", "otto"),
        ("schedule-resumed", "otto"),
    ]


def test_what_can_not_be_taken_back_asks_once_more_on_a_page_that_needs_no_script(
    desk: LittleDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workbench.web.pages.acting.possible", lambda now: list(ACTS.values()))
    client = desk.client()
    for act in (act for act in ACTS.values() if act.danger):
        page = client.get(f"{BASE}/do/{act.name}").text
        assert act.confirm is not None
        assert act.confirm in page
        assert 'name="seen" value="none-unseen"' in page
    assert desk.wanted == []


def test_only_what_fits_the_state_is_offered(desk: LittleDesk) -> None:
    client = desk.client()
    assert _now(client)["acts"] == ["start"]
    # By an address typed by hand, or the way back of a browser.
    for act, fits in {"start": True, "close": False, "cancel": False, "pause": True}.items():
        page = client.get(f"{BASE}/do/{act}").text
        assert ('<button class="main' in page, "That does not fit" in page) == (fits, not fits)
    with desk.store.begin() as tx:
        (project,) = tx.projects.all()
        planned = tx.rounds.plan(project.id, batch_size=3, seed=1, config={})
    assert _now(client)["acts"] == ["resume", "cancel"]
    with desk.store.begin() as tx:
        held = tx.rounds.take(planned.id, "elsewhere~1:7:1", 60, is_gone=lambda _: False)
        tx.rounds.tell(held, "Scoring 48 items", 12, 48)
    found = _now(client)
    assert (found["acts"], found["held_by"]) == ([], "elsewhere~1:7:1")
    assert found["progress"] == {"words": "Scoring 48 items", "done": 12, "total": 48}
    viewer = _now(desk.client(Role.VIEWER))
    assert viewer["held_by"] == "somebody"


def test_work_that_fails_is_told_on_the_page_and_in_the_trail_but_viewers_read_no_details(
    desk: LittleDesk,
) -> None:
    desk.desk.errands.runner = lambda _wanted: {"done": False, "words": "The pool is empty at /srv/private."}
    client = desk.client()
    client.post(f"{API}/acts/start")
    _idle(client)
    assert "did not work. The pool is empty at /srv/private." in client.get(f"{BASE}/live").text
    assert desk.trail()[-1] == ("asked-failed", "Start a round: The pool is empty at /srv/private.", "otto")
    seen = desk.client(Role.VIEWER).get(f"{BASE}/live").text
    status = seen.partition("<details")[0]
    assert "did not work" in status
    assert "/srv/private" not in status


def test_a_failed_round_says_once_why_and_that_it_goes_on_while_it_does(desk: LittleDesk) -> None:
    desk.desk.errands.runner = lambda _wanted: {"done": False, "words": "The model can not be trained."}
    client = desk.client()
    with desk.store.begin() as tx:
        (project,) = tx.projects.all()
        planned = tx.rounds.plan(project.id, batch_size=3, seed=1, config={})
        held = tx.rounds.take(planned.id, "here~1:7:1", 60, is_gone=lambda _: False)
        tx.rounds.fail(held, "The model can not be trained.")
        tx.rounds.release(held)
    client.post(f"{API}/acts/resume")
    _idle(client)
    page = client.get(f"{BASE}/live").text.partition("<details")[0]
    assert "Round 0 has failed." in page
    assert page.count("The model can not be trained.") == 1
    with desk.store.begin() as tx:
        tx.rounds.take(planned.id, "elsewhere~1:7:1", 60, is_gone=lambda _: True)
    assert _now(client)["words"] == "Round 0 had failed, and goes on now."


def test_a_runner_that_breaks_leaves_the_project_free(desk: LittleDesk) -> None:
    def broken(_wanted: Mapping[str, Any]) -> Mapping[str, Any]:
        raise OSError("no memory left for " + "a secret")

    desk.desk.errands.runner = broken
    client = desk.client()
    client.post(f"{API}/acts/start")
    _idle(client)
    page = client.get(f"{BASE}/live").text
    assert "It could not be begun: OSError." in page
    assert "a secret" not in page
    assert client.post(f"{API}/acts/start").status_code == 202


def test_who_is_refused_finds_the_way_back_to_the_project(desk: LittleDesk) -> None:
    answer = desk.client().post(f"{BASE}/do/start", data={"seen": "another turn"})
    assert answer.status_code == 409
    assert '<a href="/projects/spots">Back to the project</a>' in answer.text
    assert '<a href="/">To the projects</a>' in desk.client().get("/projects/nothing").text


def test_what_is_to_be_typed_stands_out_and_marks_of_others_stay_as_they_are() -> None:
    words = "Type `workbench round ask`, then look at '`<b>`' and `workbench <i>`."
    assert said(words) == (
        "Type <code>workbench round ask</code>, then look at &#39;`&lt;b&gt;`&#39; and "
        "<code>workbench &lt;i&gt;</code>."
    )


def test_an_act_that_there_is_not_and_a_form_of_somebody_else_are_refused(desk: LittleDesk) -> None:
    client = desk.client()
    assert client.post(f"{API}/acts/erase").status_code == 404
    assert client.get(f"{BASE}/do/erase").status_code == 404
    with desk.store.engine.begin() as connection:
        connection.execute(token.delete())
    here = ("127.0.0.1", 50_000)
    local = TestClient(desk.app, base_url="http://127.0.0.1", client=here, follow_redirects=False)
    assert local.get(f"{BASE}/live").status_code == 200
    assert local.post(f"{BASE}/do/start", data={"csrf": "guessed"}).status_code == 403
    assert desk.wanted == []


def test_a_project_without_a_configuration_here_can_only_be_watched(desk: LittleDesk) -> None:
    with desk.store.begin() as tx:
        tx.projects.ensure("neighbour", kind=TaskKind.FEATURES, classes=("a", "b"), seed=1)
    client = desk.client(Role.ADMIN)
    page = client.get("/projects/neighbour/live").text
    assert "it can only be watched" in page
    assert "/do/" not in page
    for act in ACTS:
        answer = client.post(f"/api/v1/projects/neighbour/acts/{act}", json={"reason": "x"})
        assert answer.status_code == 409
        assert "can only be read here" in answer.json()["detail"]
    assert client.get("/api/v1/projects/neighbour/now").json()["acts"] == []
    assert client.get("/projects/neighbour/budget").status_code == 409
    assert desk.wanted == []


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://label.example.com/projects/7/data", True),
        ("javascript:alert(1)", False),
        ("http://ada:secret@label.example.com/projects/7/data", False),
        ("/srv/drop", False),
    ],
)
def test_the_page_leads_to_where_people_label(desk: LittleDesk, url: str, shown: bool) -> None:
    with desk.store.begin() as tx:
        (project,) = tx.projects.all()
        planned = tx.rounds.plan(project.id, batch_size=3, seed=9, config={})
        held = tx.rounds.take(planned.id, "somebody", 60, is_gone=lambda _: True)
        assert held is not None
        while held.state is not RoundState.LABELING:
            held = tx.rounds.move(held, ORDER[ORDER.index(held.state) + 1])
        tx.projects.save_link(project.id, LabelerLink(labeler="embedded", external_id="7", url=url))
    page = desk.client(Role.VIEWER).get("/projects/spots/live").text
    assert (f'href="{url}"' in page) == shown
    assert "secret" not in page


def test_every_act_is_offered_somewhere_and_every_offer_is_an_act(desk: LittleDesk) -> None:
    from workbench.reports.now_page import now_page

    with desk.store.read() as tx:
        (project,) = tx.projects.all()
        empty = now_page(tx, project, None)
    assert set(possible(empty)) <= set(ACTS.values())
    assert all(act.title and act.sentence for act in ACTS.values())


def test_the_process_of_an_errand_says_what_is_wrong_and_nothing_else(tmp_path: Path) -> None:
    missing = {"act": "start", "config": str(tmp_path / "workbench.toml"), "actor": "ada"}
    said = in_a_process(missing)
    assert said["done"] is False
    assert "There is no workbench.toml" in said["words"]
    odd = json.loads(json.dumps(in_a_process({**missing, "config": 7})))
    assert odd["words"].startswith("Something unforeseen happened (TypeError)")


def test_the_process_that_is_ended_from_outside_is_told_of_as_that(monkeypatch: pytest.MonkeyPatch) -> None:
    from workbench.web import errands

    monkeypatch.setattr(errands, "COMMAND", ("-c", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"))
    said = in_a_process({"act": "start"})
    assert (said["done"], "ended by signal 9" in said["words"]) == (False, True)
    assert Errands().runner is in_a_process


def test_the_budget_is_changed_by_an_admin_with_each_fault_beside_its_field(desk: LittleDesk) -> None:
    client = desk.client(Role.ADMIN)
    wrong = client.post(f"{BASE}/budget", data={"max_labels": "many", "target": "0.9", "max_cost": "none"})
    assert wrong.status_code == 422
    assert "found &#39;many&#39;, expected a whole number" in wrong.text
    assert 'value="many"' in wrong.text
    assert 'value="0.9"' in wrong.text, "what was typed is not lost"
    assert desk.trail()[-1][0] != "terms-changed"
    right = client.post(f"{BASE}/budget", data={"max_labels": "150", "target": "0.9", "max_cost": "none"})
    assert "Raised max_labels from 100 to 150, changed target from none to 0.9." in right.text
    assert desk.trail()[-1] == (
        "terms-changed", "Raised max_labels from 100 to 150, changed target from none to 0.9", "ada",
    )  # fmt: skip
    assert "Set by ada" in desk.client().get(f"{BASE}/budget").text
    seen = desk.client(Role.VIEWER).get(f"{BASE}/budget").text
    assert "Set by person" in seen
    assert "ada" not in seen.partition("<main")[2]
    assert '<form method="post" action="/projects/spots/budget"' in client.get(f"{BASE}/budget").text
    back = client.post(f"{BASE}/budget", data={"reset": "max_labels", "max_labels": "7"})
    assert "max_labels as in workbench.toml again" in back.text
    assert "nothing was changed" in client.post(f"{BASE}/budget", data={"max_labels": "100"}).text


def test_programs_change_the_budget_too(desk: LittleDesk) -> None:
    client = desk.client(Role.ADMIN)
    said = client.patch(f"{API}/budget", json={"max_labels": 120, "max_cost": "none", "floor": 0.5}).json()
    assert said["changed"] == "Raised max_labels from 100 to 120, lowered floor from 0.8 to 0.5"
    assert {t["key"]: t["value"] for t in said["terms"]}["floor"] == 0.5
    assert client.patch(f"{API}/budget", json={"floor": None}).json()["changed"].startswith("Raised floor")
    for wrong in (
        {"seed": 1},
        {"seed": None},
        {"max_labels": 0},
        {"max_labels": True},
        {"target": 1e400},
        [],
        3,
    ):
        answer = client.patch(
            f"{API}/budget", content=json.dumps(wrong), headers={"Content-Type": "application/json"}
        )
        assert answer.status_code == 422, wrong
    assert {name for _, _, name in desk.trail() if name in NAMES.values()} == {"ada"}
