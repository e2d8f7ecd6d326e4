"""Whether a session is kept, announced to end, or ended: a table of moments, in seconds of any clock."""

from __future__ import annotations

import itertools

import pytest

from daas_hub.lifetime import Limits, Outlook, Reason, Use, Verdict, decide, extended

LIMITS = Limits(longest_s=10_000, idle_s=1000, warning_s=100)
KEEP, WARN, END = Verdict.KEEP, Verdict.WARN, Verdict.END
AGE, IDLE = Reason.TIME_LIMIT, Reason.IDLE


@pytest.mark.parametrize(
    ("now", "ends", "use", "expected"),
    [
        pytest.param(5000, 10_000, None, (KEEP, 10_000, AGE), id="nothing-reported"),
        pytest.param(9899, 10_000, None, (KEEP, 10_000, AGE), id="before-the-warning"),
        pytest.param(9900, 10_000, None, (WARN, 10_000, AGE), id="warned"),
        pytest.param(10_000, 10_000, None, (END, 10_000, AGE), id="time-limit"),
        pytest.param(10_000, 0, None, (KEEP, 0, None), id="no-time-limit"),
        pytest.param(5000, 10_000, Use(4500, 0, 5000), (KEEP, 5500, IDLE), id="used"),
        pytest.param(5450, 10_000, Use(4500, 0, 5440), (WARN, 5500, IDLE), id="idle-is-warned"),
        pytest.param(5500, 10_000, Use(4500, 0, 5500), (END, 5500, IDLE), id="idle"),
        pytest.param(5560, 10_000, Use(4500, 0, 5499), (WARN, 5500, IDLE), id="a-key-since-the-report-is-possible"),
        pytest.param(5500, 10_000, Use(0, 5400, 5500), (KEEP, 6400, IDLE), id="it-computes-with-its-page-closed"),
        pytest.param(5500, 10_000, Use(5400, 0, 5500), (KEEP, 6400, IDLE), id="it-is-used-and-computes-nothing"),
        pytest.param(10_000, 10_000, Use(9990, 9990, 10_000), (END, 10_000, AGE), id="used-at-its-time-limit"),
        pytest.param(5500, 5400, Use(4500, 0, 5500), (END, 5400, AGE), id="the-first-of-two-ends"),
    ],
)
def test_decisions(now: float, ends: float, use: Use | None, expected: tuple[Verdict, float, Reason | None]) -> None:
    assert decide(now, ends=ends, limits=LIMITS, use=use) == Outlook(*expected)


def test_idleness_ends_nothing_unless_it_is_configured() -> None:
    long_ago = Use(0, 0, 9_000)
    assert decide(9_000, ends=0, limits=Limits(), use=long_ago) == Outlook(KEEP)


@pytest.mark.parametrize(
    ("now", "extensions", "limits", "expected"),
    [
        pytest.param(900, 0, Limits(extension_s=500, max_extensions=1), 1500, id="once"),
        pytest.param(900, 1, Limits(extension_s=500, max_extensions=1), None, id="not-twice"),
        pytest.param(900, 0, Limits(extension_s=500), None, id="none-allowed"),
        pytest.param(900, 0, Limits(max_extensions=3), None, id="of-no-length"),
        pytest.param(1000, 0, Limits(extension_s=500, max_extensions=1), None, id="too-late"),
        pytest.param(900, 0, Limits(extension_s=500, max_extensions=9, never_beyond_s=1100), 1200, id="to-the-maximum"),
        pytest.param(900, 0, Limits(extension_s=500, max_extensions=9, never_beyond_s=900), None, id="at-the-maximum"),
    ],
)
def test_extensions(now: float, extensions: int, limits: Limits, expected: float | None) -> None:
    assert extended(now, started=100, ends=1000, extensions=extensions, limits=limits) == expected


def test_no_sequence_of_extensions_passes_the_maximum() -> None:
    for extension_s, allowed, beyond_s in itertools.product((1, 7, 400, 5000), (0, 1, 5, 50), (0, 950, 1200, 3000)):
        limits = Limits(extension_s=extension_s, max_extensions=allowed, never_beyond_s=beyond_s)
        ends, done = 1000.0, 0
        while (later := extended(ends - 1, started=0, ends=ends, extensions=done, limits=limits)) is not None:
            ends, done = later, done + 1
        assert done <= allowed
        assert ends <= 1000 + allowed * extension_s
        assert not beyond_s or ends <= max(1000, beyond_s)


@pytest.mark.parametrize("document", [None, {}, {"later": 3}, [], {"lifetime": {}}])
def test_limits_of_an_older_release(document: object) -> None:
    assert Limits.from_document(document) == Limits()


def test_limits_survive_the_way_to_the_session() -> None:
    assert Limits.from_document(LIMITS.as_document()) == LIMITS
    with pytest.raises(ValueError, match="not a number"):
        Limits.from_document({"idle_s": "long"})


@pytest.mark.parametrize(("idle_s", "window_s"), [(0, 60), (7200, 60), (100, 25), (2, 1)])
def test_the_window_fits_into_the_time_of_idleness(idle_s: float, window_s: float) -> None:
    assert Limits(idle_s=idle_s).window_s == window_s
