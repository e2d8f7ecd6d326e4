"""The notices of a page, as its template renders them."""

from __future__ import annotations

import datetime
from typing import Any

from daas_hub.notices import NoticeBoard, notice_view
from daas_hub.portal.audiences import Audiences


def notice_views(db: Any, zone: datetime.tzinfo, user: Any) -> list[dict[str, Any]]:
    """Return what a user of the hub sees now; without a user, what everybody does."""
    board = NoticeBoard.of(db)
    if board is None:
        return []
    now = board.clock()
    return [notice_view(one, now, zone) for one in Audiences.of(db).shown_to(user)]
