"""The doctor and the mail server: it connects and signs in, and sends a message only if it is asked to."""

from __future__ import annotations

from typing import Any

import pytest
from traitlets.config import Config

from daas_hub.commands.doctor.mail import check_mail
from tests.live_portal import free_ports
from tests.stand_ins.mail_server import mail_server


def config(port: int, **more: Any) -> Config:
    given = {"server": "127.0.0.1", "port": port, "security": "none", "sender": "daas@facility.org", "timeout_s": 2.0}
    return Config({"Mail": given | more})


async def test_without_a_server_nothing_is_checked() -> None:
    assert await check_mail(Config()) == []
    (found,) = await check_mail(Config(), "anna@example.org")
    assert (found.verdict, found.result) == ("not checked", "Mail.server is not set")


async def test_the_server_is_asked_and_no_letter_is_sent() -> None:
    with mail_server() as room:
        (found,) = await check_mail(config(room.port))
        assert (found.key, found.verdict) == ("mail.server", "ok")
        assert room.messages == []
        _, sent = await check_mail(config(room.port), "anna@example.org")
        assert (sent.key, sent.verdict) == ("mail.message", "ok")
        assert [to for _, to, _ in room.messages] == [["anna@example.org"]]


@pytest.mark.parametrize(
    ("refusals", "to", "words"),
    [
        ({"anna@example.org": "550 no such user"}, "anna@example.org", "refuses the message (status 550)"),
        ({}, "Anna <anna@example.org>", "it is not a mail address"),
    ],
)
async def test_a_letter_that_cannot_be_sent(refusals: dict[str, str], to: str, words: str) -> None:
    with mail_server() as room:
        room.refusals.update(refusals)
        _, found = await check_mail(config(room.port), to)
        assert found.verdict == "problem"
        assert words in found.result
        assert room.messages == []


async def test_a_server_that_is_not_there_or_does_not_encrypt() -> None:
    (found,) = await check_mail(config(free_ports(1)), "anna@example.org")
    assert (found.verdict, found.fix != "") == ("problem", True)
    with mail_server() as room:
        (found,) = await check_mail(config(room.port, security="starttls"))
        assert "does not offer what is configured" in found.result
