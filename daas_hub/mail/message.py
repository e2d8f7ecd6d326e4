"""Composes a notification as an e-mail: plain text, and no text can add a header. Pure."""

from __future__ import annotations

import email.policy
import email.utils
import re
from dataclasses import dataclass
from email.message import EmailMessage

MAX_SUBJECT = 200
MAX_TEXT = 10_000
#: A mailbox without quotes and comments (RFC 5321, 4.1.2): what providers and user offices send.
_ADDRESS = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    r"@(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\.)*[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
)
_MAX_ADDRESS, _MAX_LOCAL = 254, 64


@dataclass(frozen=True)
class Notification:
    """A message to a person.

    Attributes:
        person: the hub's name of the user; their address is looked up when it is sent.
        about: the fact that it reports, as long as it holds; "" for a message that is sent once.
        audience: it is only for a person who is one of these when it is sent (see `daas_hub.notices.Notice`); None for
            whoever it is addressed to.
    """

    person: str
    subject: str
    text: str
    about: str = ""
    audience: frozenset[str] | None = None


def is_address(value: object) -> bool:
    """Return whether a value is one plain mail address, and nothing else."""
    if not isinstance(value, str) or len(value) > _MAX_ADDRESS or not _ADDRESS.fullmatch(value):
        return False
    return len(value.partition("@")[0]) <= _MAX_LOCAL


def new_message_id(sender: str) -> str:
    """Return a Message-ID for a message of this address."""
    return email.utils.make_msgid(domain=sender.partition("@")[2])


def compose(
    notification: Notification, *, sender: str, to: str, reply_to: str = "", message_id: str = "", now: float
) -> EmailMessage:
    """Return a notification as an e-mail.

    Titles of applications and proposals are data: line ends in the subject become spaces, and no header has more than
    one line.

    Args:
        message_id: its Message-ID, of a message that may have been sent before; "" for a new one.

    Raises:
        ValueError: an address is invalid.
    """
    for address in (sender, to, *([reply_to] if reply_to else [])):
        if not is_address(address):
            raise ValueError("is not a mail address")
    message = EmailMessage(policy=email.policy.SMTP)
    message["From"] = sender
    message["To"] = to
    message["Subject"] = _one_line(notification.subject)[:MAX_SUBJECT]
    message["Date"] = email.utils.formatdate(now)
    message["Message-ID"] = message_id or new_message_id(sender)
    # RFC 3834: no out-of-office message answers it
    message["Auto-Submitted"] = "auto-generated"
    if reply_to:
        message["Reply-To"] = reply_to
    message.set_content("\n".join(map(_one_line, notification.text[:MAX_TEXT].splitlines())) + "\n")
    return message


def _one_line(text: str) -> str:
    return "".join(one if one.isprintable() else " " for one in text).strip()
