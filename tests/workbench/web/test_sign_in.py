"""Who may come in, and how: tokens, sessions, forms that are ours, wrong keys, wrong hosts."""

import re
from datetime import timedelta
from urllib.parse import quote

import httpx
import pytest
from fastapi.routing import APIRoute

from tests.workbench.web.sites import PEOPLE, MadeSite
from workbench.domain.errors import TokenProblem
from workbench.domain.roles import Role
from workbench.storage.tables import token, web_session
from workbench.web.app import API, GUARDED, OPEN
from workbench.web.pages.signing import local
from workbench.web.security.access import COOKIE
from workbench.web.security.limits import FREE, MOST_A_MINUTE, MOST_ADDRESSES, MOST_KEYS, Limiter, network
from workbench.web.security.secrets import digest, new_secret
from workbench.web.security.visitors import host_of, is_loopback, port_of

EVERYWHERE = ("/", "/projects/empty", "/projects/empty/rounds", "/tokens", "/api/v1/projects", "/api/v1/me")


def csrf_of(page: httpx.Response) -> str:
    """What the forms of a page carry."""
    found = re.search(r'<meta name="csrf" content="([^"]*)">', page.text)
    assert found is not None
    return found[1]


def test_each_role_may_do_all_that_the_ones_before_it_may() -> None:
    order = list(Role)
    for higher, one in enumerate(order):
        assert [one.allows(other) for other in order] == [place <= higher for place in range(len(order))]


@pytest.mark.parametrize("path", EVERYWHERE)
def test_nothing_is_shown_to_whoever_has_no_token(guarded_site: MadeSite, path: str) -> None:
    answer = guarded_site.ask(path)
    if path.startswith("/api"):
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        assert answer.json()["detail"] == "Sign in with a token."
    else:
        assert answer.status_code == 303
        assert answer.headers["location"] == f"/sign-in?next={quote(path, safe='')}"


def test_every_route_but_the_open_ones_asks_who_is_there(guarded_site: MadeSite) -> None:
    routes = [route for router in (*GUARDED, *API) for route in router.routes if isinstance(route, APIRoute)]
    assert len(routes) > 30
    for route in routes:
        for method in route.methods:
            answer = guarded_site.ask(re.sub(r"\{[^}]*\}", "1", route.path), method)
            assert answer.status_code == (303 if method == "GET" and "/api/" not in route.path else 401)


def test_there_is_no_other_way_in(guarded_site: MadeSite) -> None:
    others = {path for route in guarded_site.app.routes if (path := getattr(route, "path", None)) is not None}
    assert others == {"/api/openapi.json", "/health", "/static"}
    assert {route.path for router in OPEN for route in router.routes if isinstance(route, APIRoute)} == {
        "/sign-in",
        "/sign-out",
    }


def test_only_the_digest_of_a_token_is_kept(guarded_site: MadeSite) -> None:
    cookies = guarded_site.sign_in(Role.VIEWER)
    with guarded_site.store.read() as tx:
        rows = [
            str(tuple(row))
            for table in (token, web_session)
            for row in tx._connection.execute(table.select()).all()
        ]
    kept = "\n".join(rows)
    assert len(rows) == 4
    for secret in (*guarded_site.tokens.values(), cookies[COOKIE]):
        assert secret not in kept
        assert digest(secret) in kept


def test_a_token_is_256_random_bits() -> None:
    made = {new_secret() for _ in range(1000)}
    assert len(made) == 1000
    assert all(len(secret) == 3 + 43 for secret in made)


def test_a_session_ends_with_its_token(guarded_site: MadeSite) -> None:
    cookies = guarded_site.sign_in(Role.OPERATOR)
    assert guarded_site.ask("/", cookies=cookies).status_code == 200
    with guarded_site.store.begin() as tx:
        tx.tokens.revoke("the operator")
    assert guarded_site.ask("/", cookies=cookies).status_code == 303
    assert guarded_site.as_role(Role.OPERATOR, "/api/v1/me").status_code == 401


def test_an_expired_token_opens_nothing(guarded_site: MadeSite) -> None:
    with guarded_site.store.begin() as tx:
        tx.tokens.create("short", Role.ADMIN, digest("wb_short"), tx.now - timedelta(seconds=1))
    assert guarded_site.ask("/api/v1/me", headers={"Authorization": "Bearer wb_short"}).status_code == 401


def test_a_session_that_is_over_opens_nothing(guarded_site: MadeSite) -> None:
    with guarded_site.store.begin() as tx:
        found = tx.tokens.find(digest(guarded_site.tokens[Role.ADMIN]))
        assert found is not None
        tx.tokens.open_session(found.id, digest("old"), tx.now - timedelta(seconds=1))
    assert guarded_site.ask("/", cookies={COOKIE: "old"}).status_code == 303


def test_signing_out_ends_the_session(guarded_site: MadeSite) -> None:
    cookies = guarded_site.sign_in(Role.VIEWER)
    guarded_site.ask("/sign-out", "POST", cookies=cookies)
    assert guarded_site.ask("/", cookies=cookies).status_code == 303


def test_a_cookie_that_was_planted_is_not_taken_over(guarded_site: MadeSite) -> None:
    planted = {COOKIE: "planted-by-somebody-else"}
    answer = guarded_site.ask(
        "/sign-in", "POST", data={"token": guarded_site.tokens[Role.ADMIN]}, cookies=planted
    )
    assert answer.cookies[COOKIE] != planted[COOKIE]
    assert guarded_site.ask("/", cookies=planted).status_code == 303


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(guarded_site: MadeSite) -> None:
    answer = guarded_site.ask("/sign-in", "POST", data={"token": guarded_site.tokens[Role.VIEWER]})
    flags = answer.headers["set-cookie"].lower()
    assert "httponly" in flags
    assert "samesite=lax" in flags
    assert "secure" not in flags
    data = {"token": guarded_site.tokens[Role.VIEWER]}
    over_tls = guarded_site.ask("/sign-in", "POST", data=data, base="https://workbench.example.com")
    assert "secure" in over_tls.headers["set-cookie"].lower()


def test_two_dashboards_of_one_machine_keep_their_sessions_apart(guarded_site: MadeSite) -> None:
    """Browsers send cookies to every port of a host, and keep one of each name."""
    jar: dict[str, str] = {}
    for port in (8090, 8091):
        data, base = {"token": guarded_site.tokens[Role.VIEWER]}, f"http://127.0.0.1:{port}"
        jar |= guarded_site.ask("/sign-in", "POST", data=data, base=base, cookies=jar).cookies
    for port in (8090, 8091):
        assert guarded_site.ask("/", cookies=jar, base=f"http://127.0.0.1:{port}").status_code == 200
    guarded_site.ask("/sign-out", "POST", cookies=jar, base="http://127.0.0.1:8090")
    assert guarded_site.ask("/", cookies=jar, base="http://127.0.0.1:8090").status_code == 303
    assert guarded_site.ask("/", cookies=jar, base="http://127.0.0.1:8091").status_code == 200


@pytest.mark.parametrize(
    ("host", "port"),
    [("a:8091", 8091), ("[::1]:8091", 8091), ("a", None), ("[::1]", None), ("a:b", None), ("a:99999", None)],
)
def test_the_port_of_a_host_is_a_number_or_nothing(host: str, port: int | None) -> None:
    assert port_of(host) == port


@pytest.mark.parametrize(
    "goal",
    ["//evil.example", "https://evil.example", "/\\evil.example", "\\\\evil", "/a\r\nSet-Cookie: b=c", ""],
)
def test_after_signing_in_nobody_is_sent_elsewhere(goal: str) -> None:
    assert local(goal) == "/"


def test_after_signing_in_one_is_where_one_wanted_to_be() -> None:
    assert local("/projects/a/item?key=b%2Fc") == "/projects/a/item?key=b%2Fc"


@pytest.mark.parametrize("given", [None, "", "wrong", "0" * 64])
def test_a_form_that_is_not_ours_does_nothing(guarded_site: MadeSite, given: str | None) -> None:
    cookies = guarded_site.sign_in(Role.ADMIN)
    form = {"name": "mallory", "role": "admin"} | ({} if given is None else {"csrf": given})
    answer = guarded_site.ask("/tokens", "POST", data=form, cookies=cookies)
    assert answer.status_code == 403
    with guarded_site.store.read() as tx:
        assert "mallory" not in {found.name for found in tx.tokens.all()}


def test_the_forms_secret_of_another_session_is_not_ours(guarded_site: MadeSite) -> None:
    mine, other = guarded_site.sign_in(Role.ADMIN), guarded_site.sign_in(Role.ADMIN)
    secret = csrf_of(guarded_site.ask("/tokens", cookies=other))
    form = {"name": "mallory", "role": "admin", "csrf": secret}
    assert guarded_site.ask("/tokens", "POST", data=form, cookies=mine).status_code == 403
    assert guarded_site.ask("/tokens", "POST", data=form, cookies=other).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "http://evil"},
        {"Origin": "null"},
    ],
)
def test_what_another_site_sends_is_refused_even_with_the_secret(
    guarded_site: MadeSite, headers: dict[str, str]
) -> None:
    cookies = guarded_site.sign_in(Role.ADMIN)
    form = {"name": "mallory", "role": "admin", "csrf": csrf_of(guarded_site.ask("/tokens", cookies=cookies))}
    assert guarded_site.ask("/tokens", "POST", data=form, cookies=cookies, headers=headers).status_code == 403
    data = {"token": guarded_site.tokens[Role.ADMIN]}
    assert guarded_site.ask("/sign-in", "POST", data=data, headers=headers).status_code == 403


def test_a_token_is_made_shown_once_used_and_revoked_in_the_browser(guarded_site: MadeSite) -> None:
    cookies = guarded_site.sign_in(Role.ADMIN)
    secret = csrf_of(guarded_site.ask("/tokens", cookies=cookies))
    form = {"name": "new one", "role": "viewer", "days": "7", "csrf": secret}
    made = guarded_site.ask("/tokens", "POST", data=form, cookies=cookies)
    shown = re.search(r'class="secret">(wb_[\w-]+)<', made.text)
    assert shown is not None
    headers = {"Authorization": f"Bearer {shown[1]}"}
    assert guarded_site.ask("/api/v1/me", headers=headers).json()["role"] == "viewer"
    assert shown[1] not in guarded_site.ask("/tokens", cookies=cookies).text
    guarded_site.ask("/tokens/revoke", "POST", data={"name": "new one", "csrf": secret}, cookies=cookies)
    assert guarded_site.ask("/api/v1/me", headers=headers).status_code == 401


@pytest.mark.parametrize("role", [Role.VIEWER, Role.OPERATOR])
def test_tokens_are_for_admins_alone(guarded_site: MadeSite, role: Role) -> None:
    assert guarded_site.as_role(role, "/tokens").status_code == 403
    form = {"name": "mine", "role": "admin"}
    assert guarded_site.as_role(role, "/tokens", "POST", data=form).status_code == 403


def test_a_name_is_given_once(guarded_site: MadeSite) -> None:
    with pytest.raises(TokenProblem, match="already"), guarded_site.store.begin() as tx:
        tx.tokens.create("the viewer", Role.ADMIN, digest("another"))
    with pytest.raises(TokenProblem, match="no token 'nobody'"), guarded_site.store.begin() as tx:
        tx.tokens.revoke("nobody")


def test_wrong_tokens_are_tried_ever_more_slowly_and_the_right_one_has_to_wait_too(
    guarded_site: MadeSite,
) -> None:
    for _ in range(FREE):
        assert guarded_site.ask("/sign-in", "POST", data={"token": "guess"}).status_code == 401
    waits = guarded_site.ask("/sign-in", "POST", data={"token": guarded_site.tokens[Role.ADMIN]})
    assert waits.status_code == 429
    assert int(waits.headers["retry-after"]) >= 1
    assert guarded_site.as_role(Role.ADMIN, "/api/v1/me").status_code == 429


def test_who_came_in_before_does_not_wait_for_the_mistakes_of_a_neighbour(guarded_site: MadeSite) -> None:
    assert guarded_site.as_role(Role.VIEWER, "/api/v1/me").status_code == 200
    for _ in range(FREE):
        guarded_site.ask("/sign-in", "POST", data={"token": "guess"})
    told = [guarded_site.as_role(role, "/api/v1/me").status_code for role in (Role.VIEWER, Role.ADMIN)]
    assert told == [200, 429], "nor does the neighbour wait any less"
    with guarded_site.store.begin() as tx:
        tx.tokens.revoke("the viewer")
    for _ in range(FREE):
        guarded_site.ask("/sign-in", "POST", data={"token": "guess"})
    told = [guarded_site.as_role(Role.VIEWER, "/api/v1/me").status_code for _ in range(2)]
    assert told == [401, 429], "a key that works no more is a mistake, and known no longer"


def test_keys_that_worked_are_forgotten_in_the_end() -> None:
    limiter = Limiter(ticking=lambda: 0.0)
    for number in range(MOST_KEYS + 50):
        limiter.worked("192.0.2.1", f"key {number}")
    assert len(limiter._good) == MOST_KEYS


def test_the_wait_doubles_and_is_forgotten_with_the_right_key() -> None:
    now = [0.0]
    limiter = Limiter(ticking=lambda: now[0])
    waits = []
    for _ in range(FREE + 4):
        limiter.failed("192.0.2.1")
        waits.append(limiter.wait("192.0.2.1"))
    assert waits == [0.0] * (FREE - 1) + [1.0, 2.0, 4.0, 8.0, 16.0]
    assert limiter.wait("192.0.2.2") == 0
    now[0] = 20.0
    limiter.worked("192.0.2.1")
    limiter.failed("192.0.2.1")
    assert limiter.wait("192.0.2.1") == 0


def test_many_addresses_together_have_a_limit_and_are_forgotten_in_the_end() -> None:
    now = [0.0]
    limiter = Limiter(ticking=lambda: now[0])
    for number in range(MOST_ADDRESSES + 50):
        limiter.failed(f"host {number}")
    assert len(limiter._known) == MOST_ADDRESSES
    assert limiter.wait("somebody who made no mistake") == 0
    limiter.failed("somebody else")
    assert limiter.wait("somebody else") == 1.0
    now[0] = 60 / MOST_A_MINUTE * 2
    limiter.failed("one more")
    assert limiter.wait("one more") == 0


def test_neighbours_in_version_6_count_as_one() -> None:
    assert network("2001:db8::1") == network("2001:db8::ffff:1") != network("2001:db8:1::1")


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "192.168.0.7", "", "localhost.evil"]
)
def test_without_tokens_only_this_machine_is_answered(open_site: MadeSite, host: str) -> None:
    answer = open_site.ask("/", headers={"Host": host})
    assert answer.status_code == 403
    assert "workbench token create" in answer.text
    assert "empty" not in answer.text


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:8090", "[::1]:8090", "127.8.9.1:1"])
def test_this_machine_has_several_names(open_site: MadeSite, host: str) -> None:
    assert is_loopback(host_of(host))
    assert open_site.ask("/", headers={"Host": host}).status_code == 200


def test_a_token_shuts_the_door_to_this_machine_too(open_site: MadeSite, guarded_site: MadeSite) -> None:
    assert open_site.ask("/").status_code == 200
    assert guarded_site.ask("/").status_code == 303


def test_who_may_not_see_names_sees_none_anywhere(guarded_site: MadeSite) -> None:
    base = guarded_site.filled
    pages = [
        *(
            f"{base}/panels/{name}?whole=true"
            for name in ("annotators", "label_quality", "integrity", "batch")
        ),
        *(f"{base}/rounds/{number}" for number in (0, 8)),
        f"{base}/log",
        f"{base}/log?actor=ada",
        f"{base}/item?key=item-0000401",
        f"/api/v1{base}/item?key=item-0000401",
        f"/api/v1{base}/panels/annotators",
        f"/api/v1{base}/events",
    ]
    hidden = [*PEOPLE, "&lt;img src=x", "Cyril"]
    for page in pages:
        told = guarded_site.as_role(Role.VIEWER, page)
        assert told.status_code == 200, page
        # 'ada' is part of other words.
        assert [name for name in hidden if name != "ada" and name in told.text] == [], page
        assert not re.search(r"\bada\b", told.text.replace("actor=ada", "")), page
    seen = guarded_site.as_role(Role.OPERATOR, f"/api/v1{base}/panels/annotators").text
    assert "Cyril Sneer" in seen
