"""What may be announced: texts, times and their order."""

from __future__ import annotations

import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from daas_hub.errors import BadRequest
from daas_hub.notices import Kind, Level, read_notice

ZONE = ZoneInfo("Europe/Berlin")
NOW = datetime.datetime(2026, 11, 30, 12, 0, tzinfo=ZONE).timestamp()
HOUR = 3600.0


def read(**given: Any) -> Any:
    values = {"from" if key == "begins" else key: value for key, value in given.items()}
    return read_notice(values, zone=ZONE, now=NOW, made_by="carla", roles={"staff", "guest"})


def test_a_text_is_enough() -> None:
    notice = read(text="Beam is off.")
    assert (notice.kind, notice.level, notice.text) == (Kind.BANNER, Level.INFO, "Beam is off.")
    assert (notice.begins, notice.ends, notice.stops_sessions_at) == (NOW, None, None)
    assert (notice.made_by, notice.made_at) == ("carla", NOW)


def test_times_without_a_zone_are_the_facilitys() -> None:
    notice = read(
        kind="maintenance", begins="2026-11-30T18:00", until="2026-11-30T20:00Z", stop_sessions_at="2026-11-30 18:30"
    )
    assert notice.begins == NOW + 6 * HOUR
    assert notice.ends == NOW + 9 * HOUR
    assert notice.stops_sessions_at == NOW + 6.5 * HOUR


def test_a_banner_may_be_for_sessions_too() -> None:
    assert read(text="x", in_sessions="1").in_sessions
    assert not read(text="x", in_sessions="").in_sessions


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("", None),
        (" ", None),
        ("role:staff", {"role:staff"}),
        ("role: staff, group:Summer school,beamline:ID21,", {"role:staff", "group:Summer school", "beamline:ID21"}),
    ],
)
def test_whom_it_is_for(typed: str, meant: set[str] | None) -> None:
    assert read(text="x", **{"for": typed}).audience == meant


def test_markup_is_text() -> None:
    assert read(text="<b>Beam</b> & more\n\n  second line ").text == "<b>Beam</b> & more\n\n  second line"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"text": " \n "}, "There is no text"),
        ({"text": "x" * 1001}, "1001 characters, and 1000"),
        ({"text": "pay \u202eliah"}, "cannot be shown"),
        ({"text": "\x1b[31mred"}, "cannot be shown"),
        ({"text": "x", "level": "loud"}, "no level 'loud'"),
        ({"text": "x", "kind": "popup"}, "no kind 'popup'"),
        ({"text": "x", "colour": "red"}, "has no 'colour'"),
        ({"text": 7}, "'text' is not a text"),
        ({"text": "x", "in_sessions": "yes"}, "'in_sessions' is neither 1 nor empty"),
        ({"text": "x", "kind": "acknowledge", "in_sessions": "1"}, "Only a banner"),
        ({"kind": "maintenance", "in_sessions": "1"}, "Only a banner"),
        ({"text": "x", "for": "staff"}, "'staff' is neither a role nor a group nor a beamline"),
        ({"text": "x", "for": "group:"}, "neither a role"),
        ({"text": "x", "for": "user:anna"}, "neither a role"),
        ({"text": "x", "for": "group:a\x1bb"}, "neither a role"),
        ({"text": "x", "for": ","}, "for nobody"),
        ({"text": "x", "for": "role:staf"}, "no role 'staf'. Roles: guest, staff."),
        ({"text": "x", "for": ",".join(f"group:{n}" for n in range(51))}, "51 roles, groups and beamlines, and 50"),
        ({"kind": "maintenance", "for": "role:staff"}, "A maintenance is for everybody"),
        ({"text": "x", "until": "soon"}, "'until' is not a time"),
        ({"text": "x", "until": "2026-11-30T11:59"}, "over before it begins"),
        ({"text": "x", "begins": "2026-12-02T10:00", "until": "2026-12-01T10:00"}, "over before it begins"),
        ({"text": "x", "until": "2062-11-30T11:59"}, "more than a year"),
        ({"text": "x", "stop_sessions_at": "2026-11-30T13:00"}, "Only a maintenance"),
        ({"kind": "maintenance", "begins": "2026-11-30T14:00", "stop_sessions_at": "2026-11-30T13:00"}, "can still be"),
        (
            {"kind": "maintenance", "until": "2026-11-30T14:00", "stop_sessions_at": "2026-11-30T14:00"},
            "after the maintenance",
        ),
    ],
)
def test_what_is_refused(given: dict[str, Any], words: str) -> None:
    with pytest.raises(BadRequest, match=words):
        read(**given)
