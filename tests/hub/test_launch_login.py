"""The browser that presses the button is signed in at its session, in a running portal; others are not."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from daas_hub.launch_login import COOKIE
from tests.kill_points import SIGN_IN, point_id
from tests.killed_starts import Mortal, mortal_config
from tests.live_portal import (
    WITHOUT_PROGRESS_PAGE,
    Person,
    Portal,
    free_ports,
    new_state,
    plain_text,
    remove,
    start_portal,
)
from tests.queue_portal import state_of
from tests.waiting import wait_for

pytestmark = pytest.mark.sandbox

FIELDS = {"application": "terminal", "proposal": "MA-4242", "visit": "2"}
#: The session with this name starts once a file is there.
SLOW = "slow-one"
HOOK = """
import asyncio
from pathlib import Path

async def wait(spawner):
    while spawner.name == {name!r} and not Path({go!r}).exists():
        await asyncio.sleep(0.1)

c.Spawner.pre_spawn_hook = wait
"""


@pytest.fixture(scope="module")
def portal(sandbox_works: None) -> Iterator[Portal]:
    state = new_state()
    config = WITHOUT_PROGRESS_PAGE + HOOK.format(name=SLOW, go=str(state / "go"))
    running = start_portal(state=state, port=free_ports(4), more_config=config)
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


def test_a_sign_out_while_the_session_starts_ends_its_login(portal: Portal) -> None:
    anna, elsewhere = portal.login("anna"), portal.login("anna")
    with ThreadPoolExecutor(1) as other_tab:
        pressed = other_tab.submit(
            anna.post,
            "/hub/launch",
            FIELDS | {"session_name": SLOW},
            headers={"Sec-Fetch-Mode": "navigate"},
            allow_redirects=False,
        )
        wait_for(lambda: state_of(elsewhere, SLOW) == "starting", "the start")
        anna.get("/hub/logout")
        (portal.state / "go").touch()
        answer = pressed.result()
    assert (answer.status_code, answer.headers["Location"]) == (303, f"/user/{elsewhere.name}/{SLOW}/"), plain_text(
        answer
    )
    assert COOKIE not in answer.headers.get("Set-Cookie", "")
    end(elsewhere, answer.headers["Location"])


def test_its_cookie_is_secure_where_browsers_use_https(portal: Portal) -> None:
    """Behind a web server that says so in the usual header only, to which the proxy adds its own."""
    anna = portal.login("anna")
    https = {"X-Forwarded-Proto": "https", "Origin": portal.url.replace("http:", "https:")}
    answer = anna.post("/hub/launch", FIELDS, headers=https, allow_redirects=False)
    assert answer.status_code == 303, plain_text(answer)
    assert "; Secure" in answer.headers["Set-Cookie"]
    end(anna, answer.headers["Location"])


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
    config = WITHOUT_PROGRESS_PAGE + mortal_config(state / "kill-at", "SandboxSpawner", "SIGN_IN")

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


def press_in_browser(person: Person) -> tuple[str, str]:
    """Press a button in a browser; return the address that it is sent to, and the session's."""
    answer = person.post("/hub/launch", FIELDS, headers={"Sec-Fetch-Mode": "navigate"}, allow_redirects=False)
    assert answer.status_code == 303, plain_text(answer)
    (path,) = re.findall(r"Path=([^;]*)", answer.headers["Set-Cookie"])
    return answer.headers["Location"], path


def test_a_browser_loads_the_same_page_from_the_portal(portal: Portal) -> None:
    """It differs by what it says of itself only, and by nothing that a browser may do with it."""
    anna = portal.login("anna")
    page, address = press_in_browser(anna)
    assert page == f"/hub/sessions/{address.rstrip('/').rpartition('/')[2]}/desktop"
    early, own = anna.get(page), anna.get(address)
    (attributes,) = re.findall(r' data-address="([^"]*)" data-page="[0-9a-f]{12}"', early.text)
    assert attributes == address
    assert re.sub(r' data-address="[^"]*" data-page="[^"]*"', "", early.text) == own.text
    allowed, of_session = (policy_of(one.headers["Content-Security-Policy"]) for one in (early, own))
    assert allowed | {"frame-ancestors": "'self'"} == of_session
    assert allowed["frame-ancestors"] == "'none'"
    assert early.headers["Cache-Control"] == "no-store"
    end(anna, address)


def policy_of(header: str) -> dict[str, str]:
    return {name: sources for name, _, sources in (one.strip().partition(" ") for one in header.split(";"))}


def test_the_portal_shows_a_desktop_s_page_to_its_owner_while_it_runs(portal: Portal) -> None:
    anna, ben = portal.login("anna"), portal.login("ben")
    page, address = press_in_browser(anna)
    assert ben.get(page).status_code == 404
    name = address.rstrip("/").rpartition("/")[2]
    wait_for(lambda: anna.api("GET", f"users/{anna.name}").json()["servers"][name]["ready"], "a session that is ready")
    end(anna, address)
    wait_for(lambda: anna.get(page, allow_redirects=False).status_code == 404, "the end of its page")


def follow(person: Person, name: str) -> requests.Response:
    """Load the page that a browser waits on, as it does when the session is ready."""
    return person.get(f"/hub/sessions/{name}", headers={"Sec-Fetch-Mode": "navigate"}, allow_redirects=False)


@pytest.fixture
def slow_portal(sandbox_works: None) -> Iterator[Portal]:
    """A portal whose browsers wait on the page that shows the progress."""
    state = new_state()
    config = HOOK.format(name=SLOW, go=str(state / "go"))
    config += "import daas_hub.portal.launches\ndaas_hub.portal.launches.PROGRESS_PAGE_AFTER_S = 0.1\n"
    running = start_portal(state=state, port=free_ports(4), more_config=config)
    yield running
    running.stop()
    remove(running)


def press_slow(portal: Portal, person: Person) -> None:
    """Launch a session that is not ready when the response is sent, and wait until it is."""
    answer = person.post("/hub/launch", FIELDS | {"session_name": SLOW}, allow_redirects=False)
    assert answer.headers["Location"] == f"/hub/sessions/{SLOW}", plain_text(answer)
    assert COOKIE not in answer.headers.get("Set-Cookie", "")
    assert f'data-session-url="/hub/sessions/{SLOW}"' in person.get(f"/hub/sessions/{SLOW}").text
    elsewhere = portal.login("anna")
    assert f'data-session-url="/user/{elsewhere.name}/{SLOW}/"' in elsewhere.get(f"/hub/sessions/{SLOW}").text
    (portal.state / "go").touch()
    wait_for(lambda: state_of(elsewhere, SLOW) == "running", "a session that is ready")


def test_a_browser_that_had_to_wait_is_signed_in_too(slow_portal: Portal) -> None:
    anna, elsewhere = slow_portal.login("anna"), slow_portal.login("anna")
    press_slow(slow_portal, anna)
    address = f"/user/{anna.name}/{SLOW}/"
    # another browser of hers does not get the login, and does not use it up
    answer = follow(elsewhere, SLOW)
    assert (answer.headers["Location"], COOKIE in answer.headers.get("Set-Cookie", "")) == (address, False)
    answer = follow(anna, SLOW)
    assert answer.headers["Location"] == f"/hub/sessions/{SLOW}/desktop", plain_text(answer)
    assert f"Path={address}" in answer.headers["Set-Cookie"]
    assert answer.headers["Set-Cookie"].startswith(f"{COOKIE}=")
    desktop = anna.get(address)
    assert (desktop.status_code, desktop.history, 'id="screen"' in desktop.text) == (200, [], True)
    assert anna.get(f"{address}status").json()["state"] in ("starting", "running")
    # once
    answer = follow(anna, SLOW)
    assert (answer.headers["Location"], COOKIE in answer.headers.get("Set-Cookie", "")) == (address, False)
    end(anna, address)


def test_a_browser_that_signed_out_while_it_waited_is_not(slow_portal: Portal) -> None:
    anna, elsewhere = slow_portal.login("anna"), slow_portal.login("anna")
    press_slow(slow_portal, anna)
    anna.get("/hub/logout")
    # the same browser again, with another login
    again = slow_portal.login("anna")
    for person in (anna, again):
        assert COOKIE not in follow(person, SLOW).headers.get("Set-Cookie", "")
    end(elsewhere, f"/user/{elsewhere.name}/{SLOW}/")


def test_a_launch_from_the_queue_signs_its_browser_in(sandbox_works: None) -> None:
    """There is room: it starts at once."""
    running = start_portal(
        state=new_state(),
        port=free_ports(4),
        more_config=WITHOUT_PROGRESS_PAGE + "c.Quotas.facility = {'sessions': 5}\nc.Queue.enabled = True\n",
    )
    try:
        anna = running.login("anna")
        page, address = press_in_browser(anna)
        assert page.endswith("/desktop")
        desktop = anna.get(address)
        assert (desktop.status_code, desktop.history, 'id="screen"' in desktop.text) == (200, [], True)
        end(anna, address)
    finally:
        running.stop()
        remove(running)
