"""Whether a session is kept, announced to end, or ended, by plain values. Pure.

Times are seconds of one clock, whichever it is: the hub's wall clock, or the one of the session's machine.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from daas_hub.lifetime.limits import Limits


class Verdict(enum.StrEnum):
    """What happens to a session now."""

    KEEP = "keep"
    WARN = "warn"
    END = "end"


class Reason(enum.StrEnum):
    """Why a session ends."""

    TIME_LIMIT = "time-limit"
    IDLE = "idle"


@dataclass(frozen=True)
class Use:
    """The use of a session, as far as it is known.

    Attributes:
        last: the last key, pointer movement or kernel activity.
        busy: the last moment at which its processors were in use.
        seen: the moment up to which the other two are known.
    """

    last: float
    busy: float
    seen: float


@dataclass(frozen=True)
class Outlook:
    """What is decided: `ends` and `reason` of the next end; 0 and None without one."""

    verdict: Verdict
    ends: float = 0.0
    reason: Reason | None = None


def decide(now: float, *, ends: float, limits: Limits, use: Use | None) -> Outlook:
    """Decide about a session.

    A session is idle only as far as that is known: one whose use was not reported up to the moment is not ended for it.

    Args:
        ends: its time limit, with its extensions; 0 for none.
        use: None if nothing is known of its use.
    """
    moments = [Outlook(_verdict(now, ends, limits), ends, Reason.TIME_LIMIT)] if ends > 0 else []
    if limits.idle_s > 0 and use is not None:
        idle = max(use.last, use.busy) + limits.idle_s
        # the report may be older than a key that was pressed since
        verdict = _verdict(now if use.seen >= idle else min(now, idle - 1), idle, limits)
        moments.append(Outlook(verdict, idle, Reason.IDLE))
    return min(moments, key=lambda one: one.ends, default=Outlook(Verdict.KEEP))


def _verdict(now: float, ends: float, limits: Limits) -> Verdict:
    if now >= ends:
        return Verdict.END
    return Verdict.WARN if now >= ends - limits.warning_s else Verdict.KEEP


def extended(now: float, *, started: float, ends: float, extensions: int, limits: Limits) -> float | None:
    """Return the time limit after one more extension; None if there may be none.

    Args:
        ends: its time limit now.
        extensions: how many it has had.
    """
    if limits.extension_s <= 0 or extensions >= limits.max_extensions or not 0 < now < ends:
        return None
    later = ends + limits.extension_s
    if limits.never_beyond_s > 0:
        later = min(later, started + limits.never_beyond_s)
    return later if later > ends else None
