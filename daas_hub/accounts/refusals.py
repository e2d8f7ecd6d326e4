"""Errors and sentences that the account sources share."""

from __future__ import annotations

from daas_hub.errors import NoAccount

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
