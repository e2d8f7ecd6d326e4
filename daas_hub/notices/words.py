"""A notice as pages, the API and a refusal word it. Times are in the facility's zone."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from typing import Any

from daas_hub.notices.model import InMaintenance, Kind, Notice


def notice_view(notice: Notice, now: float, zone: datetime.tzinfo) -> dict[str, Any]:
    """Return a notice as templates render it, and as the API returns it."""
    return {
        "id": notice.id,
        "kind": str(notice.kind),
        "level": str(notice.level),
        "text": notice.text,
        "is_active": notice.is_active(now),
        "from": moment_view(notice.begins, now, zone),
        "until": moment_view(notice.ends, now, zone),
        "stop_sessions_at": moment_view(notice.stops_sessions_at, now, zone),
        "in_sessions": notice.in_sessions,
        "for": None if notice.audience is None else sorted(notice.audience),
        "made_by": notice.made_by,
        "made_at": moment_view(notice.made_at, now, zone),
    }


def session_notices(notices: Iterable[Notice], now: float, zone: datetime.tzinfo) -> list[dict[str, Any]]:
    """Return notices as a running session gets them, which words when it ends (`daas_hub.session.notices`)."""
    found = []
    for one in notices:
        ends = one.stops_sessions_at if one.kind is Kind.MAINTENANCE else None
        end = {} if ends is None else {"ends_in_s": ends - now, "ends_at": moment_text(ends, now, zone)}
        found.append({"id": one.id, "level": str(one.level), "text": one.text} | end)
    return found


def moment_view(seconds: float | None, now: float, zone: datetime.tzinfo) -> dict[str, str] | None:
    """Return a time: for programs, for people, and how far away it is ("" once it has passed)."""
    if seconds is None:
        return None
    moment = datetime.datetime.fromtimestamp(seconds, zone)
    away = in_text(seconds - now) if seconds > now else ""
    return {"iso": moment.isoformat(timespec="seconds"), "text": moment_text(seconds, now, zone), "in": away}


def moment_text(seconds: float, now: float, zone: datetime.tzinfo) -> str:
    """Return a time in the facility's zone; with its day, unless it is today."""
    moment = datetime.datetime.fromtimestamp(seconds, zone)
    is_today = moment.date() == datetime.datetime.fromtimestamp(now, zone).date()
    day = "" if is_today else f" on {moment.day} {moment:%B %Y}"
    return f"{moment:%H:%M} {moment:%Z}{day}".replace("  ", " ")


def in_text(seconds: float) -> str:
    """Return how far away a moment is, rounded down; portal.js counts down in the same words.

    What lacks up to a minute is rounded up: twelve hours are not "in 11 hours" a second later.
    """
    for length, slack, unit in ((86_400, 60, "day"), (3600, 60, "hour"), (60, 0, "minute")):
        count = int((seconds + slack) // length)
        if count:
            return f"in {count} {unit}{'' if count == 1 else 's'}"
    return "in less than a minute"


def mail_text(notice: Notice, now: float, zone: datetime.tzinfo) -> str:
    """Return a notice as an e-mail says it, which is read at any time: without a countdown."""
    if notice.kind is not Kind.MAINTENANCE:
        return notice.text
    until = "" if notice.ends is None else f" until {moment_text(notice.ends, now, zone)}"
    begins, stops = moment_text(notice.begins, now, zone), notice.stops_sessions_at
    if stops is None:
        sessions = "Sessions that run continue."
    else:
        sessions = f"Sessions that run end at {moment_text(stops, now, zone)}: save your work before."
    words = f"Maintenance from {begins}{until}: no session can be started. {sessions}"
    return f"{words}\n\n{notice.text}" if notice.text else words


def refusal(notice: Notice, now: float, zone: datetime.tzinfo) -> InMaintenance:
    """Return why nothing can be started now."""
    until = "" if notice.ends is None else f" until {moment_text(notice.ends, now, zone)}"
    words = f" {notice.text}" if notice.text else ""
    if notice.stops_sessions_at is None:
        remedy = "Sessions that run continue."
    elif notice.stops_sessions_at > now:
        remedy = f"Sessions that run end at {moment_text(notice.stops_sessions_at, now, zone)}: save your work before."
    else:
        remedy = "Please launch again afterwards."
    return InMaintenance(f"The portal is in maintenance{until}, and no session can be started.{words}", remedy=remedy)


def signature(notices: Iterable[Notice], now: float) -> tuple[object, ...]:
    """Return what changes whenever pages have to show something else."""
    return tuple((one.id, one.kind is Kind.MAINTENANCE and one.is_active(now)) for one in notices)
