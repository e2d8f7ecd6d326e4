"""Times that an operator types for a notice. What the hub makes of them is in tests/hub/test_notices.py."""

from __future__ import annotations

import datetime
from zoneinfo import ZoneInfo

import pytest

from daas_hub.commands.announcements import moment
from daas_hub.commands.main import main
from daas_hub.errors import ConfigurationError

NOW = datetime.datetime(2026, 11, 30, 15, 30, tzinfo=ZoneInfo("UTC"))


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("", ""),
        ("+30m", "2026-11-30T16:00:00+00:00"),
        ("+2h", "2026-11-30T17:30:00+00:00"),
        ("+1d", "2026-12-01T15:30:00+00:00"),
        ("2026-12-01T18:00+01:00", "2026-12-01T17:00:00+00:00"),
    ],
)
def test_a_time_is_sent_with_its_offset(typed: str, meant: str) -> None:
    found = moment("--from", typed, NOW)
    assert found == meant or datetime.datetime.fromisoformat(found) == datetime.datetime.fromisoformat(meant)


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_time_of_day_is_the_next_one(hours: int) -> None:
    now = datetime.datetime(2026, 11, 30, 12, 0).astimezone()
    typed = f"{12 + hours}:00"
    found = datetime.datetime.fromisoformat(moment("--until", typed, now))
    assert datetime.timedelta() < found - now <= datetime.timedelta(days=1)
    assert found.astimezone(now.tzinfo).strftime("%H:%M") == typed


@pytest.mark.parametrize("typed", ["tomorrow", "25:00", "+2 weeks", "18.00", "2026-13-01"])
def test_anything_else_is_refused_with_an_example(typed: str) -> None:
    with pytest.raises(ConfigurationError, match="is not a time") as refused:
        moment("--until", typed, NOW)
    assert "18:00" in refused.value.remedy


def test_a_notice_to_acknowledge_is_not_for_sessions(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["announce", "New rules.", "--acknowledge", "--in-sessions"])
    assert end.value.code == 2
    assert "sessions show banners only" in capsys.readouterr().err


def test_options_of_the_begin_are_not_ignored(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["maintenance", "end", "--until", "18:00"])
    assert end.value.code == 2
    assert "belong to `maintenance begin`" in capsys.readouterr().err
