"""What the card of a sandbox says that has ended, or has lost a program."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from daas_hub.spawners.sandbox.processes import descendants, marked_processes
from tests.docker.scenes import home_text
from tests.freezer import freezer
from tests.live_portal import Portal, remove, start_portal
from tests.not_tried import missing
from tests.places import kill
from tests.sandbox.probe import FILL_MEMORY, give_script, portal_with_sizes, probing
from tests.waiting import wait_for

pytestmark = pytest.mark.sandbox

SIZES = "sizes:\n  snug: {title: Snug, memory: 400 MiB, cpus: 1, processes: 300, hours: 2}\n"


def test_session_whose_hours_are_over_ends_and_says_so(portal: Portal) -> None:
    anna = portal.login("anna")
    name = anna.launch("brief", proposal="MA-4242", visit="2")
    wait_for(lambda: "Ended" in home_text(anna), "the end", 40)
    assert "It reached its time limit." in home_text(anna)
    assert anna.stop(name).status_code == 303


@pytest.fixture(scope="module")
def snug(sandbox_works: None) -> Iterator[Portal]:
    """A portal with sessions that have little memory."""
    with portal_with_sizes(SIZES, "snug") as running:
        yield running


def test_program_that_uses_too_much_memory_is_reported(snug: Portal) -> None:
    """The kernel kills it alone: the session continues, and says so within one look of the hub."""
    anna = snug.login("anna")
    script = "/usr/bin/python3 -c 'b = bytes([1]) * 2**30'; echo python=$?"
    with probing(anna, "anna", script) as probe:
        assert "python=137" in probe.output()
        wait_for(lambda: "memory and was ended at" in home_text(anna), "the words", 120)
        assert "Running" in home_text(anna)


def test_directory_that_is_almost_full_is_said_before_it_is(snug: Portal) -> None:
    """C4: /tmp has half of the session's memory. On its card, and on its own page."""
    anna = snug.login("anna")
    with probing(anna, "anna", "head -c 190M /dev/zero > /tmp/filled; echo $?") as probe:
        assert probe.output() == "0\n"
        said = re.compile(
            r"/tmp is almost full: \S+ MiB of 200 MiB are free\. Delete files there before programs fail\."
        )
        wait_for(lambda: said.search(home_text(anna)), lambda: home_text(anna), 120)
        shown = anna.get(f"/user/{anna.name}/{probe.session}/status").json()["notices"]
        assert [(one["key"], one["level"]) for one in shown] == [("disk /tmp", "warning")]
        assert said.fullmatch(shown[0]["words"])


def test_session_whose_memory_is_used_up_while_the_hub_is_away(snug: Portal) -> None:
    """The session's control group outlives it until a hub has read why it ended."""
    anna = snug.login("anna")
    home = give_script(snug, "anna", f"while [ ! -e ~/go ]; do sleep 0.1; done; {FILL_MEMORY}")
    name = anna.launch("probe")
    kill(snug)
    (home / "go").touch()
    wait_for(lambda: not marked_processes(snug.state / "run" / "sessions"), "the end of the session", 120)
    again = start_portal(snug.state / "applications", state=snug.state, port=snug.port)
    snug.process = again.process
    wait_for(lambda: "It used all of its 400 MiB of memory at" in home_text(anna), "why it ended", 120)
    assert "Probe has no larger size that you may use." in home_text(anna)
    anna.stop(name)


def test_a_session_whose_programs_cannot_be_ended_is_ended_as_soon_as_they_can(sandbox_works: None) -> None:
    """Its card says so, and it cannot be opened; a stop that was not confirmed counted as done."""
    portal = start_portal(more_config="c.SandboxSpawner.reconcile_interval_s = 1")
    sessions = portal.state / "run" / "sessions"
    try:
        anna = portal.login("anna")
        name = anna.launch("terminal")
        assert anna.get(f"/user/{anna.name}/{name}/").status_code == 200
        with freezer() as group:
            if group is None:
                missing("freezer", "no control group of version 1 freezes here, or only root may make one")
            (processes,) = marked_processes(sessions).values()
            tops = {one.pid for one in processes}
            group.freeze(tops.union(*(descendants(one, generations=9) for one in tops)))
            assert anna.stop(name).status_code == 303
            wait_for(lambda: "its programs could not be ended yet" in home_text(anna), lambda: home_text(anna), 60)
            assert portal.wait_for_log("could not be ended")
            assert anna.get(f"/user/{anna.name}/{name}/", allow_redirects=False).status_code != 200
            assert marked_processes(sessions)
            group.thaw()
            wait_for(lambda: not marked_processes(sessions), "the end of the session", 60)
        wait_for(lambda: "could not be ended" not in home_text(anna), lambda: home_text(anna), 60)
        assert list(sessions.iterdir()) == []
    finally:
        portal.stop()
        remove(portal)
