"""How a pod comes and goes, with a real API server: late answers, strangers, gates, Secrets, finalizers."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from daas_hub.errors import SessionFailed
from daas_hub.spawners.kubernetes.access import APIAccess
from daas_hub.spawners.kubernetes.client import MAX_EVENT_LISTS, APIRefusal, ClusterUnreachable, PlaceClient
from daas_hub.spawners.kubernetes.deadlines import keep_annotation
from daas_hub.spawners.kubernetes.labels import DEADLINE_ANNOTATION
from daas_hub.spawners.kubernetes.launch import (
    create_pod,
    create_secret,
    open_gate,
    require_asked,
    start_of,
    wait_gone,
)
from daas_hub.spawners.kubernetes.pod import moment, pod_for
from daas_hub.spawners.kubernetes.watch import PodWatch
from tests.kubernetes.api_server import ApiServer
from tests.kubernetes.faults import FaultProxy, fault_proxy
from tests.kubernetes.plans import DESKTOP, IDENTITY, PLAIN


@pytest.fixture
async def slow(api: ApiServer) -> AsyncIterator[FaultProxy]:
    async with fault_proxy(api) as faults:
        yield faults


@pytest.fixture
async def slow_client(api: ApiServer, namespace: str, slow: FaultProxy) -> AsyncIterator[PlaceClient]:
    """A client that waits two seconds for an answer."""
    access = APIAccess(host=slow.url, token_file=str(api.folder / "hub.token"), timeout_s=2, retry_s=20)
    made = PlaceClient(access, namespace)
    yield made
    await made.close()


@pytest.fixture
async def watch(client: PlaceClient) -> AsyncIterator[PodWatch]:
    watching = PodWatch(client, "daas-hub/hub", window_s=2)
    watching.start()
    await watching.wait_complete(30)
    yield watching
    await watching.stop()


def asked(namespace: str, start: str = "f00dfeedf00dfeed") -> dict:  # type: ignore[type-arg]
    return pod_for(DESKTOP, replace(PLAIN, namespace=namespace), replace(IDENTITY, start_id=start))


async def test_a_pod_is_created_as_it_was_asked_for(client: PlaceClient, namespace: str) -> None:
    manifest = asked(namespace)
    made = await create_pod(client, manifest)
    require_asked(manifest, made)
    assert start_of(made) == "f00dfeedf00dfeed"


async def test_a_changed_pod_is_not_started(client: PlaceClient, namespace: str) -> None:
    manifest = asked(namespace)
    made = copy.deepcopy(await create_pod(client, manifest))
    made["spec"]["securityContext"]["supplementalGroups"] = [0]
    with pytest.raises(SessionFailed) as refused:
        require_asked(manifest, made)
    assert "supplementalGroups" in refused.value.detail


async def test_a_late_answer_is_a_success(
    api: ApiServer, namespace: str, slow: FaultProxy, slow_client: PlaceClient
) -> None:
    """B7: KubeSpawner kills its own pod and creates it again, four times in one start."""
    slow.delay_s = 5
    slow.affects = lambda request: request.startswith("POST")
    made = await create_pod(slow_client, asked(namespace))
    pods = api.pods(namespace)
    assert [one["metadata"]["uid"] for one in pods] == [made["metadata"]["uid"]]
    assert not [one for one in slow.seen if one.startswith("DELETE")]


async def test_half_an_answer_is_a_success(
    api: ApiServer, namespace: str, slow: FaultProxy, slow_client: PlaceClient
) -> None:
    slow.cut = True
    slow.affects = lambda request: request.startswith("POST")
    made = await create_pod(slow_client, asked(namespace))
    assert [one["metadata"]["uid"] for one in api.pods(namespace)] == [made["metadata"]["uid"]]


async def test_another_start_of_that_name_is_refused_and_left(
    api: ApiServer, client: PlaceClient, namespace: str
) -> None:
    """B1: a 409 with a stranger."""
    stranger = api.make_pod(namespace, IDENTITY.name, {"team": "another"})
    with pytest.raises(SessionFailed, match="Something else in the cluster"):
        await create_pod(client, asked(namespace))
    assert [one["metadata"]["uid"] for one in api.pods(namespace)] == [stranger["metadata"]["uid"]]
    assert not api.pods(namespace)[0]["metadata"].get("deletionTimestamp")


async def test_a_quota_is_a_refusal_in_words_at_once(api: ApiServer, client: PlaceClient, namespace: str) -> None:
    """D3: it is a 403, and no event."""
    quota = {"metadata": {"name": "none"}, "spec": {"hard": {"pods": "0"}}}
    api.call("POST", f"/api/v1/namespaces/{namespace}/resourcequotas", quota)
    async with asyncio.timeout(30):
        while True:
            found = api.call("GET", f"/api/v1/namespaces/{namespace}/resourcequotas/none")
            if found["status"].get("hard"):
                break
            await asyncio.sleep(0.1)
    with pytest.raises(SessionFailed) as refused:
        await create_pod(client, asked(namespace))
    assert "exceeded quota" in refused.value.detail
    assert "exceeded quota" not in str(refused.value)
    assert api.call("GET", f"/api/v1/namespaces/{namespace}/events")["items"] == []


async def test_an_api_server_that_is_away_is_waited_for_and_then_said(namespace: str) -> None:
    client = PlaceClient(APIAccess(host="https://127.0.0.1:1", timeout_s=1, retry_s=1), namespace)
    try:
        with pytest.raises(ClusterUnreachable, match="does not answer"):
            await create_pod(client, asked(namespace))
    finally:
        await client.close()


async def test_the_gate_is_removed_once_and_twice(api: ApiServer, client: PlaceClient, namespace: str) -> None:
    manifest = asked(namespace)
    made = await create_pod(client, manifest)
    assert made["spec"]["schedulingGates"] == [{"name": "daas-hub/compared"}]
    await open_gate(client, manifest, made)
    # as after an answer that was lost
    await open_gate(client, manifest, made)
    assert "schedulingGates" not in api.pods(namespace)[0]["spec"]


NODES = "requiredDuringSchedulingIgnoredDuringExecution"
TERM = {"matchExpressions": [{"key": "facility.org/open", "operator": "Exists"}]}


@pytest.mark.parametrize(
    ("patch", "field"),
    [
        ({"spec": {"containers": [{"name": "session", "image": "registry.facility.org/other"}]}}, "image"),
        ({"metadata": {"labels": {"daas-hub/egress": "all"}}}, "metadata.labels[daas-hub/egress]"),
        ({"spec": {"affinity": {"nodeAffinity": {NODES: {"nodeSelectorTerms": [TERM]}}}}}, "spec.affinity"),
    ],
)
async def test_a_pod_that_is_changed_behind_its_gate_is_not_started(
    api: ApiServer, client: PlaceClient, namespace: str, patch: dict[str, Any], field: str
) -> None:
    """By a controller, or by a webhook that is asked about updates and not about creations."""
    manifest = asked(namespace)
    made = await create_pod(client, manifest)
    require_asked(manifest, made)
    path = f"/api/v1/namespaces/{namespace}/pods/{made['metadata']['name']}"
    api.call("PATCH", path, patch, headers={"Content-Type": "application/strategic-merge-patch+json"})
    with pytest.raises(SessionFailed) as refused:
        await open_gate(client, manifest, made)
    assert field in refused.value.detail
    if field == "image":
        # an administrator may accept it by its name
        await open_gate(client, manifest, made, ["spec.containers[session].image"])


async def test_the_secret_goes_with_its_pod(api: ApiServer, client: PlaceClient, namespace: str) -> None:
    """The hub may create Secrets, and neither read nor delete them: the cluster deletes them with their pod."""
    made = await create_pod(client, asked(namespace))
    await create_secret(client, "one", made, {"JUPYTERHUB_API_TOKEN": b"secret", "localtime": b"\x00\xff"})
    await create_secret(client, "one", made, {"JUPYTERHUB_API_TOKEN": b"secret"})
    path = f"/api/v1/namespaces/{namespace}/secrets"
    assert [one["metadata"]["name"] for one in api.call("GET", path)["items"]] == ["one"]
    api.delete_pod(namespace, made["metadata"]["name"])
    async with asyncio.timeout(30):
        while api.call("GET", path)["items"]:  # noqa: ASYNC110
            await asyncio.sleep(0.2)


async def test_a_pod_is_deleted_by_its_uid(api: ApiServer, client: PlaceClient, namespace: str) -> None:
    """Not a later one of its name."""
    earlier = await create_pod(client, asked(namespace))
    api.delete_pod(namespace, IDENTITY.name)
    later = await create_pod(client, asked(namespace, "another0another0"))
    await client.delete_pod(earlier)
    assert [one["metadata"]["uid"] for one in api.pods(namespace)] == [later["metadata"]["uid"]]
    await client.delete_pod(later)
    assert api.pods(namespace) == []


async def test_a_pod_that_is_being_ended_is_not_gone(
    api: ApiServer, client: PlaceClient, watch: PodWatch, namespace: str
) -> None:
    """I3: its memory is still in use."""
    manifest = asked(namespace)
    manifest["metadata"]["finalizers"] = ["example.org/slow"]
    made = await create_pod(client, manifest)
    await client.delete_pod(made)
    assert not await wait_gone(client, watch, made, 1.0)
    path = f"/api/v1/namespaces/{namespace}/pods/{IDENTITY.name}"
    api.call(
        "PATCH", path, {"metadata": {"finalizers": None}}, headers={"Content-Type": "application/merge-patch+json"}
    )
    assert await wait_gone(client, watch, made, 30.0)


async def test_a_deadline_that_is_extended_is_written_to_the_pod(
    api: ApiServer, client: PlaceClient, namespace: str
) -> None:
    made = await create_pod(client, asked(namespace))
    await keep_annotation(client, made, IDENTITY.ends + 3600)
    found = api.pods(namespace)[0]
    assert found["metadata"]["annotations"][DEADLINE_ANNOTATION] == moment(IDENTITY.ends + 3600)
    assert found["metadata"]["labels"] == made["metadata"]["labels"]
    # nothing to write
    await keep_annotation(client, found, IDENTITY.ends + 3600)
    assert api.pods(namespace)[0]["metadata"]["resourceVersion"] == found["metadata"]["resourceVersion"]


async def test_rights_are_exactly_what_is_needed(api: ApiServer, namespace: str, client: PlaceClient) -> None:
    """What the hub may not do is refused by the API server, and the doctor names it."""
    assert await client.may("create", "secrets")
    assert not await client.may("get", "secrets")
    assert not await client.may("create", "pods", "exec")
    with pytest.raises(APIRefusal) as refused:
        await client.call("list_namespaced_secret")
    assert refused.value.status == 403


class _CountingClient(PlaceClient):
    """Counts how many questions for events are under way."""

    now = most = 0

    async def once(self, method: str, *names: Any, **options: Any) -> dict[str, Any]:
        if method != "list_namespaced_event":
            return await super().once(method, *names, **options)
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            return await super().once(method, *names, **options)
        finally:
            self.now -= 1


async def test_many_starts_ask_for_few_events_at_a_time(api: ApiServer, client: PlaceClient, namespace: str) -> None:
    """K1: the API server reads all events of the namespace to answer for one pod."""
    pod = api.make_pod(namespace, "waiting")
    event = {
        "metadata": {"name": "pulling"},
        "involvedObject": {"kind": "Pod", "name": "waiting", "namespace": namespace, "uid": pod["metadata"]["uid"]},
        "reason": "Pulling",
        "message": "Pulling image",
    }
    api.call("POST", f"/api/v1/namespaces/{namespace}/events", event)
    counting = _CountingClient(client.access, namespace)
    try:
        found = await asyncio.gather(*(counting.events(pod["metadata"]["uid"]) for _ in range(40)))
    finally:
        await counting.close()
    assert [[one["reason"] for one in events] for events in found] == [["Pulling"]] * 40
    assert counting.most == MAX_EVENT_LISTS


async def test_few_events_of_many_are_read(api: ApiServer, client: PlaceClient, namespace: str) -> None:
    """K1: of one pod alone, and a page of them at most, however many there are."""
    pods = [api.make_pod(namespace, name) for name in ("waiting", "other")]
    for pod, count in zip(pods, (60, 10), strict=True):
        name, uid = pod["metadata"]["name"], pod["metadata"]["uid"]
        about = {"kind": "Pod", "name": name, "namespace": namespace, "uid": uid}
        for number in range(count):
            event = {"metadata": {"name": f"{name}-{number}"}, "involvedObject": about, "reason": f"R{number}"}
            api.call("POST", f"/api/v1/namespaces/{namespace}/events", event)
    found = await client.events(pods[0]["metadata"]["uid"])
    assert len(found) == 50
    assert {one["involvedObject"]["name"] for one in found} == {"waiting"}
