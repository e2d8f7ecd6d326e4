"""Tries to reach what a session must not; run inside a session: `python3 reach.py TARGETS`, which is JSON.

Prints one line an attempt: its name, and "refused" with the reason, or "ALLOWED" with what was found.
"""

import ctypes
import errno
import glob
import json
import os
import pathlib
import signal
import socket
import sys

targets = json.loads(sys.argv[1])
libc = ctypes.CDLL(None, use_errno=True)
# unlike PTRACE_ATTACH it does not stop what it is attached to
PTRACE_SEIZE = 0x4206
NAMESPACES = {
    "mount": 0x20000, "control group": 0x2000000, "host name": 0x4000000, "shared memory": 0x8000000,
    "user": 0x10000000, "process": 0x20000000, "network": 0x40000000,
}  # fmt: skip


def checked(result):
    if result == -1:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def apart(attempt):
    """Try it in a process of its own, which a success would change."""
    child = os.fork()
    if child == 0:
        try:
            attempt()
        except OSError as error:
            os._exit(error.errno)
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code:
        raise OSError(code, os.strerror(code) if code > 0 else f"killed by signal {-code}")


def found(things):
    """Return what was found; nothing is a refusal."""
    if not things:
        raise FileNotFoundError(errno.ENOENT, "nothing there")
    return things


def connected(address):
    host, _, port = address.rpartition(":")
    with socket.create_connection((host, int(port)), 2):
        return address


def connected_file(path):
    with socket.socket(socket.AF_UNIX) as line:
        line.settimeout(2)
        line.connect(path)
    return path


def attached(pid):
    def attempt():
        checked(libc.ptrace(PTRACE_SEIZE, pid, None, None))

    apart(attempt)
    return pid


def server():
    """Return the process of the session's own server."""
    for path in glob.glob("/proc/[0-9]*/cmdline"):
        words = pathlib.Path(path).read_text(errors="replace").split("\0")
        programs = {word.rpartition("/")[2] for word in words}
        # the first process of a sandbox, a container or a pod has its name, too
        if "daas-session" in programs and not programs & {"bwrap", "daas-pod", "docker-init"}:
            return int(path.split("/")[2])
    raise SystemExit("the session has no server")


def processes_of(uid):
    return [one.name for one in pathlib.Path("/proc").iterdir() if one.name.isdigit() and one.stat().st_uid == uid]


def answered(path):
    """Ask the hub, by whichever way this session has."""
    if targets["gateway"]:
        host, _, port = targets["gateway"].rpartition(":")
        line = socket.create_connection((host, int(port)), 5)
    else:
        line = socket.socket(socket.AF_UNIX)
        line.connect("/run/daas-hub/api.sock")
    with line:
        line.settimeout(30)
        line.sendall(f"GET {path} HTTP/1.1\r\nHost: hub\r\nConnection: close\r\n\r\n".encode())
        head = line.recv(200).split()
    if not head:
        raise ConnectionError(errno.ECONNRESET, "closed")
    status = int(head[1])
    if status in (403, 404):
        raise PermissionError(errno.EACCES, str(status))
    return status


def tokens():
    """Find the session's token for the hub, which no program of the user's needs."""
    environments = []
    for path in glob.glob("/proc/[0-9]*/environ"):
        try:
            environments.append(pathlib.Path(path).read_bytes())
        except OSError:
            continue
    return ["one" for text in environments if b"API_TOKEN=" in text]


def made_device():
    path = "/tmp/device"
    os.mknod(path, 0o600 | 0o020000, os.makedev(1, 1))
    return path


def status_of(field, harmless):
    value = next(one for one in pathlib.Path("/proc/self/status").read_text().splitlines() if one.startswith(field))
    value = value.split()[1]
    if value == harmless:
        raise PermissionError(errno.EPERM, value)
    return value


def forked(limit):
    children = []
    try:
        while len(children) < limit:
            child = os.fork()
            if child == 0:
                signal.pause()
                os._exit(0)
            children.append(child)
    finally:
        for child in children:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
    return len(children)


attempts = {
    **{f"a new {name} namespace": lambda flag=flag: apart(lambda: checked(libc.unshare(flag))) or "made"
       for name, flag in NAMESPACES.items()},
    "ptrace of the session's server": lambda: attached(server()),
    "ptrace of the first process": lambda: attached(1),
    "ptrace of the parent": lambda: attached(os.getppid()),
    "token of the session": lambda: found(tokens()),
    "processes of a neighbour": lambda: found(processes_of(targets["neighbour"])),
    "files of a neighbour in /tmp": lambda: found(glob.glob("/tmp/neighbour*") + glob.glob("/dev/shm/neighbour*")),
    "home of a neighbour": lambda: found(os.listdir(targets["home"])),
    "screens of others": lambda: found(
        [one for one in os.listdir("/tmp/.X11-unix") if f":{one[1:]}" != os.environ["DISPLAY"].partition(".")[0]]
    ),
    "session's socket of a neighbour": lambda: found(glob.glob(f"{targets['state']}/run/**/*.sock", recursive=True)),
    "database of the hub": lambda: os.open(f"{targets['state']}/hub/jupyterhub.sqlite", os.O_RDONLY),
    "passwords of the machine": lambda: os.open("/etc/shadow", os.O_RDONLY),
    "files of root": lambda: found(os.listdir("/root")),
    "socket of Docker": lambda: connected_file("/var/run/docker.sock"),
    "socket of containerd": lambda: connected_file("/run/containerd/containerd.sock"),
    "token of a service account": lambda: os.listdir("/var/run/secrets/kubernetes.io"),
    "capabilities": lambda: status_of("CapEff", "0" * 16),
    "capabilities to gain": lambda: status_of("CapBnd", "0" * 16),
    "privileges of setuid programs": lambda: status_of("NoNewPrivs", "1"),
    "system calls without a filter": lambda: status_of("Seccomp", "2"),
    "a new device": made_device,
    "memory of the machine": lambda: os.open("/dev/mem", os.O_RDONLY),
    "messages of the kernel": lambda: os.open("/dev/kmsg", os.O_RDONLY),
    "disks": lambda: found([one for one in os.listdir("/dev") if one.startswith(("sd", "vd", "nvme", "loop"))]),
    "settings of the kernel": lambda: os.open("/proc/sys/kernel/core_pattern", os.O_WRONLY),
    "control groups": lambda: os.mkdir("/sys/fs/cgroup/probe"),
    **{name: lambda address=address: connected(address) for name, address in targets["addresses"].items()},
    **{f"hub: {path}": lambda path=path: answered(path)
       for path in ("/hub/api/", "/hub/api/users", "/hub/api/../login", "/hub/login", "/hub/metrics", "/")},
    "more processes than its size has": lambda: forked(targets["processes"]),
}  # fmt: skip
for name, attempt in attempts.items():
    try:
        print(f"{name}: ALLOWED {attempt()}")
    except OSError as error:
        print(f"{name}: refused {errno.errorcode.get(error.errno, error)}")
