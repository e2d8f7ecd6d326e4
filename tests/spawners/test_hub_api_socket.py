"""The one way out of a sandbox: the routes of the hub's API that a session needs, within limits (D9, H5', D2, G1)."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import resource
import socket
import stat
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from tornado import web

from daas_hub.spawners import hub_api_socket
from daas_hub.spawners.hub_api_limits import BURST, MAX_CONNECTIONS, Descriptors
from daas_hub.spawners.hub_api_socket import SOCKET, HubAPISocket, session_routes
from tests.waiting import until

ROUTES = session_routes("/portal/hub/", "anna", ["DELETE /users/*/servers/*"])
logged: list[str] = []


class Echo(web.RequestHandler):
    """Stands for every page of the hub; a token is wrong."""

    def prepare(self) -> None:
        if "Authorization" in self.request.headers:
            raise web.HTTPError(403)
        self.finish("inside")


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[HubAPISocket]:
    logged.clear()
    application = web.Application([(".*", Echo)], log_function=lambda handler: logged.append(handler.request.uri))
    opened = HubAPISocket(tmp_path / "api", application, ROUTES, "session anna:s1")
    yield opened
    opened.close()
    await asyncio.sleep(0)


@pytest.fixture
def api_socket(api: HubAPISocket, tmp_path: Path) -> Path:
    return tmp_path / "api" / SOCKET


@pytest.fixture
def few_descriptors() -> Iterator[None]:
    """A process that may open few, as one that others used up."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


async def ask(path: Path, line: bytes, body: bytes = b"") -> bytes:
    """Send one raw request, as nothing a browser would make of it; give the answer."""
    reader, writer = await asyncio.open_unix_connection(str(path))
    writer.write(line + b"\r\nHost: hub\r\nConnection: close\r\n\r\n" + body)
    answer = b""
    with contextlib.suppress(ConnectionResetError):
        answer = await asyncio.wait_for(reader.read(), 30)
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return answer


def stop_the_clock(api: HubAPISocket) -> None:
    """Let no request be allowed by the time that a busy machine takes for the test."""
    now = time.monotonic()
    api._budget._clock = api._log_budget._clock = lambda: now


async def held(api: HubAPISocket, count: int) -> None:
    """Wait until this many connections are accepted."""
    await until(lambda: len(api._connections) == count)


@pytest.mark.parametrize(
    "route",
    [
        "GET /portal/hub/api",
        "GET /portal/hub/api/",
        "GET /portal/hub/api/user",
        "GET /portal/hub/api/user?x=1",
        "POST /portal/hub/api/oauth2/token",
        "POST /portal/hub/api/users/anna/activity",
        "DELETE /portal/hub/api/users/a%20b/servers/s1",
    ],
)
async def test_what_a_session_needs_answers(api_socket: Path, route: str) -> None:
    length = b"\r\nContent-Length: 0" if route.startswith("POST") else b""
    assert (await ask(api_socket, f"{route} HTTP/1.1".encode() + length)).endswith(b"inside")


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/portal/hub/",
        "/portal/hub/login",
        "/portal/hub/home",
        "/portal/hub/apix",
        "/portal/hub/admin",
        "/portal/hub/api%2f..%2flogin",
        "/portal/hub/%61pi/user",
        "/portal/user/u1/",
        "//portal/hub/api/user",
        "/hub/api/user",
        "/x/portal/hub/api/user",
        "/portal/hub/API/user",
        "http://evil.example/portal/hub/api",
        "*",
        "/portal/hub/api/../login",
        "/portal/hub/api/%2e%2e/login",
        "/portal/hub/api/..%2flogin",
        # other routes of the API: what no session needs is not there
        "/portal/hub/api/a%20b",
        "/portal/hub/api/users",
        "/portal/hub/api/users/anna",
        "/portal/hub/api/users/ben/activity",
        "/portal/hub/api/oauth2/authorize",
        "/portal/hub/api/oauth2/token",
        "/portal/hub/api/users/anna/servers/s1",
        "/portal/hub/api/users/anna/servers/s1/progress",
    ],
)
async def test_nothing_else_answers(api_socket: Path, path: str) -> None:
    answer = await ask(api_socket, f"GET {path} HTTP/1.1".encode())
    assert b"inside" not in answer
    assert logged == []


async def test_refusal_says_so(api_socket: Path) -> None:
    answer = await ask(api_socket, b"GET /portal/hub/api/users HTTP/1.1")
    assert answer.startswith(b"HTTP/1.1 404 ")
    assert b"A session cannot use this route of the hub's API." in answer


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param(b"Content-Length: 70000", id="body"),
        pytest.param(b"Transfer-Encoding: chunked\r\n\r\n11171\r\n" + b"x" * 70001 + b"\r\n0", id="chunked body"),
        pytest.param(b"X: " + b"x" * 20000, id="headers"),
    ],
)
async def test_too_much_is_not_taken(api_socket: Path, lines: bytes) -> None:
    """D2, G1: a session cannot fill the hub's memory."""
    answer = await ask(api_socket, b"POST /portal/hub/api/oauth2/token HTTP/1.1\r\n" + lines)
    assert b"inside" not in answer
    assert logged == []


async def test_socket_is_opened_again_after_a_restart(api: HubAPISocket, api_socket: Path) -> None:
    """The session has the folder: it finds the new file there."""
    assert stat.S_IMODE(os.stat(api_socket).st_mode) == 0o666
    api.close()
    again = HubAPISocket(api_socket.parent, api.application, ROUTES, "session anna:s1")
    assert (await ask(api_socket, b"GET /portal/hub/api HTTP/1.1")).endswith(b"inside")
    again.close()


async def test_half_a_request_holds_no_more_than_its_share(api: HubAPISocket, api_socket: Path) -> None:
    """600 connections with headers, or a body, that never come: most of them stay in the kernel's queue."""
    used = len(os.listdir("/proc/self/fd"))
    halves = []
    for number in range(600):
        client = await _connected(api_socket)
        if client is None:
            break
        halves.append(client)
        client.sendall(
            b"GET /portal/hub/api/ HTTP/1.1\r\nX: "
            if number % 2
            else b"POST /portal/hub/api/oauth2/token HTTP/1.1\r\nHost: hub\r\nContent-Length: 60000\r\n\r\nx"
        )
    await held(api, MAX_CONNECTIONS)
    assert len(os.listdir("/proc/self/fd")) - used - len(halves) == MAX_CONNECTIONS
    # the time of each is limited, and what they cost makes the next ones wait
    await until(lambda: api._budget.wait_s() > 1)
    assert len(api._connections) < MAX_CONNECTIONS
    for client in halves:
        client.close()
    assert logged == []


async def _connected(path: Path) -> socket.socket | None:
    """Connect without waiting; None if the queue is full."""
    client = socket.socket(socket.AF_UNIX)
    client.setblocking(False)
    try:
        client.connect(str(path))
    except BlockingIOError:
        client.close()
        return None
    return client


async def test_wrong_tokens_are_slowed_down(api: HubAPISocket, api_socket: Path) -> None:
    """60 threads of wrong tokens: the hub looks at a few, and the rest wait without being accepted."""
    stop_the_clock(api)
    line = b"GET /portal/hub/api/user HTTP/1.1\r\nAuthorization: token wrong"
    for _ in range(3):
        assert (await ask(api_socket, line)).startswith(b"HTTP/1.1 403 ")
    await held(api, 0)
    assert api._budget.wait_s() > 1
    assert len(logged) == 3
    rest = [asyncio.ensure_future(ask(api_socket, line)) for _ in range(20)]
    await asyncio.sleep(0.2)
    assert len(logged) == 3
    for one in rest:
        one.cancel()
    await asyncio.gather(*rest, return_exceptions=True)


async def test_good_requests_have_a_rate_and_their_lines_too(api: HubAPISocket, api_socket: Path) -> None:
    stop_the_clock(api)
    line = b"GET /portal/hub/api/user HTTP/1.1"
    answers = await asyncio.gather(*(ask(api_socket, line) for _ in range(int(BURST))))
    assert all(one.endswith(b"inside") for one in answers)
    await held(api, 0)
    assert api._budget.wait_s() > 0
    assert len(logged) == hub_api_socket.LOG_BURST
    assert api._not_logged == BURST - hub_api_socket.LOG_BURST


async def test_lines_that_were_not_logged_are_counted(api: HubAPISocket, caplog: pytest.LogCaptureFixture) -> None:
    while api.may_log():
        pass
    api._log_budget.spend(-1)
    with caplog.at_level(logging.WARNING, "jupyterhub.daas"):
        assert api.may_log()
    assert [one.getMessage() for one in caplog.records] == [
        "session anna:s1: 1 of its requests to the hub's API were not logged"
    ]


async def test_people_keep_their_descriptors(
    api: HubAPISocket, api_socket: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sessions together use half of what the process may open; then they wait."""
    full = Descriptors()
    full.used = 10**9
    monkeypatch.setattr(hub_api_socket, "_descriptors", full)
    waiting = asyncio.ensure_future(ask(api_socket, b"GET /portal/hub/api HTTP/1.1"))
    await asyncio.sleep(0.2)
    assert not api._connections
    assert not waiting.done()
    full.used = 0
    assert (await waiting).endswith(b"inside")
    assert full.used == 0


async def test_no_descriptor_left_is_waited_for(
    api: HubAPISocket, api_socket: Path, few_descriptors: None, caplog: pytest.LogCaptureFixture
) -> None:
    """Real EMFILE: one line, no spinning, and an answer as soon as there is a descriptor."""
    client = await _connected(api_socket)
    assert client is not None
    taken = []
    resource.setrlimit(resource.RLIMIT_NOFILE, (300, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    with contextlib.suppress(OSError):
        while True:
            taken.append(os.open("/dev/null", os.O_RDONLY))
    attempts: list[int] = []
    accept = api._accept
    api._accept = lambda: (attempts.append(1), accept())[1]  # type: ignore[method-assign]
    api._accept_when_possible()
    began = time.monotonic()
    await asyncio.sleep(1.2)
    took_s = time.monotonic() - began
    for fd in taken:
        os.close(fd)
    assert 1 <= len(attempts) <= took_s / hub_api_socket.RETRY_S + 2
    assert sum("cannot be connected" in one.getMessage() for one in caplog.records) <= len(attempts)
    client.sendall(b"GET /portal/hub/api HTTP/1.1\r\nHost: hub\r\n\r\n")
    answer = await asyncio.wait_for(asyncio.get_running_loop().sock_recv(client, 4096), 30)
    assert b"200 OK" in answer
    client.close()


async def test_nothing_is_left_of_a_socket_that_is_closed(api: HubAPISocket, api_socket: Path) -> None:
    client = await _connected(api_socket)
    assert client is not None
    await held(api, 1)
    before = hub_api_socket._descriptors.used
    api.close()
    await held(api, 0)
    assert hub_api_socket._descriptors.used == before - 1
    assert await asyncio.get_running_loop().sock_recv(client, 10) == b""
    client.close()
