"""A browser is sent to a session that has not responded yet: who may enter it then, and how its failure is reported."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from tests.live_portal import Person, Portal, plain_text
from tests.places import kill
from tests.session_programs import choose, portal_with_programs, start_again

pytestmark = pytest.mark.sandbox

FIELDS = {"application": "terminal", "proposal": "MA-4242", "visit": "2"}


@pytest.fixture(scope="module")
def portal(sandbox_works: None) -> Iterator[Portal]:
    """A portal whose sessions run what a test chooses."""
    yield from portal_with_programs()


def launch_early(portal: Portal, person: Person, program: str) -> str:
    """Launch a session that runs this program; return its address, at which nothing responds yet."""
    choose(portal, program)
    answer = person.post("/hub/launch", FIELDS, allow_redirects=False)
    assert (answer.status_code, answer.headers["Location"].startswith("/user/")) == (303, True), plain_text(answer)
    assert state_of(person, answer.headers["Location"])["ready"] is False
    return answer.headers["Location"]


def state_of(person: Person, address: str) -> dict[str, object]:
    servers = person.get(f"/hub/api/users/{person.name}").json()["servers"]
    return dict(servers.get(name_in(address), {}))


def name_in(address: str) -> str:
    return address.rstrip("/").rpartition("/")[2]


def follow_refresh(person: Person, page: requests.Response) -> requests.Response:
    """Open the page that this one sends a browser to."""
    found = re.search(r'http-equiv="refresh" content="1; url=([^"]*)"', page.text)
    assert found, plain_text(page)
    time.sleep(1)
    return person.get(found[1])


def require_failure(person: Person, address: str, words: str) -> None:
    """Check that the session's page says so and offers a launch, and that its address leads there, too."""
    page = f"/hub/sessions/{name_in(address)}"
    until = time.monotonic() + 30
    while "did not start" not in (shown := plain_text(person.get(page))):
        assert time.monotonic() < until, shown
        time.sleep(0.2)
    assert words in shown
    again = person.get(page)
    assert 'action="/hub/launch"' in again.text
    assert 'http-equiv="refresh"' not in again.text
    assert person.get(address).url == again.url


def require_cached_files(portal: Portal, desktop: requests.Response) -> None:
    """Check that the page takes its files from the portal, which has nothing else of a session."""
    files = re.findall(r"/hub/daas/session/[^\"]+", desktop.text)
    assert len(set(files)) == 3, desktop.text
    for file in files:
        answer = requests.get(portal.url + file)
        assert (answer.status_code, "immutable" in answer.headers["Cache-Control"]) == (200, True)
    assert "script-src 'self';" in desktop.headers["Content-Security-Policy"]
    for other in ("index.html", "..%2Fserver.py", "../server.py", "lab.js"):
        assert requests.get(f"{portal.url}/hub/daas/session/{other}").status_code == 404


def test_a_session_that_dies_after_it_was_let_in(portal: Portal) -> None:
    anna = portal.login("anna")
    address = launch_early(portal, anna, "dying")
    broken = anna.get(address)
    assert (broken.status_code, broken.url) == (503, portal.url + address)
    assert "The session does not respond" in plain_text(broken)
    assert "Terminal" in plain_text(follow_refresh(anna, broken))
    require_failure(anna, address, "The session ended before it was ready.")
    anna.stop(name_in(address))


def test_a_session_that_never_responds(portal: Portal) -> None:
    anna = portal.login("anna")
    address = launch_early(portal, anna, "silent")
    broken = anna.get(address)
    assert broken.status_code == 503
    follow_refresh(anna, broken)
    require_failure(anna, address, "The session did not respond within 12 seconds.")
    anna.stop(name_in(address))


def test_only_its_owner_enters_a_session_that_has_not_responded_yet(portal: Portal) -> None:
    """Ben is a member of the same proposal; the session asks the hub who comes, as it does later."""
    anna, ben = portal.login("anna"), portal.login("ben")
    address = launch_early(portal, anna, "slow")
    status = f"{portal.url}{address}status"
    with ThreadPoolExecutor() as threads:
        nobody = threads.submit(requests.get, portal.url + address, allow_redirects=False)
        program = threads.submit(requests.get, status, headers={"Sec-Fetch-Mode": "cors"})
        refused = threads.submit(ben.get, address)
        opened = threads.submit(anna.get, address)
        assert state_of(portal.login("anna"), address)["ready"] is False
        assert not any(one.done() for one in (nobody, program, refused, opened))
        (portal.state / "tools" / "go").touch()
    assert nobody.result().status_code == 302
    assert "oauth2/authorize" in nobody.result().headers["Location"]
    assert program.result().status_code == 403
    assert refused.result().status_code == 403, plain_text(refused.result())
    desktop = opened.result()
    assert (desktop.status_code, desktop.url) == (200, portal.url + address)
    assert 'id="screen"' in desktop.text
    require_cached_files(portal, desktop)
    anna.wait_ready(name_in(address))
    assert ben.get(address).status_code == 403
    # whoever comes from an error page is not sent back there
    page = anna.get(f"/hub/sessions/{name_in(address)}?unanswered=1")
    assert page.url.endswith("?unanswered=1")
    assert "It did not respond a moment ago." in plain_text(page)
    assert 'http-equiv="refresh"' not in page.text
    anna.stop(name_in(address))


def test_a_stop_in_mid_start_leaves_no_route(portal: Portal) -> None:
    anna = portal.login("anna")
    address = launch_early(portal, anna, "silent")
    assert anna.stop(name_in(address)).status_code == 303
    until = time.monotonic() + 30
    while (page := anna.get(address)).url.startswith(portal.url + "/user/"):
        assert time.monotonic() < until, plain_text(page)
        time.sleep(0.2)
    assert page.status_code == 424
    assert "The session is not running" in plain_text(page)
    assert "No sessions." in plain_text(anna.get("/hub/home"))


def test_a_hub_that_is_killed_in_mid_start_leaves_no_route(portal: Portal) -> None:
    anna = portal.login("anna")
    address = launch_early(portal, anna, "silent")
    kill(portal)
    start_again(portal)
    anna = portal.login("anna")
    until = time.monotonic() + 30
    while "Did not start" not in (home := plain_text(anna.get("/hub/home"))):
        assert time.monotonic() < until, home
        time.sleep(0.2)
    page = anna.get(address)
    assert (page.status_code, page.url.startswith(f"{portal.url}/hub/")) == (424, True)
    assert "was restarted while this session was starting" in plain_text(anna.get(f"/hub/sessions/{name_in(address)}"))


def test_a_proxy_without_routes_shows_a_page_that_loads_itself_again(portal: Portal) -> None:
    """A hub that starts answers before its proxy has its routes: nobody is left with "not found" then."""
    page = requests.get(f"{portal.url}/hub/error/404", params={"url": "/hub/home"})
    assert "The portal does not respond at the moment" in page.text
    assert '<meta http-equiv="refresh" content="5">' in page.text


@pytest.mark.parametrize(
    "asked",
    [
        "",
        "/",
        "/hub/home",
        "/user/anna/",
        "/user/anna/x%0d%0aSet-Cookie:a=b/",
        '/user/a/"><script>/',
        "/user/a/lab-1/tree",
    ],
)
def test_other_addresses_have_the_page_of_the_hub(portal: Portal, asked: str) -> None:
    page = requests.get(f"{portal.url}/hub/error/503", params={"url": asked})
    assert page.status_code == 200
    assert "refresh" not in page.text
    assert "<script>" not in page.text
