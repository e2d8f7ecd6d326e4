"""A membership of a proposal ends while a session with its data runs; and a catalogue that is suddenly empty."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import yaml

from tests.hub.operator import Operator
from tests.live_portal import Person, new_state, plain_text, remove, start_portal
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
