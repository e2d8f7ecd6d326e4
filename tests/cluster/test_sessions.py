"""Sessions on a real node: who they are, what they reach, how they end; their hub has only the rights it needs."""

from __future__ import annotations

import html
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.cluster.cluster import Cluster, Refused, processes_of
from tests.cluster.portal import ClusterPortal, on_the_node
from tests.live_portal import Person, plain_text, start_portal
from tests.waiting import within

MA_4242 = {"proposal": "MA-4242", "visit": "2"}
#: What a session reports of itself, by a program of its image.
PROBE = """
import json, os, socket, sys
def tried(function):
    try:
        function()
    except OSError as error:
        return type(error).__name__ if not error.errno else os.strerror(error.errno)
    return "done"
def write(path):
    name = os.path.join(path, ".probe")
    open(name, "x").close()
    os.unlink(name)
def connect(address):
    host, port = address.rsplit(":", 1)
    socket.create_connection((host, int(port)), 2).close()
print(json.dumps({
    "ids": [os.getuid(), os.getgid(), sorted(os.getgroups())],
    "home": tried(lambda: write(os.environ["HOME"])),
    "data": tried(lambda: write(os.environ["HOME"] + "/data")),
    "root": tried(lambda: write("/usr")),
    "sees": bool(os.listdir(os.environ["HOME"] + "/data")),
    "token": os.path.exists("/var/run/secrets/kubernetes.io"),
    "capabilities": [line.split()[1] for line in open("/proc/self/status") if line.startswith("CapEff")],
    "reached": [one for one in sys.argv[1:] if tried(lambda: connect(one)) == "done"],
}))
"""


@pytest.fixture(scope="module")
def images(cluster: Cluster) -> dict[str, str]:
    """The images of the applications, on the node."""
    return {"desktop": on_the_node("desktop")}


@pytest.fixture
def anna(place: ClusterPortal) -> Iterator[Person]:
    """Anna, without sessions before and after."""
    person = place.portal.login("anna")
    yield person
    for name in servers(person):
        person.stop(name)
    within(60, lambda: not place.pods())


def servers(person: Person) -> dict[str, Any]:
    found: dict[str, Any] = person.get(f"/hub/api/users/{person.name}").json().get("servers", {})
    return found


def card(person: Person) -> str:
    return plain_text(person.get("/hub/home"))


def probe(place: ClusterPortal, pod: str, *addresses: str) -> dict[str, Any]:
    """Run the probe in a session, as an administrator of the cluster can."""
    argv = ("exec", pod, "-c", "session", "--", "/opt/daas-hub/bin/python", "-c", PROBE, *addresses)
    found: dict[str, Any] = json.loads(place.cluster.kubectl("-n", place.namespace, *argv))
    return found


def address(pod: dict[str, Any]) -> str:
    return f"{pod['status']['podIP']}:8888"


def test_two_people_work_on_a_proposal_and_reach_nothing_else(place: ClusterPortal, anna: Person) -> None:
    """The walk: login, launch, page, a colleague who is refused, what the session is and may, stop."""
    ben = place.portal.login("ben")
    mine = anna.launch("terminal", **MA_4242)
    page = anna.get(f"/user/{anna.name}/{mine}/")
    assert page.status_code == 200
    assert "Terminal, MA-4242 visit 2" in page.text
    refused = ben.get(f"/user/{anna.name}/{mine}/")
    assert refused.status_code in (403, 404)

    theirs = ben.launch("terminal", **MA_4242)
    pods = {one["metadata"]["name"]: one for one in place.pods()}
    assert len(pods) == 2
    by_uid = {one["spec"]["securityContext"]["runAsUser"]: one for one in pods.values()}
    own, neighbour = by_uid[25001], by_uid[25002]
    server = re.sub("^https?://", "", _server(place.cluster))
    seen = probe(
        place, own["metadata"]["name"], address(neighbour), server, f"{own['status']['hostIP']}:10250",
        "169.254.169.254:80", f"10.88.77.1:{place.portal.port}",
    )  # fmt: skip
    assert seen["ids"][:2] == [25001, own["spec"]["securityContext"]["runAsGroup"]]
    assert set(seen["ids"][2]) == {
        own["spec"]["securityContext"]["runAsGroup"], *own["spec"]["securityContext"]["supplementalGroups"]
    }  # fmt: skip
    assert seen["sees"]
    assert (seen["home"], seen["data"], seen["root"]) == ("done", "Read-only file system", "Read-only file system")
    assert seen["token"] is False
    assert seen["capabilities"] == ["0000000000000000"]
    assert seen["reached"] == []

    for person, name in ((anna, mine), (ben, theirs)):
        assert person.stop(name).status_code == 303
    within(60, lambda: not place.pods())
    within(60, lambda: not _secrets(place))


def _server(cluster: Cluster) -> str:
    document = json.loads(cluster.kubectl("config", "view", "--minify", "-o", "json"))
    return str(document["clusters"][0]["cluster"]["server"])


def _secrets(place: ClusterPortal) -> list[Any]:
    return list(place.cluster.get("-n", place.namespace, "secrets")["items"])


def test_a_session_ends_at_its_time_limit(place: ClusterPortal, anna: Person) -> None:
    name = anna.launch("brief")
    within(60, lambda: name not in servers(anna))
    assert "It reached its time limit." in card(anna)
    within(60, lambda: not place.pods())


def test_a_session_outlives_its_hub_and_ends_without_it(place: ClusterPortal, anna: Person) -> None:
    """A hub that is killed loses nobody; a session whose time is over ends while it is away."""
    kept, ended = anna.launch("terminal", **MA_4242), anna.launch("brief")
    before = {one["metadata"]["name"]: one["metadata"]["uid"] for one in place.pods()}
    portal = place.portal
    portal.process.kill()
    portal.process.wait()
    # 11 s until its limit, and then what it takes to end
    within(60, lambda: sum(one["status"]["phase"] == "Running" for one in place.pods()) == 1)
    place.portal = start_portal(
        portal.state / "applications", state=portal.state, port=portal.port, more_config=place.config
    )
    anna = place.portal.login("anna")
    within(60, lambda: ended not in servers(anna))
    assert "It reached its time limit." in card(anna)
    assert kept in servers(anna)
    assert anna.get(f"/user/{anna.name}/{kept}/").status_code == 200
    within(60, lambda: len(place.pods()) == 1)
    now = place.pods()[0]["metadata"]
    assert before[now["name"]] == now["uid"]
    anna.stop(kept)


def test_a_session_whose_computer_is_silent_is_said_to_be(place: ClusterPortal, anna: Person) -> None:
    """A5: its programs are stopped here, as on a computer that was lost; Kubernetes itself takes 50 s."""
    name = anna.launch("terminal", **MA_4242)
    uid = place.pods()[0]["metadata"]["uid"]
    pids = processes_of(uid)
    assert pids
    try:
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        assert within(60, lambda: "Its computer does not answer since" in card(anna))
        assert name in servers(anna)
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
    within(60, lambda: "Its computer does not answer" not in card(anna))


def test_a_drained_node_is_said_on_the_card(place: ClusterPortal, anna: Person) -> None:
    """C3: `kubectl drain` deletes the pod, and its kubelet ends it within a second: why is in its last state alone."""
    name = anna.launch("light")
    (pod,) = place.pods()
    who = {"name": pod["metadata"]["name"], "namespace": place.namespace}
    eviction = json.dumps({"apiVersion": "policy/v1", "kind": "Eviction", "metadata": who})
    path = f"/api/v1/namespaces/{place.namespace}/pods/{who['name']}/eviction"
    place.cluster.kubectl("create", "--raw", path, "-f", "-", given=eviction)
    within(60, lambda: name not in servers(anna))
    assert "administrators, as for maintenance." in card(anna)


def test_a_program_that_uses_up_the_memory_is_said_on_the_card(place: ClusterPortal, anna: Person) -> None:
    """C1: with control groups v1 the kernel kills this one program, and the pod's status does not say so."""
    name = anna.launch("light")
    (pod,) = place.pods()
    program = "held = bytearray(600 << 20); print(len(held))"
    argv = ("exec", pod["metadata"]["name"], "-c", "session", "--", "/opt/daas-hub/bin/python", "-c", program)
    with pytest.raises(Refused, match="137"):
        place.cluster.kubectl("-n", place.namespace, *argv)
    within(60, lambda: "A program used up the session's memory and was ended at" in html.unescape(card(anna)))
    assert servers(anna)[name]["ready"]
    assert place.pods()[0]["metadata"]["uid"] == pod["metadata"]["uid"]


def test_without_a_wall_nothing_starts(place: ClusterPortal, anna: Person) -> None:
    """A policy that allows everything adds to ours: the session finds out before anything of the user runs."""
    hole = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "hole", "namespace": place.namespace},
        "spec": {"podSelector": {}, "policyTypes": ["Egress"], "egress": [{}]},
    }
    place.cluster.create(hole)
    try:
        answer = anna.post("/hub/launch", {"application": "terminal", **MA_4242}, allow_redirects=True)
        words = within(60, lambda: _words(anna, answer, "The network of this session is not closed"))
        assert "so it was not started" in words
    finally:
        place.cluster.kubectl("-n", place.namespace, "delete", "networkpolicy", "hole")
    assert "are network policies enforced?" in place.portal.log.read_text()
    within(60, lambda: not place.pods())


def _words(person: Person, answer: requests.Response, sentence: str) -> str:
    for text in (plain_text(answer), card(person), plain_text(person.session.get(answer.url))):
        if sentence in text:
            return text
    return ""


def test_the_hub_may_do_nothing_else(place: ClusterPortal) -> None:
    """Its account reads no Secret and enters no session."""
    account = f"system:serviceaccount:{place.namespace}:hub"
    for right in (
        ("get", "secrets"),
        ("create", "pods", "--subresource=exec"),
        ("list", "nodes"),
        ("delete", "secrets"),
    ):
        with pytest.raises(Refused):
            place.cluster.kubectl("-n", place.namespace, "auth", "can-i", *right, "--as", account, "-q")
    # and what it needs is not refused
    place.cluster.kubectl("-n", place.namespace, "auth", "can-i", "create", "pods", "--as", account, "-q")


def test_the_doctor_says_what_an_account_finds_in_a_pod(place: ClusterPortal) -> None:
    """Its probe runs in a pod as for a launch, and leaves nothing behind."""
    processed = place.portal.state / "processed" / "MA-4242"
    # the doctor creates no directory, and leaves out what the first launch would create
    processed.mkdir(parents=True, exist_ok=True)
    os.chown(processed, 0, 26001)
    processed.chmod(0o2770)
    argv = [str(Path(sys.prefix) / "bin" / "daas-hub"), "doctor", str(place.portal.state / "test_config.py")]
    given = {"DAAS_DEMO_PORT": str(place.portal.port), "DAAS_DEMO_STATE": str(place.portal.state)}
    ran = subprocess.run(
        [*argv, "--as", "anna"], env=os.environ | given, capture_output=True, text=True, check=False, timeout=240
    )
    report = " ".join(ran.stdout.split())
    assert "ok run a program in a session of anna" in report, ran.stdout[-4000:]
    assert "uid 25001, gid 25001" in report
    assert "system calls are filtered (seccomp)" in report
    assert "ok read ~/data in that session, and try to write to it result:" in report
    assert "entries, read-only" in report
    assert "ok read ~/processed in that session, and try to write to it result:" in report
    left = place.cluster.get("-n", place.namespace, "pods", "-l", f"daas-hub/hub={place.hub_id}-doctor")["items"]
    assert left == []
