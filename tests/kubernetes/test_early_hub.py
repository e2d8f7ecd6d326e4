"""A real hub whose sessions arrive before the API server has reported the addresses of their pods."""

from __future__ import annotations

import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from tests.kubernetes.api_server import ApiServer
from tests.kubernetes.hub import Place, running_place, servers
from tests.kubernetes.kubelet import ELSEWHERE
from tests.live_portal import Person, plain_text
from tests.waiting import within

CONFIG = "c.Spawner.start_timeout = 60\n"
WORDS = "The cluster reports another address for this session"


@pytest.fixture(scope="module")
def place(api: ApiServer) -> Iterator[Place]:
    with running_place(api, api.new_namespace(), more_config=CONFIG) as running:
        yield running


@pytest.fixture
def anna(place: Place) -> Iterator[Person]:
    """Anna, without sessions before and after."""
    place.kubelet.outcome = "early"
    person = place.portal.login("anna")
    yield person
    for name in servers(person):
        person.stop(name)
    within(30, lambda: not place.pods())


def test_a_session_opens_before_its_address_is_reported(place: Place, anna: Person) -> None:
    name = anna.launch("terminal")
    (pod,) = place.pods()
    assert pod["status"]["phase"] == "Pending"
    assert "podIP" not in pod["status"]
    assert anna.get(f"/user/{anna.name}/{name}/").text == "a session"
    place.kubelet.report()
    within(30, lambda: "podIP" in place.pods()[0]["status"])
    # several polls later
    time.sleep(2)
    assert servers(anna)[name]["ready"]
    assert anna.get(f"/user/{anna.name}/{name}/").text == "a session"


def test_a_hub_that_restarts_before_the_report_keeps_the_session(place: Place, anna: Person) -> None:
    name = anna.launch("terminal")
    before = [one["metadata"]["uid"] for one in place.pods()]
    place.kill()
    place.restart()
    anna = place.portal.login("anna")
    place.kubelet.report()
    within(30, lambda: "podIP" in place.pods()[0]["status"])
    time.sleep(2)
    assert servers(anna)[name]["ready"]
    assert anna.get(f"/user/{anna.name}/{name}/").text == "a session"
    assert [one["metadata"]["uid"] for one in place.pods()] == before


def test_a_start_from_another_address_fails_in_words(place: Place, anna: Person) -> None:
    place.kubelet.outcome = "elsewhere"
    answer = anna.post("/hub/launch", {"application": "terminal", "proposal": "", "visit": ""})
    within(30, lambda: WORDS in plain_text(answer) or WORDS in plain_text(anna.get(urlsplit(answer.url).path)))
    within(30, lambda: not place.pods())
    # the next one is not hindered
    place.kubelet.outcome = "early"
    name = anna.launch("terminal")
    assert anna.get(f"/user/{anna.name}/{name}/").text == "a session"
    place.kubelet.report()


def test_a_session_at_another_address_is_ended_in_words(place: Place, anna: Person) -> None:
    name = anna.launch("terminal")
    place.kubelet.report(ELSEWHERE)
    within(30, lambda: not servers(anna).get(name, {}).get("ready"))
    within(30, lambda: not place.pods())
    assert WORDS in plain_text(anna.get("/hub/home"))
