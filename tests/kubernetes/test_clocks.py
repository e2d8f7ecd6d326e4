"""Clocks that differ by hours, of the hub, of a session's node and of the API server: no time of one is another's.

The hub's clock is set for its own programs only, where they ask for the time; the API server's is this machine's.
"""

from __future__ import annotations

import base64
import datetime
import re
import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.kubernetes.api_server import ApiServer
from tests.kubernetes.hub import PLACE_SIZES, Place, running_place, servers, signed_in
from tests.live_portal import Person, plain_text
from tests.waiting import within

HOURS = 2 * 3600
#: Twenty seconds: longer than a busy machine takes to start and show a session.
BRIEFLY = {"sizes": PLACE_SIZES.replace("hours: 0.003", "hours: 0.0056")}
CONFIG = """
import time as _time
_real = _time.time
_time.time = lambda: _real() + {ahead_s}
"""


@pytest.fixture(scope="module", params=[HOURS, -HOURS], ids=["hub ahead", "hub behind"])
def place(api: ApiServer, request: pytest.FixtureRequest) -> Iterator[Place]:
    """A portal whose hub has another time than the cluster."""
    config = CONFIG.format(ahead_s=request.param)
    with running_place(api, api.new_namespace(), more_config=config, documents=BRIEFLY) as running:
        yield running


@pytest.fixture
def anna(place: Place) -> Iterator[Person]:
    place.kubelet.outcome = "run"
    with signed_in(place) as person:
        yield person


def card(person: Person) -> str:
    return plain_text(person.get("/hub/home"))


def test_a_session_has_its_whole_time_and_no_more(place: Place, anna: Person) -> None:
    """The session and its gateway speak of what is left, never of a time of day."""
    kept, brief = anna.launch("terminal"), anna.launch("brief")
    began = time.monotonic()
    time.sleep(3)
    assert sorted(servers(anna)) == sorted([kept, brief])
    words = card(anna)
    for wrong in ("not known", "does not answer", "being ended"):
        assert wrong not in words
    within(60, lambda: brief not in servers(anna))
    assert time.monotonic() - began > 5
    assert "It reached its time limit." in card(anna)
    assert servers(anna)[kept]["ready"]


def test_what_the_cluster_says_is_understood_whatever_its_clock(place: Place, anna: Person) -> None:
    """A container that ended hours before the hub started it, or hours after."""
    for hours in (-3, 3):
        name = anna.launch("terminal")
        (pod,) = place.pods()
        at = datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=hours)
        ended = {"exitCode": 137, "reason": "OOMKilled", "finishedAt": at.strftime("%Y-%m-%dT%H:%M:%SZ")}
        status = {"name": "session", "ready": False, "restartCount": 0, "image": "x", "imageID": ""}
        status |= {"state": {"terminated": ended}}
        place.api.set_status(place.namespace, pod["metadata"]["name"], phase="Failed", containerStatuses=[status])
        within(30, lambda name=name: name not in servers(anna))
        assert re.search(r"It used all of its 1 GiB of memory at \d\d:\d\d, and was ended\.", card(anna))
        within(30, lambda: not place.pods())


def report(place: Place, anna: Person, name: str, when: datetime.datetime, **use: float) -> requests.Response:
    """Report the use of a session with its own token, as from a node where it is this time."""
    (pod,) = place.pods()
    secret = pod["spec"]["containers"][0]["envFrom"][0]["secretRef"]["name"]
    data = place.api.call("GET", f"/api/v1/namespaces/{place.namespace}/secrets/{secret}")["data"]
    token = base64.b64decode(data["JUPYTERHUB_API_TOKEN"]).decode()
    of_server: dict[str, Any] = {"last_activity": when.isoformat()} | ({"use": use} if use else {})
    return requests.post(
        f"{place.portal.url}/hub/api/users/{anna.name}/activity",
        json={"servers": {name: of_server}, "last_activity": when.isoformat()},
        headers={"Authorization": f"token {token}"},
        timeout=30,
    )


def last_used(anna: Person, name: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(servers(anna)[name]["last_activity"])


@pytest.mark.parametrize("hours", [-5, 5])
def test_a_node_with_a_wrong_clock_reports_the_use_of_its_sessions(place: Place, anna: Person, hours: int) -> None:
    """JupyterHub refuses times an hour ahead; of a node that is behind, a session that is used looked idle."""
    name = anna.launch("terminal")
    now = datetime.datetime.now(datetime.UTC)
    time.sleep(2.5)
    answer = report(place, anna, name, now + datetime.timedelta(hours=hours), unused_s=0, quiet_s=0)
    assert answer.status_code == 200, answer.text
    assert 0 < answer.json()["remaining_s"] <= 12 * 3600
    assert datetime.timedelta(seconds=1) < last_used(anna, name) - now < datetime.timedelta(seconds=30)


def test_a_report_without_its_use_is_jupyterhubs(place: Place, anna: Person) -> None:
    name = anna.launch("terminal")
    ahead = datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=5)
    assert report(place, anna, name, ahead).status_code == 400
    assert report(place, anna, name, ahead, unused_s=-1, quiet_s=0).status_code == 400
