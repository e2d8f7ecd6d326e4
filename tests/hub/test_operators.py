"""Commands for operators against a running hub: status, sessions, stop, capacity, check-nagios (PS08, PS09)."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
import requests

from tests.hub.operator import Operator
from tests.hub.shown_output import require_as_shown
from tests.live_portal import Person, new_state, remove, start_portal

pytestmark = pytest.mark.sandbox


@pytest.fixture(scope="module")
def operator(sandbox_works: None) -> Iterator[Operator]:
    portal = start_portal(state=new_state())
    yield Operator(portal)
    portal.stop()
    remove(portal)


@pytest.fixture(scope="module")
def people(operator: Operator) -> tuple[Person, Person]:
    anna, ben = operator.portal.login("anna"), operator.portal.login("ben")
    for person in (anna, ben):
        person.launch("terminal", proposal="MA-4242", visit="2")
    ben.launch("terminal")
    return anna, ben


def test_what_runs_is_listed(operator: Operator, people: tuple[Person, Person]) -> None:
    anna, _ben = people
    sessions = operator.asked("sessions")
    assert [(one["person"], one["proposals"], one["state"]) for one in sessions] == [
        ("Anna Lindqvist", ["MA-4242"], "running"),
        ("Ben Okafor", ["MA-4242"], "running"),
        ("Ben Okafor", [], "running"),
    ]
    assert sessions[0]["user"] == anna.name
    assert sessions[0]["application"] == "terminal"
    assert sessions[0]["since"] < sessions[0]["ends"]
    table = operator.run("sessions", "--proposal", "MA-4242").stdout.splitlines()
    assert table[0].split() == ["PERSON", "SESSION", "APPLICATION", "PROPOSAL", "PLACE", "SINCE", "ENDS", "STATE"]
    assert len(table) == 4
    assert table[-1] == "2 sessions"
    assert all(line.find("running") == table[0].find("STATE") for line in table[1:-1])


def test_the_state_of_the_portal(operator: Operator, people: tuple[Person, Person]) -> None:
    found = operator.asked("status")
    assert found["proxy"] == {"answers": True, "routes": 4}
    assert found["sessions"] == {"running": 3}
    assert found["people"] == 2
    assert operator.asked("capacity") == found["places"]
    (place,) = found["places"]
    assert place == {
        "name": "", "title": "", "state": "open", "used": 3, "capacity": None, "resources": {}, "asked": None,
    }  # fmt: skip
    ended = operator.run("check-nagios")
    assert ended.returncode == 0
    assert ended.stdout.startswith("DAAS_HUB OK - 3 sessions of 2 people | running=3 starting=0 unknown=0 people=2 ")


@pytest.mark.parametrize(
    "command", ["status", "sessions", "capacity", "check-nagios", "usage --by proposal --plot", "queue"]
)
def test_the_page_shows_what_the_command_prints(
    operator: Operator, people: tuple[Person, Person], command: str
) -> None:
    """The page's output is of three sessions of the same people; numbers, times and random names differ."""
    require_as_shown(command, operator.run(*command.split()).stdout)


def test_the_page_shows_what_a_login_becomes(operator: Operator) -> None:
    found = operator.run_alone("whoami", "anna")
    assert found.returncode == 0, found
    require_as_shown("whoami anna", found.stdout)


def test_the_token_does_nothing_else(operator: Operator, people: tuple[Person, Person]) -> None:
    """It reads no user and no token, starts nothing, and opens no session."""
    anna, _ = people
    name = operator.asked("sessions")[0]["name"]
    allowed = {
        (method, path): operator.api(method, path).status_code
        for method, path in (
            ("GET", "users"),
            ("GET", f"users/{anna.name}/tokens"),
            ("POST", f"users/{anna.name}/tokens"),
            ("POST", f"users/{anna.name}/servers/another"),
            ("DELETE", f"users/{anna.name}"),
            ("POST", "shutdown"),
            ("GET", "proxy"),
        )
    }
    # 404 is how JupyterHub refuses what is another user's
    assert set(allowed.values()) <= {403, 404}, allowed
    opened = requests.get(
        f"{operator.portal.url}/user/{anna.name}/{name}/",
        headers={"Authorization": f"token {operator.token}"},
        allow_redirects=False,
        timeout=20,
    )
    assert opened.status_code in (302, 403)


def test_only_administrators_may_ask(operator: Operator, people: tuple[Person, Person]) -> None:
    anna, _ = people
    for path in ("daas/status", "daas/sessions"):
        assert anna.api("GET", path).status_code == 403
        assert operator.api("GET", path, token="x" * 64).status_code == 403
        assert operator.api("GET", path).status_code == 200


def test_what_was_used_is_counted(operator: Operator, people: tuple[Person, Person]) -> None:
    sessions = operator.asked("usage", "--since", "1d")
    until = time.monotonic() + 30
    # the hub looks once a second which sessions have started
    while not all(one["started"] for one in sessions) and time.monotonic() < until:
        time.sleep(0.5)
        sessions = operator.asked("usage", "--since", "1d")
    assert [one["application"] for one in sessions] == ["terminal"] * 3
    assert all(one["started"] and not one["ended"] and one["hours"] >= 0 for one in sessions)
    rows = [line.split() for line in operator.run("usage", "--by", "proposal").stdout.splitlines()]
    assert [row[:2] for row in rows] == [["PROPOSAL", "SESSIONS"], *sorted([["MA-4242", "2"], ["own", "1"]])]
    lines = operator.run("usage", "--csv").stdout.splitlines()
    assert len(lines) == 4
    assert lines[0].startswith("user,session,application,")
    assert operator.run("queue").stdout == "launches do not wait here (Queue.enabled)\n"


def test_sessions_are_stopped_after_a_yes(operator: Operator, people: tuple[Person, Person]) -> None:
    anna, ben = people
    own = next(one["name"] for one in operator.asked("sessions") if not one["proposals"])
    refused = operator.run_alone("stop", "--user", "Ben Okafor", typed="n\n")
    assert refused.returncode == 1
    assert "Stop 2 sessions? [y/N]" in refused.stderr
    assert len(operator.asked("sessions")) == 3
    # several options select what matches all of them
    ended = operator.run_alone("stop", f"{ben.name}/{own}", "--user", ben.name, typed="y\n")
    assert ended.stdout == f"{ben.name}/{own}: stopped\n", ended
    require_as_shown("stop terminal-06d87e6af6 --yes", ended.stdout)
    assert [one["proposals"] for one in operator.asked("sessions")] == [["MA-4242"]] * 2
    assert operator.asked("stop", "--proposal", "MA-4242", "--user", "Anna Lindqvist", "--yes")[0]["user"] == anna.name
    (left,) = operator.asked("sessions")
    assert left["user"] == ben.name
    # the owner's card stays, so that they learn that it ended
    assert {one["state"] for one in operator.asked("sessions", "--all")} == {"running", "ended"}
    missing = operator.run("stop", "no-such", "--yes")
    assert missing.returncode == 1
    assert "no such session is running" in missing.stderr
