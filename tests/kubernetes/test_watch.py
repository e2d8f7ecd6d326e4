"""The watch of a place against a real API server: complete first, never ending, and honest about its age."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY
from traitlets.config import Config

from daas_hub.metrics.clusters import WATCH_AGE
from daas_hub.spawners.kubernetes.access import APIAccess
from daas_hub.spawners.kubernetes.client import APIRefusal, ClusterUnreachable, PlaceClient
from daas_hub.spawners.kubernetes.spawner import ProposalKubeSpawner
from daas_hub.spawners.kubernetes.watch import PodWatch
from tests.kubernetes.api_server import ApiServer
from tests.kubernetes.rights import HUB_RULES

#: Longer than the 51 s after which KubeSpawner's own watch ends in silence.
AWAY_S = float(os.environ.get("DAAS_TEST_API_AWAY_S", "60"))
OURS = {"daas-hub/hub": "h"}


@pytest.fixture
async def watch(client: PlaceClient) -> AsyncIterator[PodWatch]:
    watching = PodWatch(client, "daas-hub/hub=h", window_s=2)
    watching.start()
    yield watching
    await watching.stop()


async def until(true: Callable[[], bool], timeout_s: float = 30.0) -> None:
    async with asyncio.timeout(timeout_s):
        while not true():  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def test_it_sees_its_own_pods_and_nobody_elses(api: ApiServer, namespace: str, watch: PodWatch) -> None:
    api.make_pod(namespace, "before", OURS)
    await until(lambda: "before" in watch.pods)
    api.make_pod(namespace, "stranger", {"daas-hub/hub": "other"})
    api.make_pod(namespace, "after", OURS)
    await until(lambda: "after" in watch.pods)
    api.run_pod(namespace, "after", "192.0.2.7")
    await until(lambda: watch.pod_at("192.0.2.7") is not None)
    assert set(watch.pods) == {"before", "after"}
    api.delete_pod(namespace, "after")
    await until(lambda: set(watch.pods) == {"before"})
    assert watch.pod_at("192.0.2.7") is None


async def test_an_ended_pod_has_no_address(api: ApiServer, namespace: str, watch: PodWatch) -> None:
    """Its address may be another pod's by now, which must not be taken for this session."""
    api.make_pod(namespace, "one", OURS)
    api.run_pod(namespace, "one", "192.0.2.8")
    await until(lambda: watch.pod_at("192.0.2.8") is not None)
    api.set_status(namespace, "one", phase="Failed")
    await until(lambda: watch.pod_at("192.0.2.8") is None)
    assert "one" in watch.pods


async def test_an_address_is_its_last_pods(api: ApiServer, namespace: str, watch: PodWatch) -> None:
    """The end of the pod that had it before takes nothing from the one that has it now."""
    for name in ("first", "second"):
        api.make_pod(namespace, name, OURS)
    api.run_pod(namespace, "first", "192.0.2.9")
    api.set_status(namespace, "first", phase="Succeeded")
    api.run_pod(namespace, "second", "192.0.2.9")
    api.delete_pod(namespace, "first")
    await until(lambda: set(watch.pods) == {"second"} and watch.pod_at("192.0.2.9") is not None)
    pod = watch.pod_at("192.0.2.9")
    assert pod is not None
    assert pod["metadata"]["name"] == "second"
    api.set_status(namespace, "second", phase="Failed")
    await until(lambda: watch.pod_at("192.0.2.9") is None)


async def test_the_reconciler_reads_what_is_watched(
    api: ApiServer, namespace: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A list of all pods each minute would keep a hub with a thousand sessions busy; without a watch it asks."""
    config = Config()
    config.ProposalKubeSpawner.update(
        hub_id="h", namespace=namespace, k8s_api_host=api.url, k8s_api_ssl_ca_cert=str(api.ca),
        token_file=str(api.folder / "hub.token"), runtime_dir=str(tmp_path / "run"),
    )  # fmt: skip
    spawner = ProposalKubeSpawner(config=config)
    labels = {"daas-hub/hub": "h", "daas-hub/place": "kubernetes"}
    api.make_pod(namespace, "one", labels)
    lists: list[str] = []
    real = spawner.client.pods

    async def counted(selector: str):  # type: ignore[no-untyped-def]
        lists.append(selector)
        return await real(selector)

    monkeypatch.setattr(spawner.client, "pods", counted)
    try:
        assert [one.name for one in await spawner.list_running()] == ["one"]
        # the watch's own first one
        assert len(lists) == 1
        api.make_pod(namespace, "two", labels)
        await until(lambda: "two" in spawner.watch.pods)
        assert [one.name for one in await spawner.list_running()] == ["one", "two"]
        assert len(lists) == 1
        spawner.watch.contact.note_problem(ClusterUnreachable("away"))
        assert [one.name for one in await spawner.list_running()] == ["one", "two"]
        assert len(lists) == 2
    finally:
        await spawner.watch.stop()
        await spawner.client.close()


async def test_a_listener_hears_of_changes_until_it_forgets(api: ApiServer, namespace: str, watch: PodWatch) -> None:
    heard: list[str] = []
    forget = watch.listen("one", lambda pod: heard.append(pod["status"]["phase"] if pod else "gone"))
    api.make_pod(namespace, "one", OURS)
    api.run_pod(namespace, "one")
    await until(lambda: heard[-1:] == ["Running"])
    api.delete_pod(namespace, "one")
    await until(lambda: heard[-1:] == ["gone"])
    forget()
    api.make_pod(namespace, "one", OURS)
    await until(lambda: "one" in watch.pods)
    assert heard[-1] == "gone"


async def test_a_quiet_watch_is_heard_of(watch: PodWatch) -> None:
    """Nothing happens, and the age of what is known stays small."""
    await until(lambda: watch.is_complete)
    await asyncio.sleep(10)
    assert watch.age_s < 8


async def test_ages_are_published_by_place_when_they_are_read(namespace: str) -> None:
    """One series a place, without names of people; a place that never answered counts from the hub's start."""
    client = PlaceClient(APIAccess(host="https://127.0.0.1:1", timeout_s=1), namespace)
    places = {name: PodWatch.of(client, f"daas-hub/place={name}", name) for name in ("published-1", "published-2")}
    try:
        assert PodWatch.of(client, "daas-hub/place=published-1", "published-1") is places["published-1"]
        first = {name: REGISTRY.get_sample_value(WATCH_AGE.name, {"place": name}) for name in places}
        await asyncio.sleep(0.3)
        for name, age_s in first.items():
            now = REGISTRY.get_sample_value(WATCH_AGE.name, {"place": name})
            assert age_s is not None
            assert now is not None
            assert 0.3 <= now - age_s < 30
    finally:
        for watch in places.values():
            await watch.stop()
        await client.close()


async def test_nothing_is_known_before_a_complete_list(api: ApiServer, namespace: str) -> None:
    access = APIAccess(host="https://127.0.0.1:1", timeout_s=1)
    client = PlaceClient(access, namespace)
    watch = PodWatch(client, "daas-hub/hub=h")
    watch.start()
    try:
        await until(lambda: watch.contact.problem != "")
        assert not await watch.wait_complete(1.5)
        assert not watch.is_complete
    finally:
        await watch.stop()
        await client.close()


async def test_an_absence_of_a_minute_is_survived(api: ApiServer, namespace: str, watch: PodWatch) -> None:
    """A1: KubeSpawner's watch ends after 51 s, and a pod deleted later runs for ever."""
    for name in ("kept", "lost"):
        api.make_pod(namespace, name, OURS)
    await until(lambda: set(watch.pods) == {"kept", "lost"})
    api.kill_api()
    began = time.monotonic()
    try:
        await until(lambda: watch.contact.is_old, 90)
        assert set(watch.pods) == {"kept", "lost"}
        await asyncio.sleep(max(0.0, AWAY_S - (time.monotonic() - began)))
    finally:
        # not in a thread of the pool, with which it would end
        api.start_api()
    api.delete_pod(namespace, "lost")
    await until(lambda: set(watch.pods) == {"kept"})
    assert not watch.contact.is_old
    assert watch.contact.problem == ""


async def test_a_version_that_is_too_old_is_listed_again(
    api: ApiServer, namespace: str, watch: PodWatch, client: PlaceClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """410 Gone, as after etcd was compacted."""
    await until(lambda: watch.is_complete)
    real = client.watch_pods
    refused: list[str] = []

    async def gone_once(selector: str, version: str, **options: Any):  # type: ignore[no-untyped-def]
        if not refused:
            refused.append(version)
            raise APIRefusal(410, {"reason": "Expired"})
        async for one in real(selector, version, **options):
            yield one

    monkeypatch.setattr(client, "watch_pods", gone_once)
    await until(lambda: bool(refused))
    api.make_pod(namespace, "later", OURS)
    await until(lambda: "later" in watch.pods)


async def test_a_list_of_several_pages_is_read_to_its_end(
    api: ApiServer, namespace: str, client: PlaceClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daas_hub.spawners.kubernetes.client._PAGE", 2)
    names = [f"pod-{number}" for number in range(5)]
    for name in names:
        api.make_pod(namespace, name, OURS)
    pods, version = await client.pods("daas-hub/hub")
    assert sorted(one["metadata"]["name"] for one in pods) == names
    assert version


async def test_a_list_whose_next_page_is_too_late_is_no_list(
    api: ApiServer, namespace: str, client: PlaceClient, watch: PodWatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """410 in the middle, as after etcd was compacted: half of the pods would be taken for gone."""
    names = {f"pod-{number}" for number in range(5)}
    for name in names:
        api.make_pod(namespace, name, OURS)
    await until(lambda: set(watch.pods) == names)
    monkeypatch.setattr("daas_hub.spawners.kubernetes.client._PAGE", 2)
    real, pages = client.once, 0

    async def compacted(method: str, *names: Any, **options: Any) -> Any:
        nonlocal pages
        if options.get("_continue"):
            pages += 1
            raise APIRefusal(410, {"reason": "Expired", "message": "The provided continue parameter is too old"})
        return await real(method, *names, **options)

    monkeypatch.setattr(client, "once", compacted)
    seen: list[Any] = []
    watch.listen("pod-4", seen.append)
    watch._list_again_s = 0.0
    await until(lambda: pages >= 2)
    assert set(watch.pods) == names
    assert None not in seen
    monkeypatch.setattr(client, "once", real)
    api.make_pod(namespace, "later", OURS)
    await until(lambda: "later" in watch.pods)


async def test_two_places_have_two_clients(api: ApiServer, namespace: str) -> None:
    """B2: with KubeSpawner, the second place talks to the first one's cluster."""
    here = PlaceClient.of(APIAccess(host=api.url, ca=str(api.ca), token_file=str(api.folder / "hub.token")), namespace)
    nowhere = PlaceClient.of(APIAccess(host="https://127.0.0.1:1", timeout_s=1, retry_s=1), namespace)
    try:
        assert await here.pods("") == ([], (await here.pods(""))[1])
        with pytest.raises(ClusterUnreachable):
            await nowhere.pods("")
        assert await nowhere.address() == "https://127.0.0.1:1"
        assert await here.address() == api.url
    finally:
        await here.close()
        await nowhere.close()


async def test_a_right_that_is_taken_away_is_named_and_ends_nothing(
    api: ApiServer, namespace: str, watch: PodWatch, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A4. Without the right to watch, the hub lists; without that to list, nothing is known, and nothing is gone."""
    monkeypatch.setattr("daas_hub.spawners.kubernetes.contact.ROLES_S", 1.0)
    api.make_pod(namespace, "one", OURS)
    await until(lambda: "one" in watch.pods)
    pods = next(rule for rule in HUB_RULES if rule["resources"] == ["pods"])
    role = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/roles/hub"
    merge = {"Content-Type": "application/merge-patch+json"}

    def allow(*verbs: str) -> None:
        api.call("PATCH", role, {"rules": [{**pods, "verbs": list(verbs)}]}, headers=merge)

    try:
        allow("get", "list")
        await until(lambda: "cannot watch resource" in watch.contact.problem)
        api.make_pod(namespace, "two", OURS)
        await until(lambda: "two" in watch.pods)
        await asyncio.sleep(3)
        assert caplog.text.count("cannot be watched") == 1
        assert "watched again" not in caplog.text
        assert not watch.contact.is_old
        allow("get")
        await until(lambda: watch.contact.missing_right == "list pods")
        assert set(watch.pods) == {"one", "two"}
    finally:
        api.call("PATCH", role, {"rules": HUB_RULES}, headers=merge)
    await until(lambda: not watch.contact.problem)
    assert watch.contact.missing_right == ""
    assert set(watch.pods) == {"one", "two"}
