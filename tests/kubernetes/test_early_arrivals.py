"""A session that arrives before the API server has reported its address; and everybody else who knocks there."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator

import pytest
from tornado.web import Application, RequestHandler

from daas_hub.spawners import hub_api_socket
from daas_hub.spawners.hub_api_limits import MAX_CONNECTIONS
from daas_hub.spawners.hub_api_socket import session_routes
from daas_hub.spawners.kubernetes import early_arrivals
from daas_hub.spawners.kubernetes.access import APIAccess
from daas_hub.spawners.kubernetes.address import plain
from daas_hub.spawners.kubernetes.arrival import Arrival
from daas_hub.spawners.kubernetes.client import Json, PlaceClient
from daas_hub.spawners.kubernetes.early_arrivals import AWAY_S, MAX_OF_ONE, OWN_ADDRESS, EarlyArrivals
from daas_hub.spawners.kubernetes.gateway import SessionGateway
from daas_hub.spawners.kubernetes.gateway_session import ARRIVAL, HEARTBEAT, GatewaySession, key_of
from daas_hub.spawners.kubernetes.startup_watch import may_be_at
from daas_hub.spawners.kubernetes.watch import PodWatch
from daas_hub.spawners.mount_handshake import GrantedDirectory

TOKEN, OF_ANOTHER = "0123456789abcdef", "fedcba9876543210"
HOME = GrantedDirectory("home", "/home/anna", writable=True, device=None, inode=None)
REPORT = json.dumps({"directories": [[1, 2, False]], "open": []})
#: The addresses of a pod that is not known yet, of a pod that runs, of a node, and of somebody else.
NEW, RUNNING, NODE, STRANGER = "127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.5"


class _Hub(RequestHandler):
    def get(self) -> None:
        self.finish("the hub")


class Start(GatewaySession):
    """A start that is awaited; `reported` is what the API server says of its pod."""

    def __init__(self, token: str = TOKEN) -> None:
        self.reported = ""
        self.contacts: list[str] = []
        super().__init__(
            Application([(".*", _Hub)]),
            session_routes("/hub/", "anna"),
            "session anna:s1",
            key=key_of(token),
            remaining_s=lambda: 3600.0,
            arrival=Arrival([HOME], list, note_contact=self.contacts.append),
            may_be_at=lambda address: not self.reported and address != NODE,
        )


@pytest.fixture(params=["127.0.0.1:0", "[::]:0"], ids=["IPv4", "both"])
async def gateway(request: pytest.FixtureRequest) -> AsyncIterator[SessionGateway]:
    """A gateway that knows one running session; its socket has IPv4 addresses as they are, or mapped into IPv6."""
    made = SessionGateway(request.param)
    made.open()
    made.know_addresses("place", {RUNNING: "running"}.get)
    running = Start(OF_ANOTHER)
    running.arrival = None
    made.add("running", running)
    yield made
    made.close()


async def ask(
    gateway: SessionGateway,
    request: str = f"POST {ARRIVAL}",
    *,
    source: str = NEW,
    own: str | None = None,
    token: str = TOKEN,
    body: str = "{}",
) -> str:
    """Return the whole response; "" if the connection was closed without one."""
    head = f"{request} HTTP/1.1\r\nHost: hub\r\nAuthorization: token {token}\r\nContent-Length: {len(body)}\r\n"
    return await send(gateway, f"{head}{OWN_ADDRESS}: {source if own is None else own}\r\n\r\n{body}", source=source)


async def send(gateway: SessionGateway, text: str, *, source: str = NEW) -> str:
    reader, writer = await connect(gateway, source)
    try:
        writer.write(text.encode())
        return (await reader.read()).decode()
    except ConnectionError:
        return ""
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


def status(response: str) -> int:
    return int(response.split()[1]) if response else 0


async def test_the_token_of_a_start_opens_the_gateway_to_its_address(gateway: SessionGateway) -> None:
    start = Start()
    gateway.add("new", start)
    assert start.arrival is not None
    assert gateway.session_at(NEW) is None
    wanted = await ask(gateway)
    assert json.loads(wanted.partition("\r\n\r\n")[2]) == {"directories": ["/home/anna"], "closed": []}
    assert start.arrival.address == NEW
    assert start.contacts == [NEW]
    assert gateway.session_at(NEW) is start
    assert status(await ask(gateway, body=REPORT)) == 200
    assert start.arrival.admitted.done()
    # it runs, and its address is still not reported
    start.arrival = None
    assert "the hub" in await ask(gateway, "GET /hub/api/user")
    assert status(await ask(gateway, f"POST {HEARTBEAT}")) == 200
    gateway.remove("new")
    assert await ask(gateway) == ""


async def test_what_the_api_server_reports_counts(gateway: SessionGateway) -> None:
    """From then on the address that it has is the only one."""
    start = Start()
    gateway.add("new", start)
    assert status(await ask(gateway)) == 200
    start.reported = "127.0.0.77"
    assert gateway.session_at(NEW) is None
    assert status(await ask(gateway, body=REPORT)) == 503
    assert start.arrival is not None
    assert not start.arrival.admitted.done()


@pytest.mark.parametrize(
    ("source", "own"),
    [(NEW, STRANGER), (NEW, ""), (NEW, "nonsense"), (NEW, f"{NEW}, {NEW}"), (NODE, NODE), (NODE, NEW)],
    ids=["rewritten", "not-said", "nonsense", "two", "a-node", "behind-a-node"],
)
async def test_an_address_that_may_be_anothers_is_not_taken(gateway: SessionGateway, source: str, own: str) -> None:
    start = Start()
    gateway.add("new", start)
    assert start.arrival is not None
    for _ in range(3):
        assert status(await ask(gateway, source=source, own=own)) == 503
    assert start.arrival.address == ""
    assert gateway.session_at(source) is None
    # it waits for the API server's report, as long as that takes
    gateway.know_addresses("its place", {source: "new"}.get)
    start.reported = source
    assert status(await ask(gateway, source=source, own=own)) == 200
    assert start.arrival.address == ""


async def test_the_address_of_a_pod_is_not_taken_for_another_one(gateway: SessionGateway) -> None:
    """Its pod may have ended a moment ago, and the API server not have noticed."""
    start = Start()
    gateway.add("new", start)
    assert status(await ask(gateway, source=RUNNING)) == 503
    assert gateway.session_at(RUNNING) is gateway.get("running")
    gateway.know_addresses("another place", {STRANGER: "not started"}.get)
    assert status(await ask(gateway, source=STRANGER)) == 503
    assert not start.contacts


async def test_an_address_is_taken_for_one_start(gateway: SessionGateway) -> None:
    """As with two places whose pods have the same addresses."""
    first, second = Start(), Start("another token of a start")
    gateway.add("first", first)
    gateway.add("second", second)
    assert status(await ask(gateway)) == 200
    assert status(await ask(gateway, token="another token of a start")) == 503
    assert not second.contacts
    # the second place's API server reports it: neither is let in
    gateway.know_addresses("the second's place", {NEW: "second"}.get)
    assert gateway.session_at(NEW) is None


async def test_a_start_has_one_address(gateway: SessionGateway) -> None:
    start = Start()
    gateway.add("new", start)
    assert status(await ask(gateway)) == 200
    assert status(await ask(gateway, source=STRANGER)) == 503
    assert gateway.session_at(STRANGER) is None
    assert gateway.session_at(NEW) is start


async def test_nobody_is_served_while_no_start_is_awaited(gateway: SessionGateway) -> None:
    assert await ask(gateway, token=OF_ANOTHER) == ""
    start = Start()
    start.arrival = None
    gateway.add("new", start)
    assert await ask(gateway) == ""


async def test_the_token_of_a_session_that_runs_opens_nothing(gateway: SessionGateway) -> None:
    """A session that would hand its token to a program elsewhere."""
    gateway.add("new", Start())
    assert status(await ask(gateway, token=OF_ANOTHER)) == 503
    assert gateway.session_at(NEW) is None


@pytest.mark.parametrize(
    "text",
    [
        f"POST {ARRIVAL} HTTP/1.1\r\nHost: hub\r\nContent-Length: 2\r\n\r\n{{}}",
        f"POST {ARRIVAL} HTTP/1.1\r\nHost: hub\r\nAuthorization: token \r\nContent-Length: 2\r\n\r\n{{}}",
        f"POST {ARRIVAL} HTTP/1.1\r\nAuthorization: token {TOKEN}\r\nContent-Length: 99999\r\n\r\n" + "x" * 9999,
        f"POST {ARRIVAL} HTTP/1.1\r\nAuthorization: token {TOKEN}\r\nX: {'x' * 9999}\r\n\r\n",
        f"GET {ARRIVAL} HTTP/1.1\r\nHost: hub\r\nAuthorization: token {TOKEN}\r\n\r\n",
        f"GET /hub/api/user HTTP/1.1\r\nHost: hub\r\nAuthorization: token {TOKEN}\r\n\r\n",
        f"POST {HEARTBEAT} HTTP/1.1\r\nHost: hub\r\nAuthorization: token {TOKEN}\r\nContent-Length: 2\r\n\r\n{{}}",
        "nonsense\r\n\r\n",
    ],
    ids=["no-token", "empty", "large-body", "large-header", "GET", "hub-api", "heartbeat", "nonsense"],
)
async def test_every_other_request_is_refused_and_its_address_turned_away(gateway: SessionGateway, text: str) -> None:
    start = Start()
    gateway.add("new", start)
    assert status(await send(gateway, text.replace("Host: hub", f"Host: hub\r\n{OWN_ADDRESS}: {NEW}"))) != 200
    assert gateway.session_at(NEW) is None
    assert not start.contacts
    # also with the right token, for a while: closed without a response
    assert await ask(gateway) == ""
    # others are not hindered
    assert status(await ask(gateway, source=STRANGER)) == 200


async def test_an_address_is_turned_away_for_a_while(gateway: SessionGateway, monkeypatch: pytest.MonkeyPatch) -> None:
    gateway.add("new", Start())
    now = 1000.0
    monkeypatch.setattr("daas_hub.spawners.kubernetes.early_arrivals.time.monotonic", lambda: now)
    assert status(await ask(gateway, token="wrong")) == 503
    now += AWAY_S - 1
    assert await ask(gateway) == ""
    now += 2
    assert status(await ask(gateway)) == 200


async def test_connections_that_say_nothing_hinder_nobody(
    gateway: SessionGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(EarlyArrivals, "request_time_s", 60.0)
    before = hub_api_socket._descriptors.used
    gateway.add("new", Start())
    silent = [await connect(gateway, STRANGER) for _ in range(MAX_OF_ONE)]
    # one more of that address is closed at once
    assert await send(gateway, "", source=STRANGER) == ""
    assert hub_api_socket._descriptors.used == before + MAX_OF_ONE
    assert status(await ask(gateway)) == 200
    silent += [await connect(gateway, f"127.0.1.{number + 1}") for number in range(MAX_CONNECTIONS)]
    # all places are taken: a session that runs is served as ever, and so is one whose address is known by now
    assert "the hub" in await ask(gateway, "GET /hub/api/user", source=RUNNING)
    assert status(await ask(gateway, body=REPORT)) == 200
    assert hub_api_socket._descriptors.used == before + MAX_CONNECTIONS
    assert await ask(gateway, source="127.0.2.1") == ""
    for _, writer in silent:
        writer.close()
        await writer.wait_closed()


async def test_a_connection_that_says_nothing_is_closed(
    gateway: SessionGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(EarlyArrivals, "request_time_s", 0.1)
    before = hub_api_socket._descriptors.used
    gateway.add("new", Start())
    assert await send(gateway, "") == ""
    assert hub_api_socket._descriptors.used == before
    assert await ask(gateway) == ""


async def connect(gateway: SessionGateway, source: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", gateway.port, local_addr=(source, 0))


async def test_many_requests_wait_for_the_report(gateway: SessionGateway, monkeypatch: pytest.MonkeyPatch) -> None:
    """Above the rate of all of them, a connection is closed and costs no more than that."""
    monkeypatch.setattr(early_arrivals, "BURST", 5.0)
    monkeypatch.setattr(early_arrivals, "REQUESTS_PER_S", 0.001)
    monkeypatch.setattr(gateway, "_early_arrivals", EarlyArrivals(gateway._awaited, gateway._take_address))
    start = Start()
    gateway.add("new", start)
    assert [status(await ask(gateway, own=STRANGER)) for _ in range(8)] == [503] * 5 + [0] * 3
    assert "the hub" in await ask(gateway, "GET /hub/api/user", source=RUNNING)
    gateway.know_addresses("its place", {NEW: "new"}.get)
    assert status(await ask(gateway)) == 200


async def test_this_machine_itself_is_no_pod(gateway: SessionGateway) -> None:
    """A proxy on it would show its address for everybody's."""
    gateway.add("new", Start())
    assert await ask(gateway, source="127.0.0.1") == ""


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("10.1.2.3", "10.1.2.3"),
        ("::ffff:10.1.2.3", "10.1.2.3"),
        ("FD00:0:0::1", "fd00::1"),
        ("fe80::1%eth0", ""),
        ("169.254.1.2", ""),
        ("224.0.0.1", ""),
        ("0.0.0.0", ""),
        ("::", ""),
        ("pod-1", ""),
        ("", ""),
    ],
)
def test_addresses_are_compared_in_one_spelling(written: str, found: str) -> None:
    assert plain(written) == found


def a_pod(uid: str = "1", *, name: str = "new", **status: object) -> Json:
    return {"metadata": {"name": name, "uid": uid}, "spec": {}, "status": {"phase": "Pending", **status}}


@pytest.mark.parametrize(
    ("pod", "expected"),
    [
        (a_pod(hostIP="10.0.0.1"), True),
        (a_pod(), False),
        (a_pod("another", hostIP="10.0.0.1"), False),
        (a_pod(hostIP="10.0.0.1", podIPs=[{"ip": "10.88.0.7"}]), False),
        (a_pod(hostIP="10.0.0.1", podIPs=[{"ip": "10.88.0.9"}]), False),
        (a_pod(hostIP="10.88.0.7"), False),
        (a_pod(hostIP="10.0.0.1", phase="Failed"), False),
        ({**a_pod(hostIP="10.0.0.1"), "spec": {"hostNetwork": True}}, False),
        (None, False),
    ],
    ids=["a-node", "no-node", "another", "reported", "elsewhere", "its-node", "ended", "host-network", "gone"],
)
async def test_a_pod_may_be_at_an_address_until_it_is_reported(pod: Json | None, expected: bool) -> None:
    client = PlaceClient(APIAccess(host="https://127.0.0.1:1"), "sessions")
    watch = PodWatch(client, "")
    watch.pods = {"other": a_pod(name="other", hostIP="10.0.0.2")} | ({"new": pod} if pod is not None else {})
    assert may_be_at(watch, "new", "1", "10.88.0.7") is expected
    # another node's
    assert not may_be_at(watch, "new", "1", "10.0.0.2")
