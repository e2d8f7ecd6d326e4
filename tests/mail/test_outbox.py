"""The outbox: what is posted is sent once, limited per person and for all, and a server that fails harms nobody."""

from __future__ import annotations

import asyncio
import logging
import threading
from email.message import EmailMessage

import pytest
from prometheus_client import REGISTRY

from daas_hub.errors import ErrorKind
from daas_hub.mail import MailError, Notification, Outbox
from daas_hub.mail.outbox import RETRY_S, STALE_S, MailLimits

HOUR = 3600.0


class Office:
    """A server, addresses, and a clock that goes as far as somebody sleeps."""

    def __init__(self, limits: MailLimits | None = None) -> None:
        self.now = 0.0
        self.was_asked = asyncio.Event()
        self.sent: list[tuple[str, str, float]] = []
        self.failures: list[MailError] = []
        self.threads: set[int] = set()
        self.addresses: dict[str, str] = {}
        self.outbox = Outbox(
            self.send, self.address_of, sender="daas@facility.org", limits=limits, clock=lambda: self.now,
            sleep=self.sleep,
        )  # fmt: skip

    def send(self, message: EmailMessage) -> None:
        self.threads.add(threading.get_ident())
        if self.failures:
            raise self.failures.pop(0)
        self.sent.append((message["To"], message["Subject"], self.now))

    async def address_of(self, name: str) -> str:
        self.was_asked.set()
        return self.addresses.get(name, f"{name}@example.org")

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        await asyncio.sleep(0)

    def post(self, person: str, subject: str = "x") -> bool:
        return self.outbox.post(Notification(person, subject, "text"))


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

    async def broken(name: str) -> str:
        if name == "anna":
            raise RuntimeError("the database is away")
        return f"{name}@example.org"

    office.outbox._address_of = broken
    office.post("anna")
    office.post("ben")
    await office.outbox.send_all()
    assert [one[0] for one in office.sent] == ["ben@example.org"]


async def test_posting_wakes_the_sender() -> None:
    office = Office()
    running = asyncio.ensure_future(office.outbox.run())
    await asyncio.sleep(0)
    office.post("anna")
    async with asyncio.timeout(10):
        await office.was_asked.wait()
    running.cancel()
    assert office.outbox.size == 0
