"""Sessions on an engine of another machine, over TLS and over ssh (ES38)."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest
from certipy import Certipy

from daas_hub.spawners.docker.address import Address
from daas_hub.spawners.docker.container_spec import TUNNEL_UID
from daas_hub.spawners.docker.engine import Engine, EngineUnreachable
from tests.browser.conftest import SessionUser
from tests.docker.engine import containers, start_docker_portal
from tests.docker.other_machine import Machine, other_machine, over_tls
from tests.docker.scenes import IDENTITY, WRITABLE, container_of, doctor, findings_of, home_text, require_words
from tests.live_portal import Portal, free_ports
from tests.not_tried import missing
from tests.sandbox.homes import (
    BROKEN,
    LAUNCH,
    a_file_in_the_way,
    launched,
    memory_of,
    new_home,
    require_temporary,
    run_inside,
)
from tests.sandbox.probe import probing
from tests.sandbox.scenes import (
    test_raw_data_cannot_be_changed_in_any_way,
    test_session_reaches_the_addresses_of_its_application_and_no_other,
    test_several_directories_with_blanks_are_mounted_right,
)
from tests.sandbox.server_scenes import home, test_no_program_of_a_desktop_session_takes_its_servers_place
from tests.waiting import wait_for

pytestmark = pytest.mark.docker

#: What holds for containers of this machine holds for another machine's: collected here, with this module's portal.
SAME = (
    home,
    test_no_program_of_a_desktop_session_takes_its_servers_place,
    test_raw_data_cannot_be_changed_in_any_way,
    test_several_directories_with_blanks_are_mounted_right,
    test_session_reaches_the_addresses_of_its_application_and_no_other,
)


@pytest.fixture(scope="module")
def machine(engine: docker.APIClient, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """Another machine, for this module's tests."""
    with other_machine(engine, tmp_path_factory.mktemp("certificates")) as other:
        yield other


@pytest.fixture(scope="module")
def portal(machine: Machine) -> Iterator[Portal]:
    """A portal whose sessions run on the other machine, over TLS."""
    running = start_docker_portal(state=machine.state, more_config=over_tls(machine))
    try:
        yield running
    finally:
        running.stop()


def test_a_broken_home_is_named_and_a_temporary_one_starts_there(portal: Portal) -> None:
    """It is in that machine's memory, with the file that says what it is."""
    home = new_home(portal)
    a_file_in_the_way(home)
    carla = portal.login("carla")
    try:
        launched(portal, carla, LAUNCH, BROKEN["a file named data"][1])
        said, name = run_inside(portal, carla)
        carla.stop(name)
        require_temporary(said, memory_of(portal))
        assert (home / "data").read_text() == "mine"
    finally:
        new_home(portal)


def test_the_doctor_looks_at_a_session_there(portal: Portal, machine: Machine) -> None:
    """ES38, EL24: a program in a container of that machine sees the data, read-only; nothing is left of it there."""
    _, report = doctor(portal, "", "--as", "anna")
    assert findings_of(report, "sessions.identity")[0]["result"].startswith("uid 25001, gid 25001")
    seen = [one for one in report["findings"] if one["key"].startswith("sessions.~/data")]
    assert seen
    assert all(one["verdict"] == "ok" and "read-only" in one["result"] for one in seen), seen
    wait_for(lambda: containers(machine.engine, portal) == [], "the removal of the container")
    assert machine.engine.volumes()["Volumes"] in (None, [])
    assert list((portal.state / "run" / "sessions").glob("trial-*")) == []


def test_session_elsewhere_is_as_confined_as_one_here(portal: Portal, machine: Machine) -> None:
    """ES38, ES05, AL50: the account and its groups; no network; the same places to write, and the hub's API alone."""
    anna = portal.login("anna")
    with probing(anna, "anna", IDENTITY) as probe:
        said = probe.output()
        found = machine.engine.inspect_container(container_of(machine.engine, portal))
        assert found["HostConfig"]["NetworkMode"] == "none"
        assert str(portal.state / "run") not in str(found)
        assert "TOKEN" not in str(found)
    assert "uid=25001(anna) gid=25001(anna) groups=25001(anna),26001(ma-4242),26002(ls-1007)" in said
    assert "NoNewPrivs:\t1" in said
    assert "TOKEN" not in said
    with probing(anna, "anna", WRITABLE) as probe:
        said = probe.output()
    assert {line.removeprefix("writable ") for line in said.splitlines() if line.startswith("writable")} == {
        "/dev/mqueue", "/dev/shm", "/tmp", "/var/tmp", "/run/session", "/var/lib/xkb",
        "/home/anna", "/home/anna/processed",
    }  # fmt: skip
    wait_for(lambda: containers(machine.engine, portal) == [], "the removal of the container")
    assert machine.engine.volumes()["Volumes"] in (None, [])


def end_tunnel(machine: Machine, portal: Portal, uid: int) -> None:
    """Send a signal to the far end of a session's tunnel, as this uid."""
    command = ["pkill", "-f", "session.tunnel_end"]
    made = machine.engine.exec_create(container_of(machine.engine, portal), command, user=f"{uid}:{uid}", workdir="/")
    machine.engine.exec_start(made["Id"])


def test_session_survives_a_restart_of_the_hub_and_of_the_engine(portal: Portal, machine: Machine) -> None:
    """R2, K1: the tunnel is opened again, from both sides."""
    anna = portal.login("anna")
    name = anna.launch("terminal", proposal="MA-4242", visit="2")
    page = f"/user/{anna.name}/{name}/status"
    assert anna.get(page).json()["state"] == "running"
    portal.process.kill()
    portal.process.wait()
    again = start_docker_portal(state=portal.state, port=portal.port, more_config=over_tls(machine))
    portal.process = again.process
    anna = portal.login("anna")
    wait_for(lambda: anna.get(page).status_code == 200, "the session after the hub's restart", 30)
    # the far end ends
    end_tunnel(machine, portal, TUNNEL_UID)
    wait_for(lambda: anna.get(page).status_code == 200, "the session after the tunnel's end", 30)
    assert anna.stop(name).status_code == 303
    wait_for(lambda: containers(machine.engine, portal) == [], "the removal of the container")


def test_ended_and_removed_sessions_are_reported(portal: Portal, machine: Machine) -> None:
    """DI02, DI03: news and polls come over the same way."""
    anna = portal.login("anna")
    name = anna.launch("terminal")
    machine.engine.kill(container_of(machine.engine, portal))
    wait_for(lambda: "stopped from outside" in home_text(anna), "the end")
    assert anna.stop(name).status_code == 303
    wait_for(lambda: containers(machine.engine, portal) == [], "the removal of the container")
    assert machine.engine.volumes()["Volumes"] in (None, [])


def test_who_has_no_certificate_of_ours_is_refused(portal: Portal, machine: Machine, tmp_path: Path) -> None:
    """AL31: an engine that another authority vouches for is none, whatever its name."""
    other = Certipy(store_dir=str(tmp_path))
    other.create_ca("ca")
    other.create_signed_pair("hub", "ca", alt_names=["IP:127.0.0.1"])
    folder = tmp_path / "ours"
    folder.mkdir()
    for source, target in (("ca/ca.crt", "ca.pem"), ("hub/hub.crt", "cert.pem"), ("hub/hub.key", "key.pem")):
        shutil.copyfile(tmp_path / source, folder / target)

    async def ask() -> None:
        await Engine(Address(machine.tls, str(folder)), "hub").require_able()

    with pytest.raises(EngineUnreachable):
        asyncio.run(ask())


@pytest.mark.browser
def test_desktop_is_shown_over_the_tunnel(portal: Portal, machine: Machine, guest: object) -> None:
    """ES38: the picture of a program that runs on another machine."""
    anna: SessionUser = guest("anna")  # type: ignore[operator]
    anna.launch("Terminal", "MA-4242")
    anna.wait_for_picture()
    anna.require_quiet()


# -- ssh ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def ssh(machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An ssh server that lets this hub's key in; gives the engine's address over it."""
    server = shutil.which("sshd", path="/usr/sbin:/usr/bin")
    if server is None:
        missing("docker", "no ssh server is installed (openssh-server)")
    Path("/run/sshd").mkdir(exist_ok=True)
    home = tmp_path / "home" / ".ssh"
    home.mkdir(parents=True)
    port = free_ports(1)
    for key in (tmp_path / "host", home / "id_ed25519"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    (tmp_path / "allowed").write_text("restrict,port-forwarding " + (home / "id_ed25519.pub").read_text())
    (home / "known_hosts").write_text(f"[127.0.0.1]:{port} " + (tmp_path / "host.pub").read_text())
    config = tmp_path / "sshd_config"
    config.write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {tmp_path}/host\nAuthorizedKeysFile {tmp_path}/allowed\n"
        "StrictModes no\nUsePAM no\nPasswordAuthentication no\nPidFile none\nPermitRootLogin prohibit-password\n"
    )
    process = subprocess.Popen([server, "-D", "-e", "-f", config])
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    try:
        yield f"ssh://root@127.0.0.1:{port}{machine.local.removeprefix('unix://')}"
    finally:
        process.terminate()
        process.wait()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root starts an ssh server for root")
def test_engine_over_ssh(machine: Machine, portal: Portal, ssh: str, tmp_path: Path) -> None:
    """ES38, AL31: the same over ssh; a host whose key nobody has vouched for is refused."""
    portal.stop()
    config = f"c.ProposalDockerSpawner.engine = {ssh!r}\n"
    running = start_docker_portal(state=portal.state, port=portal.port, more_config=config)
    portal.process = running.process
    anna = portal.login("anna")
    with probing(anna, "anna", "id; echo done\n") as probe:
        assert "done" in probe.output()
        assert len(containers(machine.engine, portal)) == 1
    wait_for(lambda: containers(machine.engine, portal) == [], "the removal of the container")
    running.stop()
    (tmp_path / "home" / ".ssh" / "known_hosts").unlink()
    (tmp_path / "home" / ".ssh" / "config").write_text("UserKnownHostsFile none\nStrictHostKeyChecking no\n")
    running = start_docker_portal(state=portal.state, port=portal.port, more_config=config)
    portal.process = running.process
    anna = portal.login("anna")
    require_words(portal, anna, "does not answer", application="terminal")
    assert "Host key is not trusted" in portal.log.read_text()
    wait_for(lambda: containers(machine.engine, portal) == [], "the removal of the container")
