"""Containers on storage that squashes root: the engine, too, is nobody there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from tests.docker.engine import prepare, start_docker_portal
from tests.docker.scenes import doctor
from tests.live_portal import Portal, new_state, remove
from tests.sandbox.squashed_scenes import (
    test_home_that_nobody_here_may_create_is_refused_with_the_command,
    test_session_works_where_only_the_account_may_enter,
    test_storage_that_is_ill_or_closed_is_refused_in_words,
)
from tests.sandbox.squashed_site import squashed_storage
from tests.stand_ins.squashing import require_fuse

pytestmark = pytest.mark.docker

#: Collected here with this folder's portal.
SAME = (
    test_home_that_nobody_here_may_create_is_refused_with_the_command,
    test_session_works_where_only_the_account_may_enter,
    test_storage_that_is_ill_or_closed_is_refused_in_words,
)


@pytest.fixture(scope="module")
def squashed(engine: docker.APIClient) -> Iterator[Portal]:
    require_fuse()
    state = new_state()
    prepare(state, state / "applications", {})
    with squashed_storage(state) as config:
        running = start_docker_portal(state=state, more_config=config)
        try:
            yield running
        finally:
            running.stop()
    remove(running)


def test_doctor_tries_a_container_there(squashed: Portal) -> None:
    _, report = doctor(squashed, "", "--as", "anna")
    tried = [one for one in report["findings"] if one["key"].startswith(("sessions.~/data", "sessions.~/processed"))]
    assert tried, report
    assert {one["verdict"] for one in tried} == {"ok"}
    opened = [one for one in report["findings"] if one["key"] == "directories.TS-0002" and one["verdict"] == "ok"]
    assert any("as anna" in one["check"] for one in opened)


def test_nothing_stays_mounted_for_the_engine(squashed: Portal) -> None:
    """The mounts made for a create call are gone, on this machine, as soon as the container runs."""
    name = squashed.login("anna").launch("terminal", proposal="TS-0002", visit="1")
    assert f"{squashed.state}/run/mounts" not in Path("/proc/self/mountinfo").read_text()
    assert not any((squashed.state / "run" / "mounts").glob("*"))
    assert (squashed.state / "real" / "homes" / "anna" / "data").is_dir()
    squashed.login("anna").stop(name)
