"""The sentences every source of accounts says in the same words."""

from __future__ import annotations

from daas_hub.errors import NoAccount

#: The next step when a source cannot be asked.
LATER = "Please try again in a few minutes; the administrators were told."


def unknown() -> NoAccount:
    """Return the refusal for a login the source does not know."""
    return NoAccount(
        "This facility has no account for your login yet.",
        remedy="Ask the user office to connect your login to your facility account.",
    )


class LostAccount(NoAccount):
    """The login was connected with an account that is not there any more; it may be connected with another."""
