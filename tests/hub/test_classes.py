"""Beamline staff, and guests with an end date: everything that their roles change, on a real hub.

The roles are those of docs/how-to/beamline-staff.md. Carla is staff of ID21, and a member of no proposal; anna and ben
are members of one there.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hub.operator import Operator
from tests.live_portal import WITHOUT_PROGRESS_PAGE, Person, Portal, new_state, plain_text, remove, start_portal
from tests.places import TWO, config_of, kill_rest
from tests.waiting import wait_for

pytestmark = pytest.mark.sandbox

MORE = (
    WITHOUT_PROGRESS_PAGE
    + """
c.RoleRules.role_groups = {"beamline-staff": ["staff-id21", "staff-bm23"], "guest": ["visitors"]}
c.Quotas.person = {"sessions": 1, "sizes": ["small"], "applications": ["jupyterlab", "terminal"]}
c.Quotas.roles = {
    "beamline-staff": {
        "sessions": 2, "sizes": ["small", "large"], "applications": ["jupyterlab", "terminal", "desktop"],
    },
    "guest": {"applications": ["terminal"], "together": {"cpus": 2}},
}
c.Lifetimes.hours_by_role = {"beamline-staff": 48, "guest": 2}
c.EndDates.required_roles = ["guest"]
"""
)
PLACES = TWO | {"large": TWO["large"] | {"roles": ["beamline-staff"]}}


@pytest.fixture(scope="module")
def portal(sandbox_works: None) -> Iterator[Portal]:
    """A portal with both roles."""
    running = start_portal(state=new_state(), more_config=config_of(PLACES, more=MORE))
    yield running
    running.stop()
    kill_rest(running)
    remove(running)


@pytest.fixture
def table(portal: Portal) -> Iterator[Path]:
    """The table of accounts, which is as before afterwards."""
    file = portal.state / "hub" / "accounts.yaml"
    before = file.read_text()
    yield file
    file.write_text(before)


def press(person: Person, application: str, **fields: str) -> str:
    """Press a button; return "" if the launch was accepted, else the words of the page."""
    answer = person.post("/hub/launch", {"application": application} | fields, allow_redirects=False)
    return "" if answer.status_code == 303 else plain_text(answer)


def offered(person: Person) -> tuple[set[str], set[str]]:
    """The applications of the home page, and the sizes among which it lets choose."""
    page = person.get("/hub/home").text
    sizes = "".join(re.findall(r'<select[^>]*name="size".*?</select>', page, re.DOTALL))
    return set(re.findall(r'name="application" value="(\w+)"', page)), set(re.findall(r'<option value="(\w+)"', sizes))


def hours_of(portal: Portal, person: Person) -> set[float]:
    """The time limits of somebody's sessions, in hours."""
    rows = [one for one in Operator(portal).api("GET", "daas/sessions").json()["sessions"] if one["ends"]]
    mine = [one for one in rows if one["user"] == person.name]
    moments = [[datetime.datetime.fromisoformat(one[key]) for key in ("since", "ends")] for one in mine]
    return {round((end - since).total_seconds() / 3600, 1) for since, end in moments}


def stop_all(portal: Portal, *people: Person) -> None:
    """Stop everybody's sessions, and wait until they use nothing."""
    for person in people:
        for name in person.get(f"/hub/api/users/{person.name}").json()["servers"]:
            person.stop(name)
    wait_for(lambda: not Operator(portal).sessions(), "sessions do not end", 60)


def test_what_beamline_staff_have_and_others_do_not(portal: Portal, table: Path) -> None:
    anna, carla, operator = portal.login("anna"), portal.login("carla"), Operator(portal)

    # the proposals of their beamline, and of no other
    home = plain_text(carla.get("/hub/home"))
    assert "MA-4242" in home
    assert "LS-1007" not in home

    # applications and sizes, on pages and in forms that no page has
    assert offered(anna) == ({"jupyterlab", "terminal"}, set())
    assert offered(carla) == ({"jupyterlab", "terminal", "desktop"}, {"small", "large"})
    assert "The application desktop is not available to you." in press(anna, "desktop")
    assert "is not available to you. Available: " in press(anna, "jupyterlab", size="large")

    # a place
    assert "There is no place large that you may use." in press(anna, "terminal", place="large")
    on_visit = {"proposal": "MA-4242", "visit": "2"}
    assert press(carla, "desktop", session_name="one", size="large", place="large", **on_visit) == ""
    carla.wait_ready("one")

    # limits, and the time limit
    assert press(anna, "terminal", session_name="one", **on_visit) == ""
    anna.wait_ready("one")
    assert "You are using 1 of 1 sessions" in press(anna, "terminal", session_name="two")
    assert press(carla, "terminal", session_name="two") == ""
    carla.wait_ready("two")
    assert "You are using 2 of 2 sessions" in press(carla, "terminal", session_name="three")
    assert "Sessions 1 1 None" in plain_text(anna.get("/hub/daas/use"))
    assert "Sessions 2 2 None" in plain_text(carla.get("/hub/daas/use"))
    assert hours_of(portal, anna) == {12}
    assert hours_of(portal, carla) == {48}
    stop_all(portal, anna, carla)

    # notices: for the role, and for the beamline, whose users see them, too
    for whom in ("role:beamline-staff", "beamline:ID21", "beamline:BM23"):
        assert operator.run("announce", f"For {whom}.", "--for", whom).returncode == 0
    wait_for(lambda: "For beamline:ID21." in carla.get("/hub/home").text, "the notice for the beamline")
    wait_for(lambda: "For beamline:BM23." in anna.get("/hub/home").text, "the notice for the other beamline")
    hers, his = carla.get("/hub/home").text, anna.get("/hub/home").text
    assert "For role:beamline-staff." in hers
    assert "For beamline:BM23." not in hers
    assert "For role:beamline-staff." not in his
    assert "For beamline:ID21." in his

    # they go with the group
    table.write_text(table.read_text().replace("staff-id21: 26100", "former: 26100"))
    wait_for(lambda: offered(carla)[0] == {"jupyterlab", "terminal"}, "the role does not end")
    assert "is not available to you. Available: " in press(carla, "jupyterlab", size="large")
    assert "There is no place large that you may use." in press(carla, "terminal", place="large")
    assert "For role:beamline-staff." not in carla.get("/hub/home").text


def test_a_guest_has_an_end_date_and_what_guests_have(portal: Portal, table: Path) -> None:
    before = table.read_text()
    assert before.count("groups: {ma-4242: 26001}") == 1, "ben's"
    guests = before.replace("groups: {ma-4242: 26001}", "groups: {ma-4242: 26001, visitors: 26200}")
    guests = guests.replace("ls-1007: 26002}", "ls-1007: 26002, visitors: 26200}")
    table.write_text(guests)
    refused = portal.login("ben").answer
    assert refused.status_code == 403
    assert "Your account has the role guest and no end date, which it needs." in plain_text(refused)

    today = datetime.datetime.now(datetime.UTC).date()
    table.write_text(re.sub(r"(uid: 2500[12])", rf"\1\n    valid_until: {today + datetime.timedelta(days=3)}", guests))
    anna, ben = portal.login("anna"), portal.login("ben")
    assert "Your access to this portal ends in " in plain_text(ben.get("/hub/home"))
    assert offered(ben) == ({"terminal"}, set()), "sizes as everybody: a guest's class names none"
    assert "The application jupyterlab is not available to you." in press(ben, "jupyterlab")
    assert press(ben, "terminal", session_name="one") == ""
    ben.wait_ready("one")
    assert hours_of(portal, ben) == {2}
    assert "You are using 1 of 1 sessions" in press(ben, "terminal", session_name="two"), "as everybody"
    together = "All people with the role guest are using 2 of 2 CPUs, and this session needs 2."
    assert together in press(anna, "terminal", session_name="one")
    assert "All people with the role guest CPUs 2 2 None" in plain_text(anna.get("/hub/daas/use"))

    # the end: nobody signs in, and the session ends
    form, yesterday = ben.xsrf, today - datetime.timedelta(days=2)
    table.write_text(re.sub(r"(uid: 25002)", rf"\1\n    valid_until: {yesterday}", guests))
    late = ben.session.post(f"{portal.url}/hub/launch", data={"_xsrf": form, "application": "terminal"})
    assert "Your access to this portal ended on " in plain_text(late)
    wait_for(lambda: not Operator(portal).sessions(), "the guest's session does not end", 90)
    assert portal.login("ben").answer.status_code == 403
