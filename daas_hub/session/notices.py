"""What the hub announces to whoever sits in this session: read from its answer to a report, worded for the pages.

An end for a maintenance is worded here: only the session knows how far away that is while the hub is asked once a
minute, and whether its own time limit comes first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from daas_hub.disk_space import Space
from daas_hub.lifetime import countdown

#: More are not shown: they would cover the desktop.
MAX_SHOWN = 5
_TITLES = {"info": "Notice of the portal", "warning": "Please note", "critical": "Important"}


@dataclass(frozen=True)
class SessionNotice:
    """One notice.

    Attributes:
        ends: when it ends the session, by the session's clock; None if it does not.
        ends_at: the same as the facility's clock has it, for people.
    """

    id: int
    level: str
    text: str
    ends: float | None = None
    ends_at: str = ""


def read_notices(answer: object, now: float) -> tuple[SessionNotice, ...]:
    """Return the notices in a hub's answer; a hub of another release may have none, or others."""
    found = answer if isinstance(answer, list) else []
    return tuple(one for given in found[:MAX_SHOWN] if (one := _notice(given, now)) is not None)


def _notice(given: object, now: float) -> SessionNotice | None:
    if not isinstance(given, Mapping):
        return None
    number, level, text = given.get("id"), given.get("level"), given.get("text")
    ends_in_s, ends_at = given.get("ends_in_s"), given.get("ends_at", "")
    if not isinstance(number, int) or level not in _TITLES or not isinstance(text, str) or not isinstance(ends_at, str):
        return None
    if ends_in_s is None:
        return SessionNotice(number, level, text)
    if not isinstance(ends_in_s, int | float):
        return None
    return SessionNotice(number, level, text, now + ends_in_s, ends_at)


def disk_view(full: Space) -> dict[str, str]:
    """Return what a page of the session shows of a directory that is almost full."""
    return {"key": f"disk {full.name}", "level": "warning", "title": "Please note", "words": full.words, "text": ""}


def notice_views(
    notices: tuple[SessionNotice, ...], now: float, *, limit: float, warning_s: float
) -> list[dict[str, str]]:
    """Return the notices as a page of the session shows them.

    Each has a `key`: whoever has hidden it sees it again when that changes, `warning_s` before the end of the session.

    Args:
        limit: when the session reaches its own time limit; 0 for never.
        warning_s: how long before an end it is announced.
    """
    views = []
    for one in notices:
        key, title, words = str(one.id), _TITLES[one.level], ""
        if one.ends is not None:
            if one.ends <= now or 0 < limit <= one.ends:
                # it has not happened, or does not happen to this session
                continue
            title = "Maintenance"
            words = (
                f"This session ends {countdown(one.ends - now)}, at {one.ends_at}, for a maintenance of the portal."
                " Save your work before."
            )
            if one.ends - now <= warning_s:
                key += " soon"
        views.append({"key": key, "level": one.level, "title": title, "words": words, "text": one.text})
    return views
