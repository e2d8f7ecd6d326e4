"""The first program of a session in a pod, as a process of its own, with a gateway that answers as the hub's does."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from daas_hub.session.pod import ARRIVAL, HEARTBEAT, OWN_ADDRESS, PORT
from tests.live_portal import free_ports

ROOT = Path(__file__).parents[2]
#: What our servers do when their imports are done.
IMPORTED_EARLY = """
import sys
from daas_hub.session.admitted import is_admitted
print("imported", flush=True)
if not is_admitted():
    sys.exit(1)
"""
#: A session's server that says what it has, and then waits.
SERVER = """
import os, signal, socket, sys, time
signal.signal(signal.SIGTERM, lambda *_: (print("asked to end", flush=True), sys.exit(7)))
listener = socket.socket(fileno=int(os.environ["DAAS_LISTEN_FD"]))
print("listens at", *listener.getsockname(), flush=True)
print("umask %03o" % os.umask(0), "gateway" if "DAAS_GATEWAY" in os.environ else "no gateway", flush=True)
time.sleep(60)
"""


@dataclass
class Gateway:
    """What the gateway answers, and what it was asked."""

    directories: list[str] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)
    refuses: bool = False
    remaining_s: float = 60.0
    session_port: int = 0
    listens: bool = False
    reports: list[Any] = field(default_factory=list)
    beats: int = 0
    #: Answers wait for it.
    may_answer: threading.Event = field(default_factory=threading.Event)
    server: ThreadingHTTPServer | None = None
    address: str = ""

    def answer(self, path: str, document: Any) -> tuple[int, dict[str, Any]]:
        self.may_answer.wait(30)
        if path == "/session/heartbeat":
            self.beats += 1
        elif document:
            self.reports.append(document)
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", self.session_port), timeout=30).close()
                self.listens = True
            if self.refuses:
                return 403, {"message": "The directory 'data' is not what was granted to your session."}
        else:
            return 200, {"directories": self.directories, "closed": self.closed}
        return 200, {"remaining_s": self.remaining_s}

    def close(self) -> None:
        if self.server is not None:
            self.server.shutdown()
            self.server.server_close()
            self.server = None


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    made = Gateway()
    made.may_answer.set()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.headers["Authorization"] == "token secret"
            assert self.headers[OWN_ADDRESS] == self.client_address[0]
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status, document = made.answer(self.path, json.loads(body))
            text = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    made.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.address = f"127.0.0.1:{made.server.server_port}"
    threading.Thread(target=made.server.serve_forever, daemon=True).start()
    yield made
    made.close()


@pytest.fixture
def start(gateway: Gateway) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start `daas-pod` with a program of Python's, in a network of its own pod where it is needed."""
    running: list[subprocess.Popen[str]] = []

    def run(
        program: str = SERVER, port: int = 0, command: Sequence[str] = (), **patched: float
    ) -> subprocess.Popen[str]:
        lines = "".join(f"pod.{name} = {value}\n" for name, value in patched.items())
        first = f"import conftest\nfrom daas_hub.session import pod\n{lines}import sys\nsys.exit(pod.main())"
        process = subprocess.Popen(
            [sys.executable, "-c", first, *(command or (sys.executable, "-c", program))],
            cwd=ROOT,
            env={
                **os.environ,
                "DAAS_GATEWAY": gateway.address,
                "JUPYTERHUB_API_TOKEN": "secret",
                "DAAS_PORT": str(port),
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        running.append(process)
        return process

    yield run
    for process in running:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


@pytest.fixture
def port() -> int:
    # not one that the kernel may give to a connection meanwhile
    return free_ports(1)


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_it_proves_what_it_has_and_then_starts_the_session(
    gateway: Gateway, start: Callable[..., subprocess.Popen[str]], tmp_path: Path, port: int
) -> None:
    gateway.directories, gateway.session_port = [str(tmp_path)], port
    process = start(port=port)
    assert line(process) == f"listens at 127.0.0.1 {port}"
    assert line(process) == "umask 007 no gateway"
    status = tmp_path.stat()
    assert gateway.reports == [{"directories": [[status.st_dev, status.st_ino, False]], "open": []}]
    # the hub connects as soon as it has let the session in, and waits at random after a refusal
    assert gateway.listens
    socket.create_connection(("127.0.0.1", port), timeout=30).close()
    process.send_signal(signal.SIGTERM)
    assert line(process) == "asked to end"
    assert process.wait(30) == 7


def test_a_refused_session_runs_nothing_of_the_user(
    gateway: Gateway, start: Callable[..., subprocess.Popen[str]]
) -> None:
    gateway.refuses = True
    process = start("print('the user runs')")
    assert process.wait(30) == 1
    assert process.stdout is not None
    assert process.stdout.read() == (
        "daas-session: failed: The directory 'data' is not what was granted to your session.\n"
    )


@pytest.fixture
def waiting_server(tmp_path: Path) -> str:
    """The path of a server that is imported before the session is admitted."""
    program = tmp_path / "daas-session"
    program.write_text(f"#!{sys.executable}\n{IMPORTED_EARLY}{SERVER}")
    program.chmod(0o755)
    return str(program)


def test_a_server_that_waits_is_imported_while_it_proves_what_it_has(
    gateway: Gateway, start: Callable[..., subprocess.Popen[str]], waiting_server: str, port: int
) -> None:
    gateway.may_answer.clear()
    process = start(port=port, command=[waiting_server])
    assert line(process) == "imported"
    assert not gateway.reports
    gateway.may_answer.set()
    assert line(process) == f"listens at 127.0.0.1 {port}"
    assert line(process) == "umask 007 no gateway"
    assert gateway.reports


def test_a_server_that_waits_ends_with_a_refused_session(
    gateway: Gateway, start: Callable[..., subprocess.Popen[str]], waiting_server: str, port: int
) -> None:
    gateway.refuses = True
    process = start(port=port, command=[waiting_server])
    assert process.stdout is not None
    # until the server has ended, too: it has the same output
    printed = process.stdout.read().splitlines()
    assert process.wait(30) == 1
    assert "daas-session: failed: The directory 'data' is not what was granted to your session." in printed
    assert not any(one.startswith("listens") for one in printed)


def test_a_missing_directory_is_a_failure(gateway: Gateway, start: Callable[..., subprocess.Popen[str]]) -> None:
    gateway.directories = ["/not/there"]
    process = start("print('the user runs')")
    assert process.wait(30) == 1
    assert process.stdout is not None
    assert "the user runs" not in process.stdout.read()


def test_an_open_address_is_reported(gateway: Gateway, start: Callable[..., subprocess.Popen[str]], port: int) -> None:
    """The wall has a hole: here, the gateway's own port."""
    gateway.closed = [gateway.address, f"127.0.0.1:{port}"]
    gateway.refuses = True
    start(WALL_S=0.5).wait(20)
    assert gateway.reports[0]["open"] == [gateway.address]


def test_a_hub_that_does_not_answer_is_said(gateway: Gateway, start: Callable[..., subprocess.Popen[str]]) -> None:
    gateway.close()
    process = start("print('the user runs')", ARRIVAL_S=1.0)
    assert process.wait(30) == 1
    assert process.stdout is not None
    assert process.stdout.read().startswith("daas-session: failed: The session cannot reach the hub from its pod.")


def test_it_ends_at_its_time_limit_while_the_hub_is_away(
    gateway: Gateway, start: Callable[..., subprocess.Popen[str]], port: int
) -> None:
    gateway.remaining_s = 10.0
    process = start(port=port, HEARTBEAT_S=1.0)
    assert line(process).startswith("listens")
    gateway.close()
    began = time.monotonic()
    assert process.wait(60) == 7
    assert time.monotonic() - began < 30
    assert process.stdout is not None
    assert "reached its time limit" in process.stdout.read()


def test_the_hub_extends_its_time_limit(
    gateway: Gateway, start: Callable[..., subprocess.Popen[str]], port: int
) -> None:
    gateway.remaining_s = 8.0
    process = start(port=port, HEARTBEAT_S=0.5)
    assert line(process).startswith("listens")
    gateway.remaining_s = 60.0
    time.sleep(10)
    assert process.poll() is None
    assert gateway.beats > 3


def test_a_session_that_does_not_end_by_itself_is_ended(
    gateway: Gateway, start: Callable[..., subprocess.Popen[str]], port: int
) -> None:
    gateway.remaining_s = 8.0
    stubborn = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('on', flush=True); time.sleep(60)"
    )
    process = start(stubborn, port=port, _GRACE_S=1.0)
    assert line(process) == "on"
    assert process.wait(30) == 128 + signal.SIGTERM


def test_nothing_is_left_of_processes_that_lost_their_parent(
    gateway: Gateway, start: Callable[..., subprocess.Popen[str]], port: int
) -> None:
    """It is the first process of its container, and inherits what daemons leave."""
    orphan = (
        "import os, time, subprocess, ctypes\n"
        "subprocess.run(['sh', '-c', 'sleep 0.2 &'])\n"
        "time.sleep(1.5)\n"
        "until = time.monotonic() + 30\n"
        "left = ['all']\n"
        "while left and time.monotonic() < until:\n"
        "    states = os.popen('ps -o stat= --ppid %d' % os.getppid()).read().split()\n"
        "    left = [one for one in states if one.startswith('Z')]\n"
        "print(*left, 'done', flush=True)\n"
    )
    process = start(orphan, port=port)
    # as in a container, where orphans are its children
    assert line(process) == "done"
    assert process.wait(30) == 0


def test_port_routes_and_header_are_those_of_the_hub() -> None:
    from daas_hub.spawners.kubernetes import early_arrivals, gateway_session
    from daas_hub.spawners.kubernetes.pod_settings import PodSettings

    assert PodSettings("hub", "sessions").port == PORT
    assert (gateway_session.ARRIVAL, gateway_session.HEARTBEAT) == (ARRIVAL, HEARTBEAT)
    assert early_arrivals.OWN_ADDRESS == OWN_ADDRESS
