"""What a killed hub or an absent engine leaves of containers: nothing that nobody knows, and no stop is forgotten."""

from __future__ import annotations

import contextlib
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import docker
import pytest
from traitlets.config import Config

from daas_hub.spawners.docker.spawner import ProposalDockerSpawner
from tests.docker.engine import Control, address, image, prepare, start_docker_portal
from tests.docker.other_machine import other_machine, over_tls
from tests.docker.scenes import doctor, findings_of, home_text, require_words
from tests.kill_points import DOCKER, ELSEWHERE
from tests.killed_starts import REPEATS, STARTS, Mortal, mortal_config, require_nothing_unknown
from tests.live_portal import Portal, new_state, remove
from tests.waiting import wait_for

pytestmark = pytest.mark.docker

FIELDS = {"application": "terminal", "proposal": "MA-4242", "visit": "2"}


def labelled(engine: docker.APIClient, label: str) -> list[str]:
    """Return the names of a hub's containers, ended ones too, and of its volumes that have no container."""
    filters = {"label": f"org.daas-hub.hub={label}"}
    found = [one["Names"][0].lstrip("/") for one in engine.containers(all=True, filters=filters)]
    volumes = [one["Name"] for one in engine.volumes(filters=filters)["Volumes"] or []]
    return found + [name for name in volumes if name not in found]


@pytest.fixture(scope="module")
def mortal(engine: docker.APIClient) -> Iterator[Mortal]:
    """A portal that is killed at a chosen point, with an engine of its own machine."""
    state = new_state()
    prepare(state, state / "applications", {})
    with mortal_portal(state, engine, "DOCKER") as mortal:
        yield mortal


@pytest.fixture(scope="module")
def mortal_elsewhere(engine: docker.APIClient, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mortal]:
    """The same, with an engine of another machine."""
    with (
        other_machine(engine, tmp_path_factory.mktemp("certificates")) as other,
        mortal_portal(other.state, other.engine, "ELSEWHERE", over_tls(other)) as mortal,
    ):
        yield mortal


@contextmanager
def mortal_portal(state: Path, engine: docker.APIClient, points: str, more_config: str = "") -> Iterator[Mortal]:
    """Run a portal that dies at the points of this name (`tests.kill_points`)."""
    config = mortal_config(state / "kill-at", "ProposalDockerSpawner", points)
    config += f"c.ProposalDockerSpawner.hub_label = {state.name!r}\n{more_config}"

    def start(portal: Portal | None) -> Portal:
        return start_docker_portal(state=state, port=portal.port if portal else 0, more_config=config)

    portal = start(None)
    mortal = Mortal(portal, start, lambda: labelled(engine, state.name))
    try:
        yield mortal
    finally:
        portal.stop()
        mortal.kill_rest()
        remove(portal)


def name_of(point: tuple[str, str]) -> str:
    return f"{point[1]} {point[0].rpartition(':')[2]}"


@pytest.mark.parametrize("point", DOCKER, ids=name_of)
def test_killed_start_leaves_nothing_unknown(mortal: Mortal, point: tuple[str, str]) -> None:
    kill_and_compare(mortal, point)


@pytest.mark.parametrize("point", ELSEWHERE, ids=name_of)
def test_killed_start_elsewhere_leaves_nothing_unknown(mortal_elsewhere: Mortal, point: tuple[str, str]) -> None:
    """Neither a container, nor the one that carries files, nor their volume."""
    kill_and_compare(mortal_elsewhere, point)


def kill_and_compare(mortal: Mortal, point: tuple[str, str]) -> None:
    for _ in range(REPEATS):
        mortal.kill_at(mortal.portal.login("anna"), point, FIELDS, STARTS)
        mortal.restart()
        require_nothing_unknown(mortal, mortal.portal.login("anna"), point)


def test_stop_while_the_engine_is_away_is_kept_and_done(mortal: Mortal, engine: docker.APIClient) -> None:
    """The card says so meanwhile, also after a restart of the hub; the session's name cannot be used."""
    control = Control.of_tests()
    anna = mortal.portal.login("anna")
    name = anna.launch("terminal", proposal="MA-4242", visit="2")
    control.do("kill")
    try:
        assert session_tokens(mortal, name) == 1
        assert anna.stop(name).status_code == 303
        assert "It is being stopped: the machine that runs it does not answer." in home_text(anna)
        words = "It will be stopped when that machine answers again."
        require_words(mortal.portal, anna, words, application="terminal", session_name=name)
        mortal.portal.process.kill()
        mortal.portal.process.wait()
        mortal.portal.process = mortal.start(mortal.portal).process
        anna = mortal.portal.login("anna")
        assert "It is being stopped" in home_text(anna)
    finally:
        control.do("start")
    wait_for(lambda: mortal.running() == [], "the stop")
    wait_for(lambda: "No sessions." in home_text(anna), "the card")
    assert session_tokens(mortal, name) == 0, "what the session could do with the hub's API ends with it"


def session_tokens(mortal: Mortal, name: str) -> int:
    """Return how many tokens of a session are in the hub's database."""
    with contextlib.closing(sqlite3.connect(mortal.portal.state / "hub" / "jupyterhub.sqlite")) as database:
        asked = "SELECT count(*) FROM api_tokens WHERE note LIKE ?"
        return int(database.execute(asked, (f"Server at %/{name}/",)).fetchone()[0])


def test_lost_database_is_reported_and_its_sessions_ended_after_the_grace(
    mortal: Mortal, engine: docker.APIClient
) -> None:
    anna = mortal.portal.login("anna")
    anna.launch("terminal", proposal="MA-4242", visit="2")
    mortal.portal.process.kill()
    mortal.portal.process.wait()
    (mortal.portal.state / "hub" / "jupyterhub.sqlite").unlink()
    mortal.restart()
    (name,) = mortal.running()
    _, report = doctor(mortal.portal)
    (finding,) = findings_of(report, "sessions.reconciled")
    assert finding["verdict"] == "warning"
    assert name in finding["result"]
    mortal.portal.process.kill()
    mortal.portal.process.wait()
    more = "c.ProposalDockerSpawner.orphan_grace_s = 1\n"
    config = (mortal.portal.state / "test_config.py").read_text() + more
    again = start_docker_portal(state=mortal.portal.state, port=mortal.portal.port, more_config=config)
    mortal.portal.process = again.process
    wait_for(lambda: mortal.running() == [], "the end of what the hub does not know")
    assert again.wait_for_log("the hub has not known it for")


async def test_files_of_an_interrupted_remote_start_are_found_and_those_of_another_hub_left(
    engine: docker.APIClient,
) -> None:
    """The volume and the container that carries files into it; two hubs on one engine do not touch each other's."""
    own, other = f"hub-{secrets.token_hex(4)}", f"hub-{secrets.token_hex(4)}"
    for label in (own, other):
        name, labels = f"daas-{label}", {"org.daas-hub.hub": label}
        engine.create_volume(name, labels=labels)
        mounts = engine.create_host_config(binds=[f"{name}:/given"])
        engine.create_container(image("desktop"), "true", name=f"{name}-files", labels=labels, host_config=mounts)
    settings = {"engine": address(), "hub_label": own}
    spawner = ProposalDockerSpawner(config=Config({"ProposalDockerSpawner": settings}))
    try:
        (found,) = await spawner.list_running()
        assert (found.name, len(found.handles)) == (f"daas-{own}", 2)
        await spawner.end_running(found)
        assert labelled(engine, own) == []
        assert sorted(labelled(engine, other)) == [f"daas-{other}", f"daas-{other}-files"]
    finally:
        for label in (own, other):
            for one in engine.containers(all=True, filters={"label": f"org.daas-hub.hub={label}"}):
                engine.remove_container(one["Id"], force=True)
            with contextlib.suppress(docker.errors.NotFound):
                engine.remove_volume(f"daas-{label}")
