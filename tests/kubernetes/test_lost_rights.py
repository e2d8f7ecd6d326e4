"""A4: rights that are taken from a hub under ten sessions, one after the other: nobody is lost, and people read which.

Whatever is missing, the sessions run, the hub has them, and it recovers when the right is given back.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from daas_hub.spawners.kubernetes.checks import RIGHTS
from tests.kubernetes.api_server import ApiServer
from tests.kubernetes.hub import Place, running_place, servers
from tests.kubernetes.rights import HUB_RULES
from tests.live_portal import Person, plain_text
from tests.waiting import within

COUNT = 10
CONFIG = "c.Facility.sessions_per_person = 20\nc.Spawner.start_timeout = 60\n"
MERGE = {"Content-Type": "application/merge-patch+json"}


@pytest.fixture(scope="module")
def place(api: ApiServer) -> Iterator[Place]:
    with running_place(api, api.new_namespace(), more_config=CONFIG) as running:
        yield running


@pytest.fixture(scope="module")
def ten(place: Place) -> tuple[Person, list[str]]:
    """Anna, and the names of her sessions."""
    anna = place.portal.login("anna")
    names = [anna.launch("terminal", wait=False) for _ in range(COUNT)]
    for name in names:
        anna.wait_ready(name)
    return anna, names


def set_rules(place: Place, rules: list[dict[str, Any]]) -> None:
    path = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{place.namespace}/roles/hub"
    place.api.call("PATCH", path, {"rules": rules}, headers=MERGE)


@contextmanager
def without(place: Place, *rights: str) -> Iterator[None]:
    """Take rights away, as "list pods", and give them back."""
    rules = copy.deepcopy(HUB_RULES)
    for rule in rules:
        rule["verbs"] = [
            verb for verb in rule["verbs"] if not any(f"{verb} {one}" in rights for one in rule["resources"])
        ]
    set_rules(place, [rule for rule in rules if rule["verbs"]])
    try:
        yield
    finally:
        set_rules(place, HUB_RULES)


def require_same(place: Place, ten: tuple[Person, list[str]]) -> None:
    """Check that the hub has all ten, that their pods run, and that no card says that one ended."""
    anna, names = ten
    found = servers(anna)
    assert sorted(found) == sorted(names)
    assert all(one["ready"] for one in found.values())
    pods = place.pods()
    assert len(pods) == COUNT
    assert all("deletionTimestamp" not in one["metadata"] for one in pods)
    assert home(anna).count("Running") >= COUNT


def home(person: Person) -> str:
    return plain_text(person.get("/hub/home"))


def refusal_of_a_launch(person: Person) -> str:
    """Launch one more; return why it was not started."""
    answer = person.post("/hub/launch", {"application": "terminal", "proposal": "", "visit": ""})
    name = answer.url.partition("?")[0].rstrip("/").rpartition("/")[2]
    page = f"/hub/sessions/{name}"
    within(30, lambda: "lacks the right" in plain_text(person.get(page)))
    words = plain_text(person.get(page))
    person.api("DELETE", f"users/{person.name}/servers/{name}", {"remove": True})
    return words


def test_a_hub_that_starts_without_a_right_to_look_forgets_nobody(place: Place, ten: tuple[Person, list[str]]) -> None:
    """Each card and the doctor say what it lacks; what it has is used again as soon as it is given back."""
    _, names = ten
    place.kill()
    with without(place, "list pods", "delete pods", "list events"):
        place.restart()
        anna = place.portal.login("anna")
        notice = (
            "The portal lacks the right to list pods in the cluster that runs it; "
            "what it does is not known since the portal was started."
        )
        within(30, lambda: home(anna).count(notice) == COUNT)
        require_same(place, (anna, names))
        assert "it may not list pods, delete pods, list events" in place.doctor()
    within(30, lambda: "lacks the right" not in home(anna))
    require_same(place, (anna, names))


@pytest.mark.parametrize("right", ["create pods", "create secrets", "patch pods", "get pods"])
def test_without_a_right_to_start_the_next_one_says_which(
    place: Place, ten: tuple[Person, list[str]], right: str
) -> None:
    anna, _ = ten
    with without(place, right):
        assert f"The portal lacks the right to {right} in the cluster." in refusal_of_a_launch(anna)
        within(30, lambda: len(servers(anna)) == COUNT)
    within(30, lambda: len(place.pods()) == COUNT)
    require_same(place, ten)


def test_without_the_right_to_delete_a_stop_says_so_and_is_carried_out_later(place: Place) -> None:
    anna = place.portal.login("anna")
    name = anna.launch("terminal")
    before = len(place.pods())
    with without(place, "delete pods"):
        anna.stop(name)
        words = "It is being stopped: the portal lacks the right to delete pods in the cluster. It keeps trying."
        within(30, lambda: words in home(anna))
        assert len(place.pods()) == before
    within(30, lambda: len(place.pods()) == before - 1)
    within(30, lambda: name not in servers(anna))


def test_what_is_only_read_is_not_needed_for_a_session(place: Place) -> None:
    """Without events nobody reads why a session waits, without output why it ended; it starts all the same."""
    anna = place.portal.login("anna")
    with without(place, "list events", "get pods/log"):
        name = anna.launch("terminal")
        anna.stop(name)
        within(30, lambda: name not in servers(anna))
    assert set(RIGHTS) >= {("list", "events", ""), ("get", "pods", "log")}
