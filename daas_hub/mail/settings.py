"""The administrator's settings of e-mail."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from traitlets import Bool, Enum, Float, Int, Unicode
from traitlets.config import Config

from daas_hub.accounts.json_values import single_item
from daas_hub.accounts.source_settings import SourceSettings
from daas_hub.errors import ConfigurationError
from daas_hub.mail.message import is_address
from daas_hub.mail.outbox import MailLimits
from daas_hub.mail.smtp import MailServer, Security
from daas_hub.services.web_proxy import LOOPBACK


class Mail(SourceSettings):
    """E-mail through the facility's SMTP server. Off by default: without `server`, nothing is ever sent."""

    server = Unicode(
        "",
        config=True,
        help='Host name of the SMTP server. Example: "smtp.facility.org". Default: none, no e-mail.',
    )
    port = Int(587, min=1, max=65535, config=True, help="Port of the server. Default: 587; with `tls` usually 465.")
    security = Enum(
        [str(one) for one in Security],
        "starttls",
        config=True,
        help="""
        Encryption: "starttls" or "tls"; the server's certificate is verified with both. "none" is accepted for a server
        on this machine only. Default: "starttls".
        """,
    )
    ca_file = Unicode(
        "",
        config=True,
        help="PEM file with the CA certificates to verify the server with. Default: the system's CA certificates.",
    )
    user = Unicode("", config=True, help="User name for SMTP AUTH. Needs `password_file`. Default: none.")
    password_file = Unicode("", config=True, help="File with the password of `user`, readable by the hub's user only.")
    timeout_s = Float(10.0, min=0.1, config=True, help="Timeout in seconds of each step of the connection.")
    sender = Unicode(
        "", config=True, help='Address that messages come from; required. Example: "daas-noreply@facility.org".'
    )
    reply_to = Unicode("", config=True, help="Address for answers. Default: none.")
    address_claim = Unicode(
        "email",
        config=True,
        help="""
        Claim of the login with the person's address. An address is used only if `verified_claim` is true. Default:
        "email".
        """,
    )
    verified_claim = Unicode(
        "email_verified",
        config=True,
        help="""
        Claim that has to be true for the address to be used: at many providers people enter any address themselves.
        "" accepts every address; only for a provider that manages addresses. Default: "email_verified".
        """,
    )
    per_person = Int(6, min=1, config=True, help="E-mails to one person in an hour; further ones are dropped.")
    per_hour = Int(500, min=1, config=True, help="E-mails to all people in an hour; further ones wait.")
    queue = Bool(
        True,
        config=True,
        help="Whether people get a message when they are next in the queue, and when their turn comes.",
    )
    session_ends = Bool(True, config=True, help="Whether people get a message when a session of theirs ends soon.")

    @property
    def is_on(self) -> bool:
        """Whether anything is sent."""
        return bool(self.server)

    @property
    def claims(self) -> frozenset[str]:
        """The claims that are read."""
        return frozenset({self.address_claim, self.verified_claim} - {""}) if self.is_on else frozenset()

    def mail_server(self) -> MailServer:
        """Return how the server is reached.

        Raises:
            ConfigurationError: naming the setting that cannot work.
        """
        for setting, is_needed in (("sender", True), ("reply_to", bool(self.reply_to))):
            if is_needed and not is_address(getattr(self, setting)):
                raise self.wrong(setting, "is not a mail address", 'Example: "daas-noreply@facility.org".')
        if self.security == Security.NONE and self.server not in LOOPBACK:
            raise self.wrong("security", f"{self.server} is not this machine", 'Use "starttls" or "tls".')
        if self.password_file and not self.user:
            raise self.wrong("password_file", "has no effect without user", "Set user, or remove it.")
        return MailServer(
            self.server,
            self.port,
            Security(self.security),
            self.require_ca_file(),
            self.user,
            self.require_secret_file("password_file") if self.user else "",
            self.timeout_s,
        )

    def limits(self) -> MailLimits:
        """Return how much is sent."""
        return MailLimits(self.per_person, self.per_hour)

    def address_in(self, claims: Mapping[str, Any]) -> str:
        """Return the address that the claims of a login have; "" for none, and for one that is not verified."""
        if self.verified_claim and claims.get(self.verified_claim) is not True:
            return ""
        address = single_item(claims.get(self.address_claim)) if self.address_claim else ""
        return address if isinstance(address, str) and is_address(address) else ""


def mail_problems(config: Config) -> list[ConfigurationError]:
    """Return what is wrong with the settings of e-mail, for check-config."""
    mail = Mail(config=config)
    if not mail.is_on:
        others = {"sender", "user", "password_file", "port", "security"} & set(config.get("Mail", {}))
        remedy = "Set c.Mail.server, or remove the line."
        return (
            [
                ConfigurationError(
                    "Mail.server", "", f"is not set, so {', '.join(sorted(others))} has no effect", remedy=remedy
                )
            ]
            if others
            else []
        )
    try:
        mail.mail_server()
    except ConfigurationError as problem:
        return [problem]
    return []
