"""The settings of e-mail: off by default, a sentence for what is wrong, and whose address is believed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from traitlets.config import Config

from daas_hub.mail import Mail, mail_problems

GOOD = {"server": "smtp.facility.org", "sender": "daas@facility.org"}


def mail(**settings: Any) -> Mail:
    return Mail(config=Config({"Mail": settings}))


def test_nothing_is_sent_by_default() -> None:
    assert not Mail().is_on
    assert Mail().claims == frozenset()
    assert mail_problems(Config()) == []


def test_what_is_configured(tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.touch(0o600)
    password.write_text("secret")
    configured = mail(**GOOD, port=465, security="tls", user="portal", password_file=str(password))
    server = configured.mail_server()
    assert (server.host, server.port, server.security, server.user) == ("smtp.facility.org", 465, "tls", "portal")
    assert configured.claims == {"email", "email_verified"}
    assert "secret" not in repr(server)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (GOOD, ""),
        ({"sender": "daas@facility.org"}, "Mail.server = '': is not set, so sender has no effect"),
        ({"server": "smtp.facility.org"}, "Mail.sender = '': is not a mail address"),
        (GOOD | {"sender": "Portal <daas@facility.org>"}, "is not a mail address"),
        (GOOD | {"reply_to": "help"}, "Mail.reply_to = 'help': is not a mail address"),
        (GOOD | {"security": "none"}, "Mail.security = 'none': smtp.facility.org is not this machine"),
        (GOOD | {"security": "none", "server": "localhost"}, ""),
        (GOOD | {"user": "portal"}, "Mail.password_file = '': is not set"),
        (GOOD | {"password_file": "/etc/secret"}, "has no effect without user"),
        (GOOD | {"ca_file": "/no/such.pem"}, "Mail.ca_file"),
    ],
)
def test_a_sentence_for_what_is_wrong(settings: dict[str, Any], words: str) -> None:
    found = [str(one) for one in mail_problems(Config({"Mail": settings}))]
    assert bool(found) == bool(words)
    assert all(words in one for one in found)


@pytest.mark.parametrize(
    ("settings", "claims", "address"),
    [
        ({}, {"email": "anna@example.org", "email_verified": True}, "anna@example.org"),
        ({}, {"email": "anna@example.org"}, ""),
        ({}, {"email": "anna@example.org", "email_verified": False}, ""),
        ({}, {"email": "anna@example.org", "email_verified": "false"}, ""),
        ({}, {"email": "anna@example.org", "email_verified": "true"}, ""),
        ({}, {"email_verified": True}, ""),
        ({}, {"email": "anna@example.org\nBcc: all@example.org", "email_verified": True}, ""),
        ({}, {"email": ["anna@example.org"], "email_verified": True}, "anna@example.org"),
        ({}, {"email": ["anna@example.org", "ben@example.org"], "email_verified": True}, ""),
        ({"verified_claim": ""}, {"email": "anna@example.org"}, "anna@example.org"),
        ({"address_claim": "mail", "verified_claim": ""}, {"mail": "a@x.org", "email": "b@x.org"}, "a@x.org"),
        ({"address_claim": "", "verified_claim": ""}, {"email": "anna@example.org", "": "x@y.org"}, ""),
    ],
)
def test_whose_address_is_believed(settings: dict[str, Any], claims: dict[str, Any], address: str) -> None:
    assert mail(**GOOD | settings).address_in(claims) == address
