"""`daas-hub doctor` where sessions are containers: it asks the engine, and runs a program in one as for a launch.

The command itself, on the configuration of a portal that runs: what an administrator types.
"""

from __future__ import annotations

import docker
import pytest

from tests.docker.engine import containers
from tests.docker.scenes import doctor, findings_of
from tests.live_portal import Portal

pytestmark = pytest.mark.docker


def test_a_container_sees_the_data_read_only(portal: Portal, engine: docker.APIClient) -> None:
    """EL24: as a launch would; nothing is left of it on the engine."""
    before = len(containers(engine, portal))
    _, report = doctor(portal, "", "--as", "anna")
    problems = [one for one in report["findings"] if one["verdict"] == "problem"]
    # the proposal TS-0001 of these tests has data of a hostile kind: links, nothing, directories elsewhere
    assert [one for one in problems if not one["key"].startswith("directories.TS-0001")] == []
    assert any(one["key"].startswith("directories.MA-4242") and one["verdict"] == "ok" for one in report["findings"])
    assert findings_of(report, "sessions.engine")[0]["verdict"] == "ok"
    assert findings_of(report, "sessions.identity")[0]["result"].startswith("uid 25001, gid 25001")
    data = [one for one in report["findings"] if one["key"].startswith("sessions.~/data")]
    assert data
    assert all("read-only" in one["result"] for one in data)
    assert len(containers(engine, portal)) == before
    assert list((portal.state / "run" / "sessions").glob("trial-*")) == []


def test_an_engine_that_does_not_answer(portal: Portal) -> None:
    code, report = doctor(portal, "\nc.ProposalDockerSpawner.engine = 'unix:///nowhere/docker.sock'\n", "--as", "anna")
    assert code == 2
    (found,) = findings_of(report, "sessions.engine")
    assert found["verdict"] == "problem"
    assert found["fix"]


def test_an_image_that_is_not_there(portal: Portal) -> None:
    """And nobody fetches it."""
    applications = portal.state / "elsewhere"
    applications.mkdir(exist_ok=True)
    (applications / "gone.yaml").write_text(
        "name: gone\ntitle: Gone\nkind: desktop\ncommand: [gone]\nimage: localhost/daas-hub/gone:1\n"
    )
    more = f"\nc.Facility.catalogue = [{str(applications)!r}]\nc.ProposalDockerSpawner.pull = 'never'\n"
    code, report = doctor(portal, more)
    assert code == 2
    (found,) = findings_of(report, "sessions.images")
    assert found["verdict"] == "problem"
    assert "docker pull localhost/daas-hub/gone:1" in found["fix"]
