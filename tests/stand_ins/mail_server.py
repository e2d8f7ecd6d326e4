"""A real SMTP server (aiosmtpd): with STARTTLS or TLS, a login, recipients it refuses, and what it received."""

from __future__ import annotations

import email
import email.policy
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

from tests.live_portal import free_ports

USER, PASSWORD = "portal", "a-secret"


@dataclass
class MailRoom:
    """What a server received.

    Attributes:
        refusals: the answer to RCPT for an address, "550 unknown" say.
        messages: each with its envelope's sender and recipients.
    """

    port: int
    refusals: dict[str, str] = field(default_factory=dict)
    messages: list[tuple[str, list[str], EmailMessage]] = field(default_factory=list)
    logins: int = 0
    #: answered to the next messages, in this order; then they are accepted
    answers: list[str] = field(default_factory=list)

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        if address in self.refusals:
            return self.refusals[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        if self.answers:
            return self.answers.pop(0)
        parsed = email.message_from_bytes(envelope.content, policy=email.policy.default)
        assert isinstance(parsed, EmailMessage)
        self.messages.append((envelope.mail_from, list(envelope.rcpt_tos), parsed))
        return "250 OK"

    def authenticate(self, server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        self.logins += 1
        is_right = (data.login, data.password) == (USER.encode(), PASSWORD.encode())
        # not handled: the library answers
        return AuthResult(success=is_right, handled=False)


@contextmanager
def mail_server(
    *, starttls: ssl.SSLContext | None = None, tls: ssl.SSLContext | None = None, needs_login: bool = False
) -> Iterator[MailRoom]:
    """Run a server on this machine."""
    room = MailRoom(free_ports(1))
    more: dict[str, Any] = {"authenticator": room.authenticate, "auth_required": True} if needs_login else {}
    if starttls is not None:
        more |= {"tls_context": starttls, "require_starttls": True}
    if tls is not None:
        more |= {"ssl_context": tls, "auth_require_tls": False}
    controller = Controller(room, hostname="127.0.0.1", port=room.port, ready_timeout=20, **more)
    controller.start()
    try:
        yield room
    finally:
        controller.stop()
