"""The session gateway: only the pods of sessions get in, to their routes, once they have proven what they have."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
from collections.abc import AsyncIterator

import pytest
from tornado.web import Application, RequestHandler

from daas_hub.errors import SessionFailed, StorageProblem
from daas_hub.spawners import hub_api_socket
from daas_hub.spawners.hub_api_limits import BURST, MAX_CONNECTIONS, Descriptors
from daas_hub.spawners.hub_api_socket import session_routes
from daas_hub.spawners.kubernetes.arrival import Arrival
from daas_hub.spawners.kubernetes.gateway import SessionGateway
from daas_hub.spawners.kubernetes.gateway_session import ARRIVAL, HEARTBEAT, GatewaySession, key_of
from daas_hub.spawners.mount_handshake import GrantedDirectory
from tests.waiting import until

TOKEN = "0123456789abcdef"
DATA = GrantedDirectory("data", "/home/anna/data", writable=False, device=None, inode=7)
HOME = GrantedDirectory("home", "/home/anna", writable=True, device=None, inode=None)


class _Hub(RequestHandler):
    def get(self) -> None:
        self.finish("the hub")


def session(arrival: Arrival | None = None) -> GatewaySession:
    hub = Application([(".*", _Hub)])
    routes = session_routes("/hub/", "anna")
    return GatewaySession(
        hub, routes, "session anna:s1", key=key_of(TOKEN), remaining_s=lambda: 3600.0, arrival=arrival
    )


@pytest.fixture
async def gateway() -> AsyncIterator[SessionGateway]:
    made = SessionGateway("127.0.0.1:0")
    made.open()
    # the address of a pod, which the watch knows
    made.know_addresses("place", {"127.0.0.2": "pod-1"}.get)
    yield made
    made.close()


async def ask(
    gateway: SessionGateway, request: str, *, source: str = "127.0.0.2", body: str = "", token: str = TOKEN
) -> str:
    """Return the whole answer; "" if the connection was closed without one."""
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port, local_addr=(source, 0))
    head = f"{request} HTTP/1.1\r\nHost: hub\r\nAuthorization: token {token}\r\nContent-Length: {len(body)}\r\n\r\n"
    try:
        writer.write((head + body).encode())
        return (await reader.read()).decode()
    except ConnectionError:
        return ""
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


def document(answer: str) -> dict[str, object]:
    found: dict[str, object] = json.loads(answer.partition("\r\n\r\n")[2])
    return found


async def test_only_the_pod_of_a_session_gets_in(gateway: SessionGateway) -> None:
    gateway.add("pod-1", session())
    assert "the hub" in await ask(gateway, "GET /hub/api/user")
    assert await ask(gateway, "GET /hub/api/user", source="127.0.0.3") == ""
    gateway.remove("pod-1")
    assert await ask(gateway, "GET /hub/api/user") == ""


async def test_an_address_of_two_places_lets_nobody_in(gateway: SessionGateway) -> None:
    """Two clusters may give out the same addresses: a session must not get the rights of another one."""
    gateway.add("pod-1", session())
    gateway.know_addresses("another place", {"127.0.0.2": "pod-2"}.get)
    # one that has not started, or has ended, is not meant
    assert "the hub" in await ask(gateway, "GET /hub/api/user")
    gateway.add("pod-2", session())
    assert await ask(gateway, "GET /hub/api/user") == ""
    gateway.remove("pod-1")
    assert "the hub" in await ask(gateway, "GET /hub/api/user")


async def test_only_the_routes_of_a_session(gateway: SessionGateway) -> None:
    gateway.add("pod-1", session())
    for refused in ("GET /hub/api/users", "GET /hub/home", "POST /hub/api/users/bob/activity"):
        assert "404" in (await ask(gateway, refused)).splitlines()[0]


async def test_a_heartbeat_says_how_long_the_session_may_last(gateway: SessionGateway) -> None:
    one = session()
    gateway.add("pod-1", one)
    began = one.heard
    assert 0 <= one.silent_s < 30
    assert document(await ask(gateway, f"POST {HEARTBEAT}", body="{}")) == {"remaining_s": 3600.0}
    assert one.heard > began
    # the hub's API has no such route: with another token there is nothing
    before = one.heard
    assert "403" in (await ask(gateway, f"POST {HEARTBEAT}", body="{}", token="another")).splitlines()[0]
    assert one.heard == before


async def test_a_heartbeat_reports_a_program_that_was_killed_for_want_of_memory(gateway: SessionGateway) -> None:
    """C1: control groups v1 kill one process, and nothing in the pod's status says so. What a hub finds is no news."""
    one = session()
    gateway.add("pod-1", one)
    for body in ('{"memory_kills": 3}', '{"memory_kills": 3}', "{}", "[]", "no JSON", '{"memory_kills": "9"}'):
        assert "200" in (await ask(gateway, f"POST {HEARTBEAT}", body=body)).splitlines()[0]
        assert one.memory_kill_at == 0.0
    await ask(gateway, f"POST {HEARTBEAT}", body='{"memory_kills": 4}')
    assert 0 <= time.time() - one.memory_kill_at < 30


async def test_a_session_that_never_reports_is_silent_since_it_was_let_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its computer was lost before the hub was started."""
    one = session()
    now = one.heard + 40
    monkeypatch.setattr("daas_hub.spawners.kubernetes.gateway_session.time.monotonic", lambda: now)
    assert one.silent_s == 40


async def test_a_session_arrives_with_what_was_granted(gateway: SessionGateway) -> None:
    arrival = Arrival([HOME, DATA], lambda: ["10.0.0.1:443"])
    gateway.add("pod-1", session(arrival))
    wanted = document(await ask(gateway, f"POST {ARRIVAL}", body="{}"))
    assert wanted == {"directories": ["/home/anna", "/home/anna/data"], "closed": ["10.0.0.1:443"]}
    report = {"directories": [[1, 2, False], [1, 7, True]], "open": []}
    assert document(await ask(gateway, f"POST {ARRIVAL}", body=json.dumps(report))) == {"remaining_s": 3600.0}
    assert arrival.admitted.done()
    arrival.admitted.result()


@pytest.mark.parametrize(
    ("directories", "still_open", "error"),
    [
        ([[1, 2, False], [1, 7, False]], [], StorageProblem),
        ([[1, 2, False], [1, 8, True]], [], StorageProblem),
        ([[1, 2, False]], [], StorageProblem),
        ([[1, 2, False], [1, 7, True]], ["10.0.0.1:443"], SessionFailed),
    ],
    ids=["writable", "another", "missing", "no-wall"],
)
async def test_a_session_with_something_else_is_refused(
    gateway: SessionGateway, directories: list[object], still_open: list[str], error: type[Exception]
) -> None:
    arrival = Arrival([HOME, DATA], list)
    gateway.add("pod-1", session(arrival))
    body = json.dumps({"directories": directories, "open": still_open})
    answer = await ask(gateway, f"POST {ARRIVAL}", body=body)
    assert "403" in answer.splitlines()[0]
    assert document(answer)["message"]
    with pytest.raises(error):
        arrival.admitted.result()


async def test_nonsense_admits_nobody(gateway: SessionGateway) -> None:
    arrival = Arrival([HOME], list)
    gateway.add("pod-1", session(arrival))
    for body in ("[1]", '{"directories": 3}', "{", '{"directories": [[1]], "open": []}'):
        assert "400" in (await ask(gateway, f"POST {ARRIVAL}", body=body)).splitlines()[0]
    assert not arrival.admitted.done()


async def test_a_session_that_arrived_does_not_arrive_again(gateway: SessionGateway) -> None:
    gateway.add("pod-1", session())
    assert "409" in (await ask(gateway, f"POST {ARRIVAL}", body="{}")).splitlines()[0]


async def test_its_rate_is_that_of_a_socket_file(gateway: SessionGateway) -> None:
    """Requests beyond the burst wait instead of being answered; too many at once are closed."""
    one = session()
    # the time that a busy machine takes for the test allows no request
    now = time.monotonic()
    one._budget._clock = lambda: now
    before = hub_api_socket._descriptors.used
    gateway.add("pod-1", one)
    for _ in range(int(BURST)):
        assert "the hub" in await ask(gateway, "GET /hub/api/user")
    waiting = [asyncio.ensure_future(ask(gateway, "GET /hub/api/user")) for _ in range(MAX_CONNECTIONS + 4)]
    await until(lambda: sum(task.done() for task in waiting) >= 4)
    done, _ = await asyncio.wait(waiting, timeout=0.5)
    assert len(done) == 4
    assert all(not task.result() for task in done if "the hub" not in task.result())
    one.close()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert hub_api_socket._descriptors.used == before


async def test_people_keep_their_descriptors(gateway: SessionGateway, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sessions together use half of what the process may open."""
    full = Descriptors()
    full.used = 10**9
    monkeypatch.setattr(hub_api_socket, "_descriptors", full)
    gateway.add("pod-1", session())
    assert await ask(gateway, "GET /hub/api/user") == ""
    full.used = 0
    assert "the hub" in await ask(gateway, "GET /hub/api/user")
    assert full.used == 0


async def test_nothing_of_a_token_is_logged(gateway: SessionGateway, caplog: pytest.LogCaptureFixture) -> None:
    gateway.add("pod-1", session(Arrival([DATA], list)))
    with caplog.at_level(logging.INFO):
        await ask(gateway, f"POST {ARRIVAL}", body=json.dumps({"directories": [], "open": []}))
        await ask(gateway, f"POST {HEARTBEAT}", token="f" * 32)
    assert TOKEN not in caplog.text
    assert "f" * 32 not in caplog.text
