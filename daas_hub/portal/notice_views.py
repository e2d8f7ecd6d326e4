"""The notices of a page, as its template renders them."""

from __future__ import annotations

import datetime
from typing import Any

from daas_hub.notices import NoticeBoard, notice_view


def notice_views(db: Any, zone: datetime.tzinfo, user: Any) -> list[dict[str, Any]]:
    """Return what a user of the hub sees now; without a user, what everybody does."""
    board = NoticeBoard.of(db)
    if board is None:
        return []
    now = board.clock()
    return [notice_view(one, now, zone) for one in board.shown_to(user.name if user is not None else None)]
