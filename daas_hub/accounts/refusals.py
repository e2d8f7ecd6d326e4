"""Errors and sentences that the account sources share."""

from __future__ import annotations

from daas_hub.errors import AccountRefused, ErrorKind, NoAccount, SourceUnavailable

#: What the user can do when a source is unavailable.
TRY_AGAIN = "Please try again in a few minutes. The problem has been logged."


def no_account() -> NoAccount:
    """Return the error for a login that the source does not know."""
    return NoAccount(
        "This facility has no account for your login yet.",
        remedy="Ask the user office to connect your login to your facility account.",
    )


class StaleLink(NoAccount):
    """The login is connected with an account that no longer exists or has changed; it may be connected again."""


class AccountClosed(AccountRefused):
    """The facility's directory has disabled the account, or its time is over."""

    kind = ErrorKind.ACCOUNT_CLOSED


class AccessEnded(AccountClosed):
    """The end date of the account has passed.

    Attributes:
        ended_at: when, in seconds since 1970.
    """

    def __init__(self, message: str, *, remedy: str = "", ended_at: float) -> None:
        super().__init__(message, remedy=remedy)
        self.ended_at = ended_at


class AccountLocked(SourceUnavailable):
    """The account cannot be used for a while, because somebody entered wrong passwords.

    Nothing new may start; but it ends no login and no session, or anybody could end them by guessing.
    """

    reason = "account"
    kind = ErrorKind.ACCOUNT_CLOSED
