"""The portal behind a web server that sends the scheme's own port in `Host`: the same place, for hub and sessions."""

from __future__ import annotations

import contextlib
import http.client
from collections.abc import Iterator

import pytest

from tests.live_portal import Person, Portal

pytestmark = pytest.mark.sandbox

#: Application, and the path of one of its WebSockets.
SOCKETS = {"terminal": "rfb", "jupyterlab": "api/events/subscribe"}
#: Origin, `Host`, and the status of a WebSocket's handshake.
ROWS = [
    ("http://daas.example.org", "daas.example.org", 101),
    ("http://daas.example.org", "daas.example.org:80", 101),
    ("https://daas.example.org", "daas.example.org", 101),
    ("https://daas.example.org", "daas.example.org:443", 101),
    ("https://daas.example.org", "DAAS.example.org:443", 101),
    ("https://evil.example", "daas.example.org:443", 403),
    ("https://daas.example.org:8443", "daas.example.org:443", 403),
    ("http://daas.example.org", "daas.example.org:443", 403),
    ("null", "daas.example.org:443", 403),
]


@pytest.fixture(scope="module", params=SOCKETS)
def socket_of(request: pytest.FixtureRequest, portal: Portal) -> Iterator[tuple[Person, str]]:
    """A person, and the path of a WebSocket of a session of theirs."""
    person = portal.login("anna")
    name = person.launch(request.param)
    where = f"/user/{person.name}/{name}/"
    person.get(where)  # the cookie of the session
    yield person, where + SOCKETS[request.param]
    person.stop(name)


def ask(person: Person, path: str, host: str, **headers: str) -> http.client.HTTPResponse:
    """Send a request as a web server in front passes it on."""
    connection = http.client.HTTPConnection("127.0.0.1", person.portal.port, timeout=20)
    with contextlib.closing(connection):
        connection.putrequest("GET", path, skip_host=True)
        cookies = "; ".join(f"{cookie.name}={cookie.value}" for cookie in person.session.cookies)
        for name, value in {"Host": host, "Cookie": cookies, **headers}.items():
            connection.putheader(name, value)
        connection.endheaders()
        return connection.getresponse()


@pytest.mark.parametrize(("origin", "host", "status"), ROWS)
def test_a_websocket(socket_of: tuple[Person, str], origin: str, host: str, status: int) -> None:
    person, path = socket_of
    response = ask(
        person, path, host, Origin=origin, Upgrade="websocket", Connection="Upgrade",
        **{
            "X-Forwarded-Proto": origin.partition(":")[0] if "://" in origin else "https",
            "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "MDAwMDAwMDAwMDAwMDAwMA==",
        },
    )  # fmt: skip
    assert response.status == status


@pytest.mark.parametrize(
    ("next_url", "leads_to"),
    [
        ("https://daas.example.org:443/hub/proposals/MA-4242", "/hub/proposals/MA-4242"),
        ("https://daas.example.org/hub/proposals/MA-4242", "/hub/proposals/MA-4242"),
        ("https://daas.example.org:443//evil.example/", "/evil.example/"),
        ("https://daas.example.org:8443/hub/proposals/MA-4242", "/hub/spawn"),
        ("https://evil.example:443/hub/proposals/MA-4242", "/hub/spawn"),
    ],
)
def test_an_address_to_continue_at(portal: Portal, next_url: str, leads_to: str) -> None:
    anna = portal.login("anna")
    response = ask(anna, f"/hub/login?next={next_url}", "daas.example.org:443", **{"X-Forwarded-Proto": "https"})
    assert (response.status, response.getheader("Location")) == (302, leads_to)
