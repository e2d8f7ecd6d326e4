"""Notices on a running portal: by command and by page, on open pages, over a restart, and a maintenance to its end."""

from __future__ import annotations

import contextlib
import json
import re
import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from daas_hub.accounts import Identity
from tests.hub.operator import Operator
from tests.hub.shown_output import require_as_shown
from tests.live_portal import (
    WITHOUT_PROGRESS_PAGE,
    Person,
    Portal,
    free_ports,
    new_state,
    plain_text,
    remove,
    start_portal,
)
from tests.stand_ins.mail_server import MailRoom, mail_server
from tests.waiting import wait_for

pytestmark = pytest.mark.sandbox

ADMIN = 'c.JupyterHub.load_groups = {{"bosses": {{"users": ["{carla}"]}}}}\n' \
    'c.JupyterHub.load_roles = [*c.JupyterHub.load_roles,' \
    ' {{"name": "boss", "scopes": ["admin-ui"], "groups": ["bosses"]}}]\n'  # fmt: skip
HOSTILE = "<script>alert(1)</script> See https://x.example/a?b=1&c=2 or javascript:alert(2)"


@pytest.fixture(scope="module")
def room() -> Iterator[MailRoom]:
    with mail_server() as running:
        yield running


@pytest.fixture(scope="module")
def portal(sandbox_works: None, room: MailRoom) -> Iterator[Portal]:
    port, state = free_ports(4), new_state()
    carla = Identity(f"http://127.0.0.1:{port + 1}", "carla").hub_name
    mail = {"server": "127.0.0.1", "port": room.port, "security": "none", "sender": "daas@facility.org"}
    lines = "".join(f"c.Mail.{name} = {value!r}\n" for name, value in mail.items())
    # a session reports four times as often as it takes to be idle, and hears what is announced
    lines += 'c.Lifetimes.idle_minutes_by_application = {"desktop": 1}\n'
    running = start_portal(
        state=state, port=port, more_config=ADMIN.format(carla=carla) + lines + WITHOUT_PROGRESS_PAGE
    )
    accounts = state / "hub" / "accounts.yaml"
    accounts.write_text(accounts.read_text().replace("uid: 25001", "uid: 25001\n    mail: anna@example.org"))
    yield running
    running.stop()
    remove(running)


@pytest.fixture(scope="module")
def people(portal: Portal) -> dict[str, Person]:
    return {name: portal.login(name) for name in ("anna", "ben", "carla")}


@pytest.fixture
def operator(portal: Portal) -> Iterator[Operator]:
    found = Operator(portal)
    yield found
    for one in found.api("GET", "daas/notices").json()["notices"]:
        assert found.api("DELETE", f"daas/notices/{one['id']}").status_code == 204


@contextlib.contextmanager
def stream(person: Person) -> Iterator[Iterator[tuple[str, str]]]:
    """Follow a page's events: names, and their HTML."""

    def events(lines: Iterator[str]) -> Iterator[tuple[str, str]]:
        name = "message"
        for line in lines:
            if line.startswith("event: "):
                name = line[7:]
            elif line.startswith("data: "):
                yield name, json.loads(line[6:])["html"]
            elif not line:
                name = "message"

    with person.get(f"/hub/daas/events?_xsrf={person.xsrf}", stream=True, timeout=30) as response:
        assert response.status_code == 200
        yield events(response.iter_lines(decode_unicode=True))


def of_notices(events: Iterator[tuple[str, str]]) -> str:
    return next(html for name, html in events if name == "notices")


def post(person: Person, path: str, **fields: str) -> requests.Response:
    return person.post(
        path, {"from" if key == "begins" else key: value for key, value in fields.items()}, allow_redirects=False
    )


def test_a_notice_by_command_is_text_on_every_page(operator: Operator, people: dict[str, Person]) -> None:
    made = operator.asked("announce", HOSTILE, "--level", "critical")
    for page in (
        requests.get(f"{operator.portal.url}/hub/login", timeout=20),
        people["anna"].get("/hub/home"),
        people["ben"].get("/hub/token"),
    ):
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page.text
        assert '<a href="https://x.example/a?b=1&amp;c=2" rel="noopener noreferrer">' in page.text
        assert 'href="javascript' not in page.text
        assert 'class="notice operators critical"' in page.text
    table = operator.run("notices").stdout.splitlines()
    assert table[1].split()[:3] == [str(made["id"]), "banner", "critical"]
    assert operator.run("notices", "--withdraw", str(made["id"])).stdout == "0 notices\n"
    assert "alert(1)" not in people["anna"].get("/hub/home").text
    missing = operator.run("notices", "--withdraw", "999")
    assert missing.returncode == 1
    assert "There is no such notice" in missing.stderr


def test_a_notice_is_sent_by_e_mail_where_it_is_asked_for(
    operator: Operator, people: dict[str, Person], room: MailRoom
) -> None:
    operator.post(kind="banner", text="Not by e-mail.")
    said = operator.run("announce", "The storage is slow.", "--mail").stdout
    assert "it is sent by e-mail to " in said
    wait_for(lambda: room.messages, lambda: operator.portal.log.read_text()[-3000:])
    ((sender, recipients, message),) = room.messages
    assert (sender, recipients) == ("daas@facility.org", ["anna@example.org"]), "nobody else has an address"
    assert message["Subject"] == "Notice from Demo Light Source"
    assert "The storage is slow." in message.get_content()
    assert "anna@example.org" not in operator.portal.log.read_text()
    assert people["carla"].get("/hub/daas/notices").text.count('name="mail"') == 2

    begun = operator.run("maintenance", "begin", "--from", "+1h", "--stop-sessions-at", "+2h", "--mail")
    assert begun.returncode == 0, begun
    wait_for(lambda: len(room.messages) == 2, "no second message")
    assert "no session can be started. Sessions that run end at " in room.messages[1][2].get_content()


def test_open_pages_show_it_and_lose_it(operator: Operator, people: dict[str, Person]) -> None:
    with stream(people["anna"]) as events:
        assert "Beam" not in of_notices(events)
        made = operator.post(kind="banner", text="Beam is off.")
        assert "Beam is off." in of_notices(events)
        operator.api("DELETE", f"daas/notices/{made['id']}")
        assert "Beam" not in of_notices(events)


def test_sessions_show_what_is_for_them(operator: Operator, people: dict[str, Person]) -> None:
    """The pages ask the session, which hears it from the hub with its next report."""
    anna = people["anna"]
    name = anna.launch("desktop")

    def shown() -> list[str]:
        found = anna.get(f"/user/{anna.name}/{name}/status").json()["notices"]
        return [f"{one['title']}: {one['words']}{one['text']}" for one in found]

    operator.post(kind="banner", text="For the pages.")
    begun = operator.run("maintenance", "begin", "--from", "+1h", "--stop-sessions-at", "+2h", "--text", "New disks.")
    assert begun.returncode == 0, begun
    assert operator.run("announce", "Beam is off.", "--level", "warning", "--in-sessions").returncode == 0
    wait_for(lambda: len(shown()) == 2, "the session did not get the notice", 60)
    first, second = shown()
    assert re.match("Maintenance: This session ends in (2 hours|1 hour 50 minutes), at ", first), first
    assert first.endswith("for a maintenance of the portal. Save your work before.New disks.")
    assert second == "Please note: Beam is off."
    assert "in_sessions" in people["carla"].get("/hub/daas/notices").text
    operator.run("maintenance", "end")
    wait_for(lambda: shown() == ["Please note: Beam is off."], "what was withdrawn is still shown", 60)
    anna.stop(name)


def test_a_notice_for_some_people_reaches_nobody_else(
    operator: Operator, people: dict[str, Person], room: MailRoom
) -> None:
    """On open pages, on those that are opened, in sessions and by e-mail: a group of carla's, a beamline of anna's."""
    anna, carla = people["anna"], people["carla"]
    sessions = {one.name: one.launch("desktop") for one in (anna, carla)}
    room.messages.clear()

    def in_session(person: Person) -> list[str]:
        return [
            one["text"] for one in person.get(f"/user/{person.name}/{sessions[person.name]}/status").json()["notices"]
        ]

    with stream(carla) as to_carla, stream(anna) as to_anna:
        assert [of_notices(to_carla), of_notices(to_anna)] == ["", ""]
        for name in ("group:staff-id21", "beamline:BM23"):
            said = operator.run("announce", f"For {name}.", "--for", name, "--in-sessions", "--mail").stdout
            assert "it is sent by e-mail to those of 3 people whom it is for" in said
        wait_for(lambda: "For beamline:BM23." in of_notices(to_anna), "anna's open page does not show hers", 30)
        wait_for(lambda: "For group:staff-id21." in of_notices(to_carla), "carla's open page does not show hers", 30)
    wait_for(lambda: in_session(anna), "anna's session does not show hers", 60)
    wait_for(lambda: in_session(carla), "carla's session does not show hers", 60)
    for address in ("/hub/home", "/hub/token", "/hub/proposals/MA-4242"):
        assert "For group:staff-id21." in carla.get(address).text
        assert "For beamline:BM23." not in carla.get(address).text
        assert "For beamline:BM23." in anna.get(address).text
        assert "For group:staff-id21." not in anna.get(address).text
    for page in (requests.get(f"{operator.portal.url}/hub/login", timeout=20), people["ben"].get("/hub/home")):
        assert "For group:" not in page.text
        assert "For beamline:" not in page.text
    assert "For beamline:BM23." in in_session(anna)
    assert "For group:staff-id21." not in in_session(anna)
    assert in_session(carla) == ["For group:staff-id21."]
    wait_for(lambda: room.messages, "no e-mail", 20)
    for person in (anna, carla):
        person.stop(sessions[person.name])
    assert [message.get_content().splitlines()[0] for _, _, message in room.messages] == ["For beamline:BM23."], (
        "only anna has an address"
    )


def test_the_first_page_after_the_login_shows_it(operator: Operator, portal: Portal) -> None:
    """The page asks for the account, too: nobody waits for another answer of the sources."""
    operator.post(text="Your group moves.", **{"for": "group:ma-4242"})
    assert "Your group moves." in portal.login("ben").answer.text


def test_only_whom_it_asks_acknowledges(operator: Operator, people: dict[str, Person]) -> None:
    made = operator.asked("announce", "New rules.", "--acknowledge", "--for", "group:staff-id21")
    assert made["for"] == ["group:staff-id21"]
    for name in ("anna", "carla"):
        assert post(people[name], f"/hub/daas/notices/{made['id']}/acknowledge").status_code == 303
    assert operator.asked("notices")[0]["readers"] == 1
    assert "New rules" not in people["carla"].get("/hub/home").text


def test_each_person_acknowledges_once_also_over_a_restart(operator: Operator, people: dict[str, Person]) -> None:
    made = operator.post(kind="acknowledge", text="New rules of the cluster.")
    anna, ben = people["anna"], people["ben"]
    assert "New rules" not in requests.get(f"{operator.portal.url}/hub/login", timeout=20).text
    assert "I have read this" in anna.get("/hub/home").text
    back = f"{operator.portal.url}/hub/proposals/MA-4242"
    answer = anna.post(f"/hub/daas/notices/{made['id']}/acknowledge", headers={"Referer": back}, allow_redirects=False)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/hub/proposals/MA-4242")
    elsewhere = anna.post(
        f"/hub/daas/notices/{made['id']}/acknowledge", headers={"Referer": "https://x.example/"}, allow_redirects=False
    )
    assert elsewhere.headers["Location"] == "/hub/home", "no other site is returned to"
    assert "New rules" not in anna.get("/hub/home").text
    assert "New rules" in ben.get("/hub/home").text
    assert operator.asked("notices")[0]["readers"] == 1


def test_administrators_announce_on_their_page(operator: Operator, people: dict[str, Person]) -> None:
    carla = people["carla"]
    assert 'href="/hub/daas/notices"' in carla.get("/hub/home").text
    assert "Nothing is announced" in carla.get("/hub/daas/notices").text
    wrong = post(carla, "/hub/daas/notices", kind="banner", text="Kept while corrected", until="2020-01-01T10:00")
    assert wrong.status_code == 400
    assert "over before it begins" in plain_text(wrong)
    assert "Kept while corrected</textarea>" in wrong.text
    wrong = post(carla, "/hub/daas/notices", kind="banner", text="x", **{"for": "role:<i>"})
    assert wrong.status_code == 400
    assert "There is no role &#39;&lt;i&gt;&#39;. Roles: admin, own_resources." in wrong.text
    assert 'name="for" value="role:&lt;i&gt;"' in wrong.text
    fields = {"for": "group:<b>, group:staff-id21"}
    made = post(carla, "/hub/daas/notices", kind="banner", text="From the page", level="warning", **fields)
    assert (made.status_code, made.headers["Location"]) == (303, "/hub/daas/notices")
    (found,) = operator.asked("notices")
    assert (found["text"], found["level"], found["made_by"]) == ("From the page", "warning", carla.name)
    assert found["for"] == ["group:<b>", "group:staff-id21"]
    assert "for <bdi>group:&lt;b&gt;, group:staff-id21</bdi>" in carla.get("/hub/daas/notices").text
    assert "From the page" in carla.get("/hub/home").text
    assert "From the page" not in people["anna"].get("/hub/home").text
    gone = post(carla, f"/hub/daas/notices/{found['id']}/withdraw")
    assert gone.status_code == 303
    assert operator.asked("notices") == []
    audit = operator.portal.state / "audit" / "audit.jsonl"

    def audited() -> list[str]:
        events = [json.loads(line) for line in audit.read_text().splitlines()]
        return [one["action"] for one in events if one["user"] == carla.name and "target" in one]

    wait_for(lambda: audited()[-2:] == ["ANNOUNCE banner", "WITHDRAW notice"], audited)
    # as the command does
    assert operator.run("maintenance", "begin", "--from", "+1h").returncode == 0
    wait_for(
        lambda: '"ANNOUNCE maintenance", "user": "service:daas-hub-operators"' in audit.read_text(), audit.read_text
    )


def test_only_administrators_do(operator: Operator, people: dict[str, Person]) -> None:
    anna = people["anna"]
    made = operator.post(kind="banner", text="Beam is off.")
    assert 'href="/hub/daas/notices"' not in anna.get("/hub/home").text
    assert anna.get("/hub/daas/notices").status_code == 403
    assert post(anna, "/hub/daas/notices", kind="banner", text="x").status_code == 403
    assert post(anna, f"/hub/daas/notices/{made['id']}/withdraw").status_code == 403
    assert anna.api("GET", "daas/notices").status_code == 403
    assert anna.api("POST", "daas/notices", {"text": "x"}).status_code == 403
    assert anna.api("DELETE", f"daas/notices/{made['id']}").status_code == 403
    assert [one["id"] for one in operator.asked("notices")] == [made["id"]]


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ([], 400, "not an object"),
        ({"text": ""}, 400, "There is no text"),
        ({"text": "x", "kind": 3}, 400, "is not a text"),
        ({"kind": "maintenance", "until": "2020-01-01"}, 400, "over before it begins"),
    ],
)
def test_the_api_says_what_is_wrong(operator: Operator, body: Any, status: int, words: str) -> None:
    answer = operator.api("POST", "daas/notices", body)
    assert answer.status_code == status
    assert words in answer.json()["message"]


def test_the_page_shows_what_is_printed(operator: Operator) -> None:
    text = "The storage is slow today. https://status.facility.org"
    made = operator.run("announce", text, "--level", "warning", "--until", "+4h")
    require_as_shown(f'announce "{text}" --level warning --until +4h', made.stdout)
    some = operator.run("announce", "Please calibrate again.", "--for", "role:admin", "--for", "group:staff-id21")
    require_as_shown('announce "Please calibrate again." --for role:admin --for group:staff-id21', some.stdout)
    require_as_shown("notices", operator.run("notices").stdout)
    times = ("--from", "+30m", "--until", "+3h", "--stop-sessions-at", "+1h")
    begun = operator.run("maintenance", "begin", *times, "--text", "New disks.")
    require_as_shown(f'maintenance begin {" ".join(times)} --text "New disks."', begun.stdout)
    require_as_shown("maintenance end", operator.run("maintenance", "end").stdout)


def test_a_maintenance_to_its_end(operator: Operator, people: dict[str, Person]) -> None:
    """It is announced, then nobody starts a session, then those that run end; the reason is on the owner's card."""
    anna, ben = people["anna"], people["ben"]
    name = anna.launch("terminal")
    assert operator.run("maintenance").stdout == "no maintenance: sessions can be started\n"
    begun = operator.run(
        "maintenance", "begin", "--from", "+1h", "--until", "+3h", "--stop-sessions-at", "+2h", "--text", "New disks."
    )
    assert begun.returncode == 0, begun
    assert begun.stdout.splitlines()[0].startswith("maintenance announced, it begins in ")
    page = plain_text(anna.get("/hub/home"))
    assert "Maintenance from" in page
    assert "New disks." in page
    assert "save your work before" in page
    second = operator.run("maintenance", "begin")
    assert second.returncode == 1
    assert "announced already" in second.stderr
    assert operator.run("maintenance").returncode == 0
    ben.stop(ben.launch("terminal"))

    assert operator.run("maintenance", "end").stdout == "no maintenance: sessions can be started\n"
    soon = operator.run("maintenance", "begin", "--stop-sessions-at", "+1h", "--text", "New disks.")
    assert soon.stdout.startswith("maintenance active: no session can be started\n"), soon
    assert operator.run("maintenance").returncode == 1
    refused = post(ben, "/hub/launch", application="terminal")
    assert refused.status_code == 403
    assert (
        "The portal is in maintenance, and no session can be started. New disks. Sessions that run end"
        in plain_text(refused)
    )
    assert ben.api("POST", f"users/{ben.name}/servers/one", {"application": "terminal"}).status_code in (403, 400)
    assert [one["name"] for one in operator.asked("sessions")] == [name]

    # the hub is restarted, and the time comes
    with stream(anna) as events:
        assert "Maintenance" in of_notices(events)
    operator.run("maintenance", "end")
    operator.post(
        kind="maintenance", stop_sessions_at=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 2))
    )
    until = time.monotonic() + 60
    while operator.sessions() and time.monotonic() < until:
        time.sleep(0.5)
    assert operator.sessions() == []
    assert "It was ended for a maintenance of the portal." in plain_text(anna.get("/hub/home"))
    operator.run("maintenance", "end")
    anna.stop(name)
    ben.stop(ben.launch("terminal"))


def test_a_restarted_hub_is_still_in_maintenance(portal: Portal) -> None:
    Operator(portal).post(kind="maintenance", text="New disks.")
    portal.stop()
    portal.process = start_portal(state=portal.state, port=portal.port, more_config=WITHOUT_PROGRESS_PAGE).process
    refused = post(portal.login("anna"), "/hub/launch", application="terminal")
    assert refused.status_code == 403
    assert "The portal is in maintenance" in plain_text(refused)
