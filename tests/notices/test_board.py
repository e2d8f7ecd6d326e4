"""Notices in the database: who sees what and when, once a person, over a restart, and when nothing starts."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import Any

import pytest
from jupyterhub import orm

from daas_hub.admission.dispatcher import KEEPS_TICKET
from daas_hub.errors import Refused
from daas_hub.notices import (
    InMaintenance,
    Kind,
    Level,
    Notice,
    NoticeBoard,
    mail_text,
    notice_view,
    session_notices,
    signature,
)
from daas_hub.tables import upgrade_tables

UTC = datetime.UTC
HOUR = 3600.0


class Clock:
    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def db() -> Iterator[Any]:
    session = orm.new_session_factory("sqlite:///:memory:")()
    upgrade_tables(session.get_bind())
    yield session
    session.close()


@pytest.fixture
def board(db: Any, clock: Clock) -> NoticeBoard:
    return NoticeBoard(db, clock)


def maintenance(clock: Clock, *, begins: float = HOUR, ends: float | None = 3 * HOUR, **more: Any) -> Notice:
    now = clock.now
    return Notice(Kind.MAINTENANCE, "New disks.", now + begins, ends=None if ends is None else now + ends, **more)


def test_a_banner_is_shown_from_its_begin_to_its_end(board: NoticeBoard, clock: Clock) -> None:
    stored = board.add(Notice(Kind.BANNER, "Beam is off.", clock.now + HOUR, ends=clock.now + 2 * HOUR))
    assert stored.id
    assert board.shown_to("anna") == ()
    clock.now += HOUR
    assert board.shown_to("anna") == board.shown_to(None) == (stored,)
    clock.now += HOUR
    assert board.shown_to("anna") == ()
    assert board.all() == (stored,)


def test_a_notice_is_acknowledged_once_by_each_person(board: NoticeBoard, db: Any, clock: Clock) -> None:
    stored = board.add(Notice(Kind.ACKNOWLEDGE, "New rules.", clock.now))
    assert board.shown_to(None) == (), "somebody who is not signed in cannot acknowledge it"
    for _ in range(2):
        board.acknowledge(stored.id, "anna")
    assert board.shown_to("anna") == ()
    assert board.shown_to("ben") == (stored,)
    again = NoticeBoard(db, clock)
    assert again.shown_to("anna") == ()
    assert again.readers(stored.id) == 1


def test_a_notice_for_some_people_is_for_nobody_else(board: NoticeBoard, db: Any, clock: Clock) -> None:
    staff = frozenset({"role:staff"})
    banner = board.add(Notice(Kind.BANNER, "Beam is off.", clock.now, in_sessions=True, audience=staff))
    rules = board.add(Notice(Kind.ACKNOWLEDGE, "New rules.", clock.now, audience=staff, ends=clock.now + HOUR))
    assert board.audience() == staff
    for known in (board, NoticeBoard(db, clock)):
        assert known.shown_to("anna", staff) == (rules, banner)
        assert known.shown_in_sessions(staff) == (banner,)
        for others in ((), frozenset({"role:guest", "group:staff"})):
            assert known.shown_to("ben", others) == ()
            assert known.shown_in_sessions(others) == ()
        assert known.shown_to(None) == ()
    board.acknowledge(rules.id, "ben")
    assert board.readers(rules.id) == 0, "it does not ask ben"
    board.acknowledge(rules.id, "anna", staff)
    assert board.shown_to("anna", staff) == (banner,)
    board.withdraw(banner.id)
    clock.now += HOUR
    assert board.audience() == frozenset(), "one that has ended is for nobody"


def test_an_empty_audience_is_nobody(board: NoticeBoard, db: Any, clock: Clock) -> None:
    board.add(Notice(Kind.BANNER, "Beam is off.", clock.now, audience=frozenset()))
    for known in (board, NoticeBoard(db, clock)):
        assert known.shown_to("anna", {"role:staff"}) == known.shown_to(None) == ()


def test_what_is_no_notice_to_acknowledge_is_ignored(board: NoticeBoard, clock: Clock) -> None:
    banner = board.add(Notice(Kind.BANNER, "Beam is off.", clock.now))
    board.acknowledge(banner.id, "anna")
    board.acknowledge(99, "anna")
    assert board.shown_to("anna") == (banner,)
    assert board.readers(banner.id) == board.readers(99) == 0


def test_the_most_urgent_comes_first(board: NoticeBoard, clock: Clock) -> None:
    made = [board.add(Notice(Kind.BANNER, str(level), clock.now, level=level)) for level in Level]
    planned = board.add(maintenance(clock))
    assert [one.id for one in board.shown_to("anna")] == [planned.id, *(one.id for one in reversed(made))]


def test_everything_survives_a_restart(board: NoticeBoard, db: Any, clock: Clock) -> None:
    stored = board.add(maintenance(clock, stops_sessions_at=clock.now + 2 * HOUR, made_by="carla", made_at=clock.now))
    assert NoticeBoard(db, clock).all() == (stored,)
    assert board.withdraw(stored.id)
    assert not board.withdraw(stored.id)
    assert NoticeBoard(db, clock).all() == board.all() == ()


def test_the_id_of_a_withdrawn_notice_has_no_readers(board: NoticeBoard, clock: Clock) -> None:
    """SQLite gives it to the next one."""
    first = board.add(Notice(Kind.ACKNOWLEDGE, "One.", clock.now))
    board.acknowledge(first.id, "anna")
    board.withdraw(first.id)
    second = board.add(Notice(Kind.ACKNOWLEDGE, "Two.", clock.now))
    assert board.shown_to("anna") == (second,)


def test_what_ended_long_ago_is_forgotten(board: NoticeBoard, clock: Clock) -> None:
    board.add(Notice(Kind.BANNER, "Old.", clock.now, ends=clock.now + HOUR))
    clock.now += 31 * 86_400
    new = board.add(Notice(Kind.BANNER, "New.", clock.now))
    assert board.all() == (new,)


def test_a_maintenance_is_announced_then_closes_the_portal(board: NoticeBoard, clock: Clock) -> None:
    planned = board.add(maintenance(clock))
    assert board.shown_to(None) == (planned,), "at once, with its countdown"
    before = signature(board.shown_to("anna"), clock())
    board.require_open(UTC)
    clock.now += HOUR
    assert signature(board.shown_to("anna"), clock()) != before, "open pages have to show it"
    with pytest.raises(InMaintenance, match=r"until 11:00 UTC.*New disks\. Sessions that run continue\.") as refused:
        board.require_open(UTC)
    assert refused.value.for_user
    assert refused.value.reason in KEEPS_TICKET, "a launch in the queue keeps its place"
    clock.now += 2 * HOUR
    board.require_open(UTC)
    assert board.maintenance() is None


def test_a_maintenance_may_have_no_end(board: NoticeBoard, clock: Clock) -> None:
    planned = board.add(maintenance(clock, begins=0, ends=None))
    clock.now += 300 * HOUR
    with pytest.raises(InMaintenance, match=r"^The portal is in maintenance, and no session"):
        board.require_open(UTC)
    board.withdraw(planned.id)
    board.require_open(UTC)


def test_there_is_one_maintenance_at_a_time(board: NoticeBoard, clock: Clock) -> None:
    board.add(maintenance(clock))
    with pytest.raises(Refused, match="announced already"):
        board.add(maintenance(clock))
    clock.now += 4 * HOUR
    board.add(maintenance(clock))


@pytest.mark.parametrize(
    ("after", "stops", "words"),
    [(HOUR, False, "end at 10:00 UTC: save your work"), (2 * HOUR, True, "launch again afterwards")],
)
def test_sessions_end_when_it_says_so(board: NoticeBoard, clock: Clock, after: float, stops: bool, words: str) -> None:
    planned = board.add(maintenance(clock, stops_sessions_at=clock.now + 2 * HOUR))
    assert not planned.stops_sessions(clock())
    clock.now += after
    assert planned.stops_sessions(clock()) is stops
    with pytest.raises(InMaintenance, match=words):
        board.require_open(UTC)
    clock.now += 3 * HOUR
    assert not planned.stops_sessions(clock()), "sessions of the time after it run"


def test_sessions_show_what_concerns_them(board: NoticeBoard, db: Any, clock: Clock) -> None:
    board.add(Notice(Kind.BANNER, "For the pages.", clock.now))
    banner = board.add(Notice(Kind.BANNER, "For all.", clock.now, ends=clock.now + HOUR, in_sessions=True))
    assert board.shown_in_sessions() == (banner,)
    planned = board.add(maintenance(clock, stops_sessions_at=clock.now + 2 * HOUR))
    assert board.shown_in_sessions() == (planned, banner), "at once, as the pages"
    assert NoticeBoard(db, clock).shown_in_sessions() == (planned, banner), "also of a hub that was restarted"
    assert session_notices(board.shown_in_sessions(), clock.now + 60, UTC) == [
        {"id": planned.id, "level": "info", "text": "New disks.", "ends_in_s": 2 * HOUR - 60, "ends_at": "10:00 UTC"},
        {"id": banner.id, "level": "info", "text": "For all."},
    ]
    clock.now += HOUR
    assert board.shown_in_sessions() == (planned,)
    clock.now += HOUR
    assert board.shown_in_sessions() == ()


@pytest.mark.parametrize(
    ("text", "ends", "stops", "words"),
    [
        ("New disks.", 3 * HOUR, 2 * HOUR, "until 11:00 UTC: no session can be started. Sessions that run end at 10:00"
            " UTC: save your work before.\n\nNew disks."),
        ("", None, None, ": no session can be started. Sessions that run continue."),
    ],
)  # fmt: skip
def test_a_maintenance_by_e_mail_says_when(
    clock: Clock, text: str, ends: float | None, stops: float | None, words: str
) -> None:
    """Also one that was announced without words of its own."""
    now = clock.now
    times = {"ends": ends and now + ends, "stops_sessions_at": stops and now + stops}
    said = mail_text(Notice(Kind.MAINTENANCE, text, now + HOUR, **times), now, UTC)
    assert said == f"Maintenance from 09:00 UTC{' ' if ends else ''}{words}"


def test_a_maintenance_that_ends_no_session_is_not_shown_in_them(board: NoticeBoard, clock: Clock) -> None:
    board.add(maintenance(clock))
    assert board.shown_in_sessions() == ()


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (59, "in less than a minute"),
        (60, "in 1 minute"),
        (7139, "in 1 hour"),
        (7199, "in 2 hours"),
        (2 * 86_400 - 60, "in 2 days"),
        (2 * 86_400 - 61, "in 1 day"),
    ],
)
def test_how_far_away_it_is(clock: Clock, seconds: float, words: str) -> None:
    view = notice_view(Notice(Kind.BANNER, "x", clock.now + seconds), clock.now, UTC)
    assert view["from"]["in"] == words
    assert view["until"] is None


def test_a_hub_without_the_portal_has_no_board(db: Any) -> None:
    assert NoticeBoard.of(db) is None
    assert NoticeBoard.of(None) is None
    board = NoticeBoard.start_with(db)
    assert NoticeBoard.of(db) is board
