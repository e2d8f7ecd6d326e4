"""What a session shows of the portal's notices: only what is true there, in words of the moment."""

from __future__ import annotations

from typing import Any

import pytest

from daas_hub.session.notices import MAX_SHOWN, notice_views, read_notices

NOW = 1000.0
BANNER = {"id": 3, "level": "warning", "text": "Beam is off."}
MAINTENANCE = {"id": 4, "level": "warning", "text": "New disks.", "ends_in_s": 3000.0, "ends_at": "18:00 CET"}


def shown(*answer: object, now: float = NOW, limit: float = 0.0) -> list[dict[str, str]]:
    return notice_views(read_notices(list(answer), NOW), now, limit=limit, warning_s=600)


def test_a_banner_is_its_text() -> None:
    assert shown(BANNER) == [
        {"key": "3", "level": "warning", "title": "Please note", "words": "", "text": "Beam is off."}
    ]


def test_a_maintenance_that_ends_the_session_is_counted_down() -> None:
    (view,) = shown(MAINTENANCE)
    assert view["words"] == (
        "This session ends in 50 minutes, at 18:00 CET, for a maintenance of the portal. Save your work before."
    )
    assert (view["key"], view["title"], view["text"]) == ("4", "Maintenance", "New disks.")
    (later,) = shown(MAINTENANCE, now=NOW + 2400)
    assert "ends in 10 minutes" in later["words"]
    assert later["key"] == "4 soon", "whoever has hidden it sees it again"


@pytest.mark.parametrize(
    ("now", "limit"),
    [
        pytest.param(NOW, NOW + 2999, id="its own time limit comes first"),
        pytest.param(NOW + 3000, 0.0, id="the hub was stopped, and has ended nothing"),
    ],
)
def test_what_does_not_happen_to_this_session_is_not_said(now: float, limit: float) -> None:
    assert shown(MAINTENANCE, now=now, limit=limit) == []


def test_a_time_limit_that_was_extended_beyond_it_is_no_way_out() -> None:
    assert len(shown(MAINTENANCE, limit=NOW + 3001)) == 1


@pytest.mark.parametrize(
    "given",
    [
        None,
        "x",
        BANNER | {"id": "3"},
        BANNER | {"level": "loud"},
        BANNER | {"text": None},
        MAINTENANCE | {"ends_in_s": "soon"},
        MAINTENANCE | {"ends_at": 18},
    ],
)
def test_what_another_release_says_is_left_out(given: Any) -> None:
    assert [one["key"] for one in shown(given, BANNER)] == ["3"]


@pytest.mark.parametrize("answer", [None, {}, "x", 3])
def test_a_hub_that_announces_nothing(answer: object) -> None:
    assert read_notices(answer, NOW) == ()


def test_a_desktop_is_not_covered_with_them() -> None:
    assert len(shown(*[BANNER | {"id": number} for number in range(20)])) == MAX_SHOWN
