"""Run inside a session: `take_server.py NAME` tries to take the place of its server, and prints what each way gave.

Each line is "way result": the name of an error, or what worked. Then it waits for the file `go` in the home, kills the
server, and tries to outlive it.
"""

from __future__ import annotations

import ctypes
import errno
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path

libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
PTRACE_SEIZE, PROCESS_VM_WRITEV, PIDFD_OPEN, PIDFD_GETFD = 0x4206, 311, 434, 438
SOCKETS = ("/run/daas-sockets", "/run/daas-hub")


def checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def call(number: int, *arguments: int) -> int:
    return checked(libc.syscall(number, *(ctypes.c_long(one) for one in arguments)))


def attempt(way: str, act: Callable[[], object]) -> None:
    try:
        result = str(act())
    except OSError as error:
        result = errno.errorcode.get(error.errno or 0, str(error))
    print(way, result, flush=True)


def find_server(name: str) -> int:
    """Return the Python process that runs the session's server; the sandbox's first process has its name, too."""
    for entry in sorted(Path("/proc").glob("[0-9]*"), key=lambda path: int(path.name)):
        words = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
        if os.path.basename(words[0]).startswith("python") and any(word.endswith(f"/{name}") for word in words):
            return int(entry.name)
    raise SystemExit(f"no {name} found")


def write_memory(server: int) -> str:
    """Write nothing to address 0: EFAULT means that it was not forbidden."""
    word = (ctypes.c_char * 8)()
    here = (ctypes.c_ulong * 2)(ctypes.addressof(word), 8)
    there = (ctypes.c_ulong * 2)(0, 8)
    return str(call(PROCESS_VM_WRITEV, server, ctypes.addressof(here), 1, ctypes.addressof(there), 1, 0))


def open_memory(server: int) -> str:
    os.close(os.open(f"/proc/{server}/mem", os.O_RDWR))
    return "opened"


def take_descriptors(server: int) -> str:
    pidfd = call(PIDFD_OPEN, server, 0)
    taken = [number for number in range(64) if _is_taken(pidfd, number)]
    return f"took {taken}"


def _is_taken(pidfd: int, number: int) -> bool:
    try:
        os.close(call(PIDFD_GETFD, pidfd, number, 0))
    except OSError as error:
        if error.errno == errno.EBADF:  # the server has no such descriptor
            return False
        raise
    return True


def inherited_listeners() -> str:
    """Return which of its own descriptors are listening sockets."""
    found = []
    for name in os.listdir("/proc/self/fd"):
        try:
            with socket.socket(fileno=os.dup(int(name))) as one:
                if one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                    found.append(name)
        except OSError:  # no socket
            continue
    return f"inherited {found}"


def replace_sockets(folder: str) -> str:
    """Put a socket of its own in place of each, and one more."""
    for name in (*os.listdir(folder), "http.sock"):
        path = os.path.join(folder, name)
        if os.path.lexists(path):
            os.rename(path, f"{path}.old")
        with socket.socket(socket.AF_UNIX) as own:
            own.bind(path)
    return "replaced"


def main(name: str) -> None:
    server = find_server(name)
    attempt("environment", lambda: Path(f"/proc/{server}/environ").read_bytes() and "read")
    attempt("memory", lambda: open_memory(server))
    attempt("maps", lambda: Path(f"/proc/{server}/maps").read_text() and "read")
    attempt("descriptors", lambda: os.listdir(f"/proc/{server}/fd") and "listed")
    attempt("ptrace", lambda: checked(libc.ptrace(PTRACE_SEIZE, server, None, None)) or "traced")
    attempt("process_vm_writev", lambda: write_memory(server))
    attempt("pidfd_getfd", lambda: take_descriptors(server))
    attempt("inheritance", inherited_listeners)
    for folder in SOCKETS:
        attempt(folder, lambda folder=folder: replace_sockets(folder))
    print("tried", flush=True)
    while not Path("~/go").expanduser().exists():
        time.sleep(0.1)
    os.kill(server, signal.SIGKILL)
    time.sleep(5)
    Path("~/outlived").expanduser().write_text("")


if __name__ == "__main__":
    main(sys.argv[1])
