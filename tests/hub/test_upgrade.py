"""An upgrade from release 0.1.0 in place: its sessions run on, with their pages, and can be stopped; nothing is lost.

The hub is stopped as systemd stops it, the package is replaced below the running sessions, and the new hub gets the
same state directory and database.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import shutil
import signal
import socket
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

import pytest

from daas_hub.renamed_settings import new_name
from tests.earlier_release import RELEASE_0_1_0, Installation
from tests.hub.operator import Operator
from tests.live_portal import Person, Portal, new_state, remove, start_portal

pytestmark = [pytest.mark.sandbox, pytest.mark.upgrades]

#: Prints the settings of all classes of a release, by class.
SETTINGS = """
import importlib, inspect, json, pkgutil
import daas_hub
from traitlets.config import Configurable

found = {}
for module in pkgutil.walk_packages(daas_hub.__path__, "daas_hub."):
    if module.name.endswith("__main__") or ".migrations." in module.name:
        continue
    for name, cls in vars(importlib.import_module(module.name)).items():
        if inspect.isclass(cls) and issubclass(cls, Configurable) and cls.__module__.startswith("daas_hub."):
            traits = cls.class_traits(config=True).items()
            found[name] = sorted(one for one, trait in traits if trait.this_class.__module__.startswith("daas_hub."))
print(json.dumps(found))
"""
#: Base classes, which no configuration names.
NOT_CONFIGURED = {"_ServiceSettings"}
#: As a facility that has not read the changelog.
FORMER_NAMES = "c.Facility.lowest_id = 20000\nc.Facility.remember_s = 30\n"


@dataclass
class Upgraded:
    """A portal that was upgraded, and what was there before.

    Attributes:
        anna: a person who signed in before the upgrade, and whose browser has both sessions open.
        desktop, notebook: the names of her sessions.
        name: hers in the hub.
        processes: of both sessions.
        former, present: the settings of the old release and of this one, by class.
        check, refused: what check-config and the hub itself said of a configuration with former names.
    """

    portal: Portal
    installation: Installation
    anna: Person
    name: str
    desktop: str
    notebook: str
    processes: set[int]
    former: dict[str, list[str]]
    present: dict[str, list[str]]
    check: str
    refused: str


@pytest.fixture(scope="module")
def upgraded(sandbox_works: None) -> Iterator[Upgraded]:
    """Start two sessions with release 0.1.0, and upgrade it below them."""
    place, state = new_state(), new_state()
    installation = Installation(place)
    installation.install_commit(RELEASE_0_1_0)
    former = json.loads(installation.run_code(SETTINGS))
    more = f"c.SandboxSpawner.read_only = [{str(installation.shared)!r}]\nc.JupyterHub.cleanup_servers = False\n"
    portal = start_portal(state=state, more_config=more + FORMER_NAMES, python=installation.python)
    try:
        anna = portal.login("anna")
        name = anna.name
        desktop = anna.launch("terminal", proposal="MA-4242", visit="2")
        notebook = anna.launch("jupyterlab")
        assert anna.get(f"/user/{name}/{desktop}/status").json()["state"] == "running"
        assert anna.get(f"/user/{name}/{notebook}/lab").status_code == 200
        portal.stop()
        processes = of_sessions(state)

        installation.install_checkout()
        config = state / "test_config.py"
        demo = {"DAAS_DEMO_STATE": str(state), "DAAS_DEMO_HOST": "127.0.0.1", "DAAS_DEMO_PORT": str(portal.port)}
        check = installation.run("daas-hub", "check-config", str(config), **demo).stdout
        of_stock = installation.run("python", "-m", "jupyterhub", "upgrade-db", "-f", str(config), **demo)
        assert of_stock.returncode == 0, of_stock.stderr
        with pytest.raises(AssertionError) as refusal:
            start_portal(state=state, port=portal.port, more_config=more + FORMER_NAMES, python=installation.python)
        more += "c.SandboxSpawner.reconcile_interval_s = 0.5\nc.UmbrellaAuthenticator.recheck_s = 2\n"
        present = json.loads(installation.run_code(SETTINGS))
        portal.process = start_portal(
            state=state, port=portal.port, more_config=more, python=installation.python
        ).process
        yield Upgraded(
            portal, installation, anna, name, desktop, notebook, processes, former, present, check, str(refusal.value)
        )
    finally:
        portal.stop()
        for pid in of_sessions(state):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        remove(portal)
        shutil.rmtree(place)


def of_sessions(state: Path) -> set[int]:
    """Return the processes whose arguments name a session's folder."""
    found = set()
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if f"{state}/run/sessions/".encode() in (entry / "cmdline").read_bytes():
                found.add(int(entry.name))
    return found


def test_each_former_setting_is_named_with_its_new_name(upgraded: Upgraded) -> None:
    gone = {
        f"{cls}.{name}"
        for cls, names in upgraded.former.items()
        for name in names
        if cls not in NOT_CONFIGURED and name not in upgraded.present.get(cls, ())
    }
    assert gone
    assert [one for one in gone if not new_name(*one.split("."))] == []


def test_check_config_and_the_hub_refuse_former_names(upgraded: Upgraded) -> None:
    for words in (upgraded.check, upgraded.refused):
        assert "Facility.lowest_id = '(set)': has another name now" in words
        assert "Write Facility.min_id." in words
        assert "Write Facility.cache_s." in words


def test_sessions_run_on(upgraded: Upgraded) -> None:
    assert upgraded.processes
    # several rounds of the reconciler, and of the recheck of accounts
    time.sleep(12)
    assert upgraded.processes <= of_sessions(upgraded.portal.state)
    operator = Operator(upgraded.portal)
    assert operator.asked("unknown-sessions") == []
    assert {upgraded.desktop, upgraded.notebook} <= set(operator.sessions())


def test_pages_that_are_open_stay_open(upgraded: Upgraded) -> None:
    # without asking the hub: the session remembers its browser
    status = upgraded.anna.get(f"/user/{upgraded.name}/{upgraded.desktop}/status")
    assert status.json()["state"] == "running"


def test_whoever_signs_in_again_opens_the_sessions(upgraded: Upgraded) -> None:
    """The session asks the hub who it is, over the socket that release 0.1.0 mounted."""
    anna = upgraded.portal.login("anna")
    assert anna.name == upgraded.name
    home = anna.get("/hub/home").text
    assert f"/sessions/{upgraded.desktop}" in home
    assert f"/sessions/{upgraded.notebook}" in home
    assert anna.get(f"/user/{anna.name}/{upgraded.desktop}/").status_code == 200
    assert anna.get(f"/user/{anna.name}/{upgraded.desktop}/status").json()["state"] == "running"
    assert anna.get(f"/user/{anna.name}/{upgraded.notebook}/lab").status_code == 200
    kernels = anna.get(f"/user/{anna.name}/{upgraded.notebook}/api/kernelspecs")
    assert "python3" in kernels.json()["kernelspecs"]


def test_nobody_else_opens_them(upgraded: Upgraded) -> None:
    ben = upgraded.portal.login("ben")
    assert ben.get(f"/user/{upgraded.name}/{upgraded.desktop}/status").status_code in (403, 404)


def test_a_session_reports_its_use_and_nothing_else(upgraded: Upgraded) -> None:
    """With the token that it was started with, over the socket that it has mounted."""
    token = token_of(upgraded.desktop)
    # later than any request of this test
    at = (datetime.datetime.now(datetime.UTC) + datetime.timedelta(minutes=30)).isoformat()
    report = {"servers": {upgraded.desktop: {"last_activity": at}}}
    assert asked(upgraded, "POST", f"users/{upgraded.name}/activity", token, report) == 200
    anna = upgraded.portal.login("anna")
    servers = anna.get(f"/hub/api/users/{anna.name}").json()["servers"]
    assert servers[upgraded.desktop]["last_activity"].startswith(at[:19])
    # what release 0.1.0 let through
    assert asked(upgraded, "GET", f"users/{upgraded.name}", token) == 404


def token_of(session: str) -> str:
    """Return the token that a running session was started with."""
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            lines = (entry / "environ").read_bytes().decode(errors="replace").split("\0")
            variables = dict(line.split("=", 1) for line in lines if "=" in line)
            if variables.get("JUPYTERHUB_SERVER_NAME") == session and "JUPYTERHUB_API_TOKEN" in variables:
                return variables["JUPYTERHUB_API_TOKEN"]
    raise AssertionError(f"{session} does not run")


def asked(upgraded: Upgraded, method: str, path: str, token: str, body: object = None) -> int:
    """Return the status of a request as a session of release 0.1.0 makes it."""
    connection = HTTPConnection("hub", timeout=30)
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.connect(str(upgraded.portal.state / "run" / "api" / "api.sock"))
    headers = {"Authorization": f"token {token}", "Content-Type": "application/json"}
    connection.request(method, f"/hub/api/{path}", json.dumps(body) if body is not None else None, headers)
    status = connection.getresponse().status
    connection.close()
    return status


def test_the_database_has_our_tables(upgraded: Upgraded) -> None:
    file = upgraded.portal.state / "hub" / "jupyterhub.sqlite"
    with sqlite3.connect(file) as database:
        tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    database.close()
    assert {"daas_logins", "daas_tickets", "daas_usage", "daas_notices"} <= tables


def test_they_are_stopped_and_new_ones_start(upgraded: Upgraded) -> None:
    anna = upgraded.portal.login("anna")
    name = anna.launch("terminal", proposal="MA-4242", visit="2")
    for one in (name, upgraded.desktop, upgraded.notebook):
        assert anna.stop(one).status_code == 303
    until = time.monotonic() + 30
    while of_sessions(upgraded.portal.state) and time.monotonic() < until:
        time.sleep(0.2)
    assert not of_sessions(upgraded.portal.state)
    assert list((upgraded.portal.state / "run" / "sessions").iterdir()) == []
    assert not list((upgraded.portal.state / "run").glob("api/api.sock"))
