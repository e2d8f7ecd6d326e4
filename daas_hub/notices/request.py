"""What a form of the page, or a call of the API, asks to announce: read into a notice, or refused."""

from __future__ import annotations

import datetime
from collections.abc import Collection, Mapping
from typing import Any, TypeVar

from daas_hub.errors import BadRequest
from daas_hub.notices.model import Kind, Level, Notice

MAX_CHARS = 1000
#: A date further away is a typing error.
_MAX_AHEAD_S = 366 * 86_400
_Choice = TypeVar("_Choice", Kind, Level)
_KEYS = ("kind", "level", "text", "for", "from", "until", "stop_sessions_at", "in_sessions")
_CLASSES = ("role", "group", "beamline")
MAX_AUDIENCE = 50


def read_notice(
    given: Mapping[str, Any], *, zone: datetime.tzinfo, now: float, made_by: str, roles: Collection[str] = ()
) -> Notice:
    """Return the notice that was asked for.

    Args:
        given: text under the names of `_KEYS`; times in ISO 8601, "" for none; `in_sessions` is "1" for yes.
            `for` is whom it is for, separated by commas: "role:staff, group:school"; "" for everybody.
        zone: of times that name none.
        roles: those that the facility has; a notice for another one would be for nobody.

    Raises:
        BadRequest: with what is wrong, worded for the person who asked.
    """
    for key, value in given.items():
        if key not in _KEYS:
            raise BadRequest(f"A notice has no {key!r}.", remedy=f"It has {', '.join(_KEYS)}.")
        if value is not None and not isinstance(value, str):
            raise BadRequest(f"{key!r} is not a text.")
    kind = _one_of(Kind, "kind", given.get("kind") or Kind.BANNER)
    moments = {key: _moment(key, given.get(key) or "", zone) for key in ("from", "until", "stop_sessions_at")}
    notice = Notice(
        kind=kind,
        level=_one_of(Level, "level", given.get("level") or Level.INFO),
        text=_text(given.get("text") or "", is_required=kind is not Kind.MAINTENANCE),
        begins=moments["from"] or now,
        ends=moments["until"],
        stops_sessions_at=moments["stop_sessions_at"],
        in_sessions=_yes("in_sessions", given.get("in_sessions") or ""),
        audience=_audience(given.get("for") or "", roles),
        made_by=made_by,
        made_at=now,
    )
    if notice.in_sessions and kind is not Kind.BANNER:
        raise BadRequest("Only a banner can be shown in sessions.", remedy="A maintenance is, if it ends them.")
    if notice.audience is not None and kind is Kind.MAINTENANCE:
        raise BadRequest("A maintenance is for everybody.", remedy="Announce a notice for some people in addition.")
    _require_order(notice, now)
    return notice


def _require_order(notice: Notice, now: float) -> None:
    if notice.ends is not None and notice.ends <= max(now, notice.begins):
        raise BadRequest("It would be over before it begins.", remedy="Check the two times and the time zone.")
    if max(notice.begins, notice.ends or 0, notice.stops_sessions_at or 0) > now + _MAX_AHEAD_S:
        raise BadRequest("It is more than a year away.", remedy="Check the dates.")
    stops = notice.stops_sessions_at
    if stops is None:
        return
    if notice.kind is not Kind.MAINTENANCE:
        raise BadRequest("Only a maintenance ends sessions.")
    if stops < notice.begins:
        raise BadRequest("Sessions would end while new ones can still be started.", remedy="Let it begin earlier.")
    if notice.ends is not None and stops >= notice.ends:
        raise BadRequest("Sessions would end after the maintenance.", remedy="Check the times.")


def _text(value: str, *, is_required: bool) -> str:
    text = "\n".join(line.rstrip() for line in value.strip().splitlines())
    if not text and is_required:
        raise BadRequest("There is no text.", remedy="Write what people are to know.")
    if len(text) > MAX_CHARS:
        raise BadRequest(f"The text has {len(text)} characters, and {MAX_CHARS} is the limit.")
    if not text.replace("\n", "").isprintable():
        raise BadRequest("The text has characters that cannot be shown.", remedy="Type it again.")
    return text


def _audience(value: str, roles: Collection[str]) -> frozenset[str] | None:
    """Return whom a notice is for; None for everybody."""
    if not value.strip():
        return None
    found = {_class_in(one, roles) for one in value.split(",") if one.strip()}
    if not found:
        raise BadRequest("It would be for nobody.", remedy="Leave it empty for everybody.")
    if len(found) > MAX_AUDIENCE:
        raise BadRequest(f"It is for {len(found)} roles, groups and beamlines, and {MAX_AUDIENCE} is the limit.")
    return frozenset(found)


def _class_in(text: str, roles: Collection[str]) -> str:
    kind, colon, name = (part.strip() for part in text.partition(":"))
    if kind not in _CLASSES or not colon or not name or not name.isprintable():
        raise BadRequest(
            f"{text.strip()!r} is neither a role nor a group nor a beamline.",
            remedy="Write role:NAME, group:NAME or beamline:NAME, separated by commas.",
        )
    if kind == "role" and name not in roles:
        raise BadRequest(f"There is no role {name!r}.", remedy=f"Roles: {', '.join(sorted(roles))}.")
    return f"{kind}:{name}"


def _yes(key: str, value: str) -> bool:
    if value not in ("", "1"):
        raise BadRequest(f"{key!r} is neither 1 nor empty: {value!r}.")
    return value == "1"


def _moment(key: str, value: str, zone: datetime.tzinfo) -> float | None:
    """Return seconds since 1970; None for ""."""
    if not value.strip():
        return None
    try:
        moment = datetime.datetime.fromisoformat(value.strip())
        return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).timestamp()
    except (ValueError, OverflowError):
        raise BadRequest(f"{key!r} is not a time: {value!r}.", remedy="Example: 2026-12-01 18:00.") from None


def _one_of(choices: type[_Choice], key: str, value: str) -> _Choice:
    try:
        return choices(value)
    except ValueError:
        raise BadRequest(f"There is no {key} {value!r}.", remedy=f"One of: {', '.join(choices)}.") from None
