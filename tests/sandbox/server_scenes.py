"""Programs of a session try to take the place of its server; for sandboxes, and collected by tests/docker, too."""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path

import pytest

from tests.live_portal import Person, Portal
from tests.sandbox import take_server
from tests.sandbox.probe import probing
from tests.waiting import wait_for

#: What each way gives now. Filtered calls fail in the same way whatever the server does.
REFUSED = {
    "environment": "EACCES",
    "memory": "EACCES",
    "maps": "EACCES",
    "descriptors": "EACCES",
    "ptrace": "EPERM",
    "process_vm_writev": "EPERM",
    "pidfd_getfd": "EPERM",
    "inheritance": "inherited []",
}
#: The directories of its sockets are read-only, or another uid's.
UNCHANGEABLE = ("EROFS", "EACCES")

#: A module that Python imports before a program, from its user's home.
ON_START = """
import os, sys
with open("/proc/self/cmdline") as cmdline, open(os.path.expanduser("~/imported"), "a") as file:
    file.write(cmdline.read().replace("\\0", " ") + "\\n")
"""


def give(path: Path, text: str, uid: int) -> None:
    """Write a file of this account, with its directories."""
    missing = [folder for folder in path.parents if not folder.exists()]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    if os.geteuid() == 0:
        for one in (*missing, path):
            os.chown(one, uid, uid)


def tried_in(output: Path, timeout_s: float = 30) -> dict[str, str]:
    """Wait until every way was tried; return what each gave."""
    wait_for(
        lambda: output.exists() and "tried\n" in output.read_text(),
        lambda: output.read_text() if output.exists() else "it did not run",
        timeout_s=timeout_s,
    )
    lines = output.read_text().partition("tried\n")[0].splitlines()
    return dict(line.split(" ", 1) for line in lines)


def require_refused(tried: dict[str, str]) -> None:
    """Check that no way worked."""
    changed = {folder: tried.pop(folder) for folder in take_server.SOCKETS}
    assert [folder for folder, result in changed.items() if result not in UNCHANGEABLE] == [], changed
    assert tried == REFUSED


def require_end(person: Person, session: str, home: Path) -> None:
    """Let the program kill the server; the session and the program must end with it."""
    assert person.get(f"/user/{person.name}/{session}/api").headers["X-JupyterHub-Version"]
    (home / "outlived").unlink(missing_ok=True)
    (home / "go").write_text("")
    until = time.monotonic() + 30
    while session in (running := person.get(f"/hub/api/users/{person.name}").json()["servers"]):
        if running[session]["pending"] is None and not running[session]["ready"]:
            break
        assert time.monotonic() < until, running
        time.sleep(0.2)
    time.sleep(5)
    assert not (home / "outlived").exists()


@pytest.fixture
def home(portal: Portal) -> Path:
    """Anna's home with the program, and modules that Python would import from there."""
    home = portal.state / "homes" / "anna"
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    if os.geteuid() == 0:
        os.chown(home, 25001, 25001)
    for name in ("go", "attack.out"):
        (home / name).unlink(missing_ok=True)
    give(home / "imported", "", 25001)
    give(home / "take_server.py", Path(take_server.__file__).read_text(), 25001)
    for version in ("3.11", "3.12", "3.13"):
        give(home / f".local/lib/python{version}/site-packages/usercustomize.py", ON_START, 25001)
    yield home
    for version in ("3.11", "3.12", "3.13"):
        shutil.rmtree(home / f".local/lib/python{version}")
    (home / "go").unlink(missing_ok=True)


def test_no_program_of_a_desktop_session_takes_its_servers_place(portal: Portal, home: Path) -> None:
    """Not by tracing, not by its memory, descriptors or sockets; and the session ends with its server."""
    person = portal.login("anna")
    script = "/usr/bin/python3 $HOME/take_server.py daas-session > $HOME/attack.out 2>&1\n"
    with probing(person, "anna", script) as probe:
        require_refused(tried_in(home / "attack.out"))
        assert "bin/daas-session" not in (home / "imported").read_text()
        require_end(person, probe.session, home)


def test_no_kernel_of_a_notebook_session_takes_its_servers_place(
    portal: Portal, home: Path, notebook_application: str
) -> None:
    """The same for what a notebook server runs; extensions, which it loads, are part of it."""
    person = portal.login("anna")
    spec = {
        "argv": ["sh", "-c", 'exec /usr/bin/python3 "$HOME/take_server.py" daas-lab > "$HOME/attack.out" 2>&1'],
        "display_name": "Attack",
        "language": "python",
    }
    give(home / ".local/share/jupyter/kernels/attack/kernel.json", json.dumps(spec), 25001)
    session = person.launch(notebook_application)
    base = f"/user/{person.name}/{session}/"
    try:
        assert person.get(f"{base}lab").status_code == 200
        token = next(str(one.value) for one in person.session.cookies if one.name == "_xsrf" and one.path == base)
        made = person.session.post(
            f"{portal.url}{base}api/kernels", json={"name": "attack"}, headers={"X-XSRFToken": token}, timeout=60
        )
        assert made.status_code == 201, made.text
        require_refused(tried_in(home / "attack.out"))
        require_end(person, session, home)
    finally:
        person.stop(session)
        shutil.rmtree(home / ".local/share/jupyter/kernels/attack")
