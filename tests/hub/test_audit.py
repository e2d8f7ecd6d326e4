"""What a hub records of logins, launches and administrators, and who can read it."""

from __future__ import annotations

import json
import re
import stat
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.conftest import ABSENT
from tests.live_portal import Person, Portal, new_state, plain_text, remove, start_portal
from tests.waiting import wait_for

pytestmark = pytest.mark.sandbox

CONFIG = """
c.RoleRules.admin_groups = ["staff-id21"]
"""


@pytest.fixture(scope="module")
def audited(sandbox_works: None) -> Iterator[Portal]:
    state = new_state()
    applications = state / "applications"
    applications.mkdir()
    (applications / "absent.yaml").write_text(ABSENT)
    portal = start_portal(applications, state=state, more_config=CONFIG)
    try:
        yield portal
    finally:
        portal.stop()
        remove(portal)


def events(portal: Portal, kind: str) -> list[dict[str, Any]]:
    """Return the events of a kind."""
    file = portal.state / "audit" / "audit.jsonl"
    found = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    return [one for one in found if one["__schema__"].endswith(f"/{kind}")]


def event_of(portal: Portal, kind: str, has: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    found = wait_for(lambda: [one for one in events(portal, kind) if has(one)], lambda: events(portal, kind))
    return found[-1]


@pytest.fixture
def anna(audited: Portal) -> Person:
    return audited.login("anna")


def test_logins(audited: Portal, anna: Person) -> None:
    assert audited.login("dmitri").answer.status_code == 403
    login = event_of(audited, "login", lambda one: one["account"] == "anna")
    assert (login["action"], login["method"], login["user"]) == ("signed-in", "openid", anna.name)
    assert (login["roles"], login["address"]) == ([], "")
    refused = event_of(audited, "login", lambda one: one["action"] == "refused")
    assert (refused["user"], refused["account"], refused["reason"]) == ("", "", "account")
    audited.login("carla")
    assert event_of(audited, "login", lambda one: one["account"] == "carla")["roles"] == ["admin"]


def test_a_session_from_its_request_to_its_end(audited: Portal, anna: Person) -> None:
    name = anna.launch("terminal", proposal="MA-4242", visit="2")
    anna.stop(name)
    ended = event_of(audited, "launch", lambda one: one["session"] == name and one["action"] == "ended")
    mine = [one for one in events(audited, "launch") if one["session"] == name]
    assert [one["action"] for one in mine] == ["requested", "started", "ended"]
    assert {tuple(one["proposals"]) for one in mine} == {("MA-4242",)}
    assert len({one["launch"] for one in mine}) == 1
    assert (mine[1]["account"], mine[1]["application"], ended["reason"]) == ("anna", "terminal", "stopped")


def test_what_gives_no_session(audited: Portal, anna: Person) -> None:
    anna.post("/hub/launch", {"application": "terminal", "proposal": "XX-1"})
    refused = event_of(audited, "launch", lambda one: one["action"] == "refused")
    assert (refused["proposals"], refused["reason"]) == (["XX-1"], "refused: refused")
    anna.post("/hub/launch", {"application": "absent"})
    failed = event_of(audited, "launch", lambda one: one["action"] == "failed")
    assert (failed["application"], failed["account"], failed["reason"]) == ("absent", "anna", "start: session")
    assert not [
        one for one in events(audited, "launch") if one["session"] == failed["session"] and one["action"] == "ended"
    ]


def test_an_administrator_stops_the_session_of_another(audited: Portal, anna: Person) -> None:
    name = anna.launch("terminal")
    carla = audited.login("carla")
    # one's own is no action of an administrator
    assert carla.api("GET", f"users/{anna.name}").ok
    assert carla.api("DELETE", f"users/{anna.name}/servers/{name}").status_code in (202, 204)
    event = event_of(audited, "administration", lambda one: one["session"] == name)
    assert (event["action"], event["user"], event["target"]) == ("DELETE server", carla.name, anna.name)
    assert {one["action"] for one in events(audited, "administration")} == {"DELETE server"}


def test_nothing_of_it_is_secret(audited: Portal, anna: Person) -> None:
    file = audited.state / "audit" / "audit.jsonl"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    text = file.read_text()
    cookies = [cookie.value or "" for cookie in anna.session.cookies]
    assert not [value for value in cookies if value and value in text]
    assert not re.search(r'"[^"]*(?:/usr/share|/home/|/var/|eyJ)', text)


def test_administrators_read_it(audited: Portal, anna: Person) -> None:
    carla = audited.login("carla")
    page = carla.get("/hub/audit")
    assert "Session started" in page.text
    assert "Signed in" in page.text
    found = plain_text(carla.get("/hub/audit?search=ma-4242"))
    assert "MA-4242" in found
    assert "Signed in" not in found
    assert "0 on page 1" in plain_text(carla.get("/hub/audit", params={"search": "<b>nobody</b>"}))
    assert "&lt;b&gt;nobody" in carla.get("/hub/audit", params={"search": "<b>nobody</b>"}).text


@pytest.mark.parametrize("page", ["0", "-1", "x", "", "9" * 400, "1.5", "²"])
def test_a_page_that_is_no_number_is_the_first(audited: Portal, page: str) -> None:
    answer = audited.login("carla").get("/hub/audit", params={"page": page})
    assert answer.status_code == 200
    assert "on page 1" in plain_text(answer)


def test_nobody_else_reads_it(audited: Portal, anna: Person) -> None:
    assert anna.get("/hub/audit").status_code == 403
