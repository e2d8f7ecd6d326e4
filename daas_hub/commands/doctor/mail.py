"""Checks the mail server: connect, EHLO, TLS and login. A message is sent only to a given address."""

from __future__ import annotations

import asyncio
import time

from traitlets.config import Config

from daas_hub.commands.doctor.remedies import remedy_for
from daas_hub.errors import DaasError
from daas_hub.findings import Finding, not_checked, ok, problem
from daas_hub.mail import Mail, Notification, compose, is_address


async def check_mail(config: Config, mail_to: str = "") -> list[Finding]:
    """Check the server, if there is one.

    Args:
        mail_to: where to send a test message; "" for none.
    """
    mail = Mail(config=config)
    if not mail.is_on:
        return [not_checked("mail.server", "send a test message", "Mail.server is not set")] if mail_to else []
    check = f"connect to the mail server {mail.server}:{mail.port} ({mail.security})"
    try:
        await asyncio.to_thread(_connect, mail)
    except DaasError as error:
        return [problem("mail.server", check, str(error), remedy_for(error.kind))]
    findings = [ok("mail.server", check, "accepts the portal")]
    if mail_to:
        findings.append(await _send(mail, mail_to))
    return findings


def _connect(mail: Mail) -> None:
    with mail.mail_server().connected() as connection:
        connection.noop()


async def _send(mail: Mail, to: str) -> Finding:
    check = f"send a test message to {to!r}"
    if not is_address(to):
        return problem("mail.message", check, "it is not a mail address", "Example: --mail-to anna@facility.org")
    notification = Notification("", "Test of the data analysis portal", "This message was sent by `daas-hub doctor`.")
    message = compose(notification, sender=mail.sender, to=to, reply_to=mail.reply_to, now=time.time())
    try:
        await asyncio.to_thread(mail.mail_server().send, message)
    except DaasError as error:
        return problem("mail.message", check, str(error), remedy_for(error.kind))
    return ok("mail.message", check, "the server has accepted it")
