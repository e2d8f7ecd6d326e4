"""What a sandboxed session can and cannot do, tried from inside a real one. The walk of a user is in tests/browser."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

from tests.live_portal import Portal
from tests.sandbox.probe import probing
from tests.sandbox.scenes import (
    SCAN,
    test_a_file_that_is_being_written_can_be_read,
    test_a_session_has_the_facilitys_time_zone,
    test_a_session_takes_no_lease_on_raw_data,
    test_absolute_paths_in_files_work,
    test_an_acquisition_appends_while_a_session_reads,
    test_directory_with_a_hostile_name_is_mounted_right,
    test_raw_data_cannot_be_changed_in_any_way,
    test_session_reaches_the_addresses_of_its_application_and_no_other,
    test_session_that_cannot_start_says_why_at_once,
    test_several_directories_with_blanks_are_mounted_right,
    test_storage_that_is_not_what_it_says_is_refused_in_words,
    test_what_is_mounted_later_below_raw_data_is_not_in_the_session,
)

pytestmark = pytest.mark.sandbox

#: What holds for every backend (tests/docker collects them, too), with this folder's portal.
SAME = (
    test_a_file_that_is_being_written_can_be_read,
    test_a_session_has_the_facilitys_time_zone,
    test_a_session_takes_no_lease_on_raw_data,
    test_absolute_paths_in_files_work,
    test_an_acquisition_appends_while_a_session_reads,
    test_directory_with_a_hostile_name_is_mounted_right,
    test_raw_data_cannot_be_changed_in_any_way,
    test_session_reaches_the_addresses_of_its_application_and_no_other,
    test_session_that_cannot_start_says_why_at_once,
    test_several_directories_with_blanks_are_mounted_right,
    test_storage_that_is_not_what_it_says_is_refused_in_words,
    test_what_is_mounted_later_below_raw_data_is_not_in_the_session,
)


def test_session_is_the_account_and_nobody_else(portal: Portal) -> None:
    """ES05, AL50, B10: uid, gid and exactly the account's groups; no capability; nothing to become more with."""
    script = "id; grep -E 'Cap|NoNewPrivs' /proc/self/status; unshare -Ur true; echo unshare=$?; cat /etc/passwd; pwd"
    with probing(portal.login("anna"), "anna", script) as probe:
        said = probe.output()
    groups = "25001(anna),26001(ma-4242),26002(ls-1007)" if os.geteuid() == 0 else "25001(anna)"
    assert f"uid=25001(anna) gid=25001(anna) groups={groups}" in said
    assert set(re.findall(r"Cap(?:Inh|Prm|Eff|Bnd|Amb):\t(\w+)", said)) == {"0" * 16}
    assert "NoNewPrivs:\t1" in said
    assert "unshare=1" in said
    assert "root:" not in said
    # an application starts where the data are
    assert said.rstrip().endswith("/home/anna/data")


def test_system_calls_of_a_session_are_filtered(portal: Portal) -> None:
    """Every process of it, from the sandbox's first; each call is tried in tests/spawners/sandbox/test_seccomp."""
    script = "cat /proc/[0-9]*/status | grep Seccomp: | sort | uniq -c"
    with probing(portal.login("anna"), "anna", script) as probe:
        said = probe.output()
    assert re.findall(r"^ *\d+ Seccomp:\t(\d)$", said, re.MULTILINE) == ["2"], said


def test_session_sees_only_its_proposal_and_its_home(portal: Portal) -> None:
    """AL18, AL26: one proposal's data, no other home, no other proposal's processed data, no file of the hub."""
    script = (
        f"ls -A $HOME; ls $HOME/data | head -3; ls /home; ls {portal.state} 2>&1; ls /run /root /var/lib 2>&1; mount"
    )
    person = portal.login("anna")
    with probing(person, "anna", script, proposal="LS-1007", visit="1") as probe:
        said = probe.output()
    assert "Ac.mat" in said
    assert "XRFSpectrum" not in said
    assert "jupyterhub.sqlite" not in said
    assert "crypt_key" not in said
    assert re.search(r"^/dev/\S+ on /home/anna/data type \S+ \(ro,", said, re.MULTILINE) or " /home/anna/data " in said
    other = [line for line in said.splitlines() if "homes/ben" in line or "MA-4242" in line]
    assert other == []


def test_session_reaches_the_hubs_api_and_nothing_else(portal: Portal) -> None:
    """AL13, AL30, H5': no port of this machine, no other host, of the hub only its API."""
    script = f"cat > $HOME/scan.py <<'END'\n{SCAN}\nEND\n/usr/bin/python3 $HOME/scan.py; cat /proc/net/dev\n"
    with probing(portal.login("anna"), "anna", script) as probe:
        said = probe.output(120)
    assert "open []" in said, said
    for host in ("10.0.0.1", "169.254.169.254", "8.8.8.8"):
        assert f"{host} 101" in said, said  # ENETUNREACH
    assert "/hub/api/ HTTP/1.1 200 OK" in said
    for path in ("/hub/login", "/hub/home", "/hub/api/../login", "/", "/hub/metrics", "//hub/login"):
        assert re.search(rf"^{re.escape(path)} HTTP/1.1 40[34]", said, re.MULTILINE), (path, said)
    # no interface but loopback
    assert re.findall(r"^\s*(\w+):", said, re.MULTILINE) == ["lo"]


def test_sessions_of_one_person_do_not_see_each_other(portal: Portal) -> None:
    """H7': two sessions of the same account share no process, no X server, no temporary file."""
    person = portal.login("anna")
    marker = "touch /tmp/first /dev/shm/first; sleep 4321 & ls /tmp/.X11-unix; ps -e | wc -l"
    with probing(person, "anna", marker) as first:
        first.output()
        look = "ls -A /tmp /dev/shm /tmp/.X11-unix; ps -ef; cat /proc/net/unix | grep -c X11; env | grep -c TOKEN"
        with probing(person, "anna", look) as second:
            said = second.output()
    assert "first" not in said
    assert "sleep 4321" not in said
    # one X server, its own (a file and an abstract name); and the session's token is not the application's business
    assert said.split()[-1] == "0"


def test_limits_hold(portal: Portal) -> None:
    """H8': memory and processes end at the session's size, where this machine's control groups allow it."""
    if os.geteuid() != 0:
        pytest.skip("only root may make control groups without a delegation")
    script = (
        "(for i in $(seq 1500); do sleep 60 & done) > /dev/null 2> $HOME/fork.err; grep -c -i fork $HOME/fork.err; "
        "kill $(jobs -p) 2> /dev/null; pkill sleep; "
        "/usr/bin/python3 -c 'b = bytearray(5 * 2**30); print(\"allocated\")'; echo python=$?"
    )
    with probing(portal.login("ben"), "ben", script) as probe:
        said = probe.output(90)
    assert int(said.split()[0]) > 0, said
    assert "allocated" not in said
    assert "python=137" in said


def test_nothing_of_a_stopped_session_is_left(portal: Portal) -> None:
    """After a stop: no process of that account, no control group, no socket, no route; processed data stay."""
    person = portal.login("carla")
    script = "echo kept > $HOME/processed/carla.txt; (setsid sleep 1000 &) ; trap '' TERM; sleep 1000"
    home = portal.state / "homes" / "carla"
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    with probing(person, "carla", script):
        until = time.monotonic() + 30
        while time.monotonic() < until and not (portal.state / "processed/MA-4242/carla.txt").exists():
            time.sleep(0.05)
        while time.monotonic() < until and len(sleepers()) < 2:
            time.sleep(0.05)
        assert len(sleepers()) == 2
    until = time.monotonic() + 30
    while time.monotonic() < until and sleeping_as(25003):
        time.sleep(0.05)
    assert sleeping_as(25003) == []
    assert (portal.state / "processed/MA-4242/carla.txt").read_text() == "kept\n"
    assert not list((portal.state / "run" / "sessions").glob("*/http.sock")), "a socket was left"


def test_nothing_of_a_session_that_ended_by_itself_is_left(portal: Portal) -> None:
    """K8: its first process is killed; the hub only notices, and still removes what the session had."""
    folder = portal.state / "run" / "sessions"
    before = set(folder.iterdir()) if folder.is_dir() else set()
    with probing(portal.login("anna"), "anna", "sleep 1000"):
        (session,) = set(folder.iterdir()) - before
        until = time.monotonic() + 30
        while not sleepers() and time.monotonic() < until:
            time.sleep(0.05)
        (sleeper,) = sleepers()
        namespace = os.readlink(f"/proc/{sleeper}/ns/pid")
        inside = [pid for pid, _ in command_lines() if pid_namespace(pid) == namespace]
        os.kill(min(inside), signal.SIGKILL)
        until = time.monotonic() + 30
        while session.exists() and time.monotonic() < until:
            time.sleep(0.05)
        assert not session.exists()
    assert sleepers() == []


def pid_namespace(pid: int) -> str:
    try:
        return os.readlink(f"/proc/{pid}/ns/pid")
    except OSError:
        return ""


def sleepers() -> list[int]:
    """Return the processes named "sleep 1000"."""
    return [pid for pid, line in command_lines() if line.startswith("sleep 1000")]


def sleeping_as(uid: int) -> list[str]:
    """Return the commands that run as this uid, or, for a hub that is not root, the probe's own."""
    found = []
    for pid, line in command_lines():
        try:
            owner = os.stat(f"/proc/{pid}").st_uid
        except OSError:
            continue
        if (owner == uid or "sleep 1000" in line) and line:
            found.append(line)
    return found


def command_lines() -> list[tuple[int, str]]:
    """Return every process with its command line."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                found.append((int(entry.name), (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode().strip()))
            except OSError:
                continue
    return found


def test_only_the_hub_can_connect_to_a_sessions_socket(portal: Portal) -> None:
    """The listening socket is the hub's; the session cannot replace it by a link to another one."""
    person = portal.login("anna")
    with probing(person, "anna", "find / -name http.sock 2>/dev/null; echo done") as probe:
        said = probe.output()
        sockets = list((portal.state / "run" / "sessions").glob("*/http.sock"))
        assert all(path.stat().st_mode & 0o077 == 0 for path in sockets)
        assert len(sockets) == 1
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(sockets[0]))
    assert said.strip() == "done"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another account")
def test_another_account_of_the_machine_connects_to_no_socket_of_a_session(portal: Portal) -> None:
    """It would use up the session's share of the hub's API, or reach a licence server that only the session may."""
    person = portal.login("anna")
    with probing(person, "anna", "echo done", application="licensed") as probe:
        assert probe.output().strip() == "done"
        (folder,) = (portal.state / "run" / "sessions").iterdir()
        for path in (folder / "api" / "api.sock", folder / "sockets" / "out0.sock"):
            assert connects_as(25001, path), path
            assert not connects_as(25999, path), path


def connects_as(uid: int, path: Path) -> bool:
    """Return whether a process of this uid can connect."""
    program = f"import socket; socket.socket(socket.AF_UNIX).connect({str(path)!r})"
    argv = ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", "/usr/bin/python3", "-c", program]
    ran = subprocess.run(argv, capture_output=True, text=True, check=False, cwd="/")
    assert ran.returncode == 0 or "PermissionError" in ran.stderr, ran.stderr
    return ran.returncode == 0


def test_processed_data_are_shared_and_last(portal: Portal) -> None:
    """AL19, AL20, AL25: what one member saves, another reads and changes in a later session of their own."""
    with probing(
        portal.login("anna"), "anna", "echo from anna > $HOME/processed/shared.txt; ls -ln $HOME/processed"
    ) as one:
        one.output()
    with probing(
        portal.login("ben"), "ben", "cat $HOME/processed/shared.txt; echo and ben >> $HOME/processed/shared.txt"
    ) as two:
        assert "from anna" in two.output()
    assert (portal.state / "processed/MA-4242/shared.txt").read_text() == "from anna\nand ben\n"


def test_homes_persist_and_are_private(portal: Portal) -> None:
    """A home is the same in the next session, and its mode keeps others out."""
    person = portal.login("ben")
    with probing(person, "ben", "echo mine > $HOME/kept.txt") as probe:
        probe.output()
    with probing(person, "ben", "cat $HOME/kept.txt", proposal="", visit="") as probe:
        assert probe.output() == "mine\n"
    assert (portal.state / "homes/ben").stat().st_mode & 0o077 == 0


KERNEL = """\
from jupyter_client.manager import start_new_kernel
manager, client = start_new_kernel(kernel_name="python3")
client.execute_interactive("print('cell', 6 * 7)")
message = client.session.msg("debug_request", {"type": "request", "seq": 1, "command": "initialize", "arguments": {}})
client.control_channel.send(message)
print("debugger", client.get_control_msg(timeout=30)["content"]["success"])
pool = "import multiprocessing; multiprocessing.Pool(2).map(abs, [1])"
print("pool", client.execute_interactive(pool)["content"]["status"])
manager.shutdown_kernel(now=True)
"""


def test_a_kernel_executes_and_debugs_under_the_filter(portal: Portal) -> None:
    """DE02: a cell, JupyterLab's debugger, and processes of a pool, whatever system calls they make."""
    script = f"cat > $HOME/kernel.py <<'END'\n{KERNEL}\nEND\npython3 $HOME/kernel.py"
    with probing(portal.login("anna"), "anna", script) as probe:
        said = probe.output()
    assert "cell 42" in said, said
    assert "debugger True" in said, said
    assert "pool ok" in said, said
