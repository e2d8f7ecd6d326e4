"""Between hub and API server: a passing fault costs nothing, a refusal is final, and no wrong answer ends a session."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from daas_hub.errors import SessionFailed
from daas_hub.spawners.kubernetes.access import APIAccess
from daas_hub.spawners.kubernetes.client import APIRefusal, ClusterUnreachable, PlaceClient
from daas_hub.spawners.kubernetes.launch import create_pod, has_gate, open_gate, wait_gone
from daas_hub.spawners.kubernetes.pod import pod_for
from daas_hub.spawners.kubernetes.watch import PodWatch
from tests.kubernetes.api_server import ApiServer
from tests.kubernetes.faults import FaultProxy, fault_proxy
from tests.kubernetes.plans import DESKTOP, IDENTITY, PLAIN

#: How long the client waits for an answer that is late, and the proxy holds it.
TIMEOUT_S, LATE_S = 1.5, 3.0
OURS = {"daas-hub/hub": "hub-a1b2"}


def status(code: int, reason: str, **details: Any) -> tuple[int, str]:
    """Return an answer as the API server gives it."""
    document = {"kind": "Status", "status": "Failure", "code": code, "reason": reason, "message": "raw words"}
    return code, json.dumps(document | ({"details": details} if details else {}))


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong.

    Attributes:
        does: attributes of the proxy.
        refuses: the operations for which it is an answer, and not repeated.
    """

    name: str
    does: dict[str, Any] = field(hash=False)
    refuses: tuple[str, ...] = ()


FAULTS = (
    Fault("late", {"delay_s": LATE_S}),
    Fault("conflict", {"answer": status(409, "Conflict")}),
    Fault("forbidden", {"answer": status(403, "Forbidden")}, ("create", "patch", "delete")),
    Fault("busy", {"answer": status(429, "TooManyRequests"), "headers": {"Retry-After": "1"}}),
    Fault("half", {"cut": True}),
    Fault("reset", {"reset": True}),
    Fault("gone", {"answer": status(410, "Expired")}, ("create", "patch", "delete")),
    Fault("error", {"answer": status(500, "InternalError")}),
    Fault("unavailable", {"answer": (503, "<html>no upstream</html>")}),
    Fault("not found", {"answer": (404, "404 page not found")}, ("create", "patch")),
    Fault("page", {"answer": (200, '{"status": "maintenance"}')}),
)
OPERATIONS = {"create": "POST", "list": "GET", "watch": "WATCH", "patch": "PATCH", "delete": "DELETE"}


#: What an API server says that does not know its roles yet, because it was just started.
NO_ROLES = (
    'pods is forbidden: User "system:serviceaccount:daas:hub" cannot create resource "pods" in API group "" in the'
    ' namespace "sessions"'
)


@pytest.fixture
async def proxy(api: ApiServer) -> AsyncIterator[FaultProxy]:
    async with fault_proxy(api) as faults:
        yield faults


@pytest.fixture
async def client(
    api: ApiServer, namespace: str, proxy: FaultProxy, request: pytest.FixtureRequest
) -> AsyncIterator[PlaceClient]:
    """A client behind the proxy. Where no answer is late, it waits as long as a busy machine takes."""
    fault = getattr(request.node, "callspec", None) and request.node.callspec.params.get("fault")
    timeout_s = TIMEOUT_S if fault is not None and fault.name == "late" else 10.0
    access = APIAccess(host=proxy.url, token_file=str(api.folder / "hub.token"), timeout_s=timeout_s, retry_s=6)
    made = PlaceClient(access, namespace)
    yield made
    await made.close()


@pytest.fixture
async def watch(client: PlaceClient) -> AsyncIterator[PodWatch]:
    """A watch behind the proxy."""
    made = PodWatch(client, "daas-hub/hub=hub-a1b2", window_s=1)
    yield made
    await made.stop()


def asked(namespace: str) -> dict[str, Any]:
    return pod_for(DESKTOP, replace(PLAIN, namespace=namespace), IDENTITY)


async def until(true: Callable[[], bool], timeout_s: float = 30.0) -> None:
    async with asyncio.timeout(timeout_s):
        while not true():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


def disturb(proxy: FaultProxy, fault: Fault, operation: str) -> None:
    """Let the proxy affect the next request of an operation."""
    for name, value in fault.does.items():
        setattr(proxy, name, value)
    proxy.times, proxy.affects = 1, lambda request: request.startswith(f"{OPERATIONS[operation]} ")


def undisturbed(proxy: FaultProxy) -> None:
    proxy.times = 0


async def create(api: ApiServer, client: PlaceClient, watch: PodWatch, before: Callable[[], None]) -> None:
    """One pod, whichever request made it."""
    before()
    made = await create_pod(client, asked(client.namespace))
    assert [one["metadata"]["uid"] for one in api.pods(client.namespace)] == [made["metadata"]["uid"]]


async def list_(api: ApiServer, client: PlaceClient, watch: PodWatch, before: Callable[[], None]) -> None:
    """Nothing is concluded before the list is complete."""
    api.make_pod(client.namespace, "one", OURS)
    before()
    watch.start()
    assert await watch.wait_complete(30)
    assert set(watch.pods) == {"one"}


async def follow(api: ApiServer, client: PlaceClient, watch: PodWatch, before: Callable[[], None]) -> None:
    """What is known stays, and a change comes through."""
    api.make_pod(client.namespace, "one", OURS)
    before()
    watch.start()
    gone: list[object] = []
    watch.listen("one", lambda pod: None if pod else gone.append(pod))
    assert await watch.wait_complete(30)
    api.make_pod(client.namespace, "two", OURS)
    await until(lambda: set(watch.pods) == {"one", "two"})
    api.delete_pod(client.namespace, "two")
    await until(lambda: set(watch.pods) == {"one"})
    assert gone == []


async def patch(api: ApiServer, client: PlaceClient, watch: PodWatch, before: Callable[[], None]) -> None:
    """The gate is open, and the pod is the same."""
    manifest = asked(client.namespace)
    made = await create_pod(client, manifest)
    before()
    await open_gate(client, manifest, made)
    (found,) = api.pods(client.namespace)
    assert not has_gate(found)
    assert found["metadata"]["uid"] == made["metadata"]["uid"]


async def delete(api: ApiServer, client: PlaceClient, watch: PodWatch, before: Callable[[], None]) -> None:
    """It is gone; asked again, as the reconciler does, where an answer was misunderstood."""
    made = await create_pod(client, asked(client.namespace))
    before()
    for _ in range(30):
        await client.delete_pod(made)
        if await wait_gone(client, watch, made, 0.5):
            break
    assert api.pods(client.namespace) == []


RUN: dict[str, Callable[..., Awaitable[None]]] = {
    "create": create, "list": list_, "watch": follow, "patch": patch, "delete": delete,
}  # fmt: skip


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
async def test_a_passing_fault_costs_nothing(
    api: ApiServer, client: PlaceClient, watch: PodWatch, proxy: FaultProxy, fault: Fault, operation: str
) -> None:
    """Where it is an answer, nothing is repeated."""
    run = RUN[operation](api, client, watch, lambda: disturb(proxy, fault, operation))
    if operation in fault.refuses:
        with pytest.raises((APIRefusal, SessionFailed)):
            await run
        asked = [one for one in proxy.seen if one.startswith(f"{OPERATIONS[operation]} ")]
        assert len(asked) == 1
    else:
        await run
    assert proxy.times == 0, "it was met"


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
async def test_a_lasting_fault_ends_nothing(
    api: ApiServer, client: PlaceClient, watch: PodWatch, proxy: FaultProxy, fault: Fault
) -> None:
    """Whatever it is, what was seen stays, and what is not known is not gone."""
    api.make_pod(client.namespace, "one", OURS)
    watch.start()
    await until(lambda: set(watch.pods) == {"one"})
    gone: list[object] = []
    watch.listen("one", lambda pod: None if pod else gone.append(pod))
    for name, value in fault.does.items():
        setattr(proxy, name, value)
    pod = watch.pods["one"]
    api.run_pod(client.namespace, "one")
    if fault.name != "late":
        await until(lambda: watch.contact.problem != "")
    else:
        await asyncio.sleep(2 * LATE_S)
    with pytest.raises((APIRefusal, ClusterUnreachable)):
        await client.pod("one", repeat=False)
    assert not await wait_gone(client, watch, pod, 0.5)
    assert set(watch.pods) == {"one"}
    assert gone == []
    undisturbed(proxy)
    await until(lambda: watch.contact.problem == "")


async def test_a_busy_api_server_says_when_to_come_back(
    client: PlaceClient, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Retry-After of the header, or of its record."""
    pauses: list[float] = []
    monkeypatch.setattr("daas_hub.spawners.kubernetes.client.asyncio.sleep", _noted(pauses))
    proxy.headers, proxy.times = {"Retry-After": "3"}, 1
    proxy.answer = status(429, "TooManyRequests")
    await client.call("list_namespaced_pod")
    proxy.headers, proxy.times = {}, 1
    proxy.answer = status(503, "ServiceUnavailable", retryAfterSeconds=2)
    await client.call("list_namespaced_pod")
    # longer than anybody waits
    proxy.headers, proxy.times = {"Retry-After": "3600"}, 1
    with pytest.raises(APIRefusal):
        await client.call("list_namespaced_pod")
    # a date, or worse, is no number
    proxy.headers, proxy.times = {"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}, 1
    await client.call("list_namespaced_pod")
    assert pauses == [3.0, 2.0, 0.2]


def _noted(pauses: list[float]) -> Callable[[float], Awaitable[None]]:
    real = asyncio.sleep

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        await real(0)

    return sleep


# -- lists and changes that are wrong ----------------------------------------------------------------------------------


async def test_one_empty_list_ends_no_session(
    api: ApiServer, client: PlaceClient, watch: PodWatch, proxy: FaultProxy
) -> None:
    """A complete list without a pod that was seen is compared with the pod itself."""
    for name in ("one", "two"):
        api.make_pod(client.namespace, name, OURS)
    watch.start()
    await until(lambda: set(watch.pods) == {"one", "two"})
    gone: list[str] = []
    for name in ("one", "two"):
        watch.listen(name, lambda pod, name=name: None if pod else gone.append(name))  # type: ignore[misc]
    await watch.stop()
    # while the hub does not look, one goes
    api.delete_pod(client.namespace, "two")
    watch._list_again_s = 0.0
    _, version = await client.pods("")
    empty = {"kind": "PodList", "apiVersion": "v1", "metadata": {"resourceVersion": version}, "items": []}
    proxy.answer = (200, json.dumps(empty))
    proxy.affects = lambda request: request.startswith("GET") and request.endswith("/pods")
    watch.start()
    await until(lambda: gone == ["two"])
    assert set(watch.pods) == {"one"}


async def test_a_pod_that_lost_its_labels_is_nobodys(api: ApiServer, client: PlaceClient, watch: PodWatch) -> None:
    api.make_pod(client.namespace, "one", OURS)
    watch.start()
    await until(lambda: set(watch.pods) == {"one"})
    await watch.stop()
    path = f"/api/v1/namespaces/{client.namespace}/pods/one"
    merge = {"Content-Type": "application/merge-patch+json"}
    api.call("PATCH", path, {"metadata": {"labels": {"daas-hub/hub": "another"}}}, headers=merge)
    watch._list_again_s = 0.0
    watch.start()
    await until(lambda: not watch.pods)


@pytest.mark.parametrize(
    "answer",
    [
        '{"kind": "PodList", "metadata": {}, "items": []}',
        '{"kind": "PodList", "metadata": {"resourceVersion": "1"}}',
        '{"kind": "List", "metadata": {"resourceVersion": "1"}, "items": []}',
        "[]",
        "null",
    ],
)
async def test_what_is_no_whole_list_is_not_taken_for_one(
    client: PlaceClient, watch: PodWatch, proxy: FaultProxy, answer: str
) -> None:
    proxy.answer = (200, answer)
    with pytest.raises(ClusterUnreachable):
        await client.pods("")
    watch.start()
    assert not await watch.wait_complete(0.5)


@pytest.mark.parametrize("events", ["twice", "swapped"])
async def test_changes_that_come_twice_or_in_another_order(
    api: ApiServer, client: PlaceClient, watch: PodWatch, proxy: FaultProxy, events: str
) -> None:
    """A pod that is gone stays gone, and an old state does not replace a newer one."""
    watch.start()
    assert await watch.wait_complete(30)
    await watch.stop()
    proxy.events, proxy.affects = events, lambda request: request.startswith("WATCH")
    watch._list_again_s, watch._window_s = 3600.0, 2
    states: list[str] = []
    watch.listen("one", lambda pod: states.append(pod["status"]["phase"] if pod else "gone"))
    watch.start()
    await until(lambda: any(one.startswith("WATCH") for one in proxy.seen[-1:]))
    api.make_pod(client.namespace, "one", OURS)
    api.run_pod(client.namespace, "one")
    api.set_status(client.namespace, "one", phase="Succeeded")
    api.delete_pod(client.namespace, "one")
    await until(lambda: "gone" in states)
    # longer than a window: what was held back has come
    await asyncio.sleep(2.5)
    assert watch.pods == {}
    assert states[-1] == "gone"


async def test_a_change_that_was_lost_is_found_by_the_next_list(
    api: ApiServer, client: PlaceClient, watch: PodWatch, proxy: FaultProxy
) -> None:
    api.make_pod(client.namespace, "one", OURS)
    watch.start()
    await until(lambda: set(watch.pods) == {"one"})
    # a watch that says nothing, and ends well
    proxy.answer, proxy.affects = (200, ""), lambda request: request.startswith("WATCH")
    await until(lambda: proxy.seen[-1].startswith("WATCH"))
    api.delete_pod(client.namespace, "one")
    watch._list_again_s = 0.0
    await until(lambda: watch.pods == {})


async def test_a_pod_with_large_annotations_is_watched(api: ApiServer, client: PlaceClient, watch: PodWatch) -> None:
    """They may have 256 KiB, which is more than a line of the HTTP client's."""
    watch.start()
    assert await watch.wait_complete(30)
    pod = {"metadata": {"name": "large", "labels": OURS, "annotations": {"example.org/x": "x" * 250_000}}}
    spec = {"containers": [{"name": "session", "image": "x"}], "nodeName": "nowhere"}
    api.call("POST", f"/api/v1/namespaces/{client.namespace}/pods", pod | {"spec": spec})
    await until(lambda: "large" in watch.pods)
    assert watch.contact.problem == ""


async def test_an_api_server_that_was_just_started_is_asked_again(
    api: ApiServer, client: PlaceClient, proxy: FaultProxy
) -> None:
    code, body = status(403, "Forbidden")
    proxy.answer = (code, json.dumps(json.loads(body) | {"message": NO_ROLES}))
    proxy.times, proxy.affects = 2, lambda request: request.startswith("POST ")
    await create_pod(client, asked(client.namespace))
    assert len(api.pods(client.namespace)) == 1


async def test_a_right_that_is_missing_is_a_refusal(client: PlaceClient, proxy: FaultProxy) -> None:
    code, body = status(403, "Forbidden")
    proxy.answer = (code, json.dumps(json.loads(body) | {"message": NO_ROLES}))
    proxy.affects = lambda request: request.startswith("POST ")
    with pytest.raises(SessionFailed, match="lacks the right to create pods in the cluster"):
        await create_pod(client, asked(client.namespace))
