"""No address of the hub leads a browser to another site, whatever the request says."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from urllib.parse import quote, urljoin, urlsplit

import pytest
import requests

from tests.live_portal import Person, Portal

pytestmark = pytest.mark.sandbox

OTHER = "evil.example"

#: Values that some browser or some library reads as another site.
TARGETS = (
    f"http://{OTHER}/", f"https://{OTHER}/", f"HTTPS://{OTHER}/", f"//{OTHER}/", f"///{OTHER}/", f"////{OTHER}/",
    f"/\\{OTHER}/", f"\\/{OTHER}/", f"\\\\{OTHER}/", f"/\\/{OTHER}/", f"/{chr(9)}/{OTHER}/", f"/{chr(10)}/{OTHER}/",
    f"/{chr(13)}{chr(10)}/{OTHER}/", f"{chr(9)}//{OTHER}/", f" //{OTHER}/", f"%2f%2f{OTHER}/", f"/%2f{OTHER}/",
    f"/%5c{OTHER}/", f"/.//{OTHER}/", f"/..//{OTHER}/", f"/hub/..//{OTHER}/", f"/hub//{OTHER}/", f"http:{OTHER}/",
    f"http:/{OTHER}/", f"http:\\\\{OTHER}/", f"https:///{OTHER}/", f"//{OTHER}:80/", f"//{OTHER}#/hub/",
    f"//{OTHER}?/hub/", f"//hub@{OTHER}/", f"//127.0.0.1@{OTHER}/", f"//{OTHER}\\@127.0.0.1/",
    f"//127.0.0.1.{OTHER}/",
    f"//{OTHER}%00/", f"/\u2028/{OTHER}/", f"\u3000//{OTHER}/", f"／／{OTHER}/", f"/％2f{OTHER}/", f"//{OTHER}。/",
    "javascript:alert(1)", "JaVaScRiPt:alert(1)", "data:text/html,x", "vbscript:x", "file:///etc/passwd", "blob:x",
    f"/x{chr(13)}{chr(10)}Location: http://{OTHER}/", f"/x%0d%0aLocation:%20http://{OTHER}/",
)  # fmt: skip

#: Addresses with a parameter that says where to go next.
QUERIES = (
    "/hub/login?next={}",
    "/hub/oauth_login?next={}",
    "/hub/logout?next={}",
    "/hub/logged-out?next={}",
    "/hub/spawn?next={}",
    "/hub/home?next={}",
    "/hub/?next={}",
    "/hub/daas/open?next={}",
    "/hub/daas/open?proposal={}",
    "/hub/user-redirect/{}",
    "/hub/api/oauth2/authorize?client_id=jupyterhub-user-anna&response_type=code&redirect_uri={}",
)

#: Addresses that are themselves read as another site.
PATHS = tuple(
    path
    for target in (f"//{OTHER}", f"/\\{OTHER}", f"///{OTHER}", f"/%2f{OTHER}", f"/%5c{OTHER}", f"/.//{OTHER}")
    for path in (
        target,
        f"{target}/",
        f"{target}/..",
        f"{target}/%2e%2e",
        f"/hub{target}",
        f"/user{target}",
        f"/services{target}",
    )
)


def location(portal: Portal, path: str, cookies: str) -> str:
    """Return where a response leads, of a request whose path is sent exactly as it is; "" if nowhere."""
    line = http.client.HTTPConnection("127.0.0.1", portal.port, timeout=20)
    try:
        line.putrequest("GET", path, skip_host=True)
        line.putheader("Host", urlsplit(portal.url).netloc)
        line.putheader("Cookie", cookies)
        line.endheaders()
        answer = line.getresponse()
        assert answer.status < 500, (path, answer.status)
        assert not [name for name, value in answer.getheaders() if OTHER in name or "\n" in value]
        return answer.getheader("Location", "")
    finally:
        line.close()


def is_ours(portal: Portal, base: str, where: str) -> bool:
    """Return whether a browser that is at ``base`` stays at the portal or goes to its login provider."""
    # as browsers read it: blanks in front, tabs and line ends anywhere go; a backslash is a slash
    seen = where.strip(" \t\r\n").translate({9: None, 10: None, 13: None}).replace("\\", "/")
    target = urlsplit(urljoin(portal.url + base, seen))
    ours = ("127.0.0.1", portal.port), ("127.0.0.1", portal.port + 1)
    return target.scheme == "http" and (target.hostname, target.port) in ours and "@" not in target.netloc


@pytest.fixture(params=["signed in", "nobody"])
def cookies(portal: Portal, request: pytest.FixtureRequest) -> Iterator[str]:
    """The cookies of somebody who is signed in, or none."""
    if request.param == "nobody":
        yield ""
        return
    # one for each test: some of the addresses sign out
    person = portal.login("ben")
    yield "; ".join(f"{cookie.name}={cookie.value}" for cookie in person.session.cookies)


@pytest.mark.parametrize("query", QUERIES)
def test_no_parameter_leads_elsewhere(portal: Portal, cookies: str, query: str) -> None:
    away = {}
    for target in TARGETS:
        path = query.format(quote(target, safe="%"))
        where = location(portal, path, cookies)
        if where and not is_ours(portal, path, where):
            away[target] = where
    assert away == {}


def test_no_path_leads_elsewhere(portal: Portal, cookies: str) -> None:
    places = {path: location(portal, path, cookies) for path in PATHS}
    assert {path: where for path, where in places.items() if where and not is_ours(portal, path, where)} == {}


@pytest.mark.parametrize("target", TARGETS, ids=[f"{number}" for number in range(len(TARGETS))])
def test_no_login_ends_elsewhere(portal: Portal, target: str) -> None:
    """The whole way through the provider: `next` comes back in a cookie."""
    session = requests.Session()
    form = session.get(f"{portal.url}/hub/oauth_login", params={"next": target}, timeout=20)
    callback = session.post(form.url, data={"sub": "ben"}, allow_redirects=False, timeout=20).headers["Location"]
    answer = session.get(callback, allow_redirects=False, timeout=20)
    assert answer.status_code == 302
    assert is_ours(portal, urlsplit(callback).path, answer.headers["Location"])
    assert Person(portal, session, answer).get("/hub/api/user").status_code == 200
