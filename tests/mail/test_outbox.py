"""The outbox: what is posted is sent once, also over a restart; it is limited, and a server that fails harms nobody."""

from __future__ import annotations

import asyncio
import logging
import threading
from email.message import EmailMessage

import pytest
from prometheus_client import REGISTRY
from sqlalchemy import create_engine
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from daas_hub.errors import ErrorKind
from daas_hub.mail import KeptMessages, MailError, Notification, Outbox
from daas_hub.mail.outbox import RETRY_S, STALE_S, MailLimits
from daas_hub.tables import Message, upgrade_tables

HOUR = 3600.0


class Office:
    """A server, addresses, and a clock that goes as far as somebody sleeps.

    Args:
        db: a database that an earlier one has used.
    """

    def __init__(self, limits: MailLimits | None = None, db: Session | None = None) -> None:
        self.now = 0.0
        self.db = db or new_database()
        self.ids: list[str] = []
        self.was_asked = asyncio.Event()
        self.sent: list[tuple[str, str, float]] = []
        self.failures: list[MailError] = []
        self.threads: set[int] = set()
        self.addresses: dict[str, str | None] = {}
        self.outbox = Outbox(
            self.send, self.address_of, KeptMessages(self.db), sender="daas@facility.org", limits=limits,
            clock=lambda: self.now, sleep=self.sleep,
        )  # fmt: skip

    def send(self, message: EmailMessage) -> None:
        self.threads.add(threading.get_ident())
        if self.failures:
            raise self.failures.pop(0)
        self.ids.append(message["Message-ID"])
        self.sent.append((message["To"], message["Subject"], self.now))

    async def address_of(self, notification: Notification) -> str | None:
        self.was_asked.set()
        return self.addresses.get(notification.person, f"{notification.person}@example.org")

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        await asyncio.sleep(0)

    def post(self, person: str, subject: str = "x") -> bool:
        return bool(self.outbox.post(Notification(person, subject, "text")))

    def rows(self) -> list[tuple[str, str, str, bool]]:
        """Return what is stored: user, what about, text, and whether it is done."""
        return [(one.user, one.about, one.text, one.done is not None) for one in self.db.query(Message)]


def new_database() -> Session:
    """Return a database with our tables."""
    engine = create_engine("sqlite:///:memory:")
    upgrade_tables(engine)
    return Session(engine)


def counted(outcome: str) -> float:
    return REGISTRY.get_sample_value("daas_mail_messages_total", {"outcome": outcome}) or 0.0


async def test_letters_are_sent_in_a_thread_in_their_order() -> None:
    office, before = Office(), counted("sent")
    assert [office.post("anna", "1"), office.post("ben", "2"), office.post("anna", "3")] == [True] * 3
    await office.outbox.send_all()
    assert [one[:2] for one in office.sent] == [
        ("anna@example.org", "1"), ("ben@example.org", "2"), ("anna@example.org", "3")
    ]  # fmt: skip
    assert threading.get_ident() not in office.threads
    assert counted("sent") == before + 3


async def test_one_person_gets_so_many_in_an_hour_and_no_more() -> None:
    office, before = Office(MailLimits(per_person=2)), counted("dropped")
    assert [office.post("anna") for _ in range(4)] == [True, True, False, False]
    assert office.post("ben")
    await office.outbox.send_all()
    assert (len(office.sent), counted("dropped")) == (3, before + 2)
    office.now = HOUR + 1
    assert office.post("anna")


async def test_all_together_get_so_many_in_an_hour_and_the_others_wait() -> None:
    office = Office(MailLimits(per_hour=2))
    for name in ("anna", "ben", "carla", "dora"):
        office.post(name)
    await office.outbox.send_all()
    assert [at for _, _, at in office.sent] == [0, 0, HOUR, HOUR]


async def test_what_waits_is_limited_and_not_kept_until_it_is_untrue() -> None:
    office = Office(MailLimits(waiting=2))
    assert [office.post(name) for name in ("anna", "ben", "carla")] == [True, True, False]
    office.now = STALE_S + 1
    await office.outbox.send_all()
    assert office.sent == []


@pytest.mark.parametrize("address", ["", "no address", "anna@example.org\r\nBcc: all@example.org"])
async def test_without_an_address_nothing_is_sent(address: str) -> None:
    office, before = Office(), counted("no_address")
    office.addresses["anna"] = address
    office.post("anna")
    await office.outbox.send_all()
    assert (office.sent, counted("no_address")) == ([], before + 1)


async def test_what_is_not_for_a_person_is_not_sent_and_not_counted() -> None:
    office, before = Office(), counted("no_address")
    office.addresses["anna"] = None
    office.post("anna")
    office.post("ben")
    await office.outbox.send_all()
    assert [one[0] for one in office.sent] == ["ben@example.org"]
    assert counted("no_address") == before
    assert office.rows() == []


async def test_whom_a_message_is_for_is_kept_over_a_restart() -> None:
    killed = Office()
    staff = frozenset({"role:staff"})
    killed.outbox.post(Notification("anna", "1", "text", audience=staff), Notification("ben", "2", "text"))
    waiting = KeptMessages(killed.db).waiting()
    assert [one.notification.audience for one in waiting] == [staff, None]


async def test_a_failure_is_logged_once_and_the_letter_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    office = Office()
    office.failures = [MailError("the server is down", ErrorKind.NO_CONNECTION)] * 2
    office.post("anna")
    with caplog.at_level(logging.WARNING, "jupyterhub.daas"):
        await office.outbox.send_all()
    assert [at for _, _, at in office.sent] == [sum(RETRY_S)]
    assert caplog.text.count("e-mail cannot be sent: the server is down") == 1
    assert "e-mail can be sent again" in caplog.text
    assert "anna@example.org" not in caplog.text


async def test_a_letter_that_cannot_be_sent_is_given_up_and_the_next_one_is_sent() -> None:
    office, before = Office(), counted("failed")
    down = MailError("the server is down", ErrorKind.NO_CONNECTION)
    office.failures = [down] * (len(RETRY_S) + 1)
    office.post("anna")
    office.post("ben")
    await office.outbox.send_all()
    assert [one[0] for one in office.sent] == ["ben@example.org"]
    office.failures = [MailError("no such mailbox", ErrorKind.REQUEST_REJECTED, is_temporary=False)]
    office.post("carla")
    await office.outbox.send_all()
    assert [one[0] for one in office.sent] == ["ben@example.org"], "a refusal that lasts is not tried again"
    assert counted("failed") == before + 2


async def test_an_error_in_one_letter_does_not_end_the_others() -> None:
    office = Office()

    async def broken(notification: Notification) -> str:
        if notification.person == "anna":
            raise RuntimeError("the database is away")
        return f"{notification.person}@example.org"

    office.outbox._address_of = broken
    office.post("anna")
    office.post("ben")
    await office.outbox.send_all()
    assert [one[0] for one in office.sent] == ["ben@example.org"]


async def test_what_a_killed_hub_has_not_sent_is_sent_by_the_next_one() -> None:
    """Each once, in their order; what was sent, given up or out of date is not there any more."""
    killed = Office()
    killed.post("anna", "sent")
    await killed.outbox.send_all()
    killed.now = STALE_S + 2
    for person, subject in (("ben", "1"), ("anna", "2"), ("ben", "3")):
        killed.post(person, subject)
    again = Office(db=killed.db)
    again.now = killed.now + 60
    running = asyncio.ensure_future(again.outbox.run())
    async with asyncio.timeout(30):
        while again.rows():  # noqa: ASYNC110  # the task tells nobody
            await asyncio.sleep(0.01)
    running.cancel()
    assert [subject for _, subject, _ in again.sent] == ["1", "2", "3"]
    assert Office(db=again.db).outbox.size == 0

    again.post("carla")
    late = Office(db=again.db)
    late.now = again.now + STALE_S + 1
    await late.outbox.send_all()
    assert late.sent == []
    assert late.rows() == []


async def test_a_message_that_may_have_been_sent_has_its_message_id_again() -> None:
    """The hub was killed after the server's acceptance, and before it noted that."""
    killed = Office()
    killed.outbox.post(Notification("anna", "x", "text"))

    def note_nothing(*_: object) -> None:
        """Be killed here."""

    killed.outbox._kept.note_done = note_nothing  # type: ignore[method-assign]
    await killed.outbox.send_all()
    again = Office(db=killed.db)
    await again.outbox.send_all()
    assert again.ids == killed.ids
    assert again.ids[0].endswith("@facility.org>")


async def test_the_limit_of_a_person_counts_what_waits_from_before() -> None:
    limits = MailLimits(per_person=2)
    killed = Office(limits)
    killed.post("anna")
    killed.post("anna")
    assert not Office(limits, killed.db).post("anna")


async def test_no_text_is_kept_of_what_was_sent() -> None:
    office = Office()
    office.outbox.post(Notification("anna", "x", "secret?", "end one"), Notification("anna", "y", "notice"))
    assert office.rows() == [("anna", "end one", "secret?", False), ("anna", "", "notice", False)]
    await office.outbox.send_all()
    assert office.rows() == [("anna", "end one", "", True)], "as long as it is true, it is known that it was said"
    kept = KeptMessages(office.db)
    assert kept.said() == {("anna", "end one")}
    kept.forget([("anna", "end one"), ("ben", "end two")])
    assert office.rows() == []


async def test_what_is_no_longer_true_while_it_waits_is_sent_and_forgotten() -> None:
    office = Office()
    office.outbox.post(Notification("anna", "x", "text", "end one"))
    kept = KeptMessages(office.db)
    kept.forget([("anna", "end one")])
    assert kept.said() == set()
    await office.outbox.send_all()
    assert len(office.sent) == 1
    assert office.rows() == []


async def test_many_are_forgotten_at_once() -> None:
    """More than a statement of SQLite may have alternatives."""
    office = Office(MailLimits(per_person=5000))
    office.outbox.post(*(Notification("anna", "x", "text", f"end {number}") for number in range(1500)))
    await office.outbox.send_all()
    kept = KeptMessages(office.db)
    kept.forget(kept.said())
    assert office.rows() == []


async def test_a_database_that_is_away_is_told_later(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    office = Office()
    office.post("anna")
    commit, failures = office.db.commit, [OperationalError("COMMIT", {}, Exception("gone"))]

    def commit_later() -> None:
        if failures:
            raise failures.pop()
        commit()

    office.post("ben")
    monkeypatch.setattr(office.db, "commit", commit_later)
    await office.outbox.send_all()
    assert [to for to, _, _ in office.sent] == ["anna@example.org", "ben@example.org"]
    assert "is still in the database" in caplog.text
    assert office.rows() == [], "noted with the next one"


async def test_posting_wakes_the_sender() -> None:
    office = Office()
    running = asyncio.ensure_future(office.outbox.run())
    await asyncio.sleep(0)
    office.post("anna")
    async with asyncio.timeout(30):
        await office.was_asked.wait()
    running.cancel()
    assert office.outbox.size == 0
