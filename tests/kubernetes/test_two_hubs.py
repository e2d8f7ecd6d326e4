"""Two hubs, or one hub's two places, in one namespace: neither touches, lists, ends or counts the other's pods (B1)."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from daas_hub.spawners.kubernetes.instance import instance_of, is_of_another, read_instance
from daas_hub.spawners.runtime_dir import session_key
from tests.kubernetes.api_server import ApiServer
from tests.kubernetes.hub import Place, running_place, start_place
from tests.live_portal import Person, remove
from tests.waiting import within

#: Whatever a hub takes for nobody's is ended at once, so that a mistake shows.
HASTY = "c.ProposalKubeSpawner.orphan_grace_s = 0\n"
PLACES = {
    name: {"spawner": "proposal-kubernetes", "title": name, "settings": {"reconcile_interval_s": interval_s}}
    for name, interval_s in (("one", 1.0), ("two", 1.5))
}
PLACES["two"]["capacity"] = 1
TWO_PLACES = f'{HASTY}c.JupyterHub.spawner_class = "places"\nc.Places.places = {PLACES!r}\n'


@pytest.fixture(scope="module")
def first(api: ApiServer) -> Iterator[Place]:
    """A hub with the same namespace twice, as two places."""
    with running_place(api, api.new_namespace(), more_config=TWO_PLACES) as running:
        yield running


@pytest.fixture
def anna(first: Place) -> Iterator[Person]:
    """Anna, with a session in each place of the first hub."""
    person = first.portal.login("anna")
    for name in PLACES:
        launch(person, name, place=name)
    yield person
    for name in PLACES:
        person.stop(name)
    within(30, lambda: not uids(first))


def launch(person: Person, name: str, **options: str) -> None:
    """Start a session of this name."""
    answer = person.api("POST", f"users/{person.name}/servers/{name}", {"application": "terminal", **options})
    assert answer.status_code in (201, 202), answer.text
    person.wait_ready(name)


def uids(place: Place) -> dict[str, str]:
    """Return every pod of the namespace by its uid."""
    return {one["metadata"]["uid"]: one["metadata"]["name"] for one in place.api.pods(place.namespace)}


def outcome(place: Place, runtime_dir: str = "run") -> dict[str, Any]:
    """Return what the hub's reconciler last reported, of a round that begins now."""
    report, now = place.state / runtime_dir / "reconciliation.json", time.time()

    def read() -> dict[str, Any] | None:
        found: dict[str, Any] = json.loads(report.read_text()) if report.exists() else {"at": 0}
        return found if found["at"] > now else None

    found: dict[str, Any] = within(30, read)
    return found


def require_undisturbed(place: Place, running: dict[str, int]) -> None:
    """Check a round of each reconciler: how many sessions it counts, and that it ends none and asks about none."""
    for runtime_dir, count in running.items():
        found = outcome(place, runtime_dir)
        assert (found["running"], found["ended"], found["waiting"]) == (count, [], []), runtime_dir


#: Of the first hub, by the directories of its places.
ONE_EACH = {"run/places/one": 1, "run/places/two": 1}


def test_two_places_in_one_namespace_leave_each_other_alone(first: Place, anna: Person, api: ApiServer) -> None:
    before = uids(first)
    labels = [one["metadata"]["labels"]["daas-hub/place"] for one in api.pods(first.namespace)]
    assert sorted(labels) == ["one", "two"]
    require_undisturbed(first, ONE_EACH)
    assert uids(first) == before
    anna.stop("one")
    within(30, lambda: len(uids(first)) == 1)
    require_undisturbed(first, {"run/places/one": 0, "run/places/two": 1})
    assert anna.get(f"/user/{anna.name}/two/").text == "a session"


def test_two_hubs_of_one_namespace_leave_each_other_alone(first: Place, anna: Person, api: ApiServer) -> None:
    second = start_place(api, first.namespace, more_config=HASTY)
    try:
        other = second.portal.login("anna")
        launch(other, "one")
        before = uids(first)
        assert len(before) == 3
        require_undisturbed(first, ONE_EACH)
        require_undisturbed(second, {"run": 1})
        assert uids(first) == before
        other.stop("one")
        within(30, lambda: len(uids(first)) == 2)
        require_undisturbed(first, ONE_EACH)
        for name in PLACES:
            assert anna.get(f"/user/{anna.name}/{name}/").text == "a session"
        assert "made by another hub" not in first.portal.log.read_text() + second.portal.log.read_text()
    finally:
        second.stop()


def test_a_second_hub_with_the_same_id_is_found_and_ends_nothing(first: Place, anna: Person, api: ApiServer) -> None:
    """By mistake, as after a copied configuration: its database knows none of the first one's sessions."""
    before = uids(first)
    second = start_place(api, first.namespace, more_config=TWO_PLACES, like=first)
    try:
        # with a grace of 0 s: without a name of its own, it would end the other's sessions now
        require_undisturbed(second, dict.fromkeys(ONE_EACH, 0))
        require_undisturbed(second, dict.fromkeys(ONE_EACH, 0))
        assert uids(first) == before
        words = "1 pods with this hub's hub_id were made by another hub"
        assert second.portal.wait_for_log(words)
        assert words not in first.portal.log.read_text()
        # what it starts itself is found by the first one, and left alone, too
        other = second.portal.login("anna")
        launch(other, "own", place="one")
        assert first.portal.wait_for_log(words)
        require_undisturbed(first, ONE_EACH)
        assert len(uids(first)) == 3
        assert "Give each hub a hub_id of its own" in second.doctor()
        other.stop("own")
        within(30, lambda: uids(first) == before)
        for name in PLACES:
            assert anna.get(f"/user/{anna.name}/{name}/").text == "a session"
    finally:
        second.portal.stop()
        remove(second.portal)


def test_a_place_is_free_when_the_pod_is_gone_and_not_before(first: Place, anna: Person, api: ApiServer) -> None:
    """I3: its memory is in use as long as the cluster has not confirmed its end."""
    pod = next(one for one in api.pods(first.namespace) if one["metadata"]["labels"]["daas-hub/place"] == "two")
    path = f"/api/v1/namespaces/{first.namespace}/pods/{pod['metadata']['name']}"
    merge = {"Content-Type": "application/merge-patch+json"}
    api.call("PATCH", path, {"metadata": {"finalizers": ["example.org/slow"]}}, headers=merge)
    try:
        anna.stop("two")
        options = {"application": "terminal", "place": "two"}
        within(30, lambda: "has not confirmed its end yet" in anna.get("/hub/home").text)
        answer = anna.api("POST", f"users/{anna.name}/servers/next", options)
        assert "two is full: 1 of 1 sessions are in use" in answer.text
    finally:
        api.call("PATCH", path, {"metadata": {"finalizers": None}}, headers=merge)
    within(30, lambda: "has not confirmed its end yet" not in anna.get("/hub/home").text)
    launch(anna, "next", place="two")
    anna.stop("next")


def test_an_ended_pod_of_another_hub_with_the_same_id_is_left(first: Place, api: ApiServer) -> None:
    """It has the name that this session would have; a start removes its own session's ended pod."""
    anna = first.portal.login("anna")
    name = f"daas-{session_key(f'{first.hub_id}/one/{anna.name}', 'mine')}"
    labels = {"daas-hub/hub": first.hub_id, "daas-hub/place": "one", "daas-hub/instance": "0123456789abcdef"}
    api.make_pod(first.namespace, name, labels)
    api.set_status(first.namespace, name, phase="Failed")
    try:
        options = {"application": "terminal", "place": "one"}
        answer = anna.api("POST", f"users/{anna.name}/servers/mine", options)
        assert "Something else in the cluster has the name of this session" in answer.text
        assert name in uids(first).values()
    finally:
        api.delete_pod(first.namespace, name)


def test_the_name_of_a_hub_is_kept_and_whole(tmp_path: Path) -> None:
    assert read_instance(tmp_path) == ""
    name = instance_of(tmp_path)
    assert len(name) == 16
    assert read_instance(tmp_path) == instance_of(tmp_path) == name
    other = tmp_path / "other"
    assert instance_of(other) != name
    half = tmp_path / "half"
    half.mkdir(mode=0o755)
    (half / "instance").write_text(name[:3])
    assert len(instance_of(half)) == 16


def test_a_pod_that_does_not_say_is_not_anothers() -> None:
    def pod(**labels: str) -> dict[str, Any]:
        return {"metadata": {"name": "one", "labels": labels}}

    assert is_of_another(pod(**{"daas-hub/instance": "a"}), "b")
    assert not is_of_another(pod(**{"daas-hub/instance": "a"}), "a")
    assert not is_of_another(pod(), "b")
    assert not is_of_another(pod(**{"daas-hub/instance": "a"}), "")
    assert not is_of_another({"metadata": {"name": "one"}}, "b")
