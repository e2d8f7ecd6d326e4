"""The browser that presses the button is signed in at its session, in a running portal; others are not."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
import requests

from daas_hub.launch_login import COOKIE
from tests.kill_points import SIGN_IN, point_id
from tests.killed_starts import Mortal, mortal_config
from tests.live_portal import Person, Portal, free_ports, new_state, plain_text, remove, start_portal

pytestmark = pytest.mark.sandbox

#: On a busy machine, too, a browser is sent to its session and not to the page that shows its progress.
PATIENT = """
import daas_hub.portal.launches

daas_hub.portal.launches.PROGRESS_PAGE_AFTER_S = 30
"""
FIELDS = {"application": "terminal", "proposal": "MA-4242", "visit": "2"}


@pytest.fixture(scope="module")
def portal(sandbox_works: None) -> Iterator[Portal]:
    running = start_portal(state=new_state(), port=free_ports(4), more_config=PATIENT)
    yield running
    running.stop()
    remove(running)


def press(person: Person) -> str:
    """Press a button; return the address that the browser is sent to."""
    answer = person.post("/hub/launch", FIELDS, allow_redirects=False)
    assert (answer.status_code, answer.headers["Location"].startswith("/user/")) == (303, True), plain_text(answer)
    line = answer.headers["Set-Cookie"]
    assert line.startswith(f"{COOKIE}=")
    assert all(
        part in line for part in (f"Path={answer.headers['Location']}", "HttpOnly", "SameSite=Lax", "Max-Age=30")
    )
    return answer.headers["Location"]


def went_to_hub(answer: requests.Response) -> bool:
    return any("/hub/api/oauth2/authorize" in one.url for one in answer.history)


def end(person: Person, address: str) -> None:
    person.stop(address.rstrip("/").rpartition("/")[2])


def test_a_launch_leads_to_the_desktop_without_another_redirect(portal: Portal) -> None:
    anna = portal.login("anna")
    address = press(anna)
    desktop = anna.get(address)
    assert (desktop.status_code, desktop.history, 'id="screen"' in desktop.text) == (200, [], True)
    assert anna.get(f"{address}status").json()["state"] in ("starting", "running")
    # a second window has the session's own cookie; another browser of hers signs in at the hub
    assert anna.get(address).history == []
    other = portal.login("anna").get(address)
    assert (other.status_code, went_to_hub(other)) == (200, True)
    assert portal.login("ben").get(address).status_code == 403
    end(anna, address)


def test_a_sign_out_ends_a_login_that_was_not_used_yet(portal: Portal) -> None:
    anna = portal.login("anna")
    address = press(anna)
    anna.get("/hub/logout")
    # the page comes without the hub's answer, and nothing else of the session does: the code was deleted
    anna.get(address)
    assert anna.get(f"{address}status", headers={"Sec-Fetch-Mode": "cors"}).status_code == 403
    end(portal.login("anna"), address)


def test_a_program_with_a_token_has_no_login_to_hand_on(portal: Portal) -> None:
    """Nothing would end it when somebody signs out."""
    anna = portal.login("anna")
    token = anna.api("POST", f"users/{anna.name}/tokens").json()["token"]
    answer = requests.post(
        f"{portal.url}/hub/launch", FIELDS, headers={"Authorization": f"token {token}"}, allow_redirects=False
    )
    assert answer.status_code < 500
    assert COOKIE not in answer.headers.get("Set-Cookie", "")
    if answer.status_code == 303:
        end(anna, answer.headers["Location"])


@pytest.fixture(scope="module")
def mortal(sandbox_works: None) -> Iterator[Mortal]:
    """A portal that is killed while a session asks it whose browser came."""
    state = new_state()
    config = PATIENT + mortal_config(state / "kill-at", "SandboxSpawner", "SIGN_IN")

    def start(portal: Portal | None) -> Portal:
        return start_portal(state=state, port=portal.port if portal else free_ports(4), more_config=config)

    portal = start(None)
    mortal = Mortal(portal, start, list)
    yield mortal
    portal.stop()
    mortal.kill_rest()
    remove(portal)


@pytest.mark.parametrize("point", SIGN_IN, ids=point_id)
def test_a_hub_that_is_killed_meanwhile_makes_nobody_sign_in_again(mortal: Mortal, point: tuple[str, str]) -> None:
    anna = mortal.portal.login("anna")
    address = press(anna)
    name = address.rstrip("/").rpartition("/")[2]
    until = time.monotonic() + 30
    while not anna.api("GET", f"users/{anna.name}").json()["servers"][name]["ready"]:
        assert time.monotonic() < until, "it does not get ready"
        time.sleep(0.1)
    mortal.switch.write_text(point_id(point))
    assert 'id="screen"' in anna.get(address).text
    mortal.wait_until_killed()
    mortal.restart()
    answer = anna.get(f"{address}status", headers={"Sec-Fetch-Mode": "cors"})
    assert (answer.status_code, answer.history) == (200, [])
    end(mortal.portal.login("anna"), address)
