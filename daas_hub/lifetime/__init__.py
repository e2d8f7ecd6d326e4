"""When a session ends: at its time limit, or after it has been idle. Pure, for the hub and for the session itself."""

from daas_hub.lifetime.decision import Outlook, Reason, Use, Verdict, decide, extended
from daas_hub.lifetime.limits import UNLIMITED, Limits
from daas_hub.lifetime.words import countdown, duration, end_words, warning_words

__all__ = [
    "UNLIMITED",
    "Limits",
    "Outlook",
    "Reason",
    "Use",
    "Verdict",
    "countdown",
    "decide",
    "duration",
    "end_words",
    "extended",
    "warning_words",
]
