"""`daas-pod PROGRAM`: the first program of a session in a pod.

It opens the socket that the session listens on, and proves the mounts and the network's wall to the hub. The session's
server is imported meanwhile, and serves only when the hub has admitted the session. Then this program stays: it reaps
what its children leave behind, reports every ten seconds that the session lives, and ends it at its time limit, also
while the hub is away. It reaches the hub only through the session gateway (`daas_hub.spawners.kubernetes.gateway`).
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

from daas_hub.errors import SessionFailed
from daas_hub.session.admitted import ADMITTED, ADMITTED_FD, WAITING
from daas_hub.session.hardening import protect_server
from daas_hub.session.leases import forbid_leases
from daas_hub.session.memory_limit import memory_kills
from daas_hub.session.mount_handshake import describe_directory
from daas_hub.session.wall import open_addresses

ARRIVAL = "/session/arrival"
#: The header with the address that this pod has in its own network: the gateway compares it with the one it sees.
OWN_ADDRESS = "X-Daas-Pod-Address"
HEARTBEAT = "/session/heartbeat"
#: The port that a session listens on, at its pod's address, unless DAAS_PORT says otherwise.
PORT = 8888

#: Seconds in which the hub must have let the session in. Where something on the way rewrites addresses, it does so only
#: when the cluster has reported the pod's.
ARRIVAL_S = 60.0
#: Seconds for the rules of a new pod to come into force.
WALL_S = 10.0
HEARTBEAT_S = 10.0
#: Seconds until the next attempt, at first and at most; each time half as much again.
_FIRST_WAIT_S, _TRY_AGAIN_S = 0.02, 0.1
_TIMEOUT_S = 5.0
#: Seconds in which a session that reached its time limit may end by itself.
_GRACE_S = 30.0
_MAX_BYTES = 65536
_PR_SET_CHILD_SUBREAPER = 36


class Refused(SessionFailed):
    """The hub refused this session for good."""


class Gateway:
    """The session gateway of the hub.

    Args:
        address: "host:port".
        token: what shows the gateway which session this is.
    """

    def __init__(self, address: str, token: str) -> None:
        self._host, _, port = address.rpartition(":")
        self._port = int(port)
        self._token = token

    def own_address(self) -> str:
        """Return the address of this pod: the one that it reaches the hub from.

        Raises:
            OSError: there is no way to the hub (yet).
        """
        (family, *_, address), *_ = socket.getaddrinfo(self._host.strip("[]"), self._port, type=socket.SOCK_DGRAM)
        with socket.socket(family, socket.SOCK_DGRAM) as way:
            # sends nothing
            way.connect(address)
            return str(way.getsockname()[0])

    def ask(self, path: str, document: object) -> dict[str, Any]:
        """Send a document, and return the gateway's.

        Raises:
            OSError: it does not answer (yet).
            Refused: it answered that this session may not be.
        """
        connection = HTTPConnection(self._host.strip("[]"), self._port, timeout=_TIMEOUT_S)
        try:
            connection.connect()
            headers = {
                "Authorization": f"token {self._token}",
                "Content-Type": "application/json",
                OWN_ADDRESS: str(connection.sock.getsockname()[0]),
            }
            connection.request("POST", path, json.dumps(document), headers)
            response = connection.getresponse()
            answer = json.loads(response.read(_MAX_BYTES))
        except (HTTPException, ValueError) as problem:
            raise OSError(f"the hub's response cannot be read: {problem}") from problem
        finally:
            connection.close()
        if not isinstance(answer, dict) or response.status >= 500:
            raise OSError(f"the hub responded with status {response.status}")
        if response.status >= 400:
            raise Refused(str(answer.get("message", "The hub refused this session.")))
        return answer


def arrive(gateway: Gateway, env: Mapping[str, str] = os.environ) -> float:
    """Prove mounts and wall to the hub; return how many seconds the session may last.

    Raises:
        SessionFailed: the hub refused it, or did not answer in time.
        OSError: there is no such directory.
    """
    until = time.monotonic() + ARRIVAL_S
    wanted = _until(until, lambda: gateway.ask(ARRIVAL, {}))
    directories = [describe_directory(str(path)) for path in wanted.get("directories", ())]
    report = {"directories": directories, "open": open_addresses(_closed_addresses(wanted, env), limit_s=WALL_S)}
    answer = _until(until, lambda: gateway.ask(ARRIVAL, report))
    return float(answer["remaining_s"])


def _until(until: float, ask: Any) -> Any:
    """Return what the hub answers; ask again until this time while it does not."""
    wait_s = _FIRST_WAIT_S
    while True:
        try:
            return ask()
        except OSError as problem:
            if time.monotonic() >= until:
                raise SessionFailed(
                    "The session cannot reach the hub from its pod.",
                    remedy="Please tell the administrators: the session gateway is closed to it.",
                ) from problem
            time.sleep(wait_s)
            wait_s = min(_TRY_AGAIN_S, 1.5 * wait_s)


def _closed_addresses(wanted: Mapping[str, Any], env: Mapping[str, str]) -> list[str]:
    """Return the addresses that must be closed: the hub's list, and what every pod has in its environment."""
    found = [str(one) for one in wanted.get("closed", ())]
    if host := env.get("KUBERNETES_SERVICE_HOST"):
        found.append(f"{host}:{env.get('KUBERNETES_SERVICE_PORT', '443')}")
    return list(dict.fromkeys(found))


class Deadline:
    """When the session ends, by a clock that nobody sets."""

    def __init__(self, remaining_s: float) -> None:
        self._at = _clock() + remaining_s

    def set(self, remaining_s: float) -> None:
        """Take the hub's answer: it may have extended the session."""
        self._at = _clock() + remaining_s

    @property
    def remaining_s(self) -> float:
        """Seconds until the session ends."""
        return self._at - _clock()


def _clock() -> float:
    # time in suspend counts
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def report_life(gateway: Gateway, deadline: Deadline, end: Any, *, every_s: float) -> None:
    """Report to the hub that the session lives until its time limit; then call `end`.

    A hub that does not answer changes nothing: the session keeps the time limit that it knows.
    """
    while deadline.remaining_s > 0:
        try:
            answer = gateway.ask(HEARTBEAT, {"memory_kills": memory_kills()})
            deadline.set(float(answer["remaining_s"]))
        except (OSError, SessionFailed, KeyError, TypeError, ValueError):
            pass
        time.sleep(max(0.0, min(every_s, deadline.remaining_s)))
    end()


def listen(address: str, port: int) -> socket.socket:
    """Return a listening socket that the session's server inherits."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((address, port))
    listener.listen(256)
    listener.set_inheritable(True)
    return listener


class SessionServer:
    """The session's server; one that waits to be admitted is started at once, and any other when it is."""

    def __init__(self, program: Sequence[str], listener: socket.socket) -> None:
        self._program, self._listener = program, listener
        self._process: subprocess.Popen[bytes] | None = None
        self._waits_at = -1
        if Path(program[0]).name in WAITING:
            read_fd, self._waits_at = os.pipe()
            self._process = self._start(read_fd)
            os.close(read_fd)

    def _start(self, *more: int) -> subprocess.Popen[bytes]:
        env = os.environ | {"DAAS_LISTEN_FD": str(self._listener.fileno())}
        if more:
            env[ADMITTED_FD] = str(more[0])
        return subprocess.Popen(self._program, env=env, pass_fds=(self._listener.fileno(), *more))

    def admit(self) -> subprocess.Popen[bytes]:
        """Let it serve the session, and return its process."""
        if self._process is None:
            self._process = self._start()
        else:
            with contextlib.suppress(BrokenPipeError):  # it has ended already
                os.write(self._waits_at, ADMITTED)
            self.refuse()
        self._listener.close()
        return self._process

    def refuse(self) -> None:
        """Let a server that still waits end."""
        if self._waits_at >= 0:
            os.close(self._waits_at)
            self._waits_at = -1


def supervise(child: subprocess.Popen[bytes], beat: Any) -> int:
    """Wait until the session's server ends, pass on signals, reap every process; return its exit code.

    Args:
        beat: called in a thread, with what ends the session.
    """

    def pass_on(number: int, _frame: object) -> None:
        child.send_signal(number)

    def end() -> None:
        print("daas-pod: the session reached its time limit", flush=True)
        os.kill(child.pid, signal.SIGTERM)
        time.sleep(_GRACE_S)
        # the first program of a container ends all others with it
        os._exit(128 + signal.SIGTERM)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, pass_on)
    threading.Thread(target=beat, args=(end,), name="heartbeat", daemon=True).start()
    while True:
        pid, status = os.waitpid(-1, 0)
        if pid == child.pid:
            code = os.waitstatus_to_exitcode(status)
            child.returncode = code
            return 128 - code if code < 0 else code


def main() -> int:
    """Run the command."""
    gateway = Gateway(os.environ.pop("DAAS_GATEWAY"), os.environ["JUPYTERHUB_API_TOKEN"])
    port = int(os.environ.pop("DAAS_PORT", PORT))
    # the first process of its container is that anyway
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    # new files are for the members of the proposal: writable for the group, closed to others
    os.umask(0o007)
    try:
        forbid_leases()
        # it has the session's token, and ends the session at its time limit
        protect_server()
        # before the hub admits the session: it connects at once, and after a refused connection it waits at random
        listener = listen(_until(time.monotonic() + ARRIVAL_S, gateway.own_address), port)
        server = SessionServer(sys.argv[1:], listener)
        try:
            deadline = Deadline(arrive(gateway))
            child = server.admit()
        finally:
            server.refuse()
    except (OSError, SessionFailed) as problem:
        print(f"daas-session: failed: {problem}", flush=True)
        return 1
    return supervise(child, lambda end: report_life(gateway, deadline, end, every_s=HEARTBEAT_S))


if __name__ == "__main__":
    sys.exit(main())
