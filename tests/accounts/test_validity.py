"""End dates: how sources write them, the last moment at the facility, and the words."""

from __future__ import annotations

import datetime
from zoneinfo import ZoneInfo

import pytest

from daas_hub.accounts.validity import days_text, earliest, end_text, ends_at, read_end

UTC, PARIS = datetime.UTC, ZoneInfo("Europe/Paris")
DAY = datetime.date(2026, 12, 31)


def at(text: str, zone: datetime.tzinfo = UTC) -> datetime.datetime:
    return datetime.datetime.fromisoformat(text).replace(tzinfo=zone)


@pytest.mark.parametrize(
    ("value", "end"),
    [
        ("2026-12-31", DAY),
        (" 2026-12-31 ", DAY),
        (DAY, DAY),
        ("2026-12-31T12:00:00Z", at("2026-12-31T12:00")),
        ("2026-12-31 12:00", datetime.datetime.fromisoformat("2026-12-31T12:00")),
        (1798718400, at("2026-12-31T12:00")),
        ("1798718400", at("2026-12-31T12:00")),
    ],
)
def test_how_sources_write_it(value: object, end: datetime.date) -> None:
    assert read_end(value) == end
    assert type(read_end(value)) is type(end)


@pytest.mark.parametrize(
    "value",
    [
        "", "never", "31.12.2026", "12/31/2026", "2026-13-01", "2026-02-29", "20261231", 20261231, 0, 1, 20_000, True,
        1798718400.5, -1, 10**15, "٢٠٢٦-12-31", [], {}, None, "2026-12-31T25:00",
    ],
)  # fmt: skip
def test_what_is_no_date_is_never_taken_for_one(value: object) -> None:
    with pytest.raises(ValueError, match='is not a date, like "2026-12-31"'):
        read_end(value)


@pytest.mark.parametrize(
    ("end", "zone", "first_after"),
    [
        (DAY, UTC, "2027-01-01T00:00"),
        (DAY, PARIS, "2026-12-31T23:00"),
        (DAY, ZoneInfo("America/New_York"), "2027-01-01T05:00"),
        # the days on which the clocks change have 23 and 25 hours
        (datetime.date(2026, 3, 29), PARIS, "2026-03-29T22:00"),
        (datetime.date(2026, 10, 25), PARIS, "2026-10-25T23:00"),
        (datetime.datetime.fromisoformat("2026-07-01T12:00"), PARIS, "2026-07-01T10:00"),
        (at("2026-07-01T12:00"), PARIS, "2026-07-01T12:00"),
    ],
)
def test_a_date_counts_to_its_last_moment_at_the_facility(
    end: datetime.date, zone: datetime.tzinfo, first_after: str
) -> None:
    assert ends_at(end, zone) == at(first_after)


def test_the_last_date_that_there_is() -> None:
    assert ends_at(datetime.date.max, PARIS) > at("9999-01-01")


def test_the_earliest_of_dates_and_moments() -> None:
    noon, evening = datetime.datetime.fromisoformat("2026-12-31T12:00"), at("2026-12-31T23:30")
    assert earliest([DAY, noon], PARIS) == noon
    assert earliest([DAY, evening], PARIS) == DAY, "the day ends at 23:00 UTC"
    assert earliest([DAY, evening], UTC) == evening
    assert earliest([], UTC) is None


@pytest.mark.parametrize(
    ("end", "words"),
    [
        (DAY, "31 December 2026"),
        (datetime.datetime.fromisoformat("2026-12-01T09:05"), "1 December 2026, 09:05 CET"),
        (at("2026-07-01T12:00"), "1 July 2026, 14:00 CEST"),
    ],
)
def test_words_are_in_the_time_of_the_facility(end: datetime.date, words: str) -> None:
    assert end_text(end, PARIS) == words


@pytest.mark.parametrize(
    ("now", "words"),
    [
        ("2026-12-28T12:00", "in 3 days"),
        ("2026-12-29T22:59", "in 2 days"),
        # it is the 30th in Paris
        ("2026-12-29T23:01", "tomorrow"),
        ("2026-12-31T22:59", "today"),
    ],
)
def test_days_are_those_of_the_facilitys_calendar(now: str, words: str) -> None:
    assert days_text(DAY, at(now), PARIS) == words
