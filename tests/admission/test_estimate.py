"""The estimate of a wait: right on average, and its error as large as it says."""

from __future__ import annotations

import random

import pytest

from daas_hub.admission.estimate import estimate


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
