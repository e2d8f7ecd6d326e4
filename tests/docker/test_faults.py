"""What goes wrong with containers, engines and registries, and what their people are told."""

from __future__ import annotations

import contextlib
import io
import os
import tarfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import docker
import pytest

from tests.docker.engine import Control, containers, image, start_docker_portal
from tests.docker.registry import Registry, running_registry
from tests.docker.scenes import container_of, home_text, require_words
from tests.live_portal import Portal, plain_text, remove
from tests.sandbox.probe import FILL_MEMORY, probing
from tests.sandbox.scenes import (
    test_session_that_cannot_start_says_why_at_once,
    test_storage_that_is_not_what_it_says_is_refused_in_words,
)
from tests.waiting import wait_for

pytestmark = pytest.mark.docker


@pytest.mark.parametrize(
    ("fault", "words"),
    {
        "removed": (lambda engine, name: engine.remove_container(name, force=True), "from outside this portal"),
        "stopped": (lambda engine, name: engine.stop(name, timeout=1), "from outside this portal|ended by itself"),
        "killed": (lambda engine, name: engine.kill(name), "It was stopped from outside this portal."),
    }.values(),
    ids=["removed", "stopped", "killed"],
)
def test_container_stopped_from_outside_is_shown_and_can_be_launched_again(
    portal: Portal, engine: docker.APIClient, fault: Callable[[docker.APIClient, str], None], words: str
) -> None:
    """DI02, DI03, K3: seen with its reason; stopping it is no error, and neither is a new launch."""
    anna = portal.login("anna")
    name = anna.launch("terminal", proposal="MA-4242", visit="2")
    fault(engine, container_of(engine, portal))
    wait_for(lambda: any(one in home_text(anna) for one in words.split("|")), words)
    assert "Ended" in home_text(anna)
    assert anna.stop(name).status_code == 303
    assert "No sessions." in home_text(anna)
    wait_for(lambda: containers(engine, portal) == [], "the removal of the container")
    again = anna.launch("terminal", proposal="MA-4242", visit="2")
    assert anna.stop(again).status_code == 303


def test_paused_container_is_reported_and_not_lost(portal: Portal, engine: docker.APIClient) -> None:
    anna = portal.login("anna")
    name = anna.launch("terminal", proposal="MA-4242", visit="2")
    container = container_of(engine, portal)
    engine.pause(container)
    wait_for(lambda: "It was paused" in home_text(anna), "the pause")
    engine.unpause(container)
    wait_for(lambda: "It was paused" not in home_text(anna), "the end of the pause")
    assert "Running" in home_text(anna)
    engine.pause(container)
    assert anna.stop(name).status_code == 303
    wait_for(lambda: containers(engine, portal) == [], "the removal of the container")


def test_program_that_uses_too_much_memory_is_reported(portal: Portal) -> None:
    anna = portal.login("anna")
    script = "/usr/bin/python3 -c 'b = bytearray(3 * 2**30)'; echo python=$?"
    with probing(anna, "anna", script) as probe:
        assert "python=137" in probe.output()
        wait_for(lambda: "memory and was ended" in home_text(anna), "the memory's end")
        assert "Running" in home_text(anna)


def test_session_whose_memory_is_used_up_ends_and_names_a_larger_size(portal: Portal) -> None:
    """C1: the kernel kills one program after the other, the session's own at last."""
    anna = portal.login("anna")
    with probing(anna, "anna", FILL_MEMORY):
        wait_for(lambda: "Ended" in home_text(anna), "the end", 90)
        assert "It used all of its 1 GiB of memory at " in home_text(anna)
        assert "Probe has no larger size that you may use." in home_text(anna)


def test_session_whose_hours_are_over_ends_and_says_so(portal: Portal, engine: docker.APIClient) -> None:
    anna = portal.login("anna")
    name = anna.launch("brief", proposal="MA-4242", visit="2")
    wait_for(lambda: "reached its time limit" in home_text(anna), "the end", 40)
    assert anna.stop(name).status_code == 303
    wait_for(lambda: containers(engine, portal) == [], "the removal of the container")


#: The same for a container as for a sandbox; collected here with this folder's portal.
SAME = (test_session_that_cannot_start_says_why_at_once, test_storage_that_is_not_what_it_says_is_refused_in_words)


# -- images ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def registry(engine: docker.APIClient, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """A registry with two tags of an image that is not on the engine."""
    with running_registry(Path(tmp_path_factory.mktemp("registry")), bytes_per_s=4e6) as running:
        # something that takes a while on the slow line: 16 MB that cannot be packed
        blob = io.BytesIO()
        with tarfile.open(fileobj=blob, mode="w") as context:
            for name, content in {
                "Dockerfile": f"FROM {image('desktop')}\nCOPY noise /usr/share/noise\n".encode(),
                "noise": os.urandom(16_000_000),
            }.items():
                info = tarfile.TarInfo(name)
                info.size = len(content)
                context.addfile(info, io.BytesIO(content))
        blob.seek(0)
        name = running.name("facility/desktop")
        for line in engine.build(fileobj=blob, custom_context=True, tag=f"{name}:1", decode=True):
            assert "error" not in line, line
        engine.tag(f"{name}:1", name, "2")
        for tag in ("1", "2"):
            for line in engine.push(name, tag=tag, stream=True, decode=True):
                assert "error" not in line, line
        yield running
        for tag in ("1", "2"):
            with contextlib.suppress(docker.errors.APIError):
                engine.remove_image(f"{name}:{tag}", force=True)


def forget_images(engine: docker.APIClient, *names: str) -> None:
    """Remove what a name has on the engine."""
    for one in engine.images():
        for tag in one["RepoTags"] or []:
            if tag.rpartition(":")[0] in names:
                engine.remove_image(tag, force=True)


def desktop_of(reference: str) -> str:
    return (
        "name: far\ntitle: Far\nkind: desktop\ncommand: [lxterminal, --no-remote]\nsizes: [ample]\n"
        f"image: {reference}\n"
    )


PULL = "c.ProposalDockerSpawner.pull = 'missing'\n"


@contextlib.contextmanager
def portal_with(more_config: str = PULL, **documents: str) -> Iterator[Portal]:
    portal = start_docker_portal(more_config=more_config, **documents)
    try:
        yield portal
    finally:
        portal.stop()
        remove(portal)


def test_exactly_one_tag_is_pulled_with_its_progress_and_survives_a_logout(
    engine: docker.APIClient, registry: Registry
) -> None:
    """DI01, DI04, DI05: never all tags; the page tells how far it is; who logs out finds a working launch later."""
    name = registry.name("facility/desktop", slow=True)
    forget_images(engine, registry.name("facility/desktop"), name)
    with portal_with(far=desktop_of(f"{name}:1")) as portal:
        anna = portal.login("anna")
        session = anna.launch("far", proposal="MA-4242", visit="2", wait=False)
        page = f"/hub/sessions/{session}"
        wait_for(lambda: "Fetching the application:" in plain_text(anna.get(page)), "the progress")
        anna.get("/hub/logout")
        ben = portal.login("ben")
        # one pull, however many wait for it
        other = ben.launch("far", proposal="MA-4242", visit="2", wait=False)
        anna = portal.login("anna")
        anna.wait_ready(session, 60)
        ben.wait_ready(other, 60)
        tags = {tag for one in engine.images() for tag in one["RepoTags"] or [] if tag.startswith(name)}
        assert tags == {f"{name}:1"}
        anna.stop(session)
        ben.stop(other)
    forget_images(engine, name)


def test_stop_during_a_pull_leaves_no_ghost(engine: docker.APIClient, registry: Registry) -> None:
    """DI04: "Resource already launched" was the predecessor's answer."""
    name = registry.name("facility/desktop", slow=True)
    forget_images(engine, registry.name("facility/desktop"), name)
    with portal_with(far=desktop_of(f"{name}:2")) as portal:
        anna = portal.login("anna")
        session = anna.launch("far", proposal="MA-4242", visit="2", wait=False)
        wait_for(lambda: "Fetching" in plain_text(anna.get(f"/hub/sessions/{session}")), "the pull")
        assert anna.stop(session).status_code == 303
        assert "No sessions." in home_text(anna)
        again = anna.launch("far", proposal="MA-4242", visit="2", wait=False)
        anna.wait_ready(again, 60)
        anna.stop(again)
    forget_images(engine, name)


@pytest.mark.parametrize(
    ("reference", "words"),
    {
        "no such tag": ("{registry}/facility/desktop:9", "no registry has it"),
        "no such repository": ("{registry}/facility/other:1", "no registry has it"),
        "no registry": ("127.0.0.1:1/facility/desktop:1", "the registry does not answer"),
        "no such digest": ("{registry}/facility/desktop@sha256:" + "0" * 64, "no registry has it"),
    }.values(),
    ids=["tag", "repository", "registry", "digest"],
)
def test_image_that_cannot_be_had_is_reported_with_its_reason(registry: Registry, reference: str, words: str) -> None:
    """K4."""
    named = reference.format(registry=f"127.0.0.1:{registry.port}")
    with portal_with(far=desktop_of(f'"{named}"')) as portal:
        require_words(portal, portal.login("anna"), words, application="far")


def test_nothing_is_pulled_unless_asked_for(engine: docker.APIClient, registry: Registry) -> None:
    """AL31: a name may lead to a registry that is nobody's of ours."""
    name = registry.name("facility/desktop")
    forget_images(engine, name)
    asked = registry.log.read_text()
    with portal_with("", far=desktop_of(f"{name}:1")) as portal:
        require_words(portal, portal.login("anna"), "is not on the engine", application="far")
    assert registry.log.read_text() == asked
    assert not any(tag.startswith(name) for one in engine.images() for tag in one["RepoTags"] or [])


def test_disk_that_is_full_during_a_pull_is_reported(registry: Registry, tmp_path: Path) -> None:
    """K4: on an engine of its own, whose disk has room for nothing."""
    with Control.small_engine(megabytes=40) as small:
        config = f"c.ProposalDockerSpawner.engine = {small!r}\n{PULL}"
        portal = start_docker_portal(more_config=config, far=desktop_of(f"{registry.name('facility/desktop')}:1"))
        try:
            words = "the disk of the machine that runs the sessions is full"
            require_words(portal, portal.login("anna"), words, timeout_s=90, application="far")
        finally:
            portal.stop()
            remove(portal)


# -- the engine -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["restart", "kill"])
def test_engine_that_goes_away_under_ten_sessions_loses_none(
    portal: Portal, engine: docker.APIClient, control: Control, how: str
) -> None:
    """K2, R2: while it is away nothing is known and nothing forgotten; a launch meanwhile says what is the matter."""
    people = [portal.login(name) for name in ("anna", "ben")]
    started = [(person, person.launch("terminal", proposal="MA-4242", visit="2")) for person in people * 5]
    before = sorted(one["Id"] for one in containers(engine, portal))
    assert len(before) == 10
    control.do("stop" if how == "restart" else "kill")
    for person, name in started:
        assert person.get(f"/user/{person.name}/{name}/status").json()["state"] == "running"
    require_words(portal, people[0], "does not answer", application="terminal")
    time.sleep(12)  # two rounds of polls
    assert all("Running" in home_text(person) for person in people)
    control.do("start")
    time.sleep(6)
    assert sorted(one["Id"] for one in containers(engine, portal)) == before
    for person, name in started:
        assert person.get(f"/user/{person.name}/{name}/status").json()["state"] == "running"
        assert person.stop(name).status_code == 303
    wait_for(lambda: containers(engine, portal) == [], "the removal of the container")
    # news of the engine come again
    name = people[0].launch("terminal")
    engine.kill(container_of(engine, portal))
    wait_for(lambda: "Ended" in home_text(people[0]), "the end")
    people[0].stop(name)


def test_hub_that_lost_its_memory_does_not_end_a_session_that_runs(engine: docker.APIClient) -> None:
    """K1: a second start of the same session finds the first; it is refused in words, and the first goes on."""
    portal = start_docker_portal()
    try:
        name = portal.login("anna").launch("terminal")
        portal.process.kill()
        portal.process.wait()
        (portal.state / "hub" / "jupyterhub.sqlite").unlink()
        portal.process = start_docker_portal(state=portal.state, port=portal.port).process
        anna = portal.login("anna")
        require_words(portal, anna, "running already", application="terminal", session_name=name)
        (container,) = containers(engine, portal)
        assert container["State"] == "running"
        engine.remove_container(container["Id"], force=True)
    finally:
        portal.stop()
        remove(portal)


def test_hub_that_starts_while_the_engine_is_away_loses_nothing(engine: docker.APIClient, control: Control) -> None:
    """H7, R2: the stock hub forgets every session then."""
    portal = start_docker_portal()
    try:
        anna = portal.login("anna")
        name = anna.launch("terminal", proposal="MA-4242", visit="2")
        portal.process.kill()
        portal.process.wait()
        control.do("kill")
        again = start_docker_portal(state=portal.state, port=portal.port)
        portal.process = again.process
        anna = portal.login("anna")
        assert "Running" in home_text(anna)
        control.do("start")
        time.sleep(6)
        assert anna.get(f"/user/{anna.name}/{name}/status").json()["state"] == "running"
        newcomer = portal.login("anna")
        assert newcomer.get(f"/user/{newcomer.name}/{name}/").status_code == 200
        assert anna.stop(name).status_code == 303
        wait_for(lambda: containers(engine, portal) == [], "the removal of the container")
    finally:
        portal.stop()
        remove(portal)
