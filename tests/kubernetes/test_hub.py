"""A real hub with an API server that is away, refuses, or says that pods ended: A1 A2 A5 B1 C3 C7 D3 G2 I3."""

from __future__ import annotations

import base64
import os
import re
import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from daas_hub.spawners.runtime_dir import session_key
from tests.kubernetes.api_server import ApiServer
from tests.kubernetes.hub import Place, as_json, running_place, servers
from tests.kubernetes.kubelet import ask
from tests.live_portal import Person, plain_text
from tests.waiting import within

CONFIG = """
c.Spawner.start_timeout = 60
c.JupyterHub.authenticate_prometheus = False
"""
MERGE = {"Content-Type": "application/merge-patch+json"}


@pytest.fixture(scope="module")
def place(api: ApiServer) -> Iterator[Place]:
    with running_place(api, api.new_namespace(), more_config=CONFIG) as running:
        yield running


@pytest.fixture
def anna(place: Place) -> Iterator[Person]:
    """Anna, without sessions before and after; pods of an earlier test are gone."""
    place.kubelet.outcome, place.kubelet.beats = "run", True
    person = place.portal.login("anna")
    yield person
    for name in list(person.get(f"/hub/api/users/{person.name}").json().get("servers", {})):
        person.stop(name)
    within(30, lambda: not place.pods())


def card(person: Person) -> str:
    return plain_text(person.get("/hub/home"))


def test_nothing_secret_is_in_the_pod_or_the_log(place: Place, anna: Person) -> None:
    """G2: the token is in a Secret that goes with the pod, and nowhere else."""
    name = anna.launch("terminal")
    assert anna.get(f"/user/{anna.name}/{name}/").text == "a session"
    pod = place.pods()[0]
    secrets = place.api.call("GET", f"/api/v1/namespaces/{place.namespace}/secrets")["items"]
    assert len(secrets) == 2
    token = next(
        base64.b64decode(one["data"]["JUPYTERHUB_API_TOKEN"]).decode()
        for one in secrets
        if "JUPYTERHUB_API_TOKEN" in one["data"]
    )
    assert token not in as_json(pod)
    assert token not in place.portal.log.read_text()
    assert anna.name not in as_json(pod)
    anna.stop(name)
    within(30, lambda: not place.api.call("GET", f"/api/v1/namespaces/{place.namespace}/secrets")["items"])


def reports_life(place: Place, pod: dict[str, Any], token: str) -> bool:
    """Report at the gateway from the address of a pod; return whether the hub let that in."""
    container = pod["spec"]["containers"][0]
    gateway = next(one["value"] for one in container["env"] if one["name"] == "DAAS_GATEWAY")
    return ask(gateway, pod["status"]["podIP"], token, "/session/heartbeat", {}) is not None


def test_a_hub_that_starts_while_the_cluster_is_away_loses_nobody(place: Place, anna: Person) -> None:
    """A2: with KubeSpawner all are forgotten, run on as orphans, and nobody can start any more."""
    names = [anna.launch("terminal"), anna.launch("terminal")]
    before = {one["metadata"]["name"]: one["metadata"]["uid"] for one in place.pods()}
    pod = place.pods()[0]
    secret = pod["spec"]["containers"][0]["envFrom"][0]["secretRef"]["name"]
    data = place.api.call("GET", f"/api/v1/namespaces/{place.namespace}/secrets/{secret}")["data"]
    token = base64.b64decode(data["JUPYTERHUB_API_TOKEN"]).decode()
    place.kill()
    place.api.kill_api()
    try:
        place.restart()
        anna = place.portal.login("anna")
        assert "is not known since the portal was started" in within(30, lambda: card(anna))
        assert sorted(servers(anna)) == sorted(names)
        assert anna.get(f"/user/{anna.name}/{names[0]}/").text == "a session"
        # without the gateway its page would not open: it asks the hub who comes
        within(30, lambda: reports_life(place, pod, token))
        assert not reports_life(place, {**pod, "status": {"podIP": "127.0.0.9"}}, token)
        time.sleep(float(os.environ.get("DAAS_TEST_API_AWAY_AT_START_S", "5")))
    finally:
        place.api.start_api()
    within(30, lambda: "not known" not in card(anna))
    assert {one["metadata"]["name"]: one["metadata"]["uid"] for one in place.pods()} == before
    assert all(server["ready"] for server in servers(anna).values())
    # a start after that succeeds at once
    began = time.monotonic()
    names.append(anna.launch("terminal"))
    assert time.monotonic() - began < 30
    assert len(place.pods()) == 3
    for name in names:
        anna.stop(name)
    within(30, lambda: not place.pods())


def watch_age_s(place: Place) -> float:
    """Return the age of the watch, as Prometheus reads it."""
    text = requests.get(f"{place.portal.url}/hub/metrics", timeout=30).text
    found = re.findall(r"^daas_cluster_watch_age_seconds\{(.*)\} (\S+)$", text, re.MULTILINE)
    assert [labels for labels, _ in found] == ['place="kubernetes"'], found
    return float(found[0][1])


def sessions_counted(place: Place) -> dict[str, float]:
    """Return how many sessions there are by state, as Prometheus reads it."""
    text = requests.get(f"{place.portal.url}/hub/metrics", timeout=30).text
    found = re.findall(r'^daas_sessions\{.*state="(\w+)".*\} (\S+)$', text, re.MULTILINE)
    return {state: sum(float(value) for name, value in found if name == state) for state, _ in found}


def test_a_killed_hub_counts_the_sessions_that_there_are(place: Place, anna: Person) -> None:
    """I5: gauges that are counted up and down are negative, or too high, after that."""
    names = [anna.launch("terminal"), anna.launch("terminal")]
    place.kill()
    # meanwhile one ends
    gone = place.pods()[0]["metadata"]["name"]
    place.api.delete_pod(place.namespace, gone)
    place.restart()
    anna = place.portal.login("anna")
    within(30, lambda: len(servers(anna)) == 1)
    within(30, lambda: sessions_counted(place).get("running") == 1)
    assert sum(sessions_counted(place).values()) == 1
    for name in names:
        anna.stop(name)
    within(30, lambda: not sum(sessions_counted(place).values()))
    assert all(value >= 0 for value in sessions_counted(place).values())


def test_a_cluster_that_is_away_is_said_on_the_card(place: Place, anna: Person) -> None:
    """A1: what is known is shown, with the time since when it is; an alert reads its age as a metric."""
    within(30, lambda: watch_age_s(place) < 20)
    name = anna.launch("terminal")
    place.api.kill_api()
    try:
        assert within(90, lambda: "is not known since" in card(anna))
        assert watch_age_s(place) > 30
        assert name in servers(anna)
        # a stop that cannot be carried out is kept
        assert anna.stop(name).status_code in (202, 303)
        assert "being stopped" in within(90, lambda: card(anna) if "being stopped" in card(anna) else "")
    finally:
        place.api.start_api()
    within(30, lambda: not place.pods())
    within(30, lambda: name not in card(anna))
    # the watch asks again after 15 s at most
    within(30, lambda: watch_age_s(place) < 20)


def test_a_session_that_says_nothing_has_a_lost_computer(place: Place, anna: Person) -> None:
    """A5: the cluster takes 50 s to notice, and five minutes to say so."""
    anna.launch("terminal")
    within(30, place.pods)
    time.sleep(2)
    place.kubelet.beats = False
    assert within(90, lambda: "Its computer does not answer since" in card(anna))
    place.kubelet.beats = True
    within(30, lambda: "does not answer" not in card(anna))


def test_a_stop_has_an_end_and_the_place_is_free_when_the_pod_is_gone(place: Place, anna: Person) -> None:
    """I3, A5: a pod that is Terminating for ever."""
    name = anna.launch("terminal")
    pod = place.pods()[0]["metadata"]["name"]
    path = f"/api/v1/namespaces/{place.namespace}/pods/{pod}"
    place.api.call("PATCH", path, {"metadata": {"finalizers": ["example.org/slow"]}}, headers=MERGE)
    anna.stop(name)
    assert within(30, lambda: "It is being stopped: the cluster has not confirmed its end yet." in card(anna))
    assert place.pods()
    # the same session must wait, and says why
    again = anna.api("POST", f"users/{anna.name}/servers/{name}", {"application": "terminal"})
    assert "This session is being stopped: the cluster has not confirmed its end yet." in again.text
    assert len(place.pods()) == 1
    # another session can start meanwhile
    anna.stop(anna.launch("terminal"))
    place.api.call("PATCH", path, {"metadata": {"finalizers": None}}, headers=MERGE)
    within(30, lambda: not place.pods())
    within(30, lambda: "being stopped" not in card(anna))


def test_an_evicted_session_ended_and_its_pod_is_deleted(place: Place, anna: Person) -> None:
    """C3: with a container that is still "waiting", KubeSpawner says that it runs."""
    name = anna.launch("terminal")
    pod = place.pods()[0]["metadata"]["name"]
    waiting = {"name": "session", "ready": False, "restartCount": 0, "image": "x", "imageID": ""}
    place.api.set_status(
        place.namespace, pod, phase="Failed", reason="Evicted", message="The node was low on resource: memory.",
        containerStatuses=[{**waiting, "state": {"waiting": {"reason": "ContainerCreating"}}}],
    )  # fmt: skip
    within(30, lambda: name not in servers(anna))
    within(30, lambda: not place.pods())
    assert "low on resource" not in card(anna)
    assert "low on resource" in place.portal.log.read_text()
    anna.stop(anna.launch("terminal"))


@pytest.mark.parametrize("phase", ["Running", "Succeeded", "Failed"])
def test_a_drained_node_is_said_on_the_card(place: Place, anna: Person, phase: str) -> None:
    """An eviction by the API deletes the pod: why is in its last state alone, whether its kubelet ended it or not."""
    name = anna.launch("terminal")
    pod = place.pods()[0]["metadata"]["name"]
    path = f"/api/v1/namespaces/{place.namespace}/pods/{pod}"
    # as long as a kubelet takes to end it
    place.api.call("PATCH", path, {"metadata": {"finalizers": ["example.org/kubelet"]}}, headers=MERGE)
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod}}
    place.api.call("POST", f"{path}/eviction", eviction)
    if phase != "Running":
        code = 0 if phase == "Succeeded" else 143
        state = {"terminated": {"exitCode": code, "reason": "Completed" if code == 0 else "Error"}}
        ended = {"name": "session", "ready": False, "restartCount": 0, "image": "x", "imageID": "", "state": state}
        place.api.set_status(place.namespace, pod, phase=phase, containerStatuses=[ended])
    place.api.call("PATCH", path, {"metadata": {"finalizers": []}}, headers=MERGE)
    within(30, lambda: name not in servers(anna))
    assert "administrators, as for maintenance. Please launch it again." in card(anna)


def test_starts_that_fail_leave_no_pods(place: Place, anna: Person) -> None:
    """C7: KubeSpawner leaves each of them as Failed."""
    ended = {"name": "session", "ready": False, "restartCount": 0, "image": "x", "imageID": ""}
    ended |= {"state": {"terminated": {"exitCode": 1, "reason": "Error"}}}
    place.kubelet.outcome = {"phase": "Failed", "containerStatuses": [ended]}
    for _ in range(5):
        answer = anna.post("/hub/launch", {"application": "terminal", "proposal": "", "visit": ""})
        assert "Something went wrong" not in answer.text
    within(30, lambda: not place.pods())


def test_six_refusals_by_quota_are_said_in_words_and_the_hub_goes_on(place: Place, anna: Person) -> None:
    """D3: each person reads 500 with KubeSpawner, and five of them end the hub."""
    path = f"/api/v1/namespaces/{place.namespace}/resourcequotas"
    place.api.call("POST", path, {"metadata": {"name": "none"}, "spec": {"hard": {"pods": "0"}}})
    try:
        within(30, lambda: place.api.call("GET", f"{path}/none")["status"].get("hard"))
        for _ in range(6):
            words = plain_text(anna.post("/hub/launch", {"application": "terminal", "proposal": "", "visit": ""}))
            assert "500" not in words
            assert "exceeded quota" not in words
        assert place.portal.wait_for_log("exceeded quota")
        assert place.portal.process.poll() is None
    finally:
        place.api.call("DELETE", f"{path}/none")
    anna.stop(anna.launch("terminal"))


def test_a_strangers_pod_is_never_touched(place: Place, anna: Person) -> None:
    """B1: it has the name that this session would have."""
    name = f"daas-{session_key(f'{place.hub_id}/kubernetes/{anna.name}', 'mine')}"
    stranger = place.api.make_pod(place.namespace, name, {"daas-hub/hub": "another"})
    try:
        answer = anna.api("POST", f"users/{anna.name}/servers/mine", {"application": "terminal"})
        assert answer.status_code >= 400, answer.text
        assert "Something else in the cluster has the name of this session" in answer.text
        found = next(one for one in place.api.pods(place.namespace) if one["metadata"]["name"] == name)
        assert found["metadata"]["uid"] == stranger["metadata"]["uid"]
        assert "deletionTimestamp" not in found["metadata"]
    finally:
        place.api.delete_pod(place.namespace, name)


def test_a_session_ends_at_its_time_limit(place: Place, anna: Person) -> None:
    """Its own program would end it, too, without the hub."""
    name = anna.launch("brief")
    within(30, lambda: name not in servers(anna))
    assert "It reached its time limit." in card(anna)
    within(30, lambda: not place.pods())


def waiting(reason: str, message: str) -> dict[str, Any]:
    """Return the status of a pod whose container waits."""
    container = {"name": "session", "ready": False, "restartCount": 0, "image": "x", "imageID": ""}
    state = {"waiting": {"reason": reason, "message": message}}
    return {"phase": "Pending", "containerStatuses": [{**container, "state": state}]}


@pytest.mark.parametrize("reason", ["InvalidImageName", "ErrImageNeverPull"])
def test_a_start_that_cannot_succeed_is_not_waited_for(place: Place, anna: Person, reason: str) -> None:
    """D1: KubeSpawner waits for the whole limit."""
    place.kubelet.outcome = waiting(reason, "raw words of the kubelet")
    answer = anna.post("/hub/launch", {"application": "terminal", "proposal": "", "visit": ""})
    words = within(30, lambda: failure(anna, answer))
    assert "raw words" not in words
    assert "raw words" in place.portal.log.read_text()
    within(30, lambda: not place.pods())


def failure(person: Person, answer: Any) -> str:
    """Return the words of a start that failed; "" while it has not."""
    name = answer.url.rstrip("/").rpartition("/")[2].partition("?")[0]
    words = plain_text(person.get(f"/hub/sessions/{name}")) if "/sessions/" in answer.url else plain_text(answer)
    return words if "did not start" in words or "Nothing has started" in words else ""


def test_a_start_that_waits_says_why_in_words_and_can_be_cancelled(place: Place, anna: Person) -> None:
    """D6, D8: never the scheduler's own text; the pod is gone at once."""
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
    condition |= {"message": "0/3 nodes are available: 3 Insufficient memory."}
    place.kubelet.outcome = {"phase": "Pending", "conditions": [condition]}
    name = anna.launch("terminal", wait=False)
    page = within(30, lambda: steps(anna, name, "Asking the cluster for your session"))
    said = within(30, lambda: steps(anna, name, "memory") or steps(anna, name, "computer"))
    assert "nodes are available" not in page + said
    anna.stop(name)
    within(30, lambda: not place.pods())
    within(30, lambda: name not in servers(anna))


def test_the_latest_reason_is_found_behind_many_of_the_schedulers(place: Place, anna: Person) -> None:
    """D6: it waited for room for an hour, in a cluster that changed every minute; now its directories are missing."""
    place.kubelet.outcome = "wait"
    anna.launch("terminal", wait=False)
    (pod,) = within(30, place.pods)
    name, uid = pod["metadata"]["name"], pod["metadata"]["uid"]
    about = {"kind": "Pod", "namespace": place.namespace, "name": name, "uid": uid}
    texts = [("FailedScheduling", f"0/{number} nodes are available: {number} Too many pods.") for number in range(60)]
    for number, (reason, message) in enumerate([*texts, ("FailedMount", 'MountVolume.SetUp failed: "x": timed out')]):
        event = {"metadata": {"name": f"{name}.{number:04}"}, "involvedObject": about, "type": "Warning"}
        place.api.call(
            "POST", f"/api/v1/namespaces/{place.namespace}/events", event | {"reason": reason, "message": message}
        )
    within(30, lambda: steps(anna, next(iter(servers(anna))), "The storage does not answer yet"))


def steps(person: Person, name: str, word: str) -> str:
    text = plain_text(person.get(f"/hub/sessions/{name}"))
    return text if word in text else ""
