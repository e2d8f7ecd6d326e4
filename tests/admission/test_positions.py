"""What the page of a launch that waits says: its position, how long it takes, and who may start out of turn."""

from __future__ import annotations

import pytest

from daas_hub.admission.estimate import Estimate
from daas_hub.admission.line_words import in_words
from daas_hub.admission.positions import Positions, Standing
from daas_hub.admission.queue import Waiting
from daas_hub.admission.quota import Reservation

from .scenes import NOW, demand, running

SCHOOL = frozenset({"group:school"})
COURSE = Reservation(NOW - 3600, NOW + 3600, 3, groups=SCHOOL)


def waiting(*tickets: tuple[str, frozenset[str]], **more: object) -> list[Waiting]:
    return [Waiting(n, demand(user, groups=groups, **more), NOW) for n, (user, groups) in enumerate(tickets)]


NOBODY: frozenset[str] = frozenset()
LINE = waiting(("anna", NOBODY), ("pupil", SCHOOL), ("ben", NOBODY), ("pupil2", SCHOOL))


@pytest.mark.parametrize(
    ("reservation", "expected"),
    [
        pytest.param(COURSE, [(1, 2, 0), (2, 0, 1), (3, 1, 0), (4, 0, 1)], id="during the course"),
        pytest.param(
            Reservation(NOW + 3600, NOW + 7200, 3, groups=SCHOOL),
            # which begins before a session of eight hours could end
            [(1, 2, 0), (2, 0, 0), (3, 1, 0), (4, 0, 0)],
            id="before it",
        ),
        pytest.param(
            Reservation(NOW + 9 * 3600, NOW + 10 * 3600, 3, groups=SCHOOL),
            [(1, 0, 0), (2, 0, 0), (3, 0, 0), (4, 0, 0)],
            id="long before it",
        ),
        pytest.param(
            Reservation(NOW - 7200, NOW - 3600, 3, groups=SCHOOL),
            [(1, 0, 0), (2, 0, 0), (3, 0, 0), (4, 0, 0)],
            id="after it",
        ),
        pytest.param(
            Reservation(NOW - 3600, NOW + 3600, 3, groups=SCHOOL, place="elsewhere"),
            [(1, 0, 0), (2, 0, 0), (3, 0, 0), (4, 0, 0)],
            id="elsewhere",
        ),
    ],
)
def test_who_may_start_out_of_turn(reservation: Reservation, expected: list[tuple[int, int, int]]) -> None:
    found = Positions.made_of(LINE, [], (reservation,))
    standings = [found.of(one.demand, NOW) for one in LINE]
    assert [(one.position, one.passing, one.may_pass) for one in standings] == expected


def test_a_session_that_is_reserved_for_others_makes_no_room() -> None:
    """Of four pupils three have the reserved sessions."""
    occupied = [running(f"p{n}", groups=SCHOOL) for n in range(4)] + [running("carla")]
    found = Positions.made_of(LINE, occupied, (COURSE,))
    anna, pupil = (found.of(one.demand, NOW) for one in LINE[:2])
    assert (anna.running, anna.reserved) == (2, 3)
    assert (pupil.running, pupil.reserved) == (5, 0)
    assert (found.of(LINE[0].demand, NOW + 3600).running) == 5, "the course is over"


def test_each_place_has_its_own_line() -> None:
    line = [*waiting(("anna", NOBODY), place="a"), *waiting(("ben", NOBODY), ("pupil", SCHOOL), place="b")]
    found = Positions.made_of(line, [running("x", place="a")], (COURSE,))
    standings = [found.of(one.demand, NOW) for one in line]
    assert [(one.position, one.running, one.passing) for one in standings] == [(1, 1, 0), (1, 0, 1), (2, 0, 0)]


@pytest.mark.parametrize(
    ("position", "waits", "words"),
    [
        (1, None, "You are first in line. There is no estimate of the time yet: too few sessions have ended."),
        (3, Estimate(720, 300), "You are third in line, about 10 minutes (7 to 15 minutes)."),
        (1, Estimate(20, 20), "You are first in line, less than a minute."),
        (2, Estimate(60, 50), "You are second in line, about 1 minute (0 to 2 minutes)."),
        (13, Estimate(5400, 3600), "You are 13th in line, about 90 minutes (0.5 to 2.5 hours)."),
        (12, Estimate(9000, 3600), "You are 12th in line, about 2.5 hours (1.5 to 3.5 hours)."),
        (22, Estimate(36000, 3600), "About 20 launches are before yours, about 10 hours (9 to 11 hours)."),
    ],
)
def test_words(position: int, waits: Estimate | None, words: str) -> None:
    assert in_words(Standing(position, 10), waits) == words


@pytest.mark.parametrize(
    ("standing", "words"),
    [
        (Standing(1, 3, 2, passing=1), "1 launch after yours may start first, in a session that is reserved for it."),
        (
            Standing(2, 3, 2, passing=7),
            "7 launches after yours may start first, in sessions that are reserved for them.",
        ),
        (
            Standing(2, 3, 2, passing=28),
            "About 30 launches after yours may start first, in sessions that are reserved for them.",
        ),
        (Standing(4, 3, may_pass=True), "It may start earlier, in a session that is reserved for you."),
    ],
)
def test_words_of_reservations(standing: Standing, words: str) -> None:
    said = in_words(standing, Estimate(720, 300))
    assert said.endswith(f", about 10 minutes (7 to 15 minutes). {words}")


def test_words_while_none_runs_in_its_place() -> None:
    words = "You are first in line. There is no estimate of the time: no session runs in this place."
    assert in_words(Standing(1, 0), None) == words


def test_words_while_all_sessions_are_reserved() -> None:
    words = "You are first in line. There is no estimate of the time: all sessions are reserved for others."
    assert in_words(Standing(1, 0, reserved=3), None) == words
