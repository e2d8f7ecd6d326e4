"""`daas-hub doctor` where sessions are containers: it asks the engine, and runs a program in one as for a launch.

The command itself, on the configuration of a portal that runs: what an administrator types.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import docker
import pytest

from tests.docker.engine import containers
from tests.live_portal import Portal

pytestmark = pytest.mark.docker


def doctor(portal: Portal, more: str = "", *options: str) -> tuple[int, dict[str, Any]]:
    """Run it; give its exit code and its report."""
    config = portal.state / "doctor_config.py"
    config.write_text((portal.state / "test_config.py").read_text() + more)
    config.chmod(0o600)
    said = subprocess.run(
        [str(Path(sys.prefix) / "bin" / "daas-hub"), "doctor", str(config), "--json", *options],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=os.environ | {"DAAS_DEMO_PORT": str(portal.port), "DAAS_DEMO_STATE": str(portal.state)},
    )
    assert said.stdout, said.stderr
    return said.returncode, json.loads(said.stdout)


def told(report: dict[str, Any], key: str) -> list[dict[str, str]]:
    return [one for one in report["findings"] if one["key"] == key]


def test_a_container_sees_the_data_read_only(portal: Portal, engine: docker.APIClient) -> None:
    """EL24: as a launch would; nothing is left of it on the engine."""
    before = len(containers(engine, portal))
    _, report = doctor(portal, "", "--as", "anna")
    problems = [one for one in report["findings"] if one["verdict"] == "problem"]
    # the proposal TS-0001 of these tests has data of a hostile kind: links, nothing, directories elsewhere
    assert [one for one in problems if not one["key"].startswith("directories.TS-0001")] == []
    assert any(one["key"].startswith("directories.MA-4242") and one["verdict"] == "ok" for one in report["findings"])
    assert told(report, "sessions.engine")[0]["verdict"] == "ok"
    assert told(report, "sessions.identity")[0]["got"].startswith("it is uid 25001, gid 25001")
    data = [one for one in report["findings"] if one["key"].startswith("sessions.~/data")]
    assert data
    assert all("read-only" in one["got"] for one in data)
    assert len(containers(engine, portal)) == before
    assert list((portal.state / "run" / "sessions").glob("trial-*")) == []


def test_an_engine_that_does_not_answer(portal: Portal) -> None:
    code, report = doctor(portal, "\nc.ProposalDockerSpawner.engine = 'unix:///nowhere/docker.sock'\n", "--as", "anna")
    assert code == 2
    (found,) = told(report, "sessions.engine")
    assert found["verdict"] == "problem"
    assert found["remedy"]


def test_an_image_that_is_not_there(portal: Portal) -> None:
    """And nobody fetches it."""
    applications = portal.state / "elsewhere"
    applications.mkdir(exist_ok=True)
    (applications / "gone.yaml").write_text(
        "name: gone\ntitle: Gone\nkind: desktop\ncommand: [gone]\nimage: daas-hub/gone:1\n"
    )
    more = f"\nc.Facility.catalogue = [{str(applications)!r}]\nc.ProposalDockerSpawner.pull = 'never'\n"
    code, report = doctor(portal, more)
    assert code == 2
    (found,) = told(report, "sessions.images")
    assert found["verdict"] == "problem"
    assert "docker pull daas-hub/gone:1" in found["remedy"]
