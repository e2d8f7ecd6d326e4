"""A right that ends while the engine does not answer: nobody gets to the session, it is counted, and it ends later."""

from __future__ import annotations

import docker
import yaml

from tests.docker.engine import Control, containers, start_docker_portal
from tests.hub.operator import Operator
from tests.live_portal import Person, plain_text, remove
from tests.waiting import wait_for

MORE = (
    "c.UmbrellaAuthenticator.recheck_s = 2\nc.ProposalDockerSpawner.reconcile_interval_s = 2\n"
    "c.JupyterHub.authenticate_prometheus = False\n"
)


def has_gauge(person: Person, line: str) -> bool:
    return line in person.get("/hub/metrics").text.splitlines()


def test_the_way_is_closed_and_the_container_ends_when_the_engine_answers(
    engine: docker.APIClient, control: Control
) -> None:
    portal = start_docker_portal(more_config=MORE)
    try:
        anna, ben = portal.login("anna"), portal.login("ben")
        name = anna.launch("terminal", proposal="MA-4242", visit="2")
        kept = ben.launch("terminal", proposal="MA-4242", visit="2")
        proposals = portal.state / "proposals.yaml"
        document = yaml.safe_load(proposals.read_text())
        ma_4242 = next(one for one in document["proposals"] if one["id"] == "MA-4242")
        ma_4242["members"].remove("anna")

        control.do("kill")
        proposals.write_text(yaml.safe_dump(document))

        wait_for(lambda: has_gauge(ben, "daas_unconfirmed_ends 1.0"), lambda: portal.log.read_text()[-3000:], 90)
        # the container runs still, and nobody comes to it by the portal
        status = anna.get(f"/user/{anna.name}/{name}/status", allow_redirects=False)
        assert status.status_code != 200
        checked = Operator(portal).run("check-nagios")
        assert "WARNING - 1 session may still run: the end is not confirmed" in checked.stdout

        control.do("start")

        wait_for(lambda: has_gauge(ben, "daas_unconfirmed_ends 0.0"), lambda: portal.log.read_text()[-3000:], 90)
        wait_for(lambda: len(containers(engine, portal)) == 1, "the removal of the container", 60)
        assert ben.get(f"/user/{ben.name}/{kept}/status").json()["state"] == "running"
        assert "You are no longer a member of proposal MA-4242." in plain_text(anna.get("/hub/home"))
    finally:
        portal.stop()
        remove(portal)
