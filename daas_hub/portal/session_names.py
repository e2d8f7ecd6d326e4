"""Names of sessions, which the portal chooses."""

from __future__ import annotations

import secrets

#: The names of sessions, as a regular expression; `new_session_name` makes such names.
SESSION_NAME = r"[a-z](?:[a-z0-9]|-(?!-)){0,28}[a-z0-9]"


def new_session_name(application: str) -> str:
    """Return a session name for one launch, made with the page: clicking a button twice starts one session."""
    return f"{application}-{secrets.token_hex(5)}"[-30:].lstrip("-0123456789")
