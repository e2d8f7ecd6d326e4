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
from tests.not_tried import missing
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
    """AL17, AL25, A14: twenty-one ways to write, none succeeds, and nothing changed."""
    data = portal.state / "experiments" / "own"
    before = tree_hash(data)
    script = f"cat > $HOME/writes.py <<'END'\n{WRITES}\nEND\n/usr/bin/python3 $HOME/writes.py $HOME/data\n"
    with probing(portal.login("anna"), "anna", script, proposal="TS-0001", visit="1") as probe:
        said = probe.output().splitlines()
    assert len(said) == 21, said
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
with socket.create_connection((host, port), 30) as s:
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
        thread.join(30)
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
    until = time.monotonic() + 30
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
        assert time.monotonic() - began < 45, plain_text(answer)
        time.sleep(0.2)
        answer = person.get(answer.url.removeprefix(portal.url))
    assert "Absent is not installed here (no-such-program)." in plain_text(answer)


#: Debian's, on the machine of the tests; in a session on an image it is the image's.
ACQUISITION = "/usr/bin/python3"
FIND_H5PY = "for py in /usr/bin/python3 python; do $py -c 'import h5py' 2> /dev/null && break; done\n"


def acquire(code: str) -> str:
    """Run a piece of an acquisition program; give the last line of its error, "" if it worked."""
    said = subprocess.run([ACQUISITION, "-c", f"import h5py\n{code}"], capture_output=True, text=True, check=False)
    return (said.stderr.strip().splitlines() or [""])[-1]


def require_h5py() -> None:
    """Skip where the machine has no HDF5 for Python."""
    if problem := acquire(""):
        missing("hdf5", f"{ACQUISITION} has no h5py (apt-get install python3-h5py): {problem}")


READER = (
    FIND_H5PY
    + """
$py - <<'END' &
import h5py, os, time
# also as a program that wants a lock
files = [h5py.File(os.path.expanduser("~/data/scan.h5"), "r", **more) for more in ({}, {"locking": True})]
open(os.path.expanduser("~/reading"), "w").close()
time.sleep(60)
END
until test -e ~/reading; do sleep 0.1; done; rm ~/reading
"""
)


def test_an_acquisition_appends_while_a_session_reads(portal: Portal, hdf5_application: str) -> None:
    """Read-only holds for locks of HDF5, too: the next frame is written while the file is open in a session."""
    require_h5py()
    scan = portal.state / "experiments" / "own" / "scan.h5"
    assert acquire(f"h5py.File('{scan}', 'w')['x'] = 1") == ""
    try:
        with probing(
            portal.login("anna"), "anna", READER, proposal="TS-0001", visit="1", application=hdf5_application
        ) as probe:
            assert probe.output() == ""
            assert acquire(f"h5py.File('{scan}', 'a')['y'] = 2") == ""
    finally:
        scan.unlink()


WRITER = """
import sys
f = h5py.File(sys.argv[1], "w", libver=sys.argv[2])
d = f.create_dataset("x", data=[1, 2], maxshape=(None,), chunks=(2,))
f.flush()
if sys.argv[2] == "latest":
    f.swmr_mode = True
d.resize((3,))
d[2] = 3
d.flush()
f.flush()
print("writing", flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize(("libver", "swmr"), [("earliest", False), ("latest", True)], ids=["plain", "SWMR"])
def test_a_file_that_is_being_written_can_be_read(
    portal: Portal, hdf5_application: str, libver: str, swmr: bool
) -> None:
    require_h5py()
    scan = portal.state / "experiments" / "own" / "live.h5"
    read = f"import h5py, os; print(h5py.File(os.path.expanduser('~/data/live.h5'), 'r', swmr={swmr})['x'][:])"
    with subprocess.Popen(
        [ACQUISITION, "-c", f"import h5py\n{WRITER}", scan, libver],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as writer:  # fmt: skip
        assert writer.stdout is not None
        assert writer.stdout.readline() == "writing\n"
        with probing(
            portal.login("anna"), "anna", f'{FIND_H5PY}$py -c "{read}"\n',
            proposal="TS-0001", visit="1", application=hdf5_application,
        ) as probe:  # fmt: skip
            said = probe.output()
        writer.communicate("")
    scan.unlink()
    assert said == "[1 2 3]\n"


LEASES = """
import errno, fcntl, os
for name, kind in (("read", fcntl.F_RDLCK), ("write", fcntl.F_WRLCK)):
    fd = os.open(os.path.expanduser("~/data/XRFSpectrum.mca"), os.O_RDONLY)
    try:
        fcntl.fcntl(fd, fcntl.F_SETLEASE, kind)
        print(name, "granted")
    except OSError as error:
        print(name, errno.errorcode[error.errno])
    os.close(fd)
"""


def test_a_session_takes_no_lease_on_raw_data(portal: Portal) -> None:
    """A lease would make the acquisition wait for 45 s; the owner of a file may take one through a read-only mount."""
    script = f"cat > $HOME/leases.py <<'END'\n{LEASES}\nEND\n/usr/bin/python3 $HOME/leases.py\n"
    with probing(portal.login("anna"), "anna", script, proposal="TS-0001", visit="1") as probe:
        assert probe.output() == "read EACCES\nwrite EACCES\n"


LINKED = """
import h5py, os, sys
base = sys.argv[1]
os.makedirs(f"{base}/v1/raw")
os.makedirs(f"{base}/v2")
for name in ("v2/det", "v1/raw/det", "v1/own"):
    with h5py.File(f"{base}/{name}.h5", "w") as f:
        f["n"] = [5, 6] if name == "v1/raw/det" else [7]
with h5py.File(f"{base}/v1/master.h5", "w") as f:
    f["relative"] = h5py.ExternalLink("raw/det.h5", "/n")
    f["absolute"] = h5py.ExternalLink(f"{base}/v1/raw/det.h5", "/n")
    f["aliased"] = h5py.ExternalLink("/facility/visitor/v1/raw/det.h5", "/n")
    f["sibling"] = h5py.ExternalLink(f"{base}/v2/det.h5", "/n")
    layout = h5py.VirtualLayout(shape=(2,), dtype="i8")
    layout[:] = h5py.VirtualSource(f"{base}/v1/raw/det.h5", "n", shape=(2,))
    f.create_virtual_dataset("virtual", layout, fillvalue=-1)
os.symlink(f"{base}/v1/own.h5", f"{base}/v1/latest.h5")
os.symlink(f"{base}/v2/det.h5", f"{base}/v1/theirs.h5")
"""
FOLLOWED = (
    FIND_H5PY
    + """
$py - <<'END'
import h5py, os
home = os.path.expanduser("~/data/")
with h5py.File(home + "master.h5", "r") as f:
    for name in ("relative", "absolute", "aliased", "virtual", "sibling"):
        try:
            print(name, list(map(int, f[name][()])))
        except KeyError:
            print(name, "broken")
for name in ("latest", "theirs"):
    print(name, os.path.exists(home + name + ".h5"))
END
base=$(dirname $(dirname $(readlink ~/data/latest.h5)))
ls -A $base $(dirname $base) /facility /facility/visitor
for place in $base/v1 /facility/visitor/v1; do touch $place/written 2>&1; done
mkdir $base/v2 2> /dev/null && echo made; true
"""
)


def test_absolute_paths_in_files_work(portal: Portal, hdf5_application: str) -> None:
    """Links and virtual datasets with the facility's own path of the visit, and symbolic links; nothing else."""
    require_h5py()
    base = portal.state / "experiments" / "links"
    if not base.exists():
        subprocess.run([ACQUISITION, "-c", LINKED, base], check=True)
    with probing(
        portal.login("anna"), "anna", FOLLOWED, proposal="TS-0001", visit="9", application=hdf5_application
    ) as probe:
        said = probe.output().splitlines()
    assert said[:7] == [
        "relative [5, 6]", "absolute [5, 6]", "aliased [5, 6]", "virtual [5, 6]", "sibling broken", "latest True",
        "theirs False",
    ]  # fmt: skip
    listed = "\n".join(said[7:])
    # of each parent only the way to the visit; as root's tests run, the hub's state is above it
    assert f"{base}:\nv1\n" in listed
    assert f"{base.parent}:\nlinks\n" in listed
    assert "/facility:\nvisitor\n" in listed
    assert "/facility/visitor:\nv1" in listed
    assert listed.count("Read-only file system") == 2


ZONE = """
date -d 2027-06-01T00:00:00Z '+%Z %H:%M'
env -u TZ date -d 2027-06-01T00:00:00Z '+%Z %H:%M'
env TZ=UTC date -d 2027-06-01T00:00:00Z '+%Z %H:%M'
echo $TZ
/usr/bin/python3 -c "import time; print(time.strftime('%H:%M', time.localtime(0)))"
"""


def test_a_session_has_the_facilitys_time_zone(portal: Portal) -> None:
    """In its environment and as the machine's; UTC is still UTC."""
    with probing(portal.login("anna"), "anna", ZONE) as probe:
        said = probe.output().splitlines()
    assert said == ["+0545 05:45", "+0545 05:45", "UTC 00:00", "Asia/Kathmandu", "05:30"]
