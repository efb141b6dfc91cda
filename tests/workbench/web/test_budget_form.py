"""The budget's form on pages that are older than the budget, and with values that surprise."""

from html.parser import HTMLParser

from starlette.testclient import TestClient

from tests.workbench.web.little_desk import LittleDesk
from workbench.domain.roles import Role

PAGE = "/projects/spots/budget"


class Form(HTMLParser):
    """What a browser would send of the form on a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.fields: dict[str, str] = {}
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag == "input" and (name := found.get("name")):
            self.fields[name] = found.get("value") or ""


def _form(client: TestClient) -> dict[str, str]:
    return Form(client.get(PAGE).text).fields


def _save(client: TestClient, form: dict[str, str], **typed: str) -> tuple[int, str]:
    answer = client.post(PAGE, data={**form, **typed})
    return answer.status_code, answer.text


def test_who_saves_an_older_page_takes_nothing_back_that_others_changed_meanwhile(desk: LittleDesk) -> None:
    client = desk.client(Role.ADMIN)
    older = _form(client)
    assert _save(client, _form(client), max_labels="500")[0] == 200
    status, page = _save(client, older, target="0.9")
    assert status == 200
    assert "Changed target from none to 0.9." in page
    assert (_form(client)["max_labels"], _form(client)["target"]) == ("500", "0.9")


def test_what_was_edited_in_the_file_meanwhile_stays_the_files(desk: LittleDesk) -> None:
    client = desk.client(Role.ADMIN)
    older = _form(client)
    desk.config.write_text(desk.config.read_text().replace("max_labels = 100", "max_labels = 1000"))
    assert "Changed target" in _save(client, older, target="0.9")[1]
    assert _form(client)["max_labels"] == "1000"
    assert desk.client().get(PAGE).text.count("Set by ada") == 1


def test_two_who_change_the_same_value_are_told_of_each_other(desk: LittleDesk) -> None:
    client = desk.client(Role.ADMIN)
    older = _form(client)
    _save(client, _form(client), max_labels="500", max_cost="50")
    status, page = _save(client, older, max_labels="300")
    assert status == 422
    assert "somebody made it 500 since this page was opened; save again if it is to be 300" in page
    again = Form(page).fields
    assert (again["max_labels"], again["max_cost"]) == ("300", "50")
    assert _form(client)["max_labels"] == "500", "nothing was changed yet"
    assert "Lowered max_labels from 500 to 300." in _save(client, again)[1]


def test_a_deadline_that_is_over_is_taken_and_said_to_be_over(desk: LittleDesk) -> None:
    client = desk.client(Role.ADMIN)
    _, page = _save(client, _form(client), deadline="2020-01-01")
    assert "The deadline 2020-01-01 is over: no round starts by itself any more" in page
    assert "is over" not in _save(client, _form(client), deadline="2999-01-01")[1]
