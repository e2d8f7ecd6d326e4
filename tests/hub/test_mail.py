"""E-mail of a hub that is killed: what waited is sent by the next one, once."""

from __future__ import annotations

import pytest

from tests.hub.operator import Operator
from tests.live_portal import free_ports, new_state, remove, start_portal
from tests.places import kill, kill_rest
from tests.stand_ins.mail_server import mail_server
from tests.waiting import wait_for

pytestmark = pytest.mark.sandbox

PEOPLE = {"anna": 25001, "ben": 25002}
WAITING = "SELECT COUNT(*) FROM daas_messages WHERE done IS NULL"


def test_what_a_killed_hub_has_not_sent_is_sent_once(sandbox_works: None) -> None:
    state, port = new_state(), free_ports(4)
    issuer, accounts = f"http://127.0.0.1:{port + 1}", state / "people.yaml"
    lines = [
        f"  - {{name: {name}, uid: {uid}, gid: {uid}, mail: {name}@example.org,"
        f" logins: [{{issuer: '{issuer}', subject: {name}}}]}}"
        for name, uid in PEOPLE.items()
    ]
    accounts.write_text("\n".join(["accounts:", *lines, ""]))
    with mail_server() as room:
        mail = {"server": "127.0.0.1", "port": room.port, "security": "none", "sender": "daas@facility.org"}
        more = "".join(f"c.Mail.{name} = {value!r}\n" for name, value in mail.items())
        more += f"c.Facility.accounts_file = {str(accounts)!r}\n"
        portal = start_portal(state=state, port=port, more_config=more)
        try:
            for name in PEOPLE:
                portal.login(name)
            # the server is busy: the next attempt is a minute away
            room.answers.append("451 Try again later")
            assert Operator(portal).run("announce", "The storage is slow.", "--mail").returncode == 0
            wait_for(lambda: not room.answers, "no message was tried")
            assert portal.rows(WAITING)[0][0] == 2
            kill(portal)
            assert room.messages == []
            portal.process = start_portal(state=state, port=port, more_config=more).process
            wait_for(lambda: portal.rows(WAITING)[0][0] == 0, "the messages still wait", 60)
            assert sorted(to[0] for _, to, _ in room.messages) == ["anna@example.org", "ben@example.org"]
            assert portal.rows("SELECT COUNT(*) FROM daas_messages")[0][0] == 0
        finally:
            portal.stop()
            kill_rest(portal)
            remove(portal)
