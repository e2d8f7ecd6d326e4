"""An account as directories have them, in a real session: a name with a dot and capitals, and 300 groups."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import pytest

from tests.live_portal import Portal, free_ports, new_state, remove, start_portal
from tests.not_tried import missing

NAME, UID = "Anna.Lindqvist", 25001
#: no two in a row, seven digits each: more than a gid map takes
GROUPS = [1_500_000 + 7 * number for number in range(300)]

WHO = """\
name: who
title: Who
kind: desktop
command: [sh, -c, "(whoami; id -u; echo $HOME; cd ~ && pwd; grep ^Groups: /proc/self/status | wc -w) > ~/who.new; \
mv ~/who.new ~/who; sleep 600"]
"""


@pytest.fixture(scope="module")
def portal(sandbox_works: None) -> Iterator[Portal]:
    if os.geteuid() != 0:
        missing("root", "only root can start a session as another account")
    state, port = new_state(), free_ports(4)
    (state / "apps").mkdir()
    (state / "apps" / "who.yaml").write_text(WHO)
    groups = ", ".join(f"g{gid}: {gid}" for gid in GROUPS)
    login = f"{{issuer: 'http://127.0.0.1:{port + 1}', subject: anna}}"
    account = f"{{name: {NAME}, uid: {UID}, gid: {UID}, groups: {{{groups}}}, logins: [{login}]}}"
    (state / "people.yaml").write_text(f"accounts: [{account}]\n")
    more = f"c.Facility.accounts_file = '{state}/people.yaml'"
    running = start_portal(state / "apps", state=state, port=port, more_config=more)
    try:
        yield running
    finally:
        running.stop()
        remove(running)


def test_a_session_has_the_name_and_every_group(portal: Portal) -> None:
    person = portal.login("anna")
    session = person.launch("who", proposal="", visit="")
    try:
        said = portal.state / "homes" / NAME / "who"
        until = time.monotonic() + 60
        while not said.exists() and time.monotonic() < until:
            time.sleep(0.1)
        home = f"/home/{NAME}"
        assert said.read_text().split() == [NAME, str(UID), home, home, str(len(GROUPS) + 2)]
        assert said.stat().st_uid == UID
    finally:
        person.stop(session)
