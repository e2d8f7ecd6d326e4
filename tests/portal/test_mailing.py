"""What people are written about: each change once, and only to who still has an account."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from jupyterhub import orm
from traitlets.config import Config

from daas_hub.accounts import Account, Identity
from daas_hub.catalogue import Application, Catalogue, Kind
from daas_hub.errors import NoAccount, SourceUnavailable
from daas_hub.mail import Mail, Notification
from daas_hub.portal import mailing as module
from daas_hub.portal.mailing import SETTLED_AFTER_S, Mailing
from daas_hub.tables import upgrade_tables
from tests.stand_ins.mail_server import MailRoom, mail_server

CLAIMS = {"email": "anna@example.org", "email_verified": True}


class User:
    """A user of the hub."""

    def __init__(self, name: str, state: dict[str, Any] | None = None) -> None:
        self.name = name
        self._state = (
            state if state is not None else {"identity": Identity("https://x", name, claims=CLAIMS).as_state()}
        )
        self.spawners: dict[str, Any] = {}
        self.orm_spawners: dict[str, Any] = {}
        self.admin = False

    async def get_auth_state(self) -> dict[str, Any]:
        return self._state

    def has(self, session: str, end_notice: str = "", *, ready: bool = True) -> None:
        """Add a session of theirs."""
        self.spawners[session] = SimpleNamespace(ready=ready, end_notice=end_notice)
        self.orm_spawners[session] = SimpleNamespace(user_options={"application": "pymca"})


class Facility:
    """A facility with one application."""

    name = "ALBA"
    applications = Catalogue({"pymca": Application("pymca", "PyMca", Kind.DESKTOP)}, {})

    def __init__(self) -> None:
        self.answer: Account | Exception = Account("anna", 25001, 25001)

    async def account_of(self, identity: Identity) -> Account:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class Hub:
    """A hub with these users."""

    log = logging.getLogger("jupyterhub")

    public_url = "https://daas.facility.org/"

    def __init__(self, *users: User) -> None:
        self.users = {one.name: one for one in users}
        self.db = orm.new_session_factory("sqlite:///:memory:")()
        upgrade_tables(self.db.get_bind())
        self.db.add_all([orm.User(name=one.name) for one in users])
        self.db.commit()


@pytest.fixture(scope="module")
def room() -> Iterator[MailRoom]:
    """A mail server for this file's tests."""
    with mail_server() as running:
        yield running


class Scene:
    """A hub that sends e-mail to a real server."""

    def __init__(self, room: MailRoom, monkeypatch: pytest.MonkeyPatch, *users: User, **settings: Any) -> None:
        room.messages.clear()
        self.room, self.facility, self.tickets = room, Facility(), list[Any]()
        given = {"server": "127.0.0.1", "port": room.port, "security": "none", "sender": "daas@facility.org"}
        mail = Mail(config=Config({"Mail": given | settings}))
        line = SimpleNamespace(waiting=lambda: self.tickets)
        monkeypatch.setattr(module, "current_line", lambda: line)
        self.hub, self._mail, self.now = Hub(*users), mail, 0.0
        self.restart()

    def restart(self) -> None:
        """Kill the hub, and start it again."""
        self.mailing = Mailing(self.hub, self.facility, self._mail, clock=lambda: self.now)  # type: ignore[arg-type]

    def settle(self) -> None:
        """Let the hub run until it knows everything."""
        self.now += SETTLED_AFTER_S

    def waits(self, user: User, *, place: str = "", called: bool = False) -> None:
        """Put a session of somebody behind the others in the queue."""
        user.has("one", ready=False)
        demand = SimpleNamespace(key=(user.name, "one"), place=place)
        self.tickets.append(SimpleNamespace(demand=demand, is_called=called))

    async def messages(self) -> list[tuple[str, str, str]]:
        """Look once, and return what has arrived since the last time."""
        self.mailing.look()
        await self.mailing.outbox.send_all()
        found = [(to[0], one["Subject"], one.get_content()) for _, to, one in self.room.messages]
        self.room.messages.clear()
        return found


async def test_the_next_in_line_and_whose_turn_it_is(room: MailRoom, monkeypatch: pytest.MonkeyPatch) -> None:
    anna, ben, carla = (User(name, None) for name in ("anna", "ben", "carla"))
    scene = Scene(room, monkeypatch, anna, ben, carla)
    scene.waits(anna)
    scene.waits(ben)
    scene.waits(carla, place="large")
    subjects = [subject for _, subject, _ in await scene.messages()]
    assert subjects == ["PyMca is next in line"] * 2, "the first of each place"
    assert await scene.messages() == [], "once"
    scene.tickets[0].is_called = True
    first, second = await scene.messages()
    assert {first[1], second[1]} == {"PyMca starts now", "PyMca is next in line"}
    text = next(text for _, subject, text in (first, second) if subject == "PyMca starts now")
    assert "PyMca: It is your turn: it is starting." in text
    assert "https://daas.facility.org/hub/sessions/one" in text
    scene.tickets.pop(0)
    assert await scene.messages() == []


async def test_a_session_that_ends_soon(room: MailRoom, monkeypatch: pytest.MonkeyPatch) -> None:
    anna = User("anna")
    scene = Scene(room, monkeypatch, anna)
    anna.has("one")
    assert await scene.messages() == []
    anna.has("one", "It ends in 10 minutes, at its time limit.")
    ((to, subject, text),) = await scene.messages()
    assert (to, subject) == ("anna@example.org", "PyMca ends soon")
    assert "PyMca: It ends in 10 minutes, at its time limit." in text
    anna.has("one", "It ends in 9 minutes, at its time limit.")
    assert await scene.messages() == []
    scene.settle()
    # extended, and near its end again
    anna.has("one")
    await scene.messages()
    anna.has("one", "It ends in 10 minutes, at its time limit.")
    assert len(await scene.messages()) == 1


async def test_a_restarted_hub_does_not_say_it_again(room: MailRoom, monkeypatch: pytest.MonkeyPatch) -> None:
    anna, ben = User("anna"), User("ben")
    scene = Scene(room, monkeypatch, anna, ben)
    scene.settle()
    anna.has("one", "It ends in 10 minutes, after being idle for 1 hour, unless it is used.")
    scene.waits(ben)
    assert len(await scene.messages()) == 2
    scene.restart()
    # it is not known yet that it is idle
    anna.has("one")
    assert await scene.messages() == []
    anna.has("one", "It ends in 9 minutes, after being idle for 1 hour, unless it is used.")
    assert await scene.messages() == []
    scene.settle()
    anna.has("one")
    await scene.messages()
    anna.has("one", "It ends in 10 minutes, after being idle for 1 hour, unless it is used.")
    assert len(await scene.messages()) == 1


async def test_what_a_killed_hub_found_is_sent_by_the_next_one(room: MailRoom, monkeypatch: pytest.MonkeyPatch) -> None:
    anna = User("anna")
    scene = Scene(room, monkeypatch, anna)
    anna.has("one", "It ends in 10 minutes, at its time limit.")
    scene.mailing.look()
    scene.restart()
    assert [subject for _, subject, _ in await scene.messages()] == ["PyMca ends soon"]


@pytest.mark.parametrize("setting", ["queue", "session_ends"])
async def test_each_kind_can_be_switched_off(room: MailRoom, monkeypatch: pytest.MonkeyPatch, setting: str) -> None:
    anna, ben = User("anna"), User("ben")
    scene = Scene(room, monkeypatch, anna, ben, **{setting: False})
    scene.waits(anna)
    ben.has("two", "It ends in 10 minutes, at its time limit.")
    ((_, subject, _),) = await scene.messages()
    assert subject == ("PyMca ends soon" if setting == "queue" else "PyMca is next in line")


async def test_a_notice_goes_to_everybody(room: MailRoom, monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene(room, monkeypatch, User("anna"), User("ben"), User("nobody", {}))
    assert scene.mailing.announce("The storage is slow.\nBcc: all@example.org") == 3
    messages = await scene.messages()
    assert [subject for _, subject, _ in messages] == ["Notice from ALBA"] * 2
    assert "The storage is slow." in messages[0][2]


@pytest.mark.parametrize(
    ("state", "answer", "address"),
    [
        ({"identity": Identity("https://x", "anna", claims=CLAIMS).as_state()}, None, "anna@example.org"),
        ({"ended": Identity("https://x", "anna", claims=CLAIMS).as_state()}, None, "anna@example.org"),
        ({}, None, ""),
        ({"identity": Identity("https://x", "anna").as_state()}, None, ""),
        (
            {"identity": Identity("https://x", "anna").as_state()},
            Account("anna", 25001, 25001, mail="a.l@facility.org"),
            "a.l@facility.org",
        ),
        ({"identity": Identity("https://x", "anna", claims=CLAIMS).as_state()}, NoAccount("It has ended."), ""),
        (
            {"identity": Identity("https://x", "anna", claims=CLAIMS).as_state()},
            SourceUnavailable("It is down."),
            "anna@example.org",
        ),
    ],
)
async def test_the_address_of_who_still_has_an_account(
    room: MailRoom, monkeypatch: pytest.MonkeyPatch, state: dict[str, Any], answer: Any, address: str
) -> None:
    scene = Scene(room, monkeypatch, User("anna", state))
    scene.facility.answer = answer or scene.facility.answer
    assert await scene.mailing.address_of(Notification("anna", "x", "x")) == address
    assert await scene.mailing.address_of(Notification("stranger", "x", "x")) == ""


@pytest.mark.parametrize(
    ("answer", "address"),
    [
        (Account("anna", 25001, 25001, roles=frozenset({"staff"})), "anna@example.org"),
        (Account("anna", 25001, 25001), None),
        (Account("anna", 25001, 25001, roles=frozenset({"admin"})), None),
        (NoAccount("It has ended."), ""),
        (SourceUnavailable("It is down."), None),
    ],
)
async def test_a_notice_for_some_people_is_sent_to_nobody_else(
    room: MailRoom, monkeypatch: pytest.MonkeyPatch, answer: Any, address: str | None
) -> None:
    """Also to nobody whose role this login does not have, and to nobody of whom nothing is known."""
    scene = Scene(room, monkeypatch, User("anna"))
    scene.facility.answer = answer
    audience = frozenset({"role:staff", "role:admin"})
    assert await scene.mailing.address_of(Notification("anna", "x", "x", audience=audience)) == address
    assert scene.mailing.announce("Beam is off.", audience) == 1
    assert [to for to, _, _ in await scene.messages()] == ([address] if address else [])
