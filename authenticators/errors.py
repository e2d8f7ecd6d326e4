"""The errors of logins; each message says what was refused, and what to do next."""

from __future__ import annotations

import math
import re

from daas_hub.errors import ErrorKind, Refused, SourceUnavailable

_WORD = re.compile(r"[a-z_]{1,40}")
_AGAIN = "Please sign in again."


class ClientRejected(SourceUnavailable):
    """The provider does not accept the client, or not with this secret."""

    kind = ErrorKind.CREDENTIALS_REFUSED


class LoginExpired(Refused):
    """The provider ended this login, or its login method is no longer configured: sign in again."""

    reason = "login"


class NotAllowed(Refused):
    """The login is valid, but the lists of who may sign in do not admit its owner."""

    reason = "not_allowed"


class Blocked(NotAllowed):
    """The login is valid, but its owner is blocked."""

    reason = "blocked"


class DeviceLoginFailed(Refused):
    """The provider or the user declined, or the code was not entered in time.

    Attributes:
        error: the error code of RFC 6749, 5.2, and RFC 8628, 3.5: "access_denied".
    """

    reason = "login"

    def __init__(self, error: str) -> None:
        self.error = error if _WORD.fullmatch(error) else "an unnamed error"
        super().__init__(f"The login provider answered {self.error}.", remedy=_AGAIN)


class WrongAccount(Refused):
    """The password is right, but no login can be connected with its account."""

    reason = "account"


class WrongPassword(Refused):
    """The user name or the password is wrong; whether the name exists is not revealed."""

    reason = "password"


class TooManyAttempts(Refused):
    """There were too many attempts; the next one must wait."""

    reason = "guesses"

    def __init__(self, wait_s: float) -> None:
        self.wait_s = max(1, math.ceil(wait_s))
        after = (
            f"{self.wait_s} second{'s' if self.wait_s > 1 else ''}"
            if self.wait_s < 120
            else f"{math.ceil(self.wait_s / 60)} minutes"
        )
        super().__init__("There were too many attempts to sign in.", remedy=f"Please try again in {after}.")
