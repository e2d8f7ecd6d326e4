"""What a session's own pages show of its end."""

from __future__ import annotations

from typing import Any

from daas_hub.lifetime import Reason, Verdict, duration, warning_words
from daas_hub.session import clock
from daas_hub.session.lifetime import Lifetime


def end_of(lifetime: Lifetime) -> dict[str, Any] | None:
    """Return the announcement of the session's end, and what its owner can do; None while no end is near."""
    outlook = lifetime.outlook()
    if outlook.verdict is Verdict.KEEP:
        return None
    is_idle = outlook.reason is Reason.IDLE
    action = ""
    if is_idle:
        action = "Still in use"
    elif lifetime.can_extend:
        action = f"Extend by {duration(lifetime.limits.extension_s)}"
    return {
        "words": warning_words(clock.now(), outlook, lifetime.limits).replace("It ends", "This session ends", 1),
        "remaining_s": lifetime.remaining_s(outlook),
        "action": action,
    }
