"""A membership of a proposal ends while a session with its data runs; and a catalogue that is suddenly empty."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
import yaml
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from daas_hub.spawners.sandbox.processes import marked_processes
from tests.hub.operator import Operator
from tests.live_portal import Person, new_state, plain_text, remove, start_portal
from tests.places import kill_rest
from tests.waiting import wait_for

pytestmark = pytest.mark.sandbox

DEMO = Path(__file__).parents[2] / "demo" / "proposals.yaml"


def wait_for_home(person: Person, words: str) -> None:
    until = time.monotonic() + 40
    while words not in plain_text(person.get("/hub/home")):
        assert time.monotonic() < until, person.portal.log.read_text(errors="replace")[-3000:]
        time.sleep(0.5)


def gauges(person: Person) -> set[str]:
    return set(person.get("/hub/metrics").text.splitlines())


def test_a_session_ends_with_the_membership(sandbox_works: None) -> None:
    state = new_state()
    proposals = state / "own_proposals.yaml"
    document = yaml.safe_load(DEMO.read_text().replace("{state}", str(state)))
    proposals.write_text(yaml.safe_dump(document))
    more = (
        f'c.Facility.proposals_file = "{proposals}"\nc.UmbrellaAuthenticator.recheck_s = 2\n'
        "c.JupyterHub.authenticate_prometheus = False\n"
    )
    portal = start_portal(state=state, more_config=more)
    try:
        anna, ben = portal.login("anna"), portal.login("ben")
        own = anna.launch("terminal")
        name = anna.launch("terminal", proposal="MA-4242", visit="2")
        other = ben.launch("terminal", proposal="MA-4242", visit="2")
        ma_4242 = next(one for one in document["proposals"] if one["id"] == "MA-4242")
        ma_4242["members"] = [one for one in ma_4242["members"] if one != "anna"]
        proposals.write_text(yaml.safe_dump(document))
        wait_for_home(anna, "You are no longer a member of proposal MA-4242.")
        assert f"session {anna.name}:{name} is stopped" in portal.log.read_text()
        for person, kept in ((anna, own), (ben, other)):
            assert person.get(f"/hub/api/users/{person.name}").json()["servers"][kept]["ready"]

        proposals.write_text("proposals: []\n")
        assert portal.wait_for_log("the source of proposals is probably wrong, and nothing was stopped", 40)
        assert ben.get(f"/hub/api/users/{ben.name}").json()["servers"][other]["ready"]
        operator = Operator(portal)
        status, checked = operator.run("status"), operator.run("check-nagios")
        assert (status.returncode, checked.returncode) == (1, 2)
        assert "recheck   proposals: FROZEN" in status.stdout
        assert "CRITICAL - the recheck of proposals is frozen" in checked.stdout
        assert {'daas_recheck_frozen{check="proposals"} 1.0', 'daas_recheck_frozen{check="accounts"} 0.0'} <= gauges(
            ben
        )
        assert "daas_unconfirmed_ends 0.0" in gauges(ben)

        proposals.write_text(yaml.safe_dump(document))
        wait_for(
            lambda: 'daas_recheck_frozen{check="proposals"} 0.0' in gauges(ben), "it is still frozen", timeout_s=40
        )
        assert operator.run("status").returncode == operator.run("check-nagios").returncode == 0
        assert "Traceback" not in portal.log.read_text()
    finally:
        portal.stop()
        remove(portal)


#: An engine that does not answer: the stop fails, and what runs continues.
STUCK = """
from daas_hub.errors import SessionFailed
from daas_hub.spawners.sandbox.spawner import SandboxSpawner

async def stop(self, now=False):
    await self.keep_stop()
    raise SessionFailed("The engine does not answer.")

SandboxSpawner.stop = stop
c.SandboxSpawner.reconcile_interval_s = 3600
"""


def closes_within(screen: ClientConnection, seconds: float) -> bool:
    """Read what comes until the connection is closed; return whether it was."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        try:
            screen.recv(timeout=left)
        except ConnectionClosed:
            return True
        except TimeoutError:
            break
    return False


def test_an_open_page_of_a_session_that_cannot_be_stopped_closes(sandbox_works: None) -> None:
    """Its connection outlives the route, and the session asks the hub again every half minute."""
    state = new_state()
    proposals = state / "own_proposals.yaml"
    document = yaml.safe_load(DEMO.read_text())
    proposals.write_text(yaml.safe_dump(document))
    more = f'c.Facility.proposals_file = "{proposals}"\nc.UmbrellaAuthenticator.recheck_s = 2\n{STUCK}'
    portal = start_portal(state=state, more_config=more)
    try:
        anna = portal.login("anna")
        path = f"/user/{anna.name}/{anna.launch('terminal', proposal='MA-4242', visit='2')}/"
        assert anna.get(path).status_code == 200
        cookies = "; ".join(f"{one.name}={one.value}" for one in anna.session.cookies if path.startswith(one.path))
        address = f"{portal.url.replace('http', 'ws')}{path}rfb"
        with connect(address, origin=portal.url, additional_headers={"Cookie": cookies}) as screen:  # type: ignore[arg-type]
            assert screen.recv(timeout=30)
            document["proposals"][0]["members"].remove("anna")
            proposals.write_text(yaml.safe_dump(document))
            assert portal.wait_for_log("may still run: their routes are closed", 60)
            assert anna.get(path, allow_redirects=False).status_code != 200
            assert closes_within(screen, 90)
        assert marked_processes(state / "run" / "sessions"), "the session runs on"
        assert json.loads(Operator(portal).run("status", "--json").stdout)["unconfirmed_ends"] == 1
    finally:
        portal.stop()
        kill_rest(portal)
        remove(portal)
