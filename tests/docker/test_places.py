"""Three places behind one portal: this machine's sandbox, its engine, and the engine of another machine (ES14)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import docker
import pytest

from daas_hub.spawners.sandbox.processes import marked_processes
from tests.docker.engine import Control, address, containers, start_docker_portal
from tests.docker.other_machine import Machine, other_machine
from tests.docker.scenes import doctor, findings_of
from tests.live_portal import Person, Portal
from tests.places import config_of, kill_rest
from tests.waiting import wait_for

pytestmark = [pytest.mark.docker, pytest.mark.sandbox]

PLACES = ("here", "near", "far")
HTTP_TIMEOUT_S = 8


@pytest.fixture(scope="module")
def machine(engine: docker.APIClient, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """Another machine, for this module's tests."""
    with other_machine(engine, tmp_path_factory.mktemp("certificates")) as other:
        yield other


@pytest.fixture(scope="module")
def config(machine: Machine) -> str:
    """Return the configuration of the three places."""
    far = {"engine": machine.tls, "certificates": str(machine.folder)}
    places: dict[str, dict[str, Any]] = {
        "here": {"spawner": "sandbox", "title": "This machine"},
        "near": {"spawner": "proposal-docker", "title": "Near", "capacity": 1, "settings": {"engine": address()}},
        # its engine has the image of desktops only
        "far": {"spawner": "proposal-docker", "title": "Far", "settings": far, "applications": ["terminal"]},
    }
    more = f"c.SandboxSpawner.runtime_dir = {str(machine.state / 'run')!r}\nc.Spawner.http_timeout = {HTTP_TIMEOUT_S}\n"
    return config_of(places, more=more)


@pytest.fixture(scope="module")
def portal(sandbox_works: None, machine: Machine, config: str) -> Iterator[Portal]:
    """A portal with them."""
    running = start_docker_portal(state=machine.state, more_config=config)
    yield running
    running.stop()
    # a hub was killed: its proxy and its login provider are still there
    kill_rest(running)


def start(person: Person, place: str) -> None:
    """Start a session named after its place."""
    options = {"application": "terminal", "proposal": "MA-4242", "visit": 2, "place": place}
    answer = person.api("POST", f"users/{person.name}/servers/in-{place}", options)
    assert answer.status_code in (201, 202), answer.text


def restart(portal: Portal, config: str) -> None:
    """Kill the hub, and start it again."""
    portal.process.kill()
    portal.process.wait()
    portal.process = start_docker_portal(state=portal.state, port=portal.port, more_config=config).process


def running(portal: Portal, engine: docker.APIClient, machine: Machine) -> dict[str, list[str]]:
    """Return what each place has, whatever the hub says."""
    far = machine.engine.containers(all=True, filters={"label": "org.daas-hub.hub"})
    return {
        "here": list(marked_processes(portal.state / "run" / "places" / "here" / "sessions")),
        "near": [one["Id"] for one in containers(engine, portal)],
        "far": [one["Id"] for one in far],
    }


def answers(person: Person, place: str) -> bool:
    """Return whether the session of a place answers."""
    answer = person.get(f"/user/{person.name}/in-{place}/status")
    return answer.ok and answer.json()["state"] == "running"


def test_sessions_in_three_places_over_a_restart(
    portal: Portal, config: str, engine: docker.APIClient, machine: Machine
) -> None:
    """Each is where it was asked to be, under names and labels of its own, and is stopped there alone."""
    anna = portal.login("anna")
    for place in PLACES:
        start(anna, place)
        anna.wait_ready(f"in-{place}")
    before = running(portal, engine, machine)
    assert [len(before[place]) for place in PLACES] == [1, 1, 1]
    near = engine.inspect_container(before["near"][0])
    far = machine.engine.inspect_container(before["far"][0])
    assert near["Name"] != far["Name"]
    assert [one["Config"]["Labels"]["org.daas-hub.place"] for one in (near, far)] == ["near", "far"]
    assert near["Config"]["Labels"]["org.daas-hub.hub"] != far["Config"]["Labels"]["org.daas-hub.hub"]
    restart(portal, config)
    anna = portal.login("anna")
    for place in PLACES:
        wait_for(lambda place=place: answers(anna, place), f"the session in {place}", 30)
    assert running(portal, engine, machine) == before
    full = anna.api("POST", f"users/{anna.name}/servers/more", {"application": "terminal", "place": "near"})
    assert "Near is full: 1 of 1 sessions are in use." in full.text
    for number, place in enumerate(PLACES, 1):
        assert anna.stop(f"in-{place}").status_code == 303
        wait_for(
            lambda number=number: (
                [len(running(portal, engine, machine)[one]) for one in PLACES] == [0] * number + [1] * (3 - number)
            ),
            f"the end of the session in {place}",
        )
    assert machine.engine.volumes()["Volumes"] in (None, [])


def test_the_doctor_examines_each_place(portal: Portal) -> None:
    _, report = doctor(portal, "", "--as", "anna")
    checks = [one["check"] for one in report["findings"] if one["key"].startswith("sessions.")]
    for title in ("This machine", "Near", "Far"):
        assert any(one.startswith(f"in {title}: ") for one in checks), checks
    engines = findings_of(report, "sessions.engine")
    assert [one["verdict"] for one in engines] == ["ok", "ok"], engines
    # of the other machine only what is offered there is looked for
    assert all("Terminal" in one["check"] for one in findings_of(report, "sessions.images") if "Far" in one["check"])
    reconciled = [one for one in checks if "last compared its sessions" in one]
    assert len(reconciled) == 3, checks


def test_one_engine_away_is_one_place_away(
    portal: Portal, config: str, engine: docker.APIClient, machine: Machine
) -> None:
    """The others start and stop sessions; a session there is not ended, and is stopped when its engine is back."""
    anna = portal.login("anna")
    for place in ("near", "far"):
        start(anna, place)
        anna.wait_ready(f"in-{place}")
    with away(machine):
        refused = anna.api("POST", f"users/{anna.name}/servers/more", {"application": "terminal", "place": "far"})
        assert "The machine that runs the sessions does not answer." in refused.text
        assert answers(anna, "near")
        assert anna.stop("in-near").status_code == 303
        wait_for(lambda: containers(engine, portal) == [], "the end of the session nearby")
        restart(portal, config)
        # longer than the hub waits for an answer
        assert portal.wait_for_log("does not answer, and is kept", HTTP_TIMEOUT_S + 15)
        anna = portal.login("anna")
        servers = anna.get(f"/hub/api/users/{anna.name}").json()["servers"]
        assert servers["in-far"]["ready"]
    assert anna.stop("in-far").status_code == 303
    wait_for(lambda: running(portal, engine, machine)["far"] == [], "the end of the session there")


@contextmanager
def away(machine: Machine) -> Iterator[None]:
    """Kill the engine of the other machine, and start it again as it was; its containers continue."""
    folder = Path(machine.local.removeprefix("unix://")).parent
    process = Path("/proc") / (folder / "dockerd.pid").read_text().strip()
    options = (process / "cmdline").read_text().rstrip("\0").split("\0")
    Control(folder).do("kill")
    try:
        yield
    finally:
        more = options[options.index("--live-restore") + 1 :]
        Control(folder).do("start", " ".join(more), machine.state / "run")
