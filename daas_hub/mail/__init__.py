"""E-mail to people through the facility's SMTP server: off by default, limited in rate, and never waited for."""

from daas_hub.mail.kept import KeptMessages
from daas_hub.mail.message import Notification, compose, is_address
from daas_hub.mail.outbox import Outbox
from daas_hub.mail.settings import Mail, mail_problems
from daas_hub.mail.smtp import MailError, MailServer

__all__ = [
    "KeptMessages",
    "Mail",
    "MailError",
    "MailServer",
    "Notification",
    "Outbox",
    "compose",
    "is_address",
    "mail_problems",
]
