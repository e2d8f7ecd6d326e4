"""The errors of logins: each says to the person what was refused, and what to do next."""

from __future__ import annotations

import math
import re

from daas_hub.errors import ErrorKind, Refused, SourceUnavailable

_WORD = re.compile(r"[a-z_]{1,40}")
_AGAIN = "Please sign in again."


class ClientRejected(SourceUnavailable):
    """The provider does not know the portal, or not by this secret."""

    kind = ErrorKind.CREDENTIALS_REFUSED


class LoginExpired(Refused):
    """The provider no longer stands by this login, or the configuration no longer knows it: sign in again."""

    reason = "login"


class DeviceLoginFailed(Refused):
    """The provider, or the person at it, says no, or nobody came.

    Attributes:
        error: its word for it, as in RFC 6749, 5.2, and RFC 8628, 3.5: "access_denied".
    """

    reason = "login"

    def __init__(self, error: str) -> None:
        self.error = error if _WORD.fullmatch(error) else "an error without a name"
        super().__init__(f"The login provider says {self.error}.", remedy=_AGAIN)


class WrongAccount(Refused):
    """The password is right, and its account is none a login can be connected with."""

    reason = "account"


class WrongPassword(Refused):
    """The name and the password do not belong together; whether the name exists is not told."""

    reason = "password"


class TooManyAttempts(Refused):
    """It has to be waited before the next guess."""

    reason = "guesses"

    def __init__(self, wait_s: float) -> None:
        self.wait_s = max(1, math.ceil(wait_s))
        after = (
            f"{self.wait_s} second{'s' if self.wait_s > 1 else ''}"
            if self.wait_s < 120
            else f"{math.ceil(self.wait_s / 60)} minutes"
        )
        super().__init__("There were too many attempts to sign in.", remedy=f"Please try again in {after}.")
