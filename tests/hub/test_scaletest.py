"""`daas-hub scaletest` against a running hub: what it measures, and that it removes what it started, nothing else."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from daas_hub.commands.load_testing import percentile
from tests.hub.operator import Operator
from tests.hub.shown_output import require_as_shown
from tests.live_portal import Person, new_state, remove, start_portal

pytestmark = pytest.mark.sandbox

LIGHT = "name: light\ntitle: Light\nkind: desktop\ncommand: [sleep, infinity]\n"


@pytest.fixture(scope="module")
def operator(sandbox_works: None) -> Iterator[Operator]:
    state = new_state()
    applications = state / "applications"
    applications.mkdir()
    (applications / "light.yaml").write_text(LIGHT)
    portal = start_portal(applications, state=state, more_config="c.Facility.sessions_per_person = 5")
    yield Operator(portal)
    portal.stop()
    remove(portal)


@pytest.fixture(scope="module")
def anna(operator: Operator) -> Person:
    return operator.portal.login("anna")


@pytest.fixture(scope="module")
def token_file(operator: Operator, anna: Person) -> str:
    """The token of the test person, as the page of tokens makes it."""
    file = operator.portal.state / "test-person"
    file.touch(0o600)
    file.write_text(anna.api("POST", f"users/{anna.name}/tokens", {"expires_in": 3600}).json()["token"])
    return str(file)


def command(token_file: str, *more: str) -> list[str]:
    return ["scaletest", "--person-token-file", token_file, "--application", "light", *more]


def servers(anna: Person) -> set[str]:
    found = anna.get(f"/hub/api/users/{anna.name}?include_stopped_servers=1").json()["servers"]
    # not the hub's unnamed server
    return {name for name in found if name}


def test_sessions_are_started_measured_and_removed(operator: Operator, anna: Person, token_file: str) -> None:
    mine = anna.launch("light")
    ended = operator.run(*command(token_file, "--sessions", "3", "--at-once", "2"))
    assert ended.returncode == 0, ended
    heads, row = ended.stdout.splitlines()
    assert heads.split() == ["SESSIONS", "STARTED", "ERRORS", "STARTS/S", "P50", "P95", "LONGEST"]
    assert row.split()[:3] == ["3", "3", "0"]
    shown = "scaletest --person-token-file /etc/daas-hub/secrets/test-person --application idle --sessions 5"
    require_as_shown(shown, ended.stdout)
    assert "removing the sessions" in ended.stderr
    assert servers(anna) == {mine}, "the person's own session is still there, and none of the others"
    assert anna.get(f"/hub/api/users/{anna.name}").json()["servers"][mine]["ready"]
    anna.stop(mine)


def test_refused_starts_are_counted_with_their_words(operator: Operator, anna: Person, token_file: str) -> None:
    before = servers(anna)
    ended = operator.run(*command(token_file, "--sessions", "7", "--at-once", "7", "--json"))
    assert ended.returncode == 1
    found = json.loads(ended.stdout)
    assert found["started"] == 5
    assert found["errors"] == {"You have 5 sessions, and 5 is the limit. Stop one first.": 2}
    assert 0 < found["p50_s"] <= found["p95_s"] <= found["longest_s"]
    assert found["starts_per_s"] > 0
    assert servers(anna) == before


def test_it_does_not_begin_while_others_work(operator: Operator, anna: Person, token_file: str) -> None:
    ben = operator.portal.login("ben")
    his = ben.launch("light")
    before = servers(anna)
    ended = operator.run(*command(token_file, "--sessions", "1"))
    assert ended.returncode == 1
    assert "1 session of other people on this hub: use --yes" in ended.stderr
    assert servers(anna) == before
    assert operator.run(*command(token_file, "--sessions", "1", "--yes")).returncode == 0
    assert ben.get(f"/hub/api/users/{ben.name}").json()["servers"][his]["ready"]
    ben.stop(his)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_test_removes_what_it_started(
    operator: Operator, anna: Person, token_file: str, number: signal.Signals
) -> None:
    before = servers(anna)
    program = str(Path(sys.executable).with_name("daas-hub"))
    where = ["--url", f"{operator.portal.url}/hub", "--token-file", str(operator.portal.state / "hub/operator_token")]
    argv = [program, *command(token_file, "--sessions", "5", "--at-once", "1"), *where]
    with subprocess.Popen(argv, env=os.environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        until = time.monotonic() + 30
        while servers(anna) == before:
            assert time.monotonic() < until
            time.sleep(0.05)
        running.send_signal(number)
        _, said = running.communicate(timeout=60)
    assert running.returncode == 130, said
    assert "interrupted" in said
    assert servers(anna) == before


def test_somebody_elses_token_is_needed(operator: Operator, tmp_path: Path) -> None:
    """That of the operators' service starts nothing."""
    file = str(operator.portal.state / "hub" / "operator_token")
    ended = operator.run(*command(file, "--sessions", "1"))
    assert ended.returncode == 1
    assert "--person-token-file" in ended.stderr
    assert "is not the token of a person" in ended.stderr


@pytest.mark.parametrize(
    ("values", "percent", "found"),
    [([], 50, None), ([3.0], 95, 3.0), ([1.0, 2.0, 3.0, 4.0], 50, 2.0), ([float(n) for n in range(1, 101)], 95, 95.0)],
)
def test_percentiles(values: list[float], percent: float, found: float | None) -> None:
    assert percentile(values, percent) == found
