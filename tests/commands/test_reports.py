"""What sessions used: hours since a moment, added up, and lines for a spreadsheet. The hub's part: tests/hub."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from daas_hub.commands.main import main
from daas_hub.commands.reports import as_csv, begin_of, hours_of, totals
from daas_hub.errors import ConfigurationError

UTC = datetime.UTC
NOW = datetime.datetime(2026, 11, 30, 12, 0, tzinfo=UTC)
BEGIN = NOW - datetime.timedelta(days=1)


def session(**more: Any) -> dict[str, Any]:
    return {
        "user": "u1",
        "session": "lab-1",
        "application": "lab",
        "size": "small",
        "place": "",
        "proposals": ["MA-1"],
        "cpus": 2.0,
        "memory_bytes": 4e9,
        "gpus": 0,
        "admitted": "2026-11-30T09:00:00Z",
        "started": "2026-11-30T09:00:00Z",
        "ended": "2026-11-30T11:00:00Z",
        "hours": 2.0,
    } | more


@pytest.mark.parametrize(
    ("more", "hours"),
    [
        ({}, 2.0),
        ({"ended": ""}, 3.0),
        ({"started": "2026-11-28T09:00:00Z"}, 23.0),
        ({"started": "", "ended": "2026-11-30T11:00:00Z"}, 0.0),
        ({"started": "2026-11-28T09:00:00Z", "ended": "2026-11-28T10:00:00Z"}, 0.0),
    ],
    ids=["ended", "still runs", "began before", "never ran", "ended before"],
)
def test_hours_count_from_the_moment(more: dict[str, Any], hours: float) -> None:
    assert hours_of(session(**more), BEGIN, NOW) == hours


def test_hours_are_added_up() -> None:
    sessions = [
        session(),
        session(application="pymca", gpus=1, hours=5.0, proposals=[]),
        session(proposals=["MA-1", "MA-2"], admitted="2026-11-29T09:00:00Z", hours=1.0),
    ]
    assert totals(sessions, "application") == [("pymca", 1, 5.0, 10.0, 5.0), ("lab", 2, 3.0, 6.0, 0.0)]
    assert [row[:3] for row in totals(sessions, "proposal")] == [("own", 1, 5.0), ("MA-1", 2, 3.0), ("MA-2", 1, 1.0)]
    assert [row[0] for row in totals(sessions, "day")] == ["2026-11-29", "2026-11-30"]
    assert totals(sessions, "place")[0][0] == "-"
    assert totals([], "user") == []


def test_a_spreadsheet_gets_no_formula() -> None:
    lines = as_csv([session(user="=HYPERLINK(1)", proposals=["MA-1", "MA-2"], place="@x")]).splitlines()
    assert lines[1].startswith("'=HYPERLINK(1),lab-1,lab,small,'@x,\"MA-1, MA-2\",2.0,")


@pytest.mark.parametrize(
    ("since", "hours"), [("24h", 24), ("7d", 168), ("2026-11-30T10:00Z", 2), ("2026-11-30T10:00+01:00", 3)]
)
def test_the_moment_that_is_typed(since: str, hours: float) -> None:
    assert NOW - begin_of(since, NOW) == datetime.timedelta(hours=hours)


@pytest.mark.parametrize("since", ["", "yesterday", "7 days", "30-11-2026"])
def test_what_is_no_time_is_refused(since: str) -> None:
    with pytest.raises(ConfigurationError, match="is not a time"):
        begin_of(since, NOW)


def test_one_form_at_a_time() -> None:
    with pytest.raises(SystemExit) as end:
        main(["usage", "--csv", "--json"])
    assert end.value.code == 2
