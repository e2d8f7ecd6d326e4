"""An API server that keeps its connections and answers nothing, as behind a firewall that drops packets; and its etcd.

Nobody is refused, and no connection is reset: only the time says that something is wrong (A1, A2, A4).
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.cluster.ten import during
from tests.kubernetes.api_server import ApiServer
from tests.kubernetes.hub import Place, running_place, servers, signed_in
from tests.live_portal import Person, plain_text
from tests.waiting import within

CONFIG = """
c.KubeSpawner.k8s_api_request_timeout = 2
c.KubeSpawner.k8s_api_request_retry_timeout = 12
"""
#: Seconds in which a page must come while the cluster does not answer.
PAGE_S = 12.0


@pytest.fixture(scope="module")
def place(api: ApiServer) -> Iterator[Place]:
    with running_place(api, api.new_namespace(), more_config=CONFIG) as running:
        yield running


@pytest.fixture
def anna(place: Place) -> Iterator[Person]:
    with signed_in(place) as person:
        yield person


def home(person: Person) -> str:
    """Return the words of the home page, which must come in time."""
    began = time.monotonic()
    words = plain_text(person.get("/hub/home"))
    assert time.monotonic() - began < PAGE_S
    return words


def test_a_frozen_api_server_is_said_and_loses_nobody(place: Place, anna: Person) -> None:
    kept, stopped = anna.launch("terminal"), anna.launch("terminal")
    before = {one["metadata"]["name"]: one["metadata"]["uid"] for one in place.pods()}
    with place.api.frozen("kube-apiserver"):
        within(90, lambda: home(anna).count("does not answer; what it does is not known since") == 2)
        assert sorted(servers(anna)) == sorted([kept, stopped])
        assert anna.get(f"/user/{anna.name}/{kept}/").text == "a session"
        # what cannot be done now is said, and in time
        began = time.monotonic()
        name = anna.launch("terminal", wait=False)
        page = f"/hub/sessions/{name}"
        within(60, lambda: "The cluster that runs the sessions does not answer." in plain_text(anna.get(page)))
        assert time.monotonic() - began < 50
        assert anna.stop(stopped).status_code in (202, 303)
        within(30, lambda: "It is being stopped" in home(anna))
    within(30, lambda: "not known since" not in home(anna))
    # the stop is carried out
    within(60, lambda: len(place.pods()) == 1 and "being stopped" not in home(anna))
    assert {one["metadata"]["name"]: one["metadata"]["uid"] for one in place.pods()}.items() <= before.items()
    assert servers(anna)[kept]["ready"]
    anna.stop(anna.launch("terminal"))


def test_a_hub_that_starts_before_a_frozen_api_server_forgets_nobody(place: Place, anna: Person) -> None:
    names = [anna.launch("terminal"), anna.launch("terminal")]
    before = {one["metadata"]["name"]: one["metadata"]["uid"] for one in place.pods()}
    place.kill()
    with place.api.frozen("kube-apiserver"):
        began = time.monotonic()
        place.restart()
        print(f"the hub was up after {time.monotonic() - began:.1f} s")
        anna = place.portal.login("anna")
        within(30, lambda: home(anna).count("is not known since the portal was started") == 2)
        assert sorted(servers(anna)) == sorted(names)
        within(30, lambda: anna.get(f"/user/{anna.name}/{names[0]}/").text == "a session")
    within(30, lambda: "not known" not in home(anna))
    assert {one["metadata"]["name"]: one["metadata"]["uid"] for one in place.pods()} == before
    assert all(one["ready"] for one in servers(anna).values())
    for name in names:
        anna.stop(name)


def test_a_frozen_etcd_loses_nobody(place: Place, anna: Person) -> None:
    """The API server answers from what it remembers, and carries nothing out."""
    name = anna.launch("terminal")
    (pod,) = place.pods()
    with place.api.frozen("etcd"):
        during(40, lambda: home(anna) and time.sleep(1))
        assert servers(anna)[name]["ready"]
        assert anna.get(f"/user/{anna.name}/{name}/").text == "a session"
        anna.stop(name)
        within(40, lambda: "It is being stopped" in home(anna))
    within(60, lambda: pod["metadata"]["uid"] not in [one["metadata"]["uid"] for one in place.pods()])
    within(30, lambda: "being stopped" not in home(anna))
