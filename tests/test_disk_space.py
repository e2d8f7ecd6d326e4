"""When a directory of a session is almost full, the words for its owner, and which reports are accepted."""

from __future__ import annotations

from typing import Any

import pytest

from daas_hub.disk_space import HOME, Space, in_words, read_report

MIB, GIB = 2**20, 2**30


@pytest.mark.parametrize(
    ("free", "size", "expected"),
    [
        (201 * MIB, 2000 * MIB, False),
        (199 * MIB, 2000 * MIB, True),
        (0, 2000 * MIB, True),
        # a tenth of a large home is more than anybody writes in a day
        (90 * GIB, 1000 * GIB, False),
        (1023 * MIB, 1000 * GIB, True),
        (0, 0, False),
    ],
)
def test_when_it_is_said(free: int, size: int, expected: bool) -> None:
    assert Space("/tmp", free, size).is_almost_full is expected


def test_what_is_said() -> None:
    full = (Space(HOME, 40 * MIB, 100 * GIB), Space("/tmp", 0, 2 * GIB))
    assert in_words(full) == (
        "Your home is almost full: 40 MiB of 100 GiB are free. Delete files there before programs fail. "
        "/tmp is full. Delete files there: programs fail."
    )
    assert in_words(()) == ""


def test_a_report_is_read_as_it_was_sent() -> None:
    full = (Space(HOME, 5, 100 * GIB), Space("/var/tmp", 0, GIB))
    assert read_report([one.as_report() for one in full]) == full


@pytest.mark.parametrize(
    "given",
    [
        None,
        {},
        "full",
        [None, 3, "x"],
        [{"name": "/tmp"}],
        [{"name": "/etc", "free": 0, "size": 5}],
        [{"name": "<script>", "free": 0, "size": 5}],
        [{"name": "/tmp", "free": -1, "size": 5}],
        [{"name": "/tmp", "free": 6, "size": 5}],
        [{"name": "/tmp", "free": 0.5, "size": 5}],
        [{"name": "/tmp", "free": True, "size": 5}],
        [{"name": ["/tmp"], "free": 0, "size": 5}],
        # it is not full
        [{"name": "/tmp", "free": 5, "size": 5}],
    ],
)
def test_anything_else_says_nothing(given: Any) -> None:
    assert read_report(given) == ()


def test_a_directory_is_named_once() -> None:
    assert len(read_report([{"name": "/tmp", "free": 0, "size": 5}] * 100)) == 1
