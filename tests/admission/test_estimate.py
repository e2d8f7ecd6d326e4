"""The estimate of a wait: right on average, and its error as large as it says."""

from __future__ import annotations

import random

import pytest

from daas_hub.admission.estimate import Estimate, estimate, in_words


def test_too_few_measured_sessions_make_no_estimate() -> None:
    assert estimate(1, 2, [60.0] * 4) is None
    assert estimate(1, 0, [60.0] * 40) is None


@pytest.mark.parametrize("position", [1, 3, 10])
def test_it_holds_for_sessions_that_end_independently_of_each_other(position: int) -> None:
    dice = random.Random(position)
    measured = [dice.expovariate(1 / 3600) for _ in range(200)]
    found = estimate(position, 10, measured)
    assert found is not None
    waits = [sum(dice.expovariate(10 / 3600) for _ in range(position)) for _ in range(2000)]
    mean = sum(waits) / len(waits)
    assert found.expected_s == pytest.approx(mean, rel=0.2)
    within = sum(abs(one - found.expected_s) <= found.error_s for one in waits) / len(waits)
    assert 0.6 <= within <= 0.9, "about two of three, as a standard deviation says"


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
    assert in_words(position, waits) == words
