"""A Prometheus reads a live portal: after launches, refusals and logins, every panel of the dashboard has data."""

from __future__ import annotations

import math
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from aiohttp import web

from tests.conftest import ABSENT
from tests.live_portal import Person, Portal, new_state, remove, start_portal
from tests.metrics.prometheus import Prometheus, program, running_prometheus
from tests.metrics.published import published, queries
from tests.stand_ins.calipsoplus import UserOffice
from tests.stand_ins.running import running_beside

pytestmark = pytest.mark.sandbox

#: The demo, with a user office as a second source, the service that Prometheus is, and a cluster that is quiet.
CONFIG = """
import types
from daas_hub.metrics.clusters import publish_age

c.Facility.proposals = ["static", "calipsoplus"]
c.Facility.cache_s = 0
c.CalipsoplusProposals.url = "{url}/services/experiments/$USERNAME/"
c.SandboxSpawner.reconcile_interval_s = 1
c.JupyterHub.services = [*c.JupyterHub.services, {{"name": "prometheus", "api_token": "{token}"}}]
c.JupyterHub.load_roles = [{{"name": "metrics", "scopes": ["read:metrics"], "services": ["prometheus"]}}]
publish_age("quiet", types.SimpleNamespace(age_s=3.0))
"""


@dataclass
class Watched:
    """A portal and the Prometheus that reads it."""

    portal: Portal
    prometheus: Prometheus
    token: str
    is_broken: bool = False

    def metrics(self) -> str:
        """Return what Prometheus reads."""
        answer = requests.get(
            f"{self.portal.url}/hub/metrics", headers={"Authorization": f"Bearer {self.token}"}, timeout=30
        )
        assert answer.ok
        return answer.text


@pytest.fixture(scope="module")
def watched(sandbox_works: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    program("prometheus")
    folder, token, state = tmp_path_factory.mktemp("prometheus"), secrets.token_hex(16), new_state()
    applications = Path(tmp_path_factory.mktemp("applications"))
    (applications / "absent.yaml").write_text(ABSENT)
    app = UserOffice(experiments={"anna": [], "ben": [], "carla": []}, user="").app()
    found: list[Watched] = []

    @web.middleware
    async def sometimes_broken(request: web.Request, handler: Any) -> Any:
        return web.Response(status=500) if found and found[0].is_broken else await handler(request)

    app.middlewares.append(sometimes_broken)
    with running_beside(app) as url:
        portal = start_portal(applications, state=state, more_config=CONFIG.format(url=url, token=token))
        try:
            with running_prometheus(portal, token, folder) as prometheus:
                found.append(Watched(portal, prometheus, token))
                yield found[0]
        finally:
            portal.stop()
            remove(portal)


@pytest.fixture(scope="module")
def used(watched: Watched) -> Watched:
    """Use the portal while Prometheus reads it; what it counts is there once before it grows."""
    portal, prometheus = watched.portal, watched.prometheus
    anna = portal.login("anna")
    assert portal.login("dmitri").answer.status_code == 403
    look_at(anna, anna.launch("terminal"))
    # each is answered at once, or on the page of its progress
    anna.post("/hub/launch", {"application": "terminal", "proposal": "XX-1"}, allow_redirects=False)
    prometheus.wait_for("sum(daas_launch_refusals_total) == 1")
    anna.post("/hub/launch", {"application": "absent"}, allow_redirects=False)
    prometheus.wait_for("sum(daas_launch_failures_total) == 1")
    watched.is_broken = True
    anna.post("/hub/launch", {"application": "terminal", "proposal": "MA-4242"}, allow_redirects=False)
    prometheus.wait_for("sum(daas_launch_failures_total) == 2")
    watched.is_broken = False
    for query in (
        "sum(daas_launches_started_total) == 1",
        "sum(daas_login_failures_total) == 1",
    ):
        prometheus.wait_for(query)
    anna.stop(anna.launch("terminal"))
    prometheus.wait_for("sum(daas_sessions_ended_total) == 1")
    prometheus.wait_for("sum(daas_desktop_round_trip_seconds_count) == 1", timeout_s=120)
    look_at(anna, anna.launch("terminal"))
    prometheus.wait_for("sum(daas_desktop_round_trip_seconds_count) == 2", timeout_s=120)
    prometheus.wait_for("sum(daas_launch_stage_duration_seconds_count{stage='route'}) == 3")
    return watched


def look_at(person: Person, name: str) -> None:
    """Do what the page of a desktop does: say how long its last question took, before the first report to the hub.

    On a busy machine it comes with the second one, a minute later.
    """
    path = f"/user/{person.name}/{name}/"
    assert person.get(path).ok
    assert person.get(f"{path}status", headers={"X-Daas-Round-Trip": "42.5"}).ok


@pytest.mark.parametrize("panel", sorted(queries()))
def test_every_panel_has_data(used: Watched, panel: str) -> None:
    # since the portal was used, however long a busy machine takes for the tests before this one
    values = used.prometheus.wait_for(queries()[panel].replace("$__rate_interval", "10m"))
    assert any(not math.isnan(one) for one in values), values


def test_alerts_are_loaded(used: Watched) -> None:
    (group,) = used.prometheus.ask("rules")["groups"]
    assert {one["health"] for one in group["rules"]} <= {"ok", "unknown"}


def test_everything_is_published(used: Watched) -> None:
    """The hub loads every module that measures, before anything is measured."""
    text = used.metrics()
    assert [name for name in published() if f"# TYPE {name} " not in text] == []


def test_nothing_names_a_person_or_a_proposal(used: Watched) -> None:
    ours = [line for line in used.metrics().splitlines() if line.startswith("daas_")]
    assert ours
    names = ("anna", "dmitri", "MA-4242", "XX-1", used.portal.login("ben").name)
    assert [line for line in ours if any(name in line for name in names)] == []


def test_metrics_need_the_scope(used: Watched) -> None:
    assert requests.get(f"{used.portal.url}/hub/metrics", timeout=30).status_code == 403
    assert used.portal.login("ben").get("/hub/metrics").status_code == 403


def test_sessions_are_counted_from_the_records(used: Watched) -> None:
    """They go with the sessions: nothing is counted up and down."""
    anna = used.portal.login("anna")
    before = used.prometheus.wait_for("sum(daas_sessions{application='terminal', state='running'})")
    assert before == [2]
    name = anna.launch("terminal")
    assert 'daas_sessions{application="terminal",place="default",state="running"} 3.0' in used.metrics()
    anna.stop(name)
    assert 'daas_sessions{application="terminal",place="default",state="running"} 2.0' in used.metrics()
