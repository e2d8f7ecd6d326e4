"""One program in a session of each place tries what no session may: the same verdicts, but for a table of differences.

The wider attempts of one backend are in tests/sandbox/test_isolation and tests/docker/test_isolation.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.cluster import GATEWAY
from tests.cluster.three_places import TITLES, ThreePlaces
from tests.live_portal import Person
from tests.sandbox.probe import probing
from tests.sandbox.scenes import WRITES, tree_hash
from tests.sandbox.verdicts import ALLOWED, unexpected, verdicts
from tests.waiting import within

pytestmark = [pytest.mark.docker, pytest.mark.sandbox]

REACH = (Path(__file__).parents[1] / "sandbox" / "reach.py").read_text()
#: Leaves something in what a neighbour could share.
MARKS = "touch /tmp/neighbour /dev/shm/neighbour; sleep 300"
UID_OF_BEN = 25002
#: Of `reach.py`, with the addresses.
ATTEMPTS = 51
#: The size of the application has 500.
PROCESSES = 600


@pytest.fixture
def ben(places: ThreePlaces) -> Iterator[Person]:
    """Ben, whose session is the neighbour."""
    person = places.portal.login("ben")
    yield person
    for name in person.get(f"/hub/api/users/{person.name}").json().get("servers", {}):
        person.stop(name)
    within(60, lambda: not any(places.running().values()))


def targets(places: ThreePlaces, place: str) -> dict[str, Any]:
    """Return what the program is to look for; the addresses are the same in all places."""
    cluster, portal = places.cluster_portal.cluster, places.portal
    config = json.loads(cluster.kubectl("config", "view", "--minify", "-o", "json"))
    server = config["clusters"][0]["cluster"]["server"].partition("://")[2]
    pods = places.cluster_portal.pods()
    neighbour = next((pod["status"]["podIP"] for pod in pods), "10.88.77.250")
    addresses = {
        "API server": server,
        "service of the API server": "10.96.0.1:443",
        "metadata of a cloud": "169.254.169.254:80",
        "kubelet": f"{GATEWAY}:10250",
        "kubelet, read-only": f"{GATEWAY}:10255",
        "session of a neighbour": f"{neighbour}:8888",
        "screen of a neighbour": f"{neighbour}:6001",
        "portal on the machine": f"{GATEWAY}:{portal.port}",
        "portal on the loopback": f"127.0.0.1:{portal.port}",
        "hub on the loopback": f"127.0.0.1:{portal.port + 2}",
        "name server": f"{GATEWAY}:53",
        "elsewhere": "8.8.8.8:53",
    }
    return {
        "addresses": addresses,
        "gateway": places.gateway if place == "cluster" else "",
        "home": str(portal.state / "homes" / "ben"),
        "neighbour": UID_OF_BEN,
        "processes": PROCESSES,
        "state": str(portal.state),
    }


def script_of(*programs: tuple[str, str]) -> str:
    """Return a shell script that runs Python programs with an argument each."""
    lines = []
    for number, (text, argument) in enumerate(programs):
        lines.append(f"cat > $HOME/try{number}.py <<'END'\n{text}\nEND")
        lines.append(f"/usr/bin/python3 $HOME/try{number}.py {argument}")
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("place", TITLES)
def test_the_same_is_refused_in_every_place(place: str, places: ThreePlaces, ben: Person) -> None:
    data = places.portal.state / "experiments" / "own"
    before = tree_hash(data)
    with probing(ben, "ben", MARKS, place=place):
        within(60, lambda: places.running()[place])
        argument = shlex.quote(json.dumps(targets(places, place)))
        script = script_of((WRITES, "$HOME/data"), (REACH, argument))
        anna = places.portal.login("anna")
        with probing(anna, "anna", script, proposal="TS-0001", visit="1", place=place) as probe:
            said = probe.output(120)
    found = verdicts(said)
    assert unexpected(place, found) == {}, said
    assert len(found) == 21 + ATTEMPTS, said
    assert tree_hash(data) == before


def test_every_difference_has_a_reason() -> None:
    assert all(reason for differences in ALLOWED.values() for reason in differences.values())
