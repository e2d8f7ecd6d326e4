"""Roles follow the facility's groups: the hub's admin flag (ES10), and launches without a proposal."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live_portal import WITHOUT_PROGRESS_PAGE, Person, Portal, new_state, remove, start_portal

MORE = f"""
{WITHOUT_PROGRESS_PAGE}
c.RoleRules.admin_groups = ["staff-id21"]
c.RoleRules.own_resources_groups = ["staff-id21"]
c.UmbrellaAuthenticator.auth_refresh_age = 1
"""


@pytest.fixture(scope="module")
def with_roles() -> Iterator[Portal]:
    """A portal whose administrators are a group, and which asks for it every second. It starts no session."""
    running = start_portal(state=new_state(), more_config=MORE)
    try:
        yield running
    finally:
        running.stop()
        remove(running)


def is_admin(person: Person) -> bool:
    answer = person.get("/hub/api/user")
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert told["admin"] == ("admin" in told["roles"]), "flag and role go together"
    # what an administrator may, and nobody else
    assert (person.get("/hub/api/users").status_code == 200) == told["admin"]
    return bool(told["admin"])


def becomes(person: Person, wanted: bool) -> bool:
    until = time.monotonic() + 30
    while time.monotonic() < until:
        time.sleep(1.1)
        if is_admin(person) is wanted:
            return True
    return False


def test_the_admin_flag_follows_the_group(with_roles: Portal) -> None:
    """ES10: not by hand, and not for ever."""
    accounts = Path(with_roles.state) / "hub" / "accounts.yaml"
    before = accounts.read_text()
    assert "staff-id21: 26100" in before
    anna, carla = with_roles.login("anna"), with_roles.login("carla")
    assert is_admin(carla)
    assert not is_admin(anna)
    # capitals are another group
    accounts.write_text(before.replace("staff-id21: 26100", "Staff-ID21: 26100"))
    assert becomes(carla, False)
    accounts.write_text(before.replace("ls-1007: 26002", "staff-id21: 26100"))
    assert becomes(anna, True)
    assert becomes(carla, True)
    accounts.write_text(before)
    assert becomes(anna, False)
    assert is_admin(carla)


def test_own_resources_are_offered_to_whom_the_group_allows_them(with_roles: Portal) -> None:
    """S4: the page has no button for the others, and a posted form is refused."""
    anna, carla = with_roles.login("anna"), with_roles.login("carla")
    assert 'name="application" value="jupyterlab"' in carla.get("/hub/home").text
    assert 'name="application" value="jupyterlab"' not in anna.get("/hub/home").text
    refused = anna.post("/hub/launch", {"application": "jupyterlab"})
    assert (refused.status_code, "on proposals only" in refused.text) == (403, True)
