"""The facility's SMTP server: a verified connection, and the kinds of failures. It blocks: call it in a thread."""

from __future__ import annotations

import smtplib
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email.message import EmailMessage
from enum import StrEnum

from daas_hub.errors import DaasError, ErrorKind
from daas_hub.services.secret_file import read_secret


class Security(StrEnum):
    """How the connection is encrypted."""

    #: the connection begins in plain text, and is encrypted before anything is sent
    STARTTLS = "starttls"
    #: encrypted from its first byte
    TLS = "tls"
    #: plain text; only on this machine
    NONE = "none"


class MailError(DaasError):
    """The server did not take a message.

    Attributes:
        is_temporary: whether the same message may be accepted later.
    """

    reason = "mail"

    def __init__(self, message: str, kind: ErrorKind, *, is_temporary: bool = True) -> None:
        super().__init__(message, kind=kind)
        self.is_temporary = is_temporary


@dataclass(frozen=True)
class MailServer:
    """How the server is reached.

    Attributes:
        tls: whom to trust; None for the machine's CA certificates.
        password_file: read again for each connection.
    """

    host: str
    port: int = 587
    security: Security = Security.STARTTLS
    tls: ssl.SSLContext | None = field(default=None, repr=False)
    user: str = ""
    password_file: str = ""
    timeout_s: float = 10.0

    @contextmanager
    def connected(self) -> Iterator[smtplib.SMTP]:
        """Connect, encrypt and sign in.

        Raises:
            MailError: also for what fails meanwhile.
            ConfigurationError: the password cannot be read.
        """
        with self._failures():
            connection = self._connection()
            try:
                if self.security is Security.STARTTLS:
                    connection.starttls(context=self._context())
                connection.ehlo_or_helo_if_needed()
                if self.user:
                    connection.login(self.user, read_secret("Mail.password_file", self.password_file))
                yield connection
            finally:
                with suppress(smtplib.SMTPException, OSError):
                    connection.quit()
                connection.close()

    def send(self, message: EmailMessage) -> None:
        """Send one message.

        Raises:
            MailError, ConfigurationError: as `connected`.
        """
        with self.connected() as connection:
            connection.send_message(message)

    def _connection(self) -> smtplib.SMTP:
        if self.security is Security.TLS:
            return smtplib.SMTP_SSL(self.host, self.port, timeout=self.timeout_s, context=self._context())
        return smtplib.SMTP(self.host, self.port, timeout=self.timeout_s)

    def _context(self) -> ssl.SSLContext:
        return self.tls or ssl.create_default_context()

    @contextmanager
    def _failures(self) -> Iterator[None]:
        try:
            yield
        except (smtplib.SMTPException, OSError, UnicodeError) as error:
            raise _failure(error, f"the mail server {self.host}:{self.port}") from None


#: The first class that an error is an instance of says what happened: smtplib's own are subclasses of OSError.
_FAILURES: tuple[tuple[type[Exception], str, ErrorKind], ...] = (
    (smtplib.SMTPAuthenticationError, "does not accept the user name and password", ErrorKind.CREDENTIALS_REFUSED),
    (smtplib.SMTPNotSupportedError, "does not offer what is configured: STARTTLS, or a login", ErrorKind.NO_STARTTLS),
    (smtplib.SMTPServerDisconnected, "closed the connection", ErrorKind.INVALID_RESPONSE),
    (smtplib.SMTPException, "answers in an unexpected way", ErrorKind.INVALID_RESPONSE),
    (ssl.SSLCertVerificationError, "has a certificate that is not valid for it", ErrorKind.TLS_CERTIFICATE),
    (socket.gaierror, "is not known by this name", ErrorKind.DNS),
    (TimeoutError, "does not answer in time", ErrorKind.TIMEOUT),
    (Exception, "cannot be reached", ErrorKind.NO_CONNECTION),
)


def _failure(error: Exception, server: str) -> MailError:
    """Return what failed; the server's own words are left out, because they may have an address."""
    if isinstance(error, smtplib.SMTPServerDisconnected) and isinstance(error.__context__, TimeoutError):
        # smtplib says so of a server that is silent, too
        error = error.__context__
    codes: list[int] = []
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        codes = [code for code, _ in error.recipients.values()]
    elif isinstance(error, smtplib.SMTPResponseException) and not isinstance(error, smtplib.SMTPAuthenticationError):
        codes = [error.smtp_code]
    if codes:
        message = f"{server} refuses the message (status {min(codes)})"
        return MailError(message, ErrorKind.REQUEST_REJECTED, is_temporary=min(codes) < 500)
    words, kind = next((words, kind) for cls, words, kind in _FAILURES if isinstance(error, cls))
    return MailError(f"{server} {words}", kind)
