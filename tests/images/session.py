"""One container of an image, made exactly as the spawner makes it, and a look inside."""

from __future__ import annotations

import contextlib
import json
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

import docker

from daas_hub.accounts import Account
from daas_hub.catalogue import Application, Kind, Size
from daas_hub.launch import Mount, Plan
from daas_hub.spawners.docker.container_spec import LocalFiles, bind, create_body
from daas_hub.spawners.egress import egress_routes, host_names
from daas_hub.spawners.guest_layout import identity_texts
from daas_hub.spawners.runtime_dir import write_identity_files
from tests.waiting import wait_for

#: No image has heard of it.
ACCOUNT = Account("visitor", 54321, 54322, (54323,), {}, "A. Visitor")
SIZE = Size("small", "2 processors", 4 * 2**30, 2.0, 1000, 1.0)
LABEL = "org.daas-hub.image-test"
X11 = Path(__file__).with_name("x11.py")
#: Asks the session's server, as its page does, how the program is.
STATUS = """
import socket
with socket.socket(socket.AF_UNIX) as server:
    server.connect("/run/session/web.sock")
    server.sendall(b"GET /status HTTP/1.0\\r\\nHost: session\\r\\n\\r\\n")
    answer = b"".join(iter(lambda: server.recv(65536), b""))
print(answer.partition(b"\\r\\n\\r\\n")[2].decode())
"""
#: Where failed tests leave a picture of the screen.
PICTURES = Path(__file__).parents[2] / "test-output" / "images"


class Container:
    """A running container; its commands run as the session's account."""

    def __init__(self, engine: docker.APIClient, identifier: str) -> None:
        self.engine = engine
        self.identifier = identifier
        self.display: dict[str, str] = {}

    def run(self, command: Sequence[str], *, environment: dict[str, str] | None = None) -> str:
        """Run a command inside; give what it prints. It must succeed."""
        code, said = self._run(command, environment or {})
        text = said.decode(errors="replace")
        assert code == 0, f"{' '.join(command)[:300]} gave {code}:\n{text[-3000:]}"
        return text

    def run_on_screen(self, command: Sequence[str]) -> str:
        """Run a command with a window inside; give what it prints. It must succeed."""
        return self.run(command, environment=self._display())

    def start(self, command: Sequence[str]) -> None:
        """Start a program with a window inside, and do not wait for it."""
        made = self.engine.exec_create(self.identifier, list(command), environment=self._display())
        self.engine.exec_start(made["Id"], detach=True)

    def _run(self, command: Sequence[str], environment: dict[str, str]) -> tuple[int, bytes]:
        made = self.engine.exec_create(self.identifier, list(command), environment=environment)
        said: bytes = self.engine.exec_start(made["Id"]) or b""
        return int(self.engine.exec_inspect(made["Id"])["ExitCode"]), said

    def _display(self) -> dict[str, str]:
        if not self.display:
            name, cookie = self._screen("display").decode().split()
            self.display = {"DISPLAY": name, "XAUTHORITY": cookie}
        return self.display

    def _screen(self, what: str) -> bytes:
        # not `python3 -c` of a file of ours: the image has none
        code, said = self._run(["/usr/bin/python3", "-I", "-c", X11.read_text(), what], {})
        assert code == 0, said.decode(errors="replace")[-2000:]
        return said

    def titles(self) -> list[str]:
        """Return the title of each window."""
        try:
            return self._screen("titles").decode().splitlines()
        except AssertionError:
            # while a window goes, or the screen comes
            return []

    def count(self, words: str) -> int:
        """Return how many windows have these words in their title."""
        return sum(words in title for title in self.titles())

    def wait_for_window(self, words: str, *, beside: int = 0, timeout_s: float = 60.0) -> float:
        """Wait until more than `beside` windows have these words in their title; give the seconds it took."""
        since = time.monotonic()
        while self.count(words) <= beside:
            waited = time.monotonic() - since
            state = self.engine.inspect_container(self.identifier)["State"]
            last = self.last_words() if state["Running"] else ""
            is_over = not state["Running"] or bool(last) or waited > timeout_s
            assert not is_over, (
                f"no window {words!r} after {waited:.0f} s; windows: {self.titles()}; {last or 'the program runs'}; "
                f"the session said:\n{self.log()}"
            )
            time.sleep(0.1)
        return time.monotonic() - since

    def wait_for_icon(self, words: str, timeout_s: float = 10.0) -> None:
        """Wait until a window with these words in its title has brought an icon, for title bar and taskbar."""
        wait_for(
            lambda: any(words in title for title in self._screen("icons").decode().splitlines()),
            f"the window {words!r} has no icon of its own",
            timeout_s=timeout_s,
        )

    def last_words(self) -> str:
        """Return how the session's program ended and what it printed last; "" while it runs, or after a good end."""
        code, answer = self._run(["/usr/bin/python3", "-I", "-c", STATUS], {})
        status = json.loads(answer) if code == 0 else {}
        if not status.get("exit_code"):
            return ""
        return f"the program ended with {status['exit_code']}, and said:\n{status['last_output'][-3000:]}"

    def take_picture(self, name: str) -> Path:
        """Keep a picture of the screen."""
        PICTURES.mkdir(parents=True, exist_ok=True)
        file = PICTURES / f"{name}.png"
        file.write_bytes(self._screen("picture"))
        return file

    def log(self) -> str:
        """Return what the session printed."""
        said: bytes = self.engine.logs(self.identifier, tail=40)
        return said.decode(errors="replace")


@contextlib.contextmanager
def container_of(
    engine: docker.APIClient,
    application: Application,
    program: Sequence[str],
    desktops: Sequence[Application] = (),
    *,
    programs: Path | None = None,
    around: Callable[[Path, Application], contextlib.AbstractContextManager[None]] | None = None,
) -> Iterator[Container]:
    """Run a program in a container that the spawner's own words describe, with a home and one data file.

    Args:
        programs: what the session finds at /opt, beside what the image has there.
        around: what serves the directory of the session's sockets while it runs.
    """
    folder = Path(tempfile.mkdtemp(prefix="daas-image-", dir="/var/tmp"))
    identifier = ""
    try:
        body = _body(folder, application, desktops)
        body["Cmd"] = list(program)
        if programs is not None:
            body["HostConfig"]["Mounts"] += [bind(one, f"/opt/{one.name}") for one in sorted(programs.iterdir())]
        with around(folder / "sockets", application) if around else contextlib.nullcontext():
            identifier = engine.create_container_from_config(body)["Id"]
            engine.start(identifier)
            yield Container(engine, identifier)
    finally:
        if identifier:
            engine.remove_container(identifier, force=True)
        shutil.rmtree(folder, ignore_errors=True)


def _body(folder: Path, application: Application, desktops: Sequence[Application]) -> dict[str, Any]:
    folder.chmod(0o755)
    for name in ("api", "sockets", "empty", "home", "data", "processed"):
        (folder / name).mkdir()
    for name in ("home/data", "home/processed"):
        (folder / name).mkdir()
    (folder / "data" / "sample.txt").write_text("a file of the experiment\n")
    for path in (folder / "home", folder / "home/data", folder / "home/processed", folder / "processed"):
        shutil.chown(path, ACCOUNT.uid, ACCOUNT.gid)
    names = host_names(application.egress)
    write_identity_files(folder / "identity", identity_texts(ACCOUNT, names))
    mounts = tuple(
        Mount(PurePosixPath(folder), PurePosixPath(folder / name), target, writable)
        for name, target, writable in (("home", ".", True), ("data", "data", False), ("processed", "processed", True))
    )
    plan = Plan(ACCOUNT, application, SIZE, mounts, desktops=tuple(desktops))
    places = LocalFiles(folder, folder / "api")
    body = create_body(plan, places, program="daas-session", labels={LABEL: application.name})
    # no hub is there to arrive at: what it would tell stands in the environment
    document = {
        "title": application.title,
        "application": application.name,
        "applications": [
            {
                "name": one.name,
                "title": one.title,
                "command": list(one.command),
                "environment": dict(one.environment),
                "maximised": one.maximised,
            }
            for one in desktops
        ],
        "start_page": application.start_page,
        "egress": [one.as_document() for one in egress_routes(application.egress)],
    }
    body["Env"] = [one for one in body["Env"] if not one.startswith("DAAS_HANDSHAKE=")]
    body["Env"] += [
        f"DAAS_SESSION={json.dumps(document)}",
        "XDG_RUNTIME_DIR=/run/session",
        *(f"{name}={value}" for name, value in application.environment.items()),
    ]
    return body


def as_desktop(application: Application) -> Application:
    """Return an application as one that has a window, for a container that only runs commands."""
    return replace(application, kind=Kind.DESKTOP, command=application.command or ("true",))
