"""Runs a script inside a session, as the person whose session it is, and reads what it said."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import PROBE
from tests.live_portal import Person, Portal, new_state, remove, start_portal
from tests.not_tried import missing

#: What is in these directories is in the session's memory, and together they may have as much as there is: the kernel
#: finds no other program to end than the session's own.
FILL_MEMORY = (
    # all programs here are as small: let it be the first one, with which the session ends
    "echo 1000 > /proc/$PPID/oom_score_adj; "
    "for folder in /tmp /dev/shm /var/tmp; do head -c 1G /dev/zero > $folder/filled; done"
)


@dataclass
class Probe:
    """A session of the probe application."""

    person: Person
    session: str
    home: Path

    def output(self, timeout_s: float = 60.0) -> str:
        """Wait for the script's end; give what it printed."""
        until = time.monotonic() + timeout_s
        while time.monotonic() < until:
            if (self.home / "probe.done").exists():
                return (self.home / "probe.out").read_text(errors="replace")
            time.sleep(0.05)
        raise AssertionError(f"the probe did not end: {self.home / 'probe.out'}")


@contextlib.contextmanager
def probing(
    person: Person,
    account: str,
    script: str,
    *,
    proposal: str = "MA-4242",
    visit: str = "2",
    application: str = "probe",
    place: str = "",
) -> Iterator[Probe]:
    """Run a shell script in a new session of this person; the session is stopped at the end."""
    home = give_script(person.portal, account, script)
    session = person.launch(application, proposal=proposal, visit=visit, place=place)
    try:
        yield Probe(person, session, home)
    finally:
        person.stop(session)


@contextlib.contextmanager
def portal_with_sizes(sizes: str, names: str) -> Iterator[Portal]:
    """Run a portal whose probe has these sizes, which only root can limit.

    Args:
        sizes: the contents of `sizes.yaml`.
        names: those of the probe, with commas.
    """
    if os.geteuid() != 0:
        missing("root", "only root may make control groups without a delegation")
    state = new_state()
    applications = state / "applications"
    applications.mkdir()
    (applications / "sizes.yaml").write_text(sizes)
    (applications / "probe.yaml").write_text(f"{PROBE}sizes: [{names}]\n")
    running = start_portal(applications, state=state)
    try:
        yield running
    finally:
        running.stop()
        remove(running)


def give_script(portal: Portal, account: str, script: str) -> Path:
    """Write the script that the probe of this account will run; return the home."""
    home = portal.state / "homes" / account
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name in ("probe.done", "probe.out"):
        (home / name).unlink(missing_ok=True)
    (home / "probe.sh").write_text(script)
    _give(home, account)
    return home


def _give(home: Path, account: str) -> None:
    """Make the home the account's, as the portal would have."""
    number = {"anna": 25001, "ben": 25002, "carla": 25003}[account]
    if os.geteuid() == 0:
        os.chown(home, number, number)
        os.chown(home / "probe.sh", number, number)
