"""What a session in a container can and cannot do, tried from inside a real one on a real engine."""

from __future__ import annotations

import os
import re
import subprocess

import docker
import pytest

from tests.docker.engine import containers
from tests.docker.scenes import (
    IDENTITY,
    WRITABLE,
    require_words,
)
from tests.live_portal import Portal
from tests.sandbox.probe import probing
from tests.sandbox.scenes import (
    SCAN,
    WRITES,
    test_a_file_that_is_being_written_can_be_read,
    test_a_session_has_the_facilitys_time_zone,
    test_a_session_takes_no_lease_on_raw_data,
    test_absolute_paths_in_files_work,
    test_an_acquisition_appends_while_a_session_reads,
    test_directory_with_a_hostile_name_is_mounted_right,
    test_raw_data_cannot_be_changed_in_any_way,
    test_session_reaches_the_addresses_of_its_application_and_no_other,
    test_several_directories_with_blanks_are_mounted_right,
    test_what_is_mounted_later_below_raw_data_is_not_in_the_session,
    tree_hash,
)

pytestmark = pytest.mark.docker

#: What holds for sandboxes holds for containers: these are collected here, too, with this folder's portal.
SAME = (
    test_a_file_that_is_being_written_can_be_read,
    test_a_session_has_the_facilitys_time_zone,
    test_a_session_takes_no_lease_on_raw_data,
    test_absolute_paths_in_files_work,
    test_an_acquisition_appends_while_a_session_reads,
    test_directory_with_a_hostile_name_is_mounted_right,
    test_raw_data_cannot_be_changed_in_any_way,
    test_session_reaches_the_addresses_of_its_application_and_no_other,
    test_several_directories_with_blanks_are_mounted_right,
    test_what_is_mounted_later_below_raw_data_is_not_in_the_session,
)


def test_session_is_the_account_and_nobody_else(portal: Portal) -> None:
    """ES05, AL50, B10, ES41: uid, gid and exactly the account's groups; no capability; nothing to become more with."""
    with probing(portal.login("anna"), "anna", IDENTITY) as probe:
        said = probe.output()
    assert "uid=25001(anna) gid=25001(anna) groups=25001(anna),26001(ma-4242),26002(ls-1007)" in said
    assert set(re.findall(r"Cap(?:Inh|Prm|Eff|Bnd|Amb):\t(\w+)", said)) == {"0" * 16}
    assert "NoNewPrivs:\t1" in said
    assert "Seccomp:\t2" in said
    assert "unshare=1" in said
    assert "root:" not in said
    assert "nameserver" not in said
    assert "/home/anna/data\n0007\nsetuid done" in said, said
    # the session's own token is not the application's business
    assert "TOKEN" not in said
    assert "DAAS_HANDSHAKE" not in said


@pytest.fixture
def mounted_below(portal: Portal) -> None:
    """A file system of its own below the raw data, which the account may write."""
    sub = portal.state / "experiments" / "own" / "sub"
    sub.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=1777", "sub", sub], check=True)
    (sub / "there.mca").write_text("data")
    (sub / "more").mkdir()
    os.chown(sub / "there.mca", 25001, 25001)
    yield
    subprocess.run(["umount", "-l", sub], check=False)
    sub.rmdir()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts something on the machine")
def test_file_system_below_raw_data_is_read_only_too(portal: Portal, mounted_below: None) -> None:
    """H6: a container's mount is read-only all the way down, or the container is not started."""
    sub = portal.state / "experiments" / "own" / "sub"
    before = tree_hash(sub)
    script = f"cat > $HOME/writes.py <<'END'\n{WRITES}\nEND\n/usr/bin/python3 $HOME/writes.py $HOME/data/sub\n"
    with probing(portal.login("anna"), "anna", script, proposal="TS-0001", visit="1") as probe:
        said = probe.output().splitlines()
    assert len(said) == 21, said
    assert [line for line in said if "refused" not in line] == []
    assert tree_hash(sub) == before


def test_only_these_places_can_be_written(portal: Portal) -> None:
    """AL18: the home, the processed data, and file systems in memory; nothing of the image, nothing of the host."""
    with probing(portal.login("anna"), "anna", WRITABLE) as probe:
        said = probe.output()
    assert said.rstrip().endswith("tried")
    assert {line.removeprefix("writable ") for line in said.splitlines() if line.startswith("writable")} == {
        "/dev/mqueue", "/dev/shm", "/tmp", "/var/tmp", "/run/session", "/var/lib/xkb",
        "/home/anna", "/home/anna/processed",
    }  # fmt: skip


NEIGHBOURS = r"""
import os, pathlib, socket
print("peers", sorted(path.name for path in pathlib.Path("/tmp/.X11-unix").iterdir()))
print("processes", sum(name.isdigit() for name in os.listdir("/proc")))
engines = ["/var/run/docker.sock", "/run/docker.sock", "/run/containerd/containerd.sock"]
for path in [*engines, "/run/daas-sockets/arrive.sock"]:
    with socket.socket(socket.AF_UNIX) as s:
        print(path, s.connect_ex(path))
"""


def test_two_sessions_scan_each_other_and_the_host(portal: Portal) -> None:
    """AL13, AL30, H1', H4', H5', H7', S6: no port, no host, no engine; of the hub only its API."""
    script = (
        f"cat > $HOME/scan.py <<'END'\n{SCAN}\n{NEIGHBOURS}\nEND\n/usr/bin/python3 $HOME/scan.py; cat /proc/net/dev\n"
    )
    ben = portal.login("ben")
    neighbour = ben.launch("terminal", proposal="MA-4242", visit="2")
    with probing(portal.login("anna"), "anna", script) as probe:
        said = probe.output(180)
    ben.stop(neighbour)
    assert "open []" in said, said
    for host in ("10.0.0.1", "169.254.169.254", "8.8.8.8"):
        assert f"{host} 101" in said, said  # ENETUNREACH
    assert "/hub/api/ HTTP/1.1 200 OK" in said
    for path in ("/hub/login", "/hub/home", "/hub/api/../login", "/", "/hub/metrics", "//hub/login"):
        assert re.search(rf"^{re.escape(path)} HTTP/1.1 40[34]", said, re.MULTILINE), (path, said)
    assert re.findall(r"^\s*(\w+):", said, re.MULTILINE) == ["lo"]
    assert re.search(r"peers \['X\d'\]", said)
    processes = re.search(r"processes (\d+)", said)
    assert processes
    assert int(processes[1]) < 15
    for path in ("/var/run/docker.sock", "/run/docker.sock", "/run/containerd/containerd.sock"):
        assert f"{path} 2\n" in said, said  # ENOENT
    assert re.search(r"arrive\.sock (2|111)\n", said), said  # nobody is behind it any more


def test_hub_knows_of_no_listener_but_the_sessions_own(portal: Portal, engine: docker.APIClient) -> None:
    """S6, B11: a container publishes no port and has no network; the engine knows no secret of it."""
    anna = portal.login("anna")
    name = anna.launch("terminal", proposal="MA-4242", visit="2")
    (container,) = containers(engine, portal)
    told = engine.inspect_container(container["Id"])
    anna.stop(name)
    assert container["Ports"] == []
    assert told["HostConfig"]["NetworkMode"] == "none"
    text = repr(told)
    for secret in ("API_TOKEN", "JPY_", "MA-4242/", "issuer"):
        assert secret not in text.replace(str(portal.state), "")
    assert set(told["Config"]["Labels"]) >= {"org.daas-hub.hub", "org.daas-hub.session"}
    assert "anna" not in repr(told["Config"]["Labels"])
    # the one id of a launch, as the hub's lines about it have it
    launch = told["Config"]["Labels"]["org.daas-hub.launch"]
    assert re.search(rf"{name} took .* \[launch {launch}\]", portal.log.read_text())


def test_processed_data_are_shared_and_last(portal: Portal) -> None:
    """AL19, AL20, AL25: what one member saves, another reads and changes in a later session of their own."""
    with probing(
        portal.login("anna"), "anna", "echo from anna > $HOME/processed/shared.txt; ls -ln $HOME/processed"
    ) as probe:
        assert "-rw-rw---- 1 25001 26001" in probe.output()
    with probing(
        portal.login("ben"), "ben", "cat $HOME/processed/shared.txt; echo and ben >> $HOME/processed/shared.txt"
    ) as probe:
        assert "from anna" in probe.output()
    shared = portal.state / "processed" / "MA-4242" / "shared.txt"
    assert shared.read_text() == "from anna\nand ben\n"


def test_limits_hold(portal: Portal) -> None:
    """H8', ES43: memory, processes, core files and the session's own files in memory end at its size."""
    script = (
        "(for i in $(seq 1500); do sleep 60 & done) > /dev/null 2> $HOME/fork.err; grep -c -i fork $HOME/fork.err; "
        "kill $(pidof sleep) 2> /dev/null; ulimit -c; "
        "dd if=/dev/zero of=/tmp/fill bs=1M count=5000 2>&1 | tail -1; rm -f /tmp/fill; df -h /tmp /dev/shm; "
        "/usr/bin/python3 -c 'b = bytearray(5 * 2**30); print(\"allocated\")'; echo python=$?"
    )
    with probing(portal.login("ben"), "ben", script) as probe:
        said = probe.output(120)
    assert int(said.split()[0]) > 0, said
    assert said.split()[1] == "0", said
    assert "512M" in said, said
    assert "allocated" not in said
    assert "python=137" in said


def test_home_with_a_link_in_the_way_is_refused_in_words(portal: Portal) -> None:
    """A5: an engine would follow it, and mount the data over what it names."""
    home = portal.state / "homes" / "carla"
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.chown(home, 25003, 25003)
    link = home / "data"
    link.symlink_to("/etc")
    try:
        fields = {"application": "terminal", "proposal": "MA-4242", "visit": "2"}
        require_words(portal, portal.login("carla"), "file or link named", **fields)
    finally:
        link.unlink()
