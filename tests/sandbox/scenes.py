"""What a session can reach and change, tried from inside: tests that hold for every backend's portal."""

from __future__ import annotations

import contextlib
import hashlib
import os
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest

from tests.conftest import LICENCE_HOST, LICENCE_PORT
from tests.live_portal import Portal, plain_text
from tests.sandbox.probe import probing

WRITES = (Path(__file__).parent / "writes.py").read_text()


def tree_hash(folder: Path) -> str:
    """Return one number for every name, content, mode, owner and time below a folder."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        digest.update(f"{path} {status.st_mode} {status.st_uid} {status.st_gid} {status.st_mtime_ns}".encode())
        if path.is_file():
            digest.update(path.read_bytes())
    return digest.hexdigest()


def test_raw_data_cannot_be_changed_in_any_way(portal: Portal) -> None:
    """AL17, AL25, A14: nineteen ways to write, none succeeds, and nothing changed."""
    data = portal.state / "experiments" / "own"
    before = tree_hash(data)
    script = f"cat > $HOME/writes.py <<'END'\n{WRITES}\nEND\n/usr/bin/python3 $HOME/writes.py $HOME/data\n"
    with probing(portal.login("anna"), "anna", script, proposal="TS-0001", visit="1") as probe:
        said = probe.output().splitlines()
    assert len(said) == 19, said
    assert [line for line in said if "refused" not in line] == []
    # the file's owner tries, who may do all of it: the mount refused, not a mode
    assert sum("EROFS" in line for line in said) >= 14, said
    assert tree_hash(data) == before


SCAN = """\
import socket, sys
open_ports = []
for port in range(1, 65536):
    with socket.socket() as s:
        s.settimeout(0.2)
        # a socket can come to be connected to itself, when the kernel gave it the very port it asks for
        if s.connect_ex(("127.0.0.1", port)) == 0 and s.getsockname() != s.getpeername():
            open_ports.append(port)
print("open", open_ports)
for host in ("10.0.0.1", "169.254.169.254", "8.8.8.8"):
    with socket.socket() as s:
        s.settimeout(1)
        print(host, s.connect_ex((host, 80)))
with socket.socket(socket.AF_UNIX) as s:
    s.connect("/run/daas-hub/api.sock")
    def ask(path):
        with socket.socket(socket.AF_UNIX) as s:
            s.connect("/run/daas-hub/api.sock")
            s.sendall(f"GET {path} HTTP/1.1\\r\\nHost: hub\\r\\nConnection: close\\r\\n\\r\\n".encode())
            return s.recv(200).split(b"\\r\\n")[0].decode()
for path in ("/hub/api/", "/hub/login", "/hub/home", "/hub/api/../login", "/", "/hub/metrics", "//hub/login"):
    print(path, ask(path))
"""


LICENCE = """\
import socket, sys
host, port = sys.argv[1], int(sys.argv[2])
with socket.create_connection((host, port), 5) as s:
    s.sendall(b"checkout")
    print("licence", s.recv(100).decode())
for there in ((host, port + 1), (host, 22), ("127.0.0.1", port), ("localhost", port)):
    try:
        socket.create_connection(there, 2).close()
        print("open", there)
    except OSError as refusal:
        print("refused", there[0], there[1])
"""


def test_session_reaches_the_addresses_of_its_application_and_no_other(portal: Portal) -> None:
    """DE05, AL13: the licence server answers under its own name; its other ports, and ssh, do not exist."""
    try:
        socket.getaddrinfo(LICENCE_HOST, LICENCE_PORT)
    except OSError:
        pytest.skip("this machine does not know its own name")

    def serve(server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = server.accept()
                with client:
                    client.sendall(client.recv(100).upper())

    script = f"cat > $HOME/licence.py <<'END'\n{LICENCE}\nEND\n"
    script += f"/usr/bin/python3 $HOME/licence.py {LICENCE_HOST} {LICENCE_PORT}"
    with socket.create_server(("", LICENCE_PORT)) as server:
        thread = threading.Thread(target=serve, args=(server,), daemon=True)
        thread.start()
        with probing(portal.login("anna"), "anna", script, application="licensed") as probe:
            said = probe.output()
        server.shutdown(socket.SHUT_RDWR)
        thread.join(5)
    assert "licence CHECKOUT" in said, said
    assert said.count("refused") == 4, said
    with probing(portal.login("anna"), "anna", script) as probe:
        assert "licence" not in probe.output().replace("licence.py", "")


REFUSED_STORAGE = {
    "missing": ("2", "does not exist"),
    "symbolic link": ("3", "symbolic link"),
    "symbolic link in the middle": ("4", "symbolic link"),
    "file": ("6", "is not a directory"),
    "outside the allowed roots": ("7", "outside the directories this portal may show"),
}


@pytest.mark.parametrize(("visit", "words"), REFUSED_STORAGE.values(), ids=REFUSED_STORAGE.keys())
def test_storage_that_is_not_what_it_says_is_refused_in_words(portal: Portal, visit: str, words: str) -> None:
    """AL40, DI13, A5, A6, A8: no session, and a sentence that says why."""
    person = portal.login("anna")
    answer = person.post("/hub/launch", {"application": "terminal", "proposal": "TS-0001", "visit": visit})
    until = time.monotonic() + 10
    while words not in plain_text(answer) and time.monotonic() < until:
        time.sleep(0.2)
        answer = person.get(answer.url.removeprefix(portal.url))
    assert words in plain_text(answer)
    assert str(portal.state) not in answer.text
    running = person.get(f"/hub/api/users/{person.name}").json()["servers"]
    assert [name for name, server in running.items() if server["ready"]] == []


def test_directory_with_a_hostile_name_is_mounted_right(portal: Portal) -> None:
    """H4, H5: braces, colons, spaces and a shell's substitution are letters."""
    with probing(
        portal.login("anna"), "anna", "cat $HOME/data/XRFSpectrum.mca | wc -c", proposal="TS-0001", visit="5"
    ) as probe:
        assert int(probe.output()) == (portal.state / "experiments" / "own" / "XRFSpectrum.mca").stat().st_size


def test_several_directories_with_blanks_are_mounted_right(portal: Portal) -> None:
    """H4: side by side below ~/data, and nothing can be put beside them."""
    script = (
        'cd $HOME/data; for one in *; do printf "[%s]\\n" "$one"; ls "$one"; done; touch beside "run 1/in" 2>&1; true'
    )
    with probing(portal.login("anna"), "anna", script, proposal="TS-0001", visit="8") as probe:
        said = probe.output()
    assert "[run 1]\nXRFSpectrum.mca\n[run\\2]\nXRFSpectrum.mca\n" in said
    assert said.count("Read-only file system") == 2, said


@pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts something on the machine")
def test_what_is_mounted_later_below_raw_data_is_not_in_the_session(portal: Portal) -> None:
    """H6: a file system that appears below the data while a session runs would be writable there."""
    data = portal.state / "experiments" / "own"
    sub = data / "late"
    sub.mkdir()
    script = (
        "until test -e $HOME/go; do sleep 0.1; done; ls -A $HOME/data/late; touch $HOME/data/late/written 2>&1; true"
    )
    (portal.state / "homes" / "anna" / "go").unlink(missing_ok=True)
    subprocess.run(["mount", "--bind", data, data], check=True)
    subprocess.run(["mount", "--make-shared", data], check=True)
    try:
        with probing(portal.login("anna"), "anna", script, proposal="TS-0001", visit="1") as probe:
            subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=1777", "late", sub], check=True)
            (sub / "here").write_text("")
            (portal.state / "homes" / "anna" / "go").write_text("")
            said = probe.output()
        assert "here" not in said
        assert "Read-only file system" in said
        assert [path.name for path in sub.iterdir()] == ["here"]
    finally:
        subprocess.run(["umount", "-l", sub], check=False)
        subprocess.run(["umount", "-l", data], check=False)
        sub.rmdir()


def test_session_that_cannot_start_says_why_at_once(portal: Portal) -> None:
    """K5: not after a minute of waiting, and not only in the hub's log."""
    person = portal.login("carla")
    began = time.monotonic()
    answer = person.post("/hub/launch", {"application": "absent"})
    while "no-such-program" not in plain_text(answer):
        assert time.monotonic() - began < 15, plain_text(answer)
        time.sleep(0.2)
        answer = person.get(answer.url.removeprefix(portal.url))
    assert "Absent is not installed here (no-such-program)." in plain_text(answer)
