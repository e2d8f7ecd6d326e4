"""A hub that is killed under ten starts in a cluster: none runs twice, and none that nobody knows."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.kill_points import KUBERNETES, point_id
from tests.killed_starts import REPEATS, Mortal, mortal_config
from tests.kubernetes.api_server import ApiServer
from tests.kubernetes.hub import Place, start_place
from tests.live_portal import Person, Portal

STARTS = 10
FIELDS = {"application": "terminal", "proposal": "", "visit": ""}
#: What every run tries: a pod behind its gate, and one that was let go.
USUAL = {("create_pod", "after"), ("open_gate", "after")}


@pytest.fixture(scope="module")
def place(api: ApiServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A portal whose hub is killed at a chosen point."""
    switch = tmp_path_factory.mktemp("kills") / "kill-at"
    config = mortal_config(switch, "ProposalKubeSpawner", "KUBERNETES").replace("reconcile_interval_s = 2", "")
    running = start_place(api, api.new_namespace(), more_config=config)
    (running.state / "kill-at").symlink_to(switch)
    try:
        yield running
    finally:
        running.stop()


@pytest.fixture(scope="module")
def mortal(place: Place) -> Iterator[Mortal]:
    """The same, as one that is killed and started again."""

    def start(_: Portal) -> Portal:
        place.restart()
        return place.portal

    made = Mortal(place.portal, start, lambda: [one["metadata"]["name"] for one in place.pods()])
    yield made
    made.kill_rest()


def points() -> Iterator[Any]:
    """Return the points; those that are not usual take part in `make test-outages`."""
    for target, when in KUBERNETES:
        name = target.partition(":")[2]
        marks = () if (name, when) in USUAL else (pytest.mark.outages,)
        yield pytest.param((target, when), marks=marks, id=f"{when} {name}")


@pytest.mark.parametrize("point", list(points()))
def test_ten_killed_starts_leave_nothing_unknown_and_nothing_twice(
    place: Place, mortal: Mortal, point: tuple[str, str]
) -> None:
    """What became ready runs on, with its page; the rest is gone, and its name can be used again."""
    for _ in range(REPEATS):
        mortal.kill_at(mortal.portal.login("anna"), point, FIELDS, STARTS)
        mortal.restart()
        anna = mortal.portal.login("anna")
        ready = known_at_last(place, anna, point_id(point))
        for name in ready:
            assert anna.stop(name).status_code == 303
        until = time.monotonic() + 30
        while place.pods():
            assert time.monotonic() < until, f"{point}: not ended by Stop"
            time.sleep(0.1)


def known_at_last(place: Place, person: Person, what: str) -> list[str]:
    """Compare until they agree: what a killed hub had asked for may come a moment later."""
    until = time.monotonic() + 30
    while True:
        try:
            return require_known(place, person, what)
        except AssertionError:
            if time.monotonic() > until:
                raise
        time.sleep(0.5)


def require_known(place: Place, person: Person, what: str) -> list[str]:
    """Compare pods, the hub's records and its pages; return the sessions that run."""
    servers = person.get(f"/hub/api/users/{person.name}").json()["servers"]
    ready = [name for name, server in servers.items() if server["ready"]]
    pods = place.api.pods(place.namespace)
    sessions = [one["metadata"]["labels"]["daas-hub/session"] for one in pods]
    records = [json.loads(path.read_text()) for path in (place.state / "run" / "records").glob("*.json")]
    what = f"{what}: hub {servers}, pods {sessions}, records {records}"
    assert len(sessions) == len(set(sessions)) == len(ready), what
    assert sorted(servers) == sorted(ready), what
    assert sorted(one["server"] for one in records) == sorted(ready), what
    starts = sorted(one["metadata"]["labels"]["daas-hub/start"] for one in pods)
    assert starts == sorted(one["start"] for one in records), what
    for name in ready:
        assert person.get(f"/user/{person.name}/{name}/").text == "a session", what
    assert person.get("/hub/home").text.count(">Running<") == len(ready), what
    return ready
