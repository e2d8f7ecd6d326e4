"""Hostile addresses and the headers of every response: no address is an error of the hub, and no page can be framed."""

from __future__ import annotations

import contextlib
import http.client

import pytest

from tests.live_portal import Person, Portal

pytestmark = pytest.mark.sandbox

BAD = ["%00", "%ff", "a%ffb", "%c0%af", "%0d%0aSet-Cookie:%20a=b", "%0a", "%7f", "%ed%a0%80"]
BELOW = [
    "/", "/hub/", "/hub/daas/static/", "/hub/static/", "/hub/static/js/", "/hub/daas/icons/", "/hub/proposals/",
    "/hub/sessions/", "/hub/spawn/", "/hub/spawn-pending/", "/hub/user/", "/hub/user-redirect/", "/hub/error/",
    "/hub/api/", "/hub/api/users/", "/user/", "/services/", "/hub/oauth_callback/", "/user/nobody/session/static/",
]  # fmt: skip


def raw(portal: Portal, path: str, cookies: str = "", *, port: int = 0) -> http.client.HTTPResponse:
    """Request an address exactly as it is written."""
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port or portal.port, timeout=30)) as connection:
        connection.putrequest("GET", path)
        if cookies:
            connection.putheader("Cookie", cookies)
        connection.endheaders()
        answer = connection.getresponse()
        answer.read()
        return answer


def cookies_of(person: Person) -> str:
    """Return the header of a browser that is signed in."""
    return "; ".join(f"{cookie.name}={cookie.value}" for cookie in person.session.cookies)


@pytest.mark.parametrize("below", BELOW)
@pytest.mark.parametrize("behind_proxy", [True, False], ids=["at the proxy", "at the hub"])
def test_a_malformed_address_is_refused(portal: Portal, below: str, behind_proxy: bool) -> None:
    """400 or 404, signed in or not; also where no proxy has looked at it."""
    anna = cookies_of(portal.login("anna"))
    tracebacks = portal.log.read_text(errors="replace").count("Traceback")
    for bad in BAD:
        for cookies in ("", anna):
            answer = raw(portal, below + bad, cookies, port=0 if behind_proxy else portal.port + 2)
            assert answer.status in (400, 404), f"{answer.status} {below}{bad}"
            assert answer.getheader("Set-Cookie", "").partition("=")[0] != "a"
    assert portal.log.read_text(errors="replace").count("Traceback") == tracebacks


@pytest.mark.parametrize("path", ["/hub/login?next=", "/hub/oauth_login?next=", "/hub/user-redirect/x?next="])
@pytest.mark.parametrize(
    "bad", ["/hub/home%0d%0aSet-Cookie:a=b", "%0d%0a/hub/home", "/hub/%00home", "/hub/home%0a", "%ff"]
)
def test_a_next_address_with_control_characters_leads_home(portal: Portal, path: str, bad: str) -> None:
    for cookies in ("", cookies_of(portal.login("anna"))):
        answer = raw(portal, path + bad, cookies)
        assert answer.status < 500, f"{answer.status} {path}{bad}"
        location = answer.getheader("Location", "")
        assert "%0" not in location.partition("?")[0], location
        assert answer.getheader("Set-Cookie", "").partition("=")[0] != "a"


@pytest.mark.parametrize(
    "path",
    ["/", "/hub/", "/hub/home", "/hub/login", "/hub/nothing", "/hub/health", "/hub/token", "/hub/error/404",
     "/hub/api/", "/hub/api/user", "/hub/api/nothing", "/hub/metrics", "/hub/logged-out", "/hub/user/nobody/",
     "/user/x", "/hub/security/csp-report", "/hub/daas/sign-out", "/hub/proposals/NONE"],
)  # fmt: skip
def test_every_page_has_our_headers(portal: Portal, path: str) -> None:
    for cookies in ("", cookies_of(portal.login("anna"))):
        answer = raw(portal, path, cookies)
        assert answer.getheader("X-Content-Type-Options") == "nosniff"
        assert answer.getheader("X-Frame-Options") == "DENY"
        assert answer.getheader("Referrer-Policy") == "same-origin"
        assert "no-store" in answer.getheader("Cache-Control", "")
        policy = answer.getheader("Content-Security-Policy", "")
        assert "frame-ancestors 'none'" in policy
        if answer.getheader("Content-Type", "").startswith("text/html") and answer.status in (200, 403, 404):
            assert "default-src 'self'; script-src 'self'" in policy, policy


@pytest.mark.parametrize("path", ["/hub/static/css/style.min.css", "/hub/daas/static/portal.css", "/hub/logo"])
def test_files_have_their_type(portal: Portal, path: str) -> None:
    answer = raw(portal, path)
    assert (answer.status, answer.getheader("X-Content-Type-Options")) == (200, "nosniff")
