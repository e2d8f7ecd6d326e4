"""Places that are one namespace twice, and another cluster with the same names and a certificate of its own."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import requests

from tests.kubernetes.api_server import ApiServer, running_api_server
from tests.kubernetes.hub import Place, start_place
from tests.kubernetes.kubelet import Kubelet
from tests.live_portal import Person, plain_text
from tests.places import config_of

MERGE = {"Content-Type": "application/merge-patch+json"}
PLACES = ("one", "two", "far")


@dataclass
class Clusters:
    """A portal with places in two clusters.

    Attributes:
        near: the first cluster, whose namespace is two places, and the portal.
        far: the API server of the other one, which has a namespace of the same name.
    """

    near: Place
    far: ApiServer

    def pods(self) -> dict[str, list[str]]:
        """Return the pods of each place, whatever the hub says."""
        found: dict[str, list[str]] = {one: [] for one in PLACES}
        for api in (self.near.api, self.far):
            for pod in api.pods(self.near.namespace):
                found[pod["metadata"]["labels"]["daas-hub/place"]].append(pod["metadata"]["uid"])
        return found

    def count(self) -> dict[str, int]:
        """Return the number of pods of each place."""
        return {place: len(found) for place, found in self.pods().items()}


@pytest.fixture(scope="module")
def far_api() -> Iterator[ApiServer]:
    """Another cluster."""
    with running_api_server() as server:
        yield server


@pytest.fixture(scope="module")
def clusters(api: ApiServer, far_api: ApiServer) -> Iterator[Clusters]:
    """The portal with three places."""
    namespace = api.new_namespace()
    far_api.new_namespace(namespace)
    kubelet = Kubelet(far_api, namespace, network="127.78")
    far = {
        "k8s_api_host": far_api.url,
        "k8s_api_ssl_ca_cert": str(far_api.ca),
        "token_file": str(far_api.folder / "hub.token"),
        "pods": {"allow_tags": True, "port": kubelet.port},
    }
    places: dict[str, dict[str, Any]] = {one: {"spawner": "proposal-kubernetes", "title": one} for one in PLACES}
    places["two"]["capacity"] = 2
    places["far"]["settings"] = far
    try:
        near = start_place(api, namespace, more_config=config_of(places))
        try:
            yield Clusters(near, far_api)
        finally:
            near.stop()
    finally:
        kubelet.stop()


@pytest.fixture
def anna(clusters: Clusters) -> Iterator[Person]:
    """Anna, and afterwards none of her sessions."""
    yield clusters.near.portal.login("anna")
    anna = clusters.near.portal.login("anna")
    for name in list(anna.get(f"/hub/api/users/{anna.name}").json().get("servers", {})):
        anna.stop(name)
    wait_for(lambda: clusters.count() == dict.fromkeys(PLACES, 0))


def start(person: Person, place: str, name: str = "", *, wait: bool = True) -> requests.Response:
    """Start a session in a place, named after it."""
    name = name or f"in-{place}"
    answer = person.api("POST", f"users/{person.name}/servers/{name}", {"application": "terminal", "place": place})
    if wait:
        assert answer.status_code in (201, 202), answer.text
        person.wait_ready(name)
    return answer


def wait_for(holds: Callable[[], bool], timeout_s: float = 30.0) -> None:
    """Wait until something holds."""
    until = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < until, "not in time"
        time.sleep(0.2)


def card(person: Person, name: str) -> str:
    """Return the words of a session's card."""
    text = person.get("/hub/home").text
    answer = requests.Response()
    answer._content = text[(begin := text.index(f'id="session-{name}"')) : text.index("</article>", begin)].encode()
    return plain_text(answer)


def test_each_place_has_its_own_pods_over_a_restart(clusters: Clusters, anna: Person) -> None:
    for place in PLACES:
        start(anna, place)
    before = clusters.pods()
    assert clusters.count() == dict.fromkeys(PLACES, 1)
    clusters.near.kill()
    clusters.near.restart()
    anna = clusters.near.portal.login("anna")
    for place in PLACES:
        assert anna.get(f"/user/{anna.name}/in-{place}/").text == "a session"
        assert "Running" in card(anna, f"in-{place}")
    # the reconciler of each has seen the pods of all by now
    time.sleep(3)
    assert clusters.pods() == before
    for number, place in enumerate(PLACES, 1):
        assert anna.stop(f"in-{place}").status_code == 303
        wait_for(lambda number=number: list(clusters.count().values()) == [0] * number + [1] * (3 - number))


def test_a_cluster_that_is_away_while_the_hub_starts_is_one_place_away(clusters: Clusters, anna: Person) -> None:
    """Its sessions are not known, and come back; the other places work meanwhile."""
    for place in ("one", "far"):
        start(anna, place)
    before = clusters.pods()
    clusters.near.kill()
    clusters.far.kill_api()
    try:
        clusters.near.restart()
        anna = clusters.near.portal.login("anna")
        wait_for(lambda: "is not known since the portal was started" in card(anna, "in-far"))
        assert anna.get(f"/user/{anna.name}/in-far/").text == "a session"
        assert "not known" not in card(anna, "in-one")
        start(anna, "two")
        assert anna.stop("in-two").status_code == 303
        wait_for(lambda: len(clusters.near.api.pods(clusters.near.namespace)) == 1)
    finally:
        clusters.far.start_api()
    wait_for(lambda: "not known" not in card(anna, "in-far"))
    assert clusters.pods() == before


def test_a_pod_that_is_being_ended_takes_room(clusters: Clusters, anna: Person) -> None:
    """I3: what its end has not freed is not given away; a place of the same namespace has its own number."""
    for name in ("first", "second"):
        start(anna, "two", name)
    full = "two is full: 2 of 2 sessions are in use."
    assert full in start(anna, "two", "third", wait=False).text
    pod = next(
        one
        for one in clusters.near.api.pods(clusters.near.namespace)
        if one["metadata"]["labels"]["daas-hub/place"] == "two"
    )
    path = f"/api/v1/namespaces/{clusters.near.namespace}/pods/{pod['metadata']['name']}"
    clusters.near.api.call("PATCH", path, {"metadata": {"finalizers": ["example.org/slow"]}}, headers=MERGE)
    for name in ("first", "second"):
        anna.stop(name)
    wait_for(lambda: clusters.count()["two"] == 1)
    start(anna, "two", "third")
    assert full in start(anna, "two", "fourth", wait=False).text
    start(anna, "one")
    clusters.near.api.call("PATCH", path, {"metadata": {"finalizers": None}}, headers=MERGE)
    wait_for(lambda: clusters.count()["two"] == 1)
    # its record is removed a moment later
    wait_for(lambda: full not in start(anna, "two", "fourth", wait=False).text)
    anna.wait_ready("fourth")
