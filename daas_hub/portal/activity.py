"""`POST /api/users/{name}/activity`: JupyterHub's own, and what sessions of ours report about their use.

The answer is all that a running session hears of the hub: how long it may last, and what is announced to it.
"""

from __future__ import annotations

import datetime
import json
from typing import Any

from jupyterhub.apihandlers.users import ActivityAPIHandler
from tornado import web

from daas_hub.disk_space import in_words, read_report
from daas_hub.facility import Facility
from daas_hub.notices import session_notices
from daas_hub.portal.audiences import Audiences
from daas_hub.portal.notices import board_of
from daas_hub.portal.round_trips import take_round_trips

#: Seconds that a report may speak of.
_MAX_S = 1e9


class SessionActivityHandler(ActivityAPIHandler):
    """Takes the report of a session; answers how long it may last, and the notices that its pages show."""

    def get_json_body(self) -> Any:
        """Return the report with its times by the hub's clock, where it says how long ago the last use was.

        The clock of the session's machine may be wrong: JupyterHub refuses what is an hour ahead, and for one that is
        behind, a session that is used looks idle.
        """
        body = super().get_json_body()
        servers = body.get("servers") if isinstance(body, dict) else None
        for report in servers.values() if isinstance(servers, dict) and len(servers) == 1 else ():
            if isinstance(report, dict) and (when := _last_use(report.get("use"))):
                body["last_activity"] = report["last_activity"] = when
        return body

    def post(self, user_name: str) -> None:
        """Record the activity as JupyterHub does, then the use of the session."""
        super().post(user_name)
        servers = (self.get_json_body() or {}).get("servers") or {}
        # others may have the scope, too; the owner's sessions have the owner's tokens
        if self.current_user is None or self.current_user.name != user_name or len(servers) != 1:
            return
        name, report = next(iter(servers.items()))
        spawner = self.current_user.spawners[name]
        if "use" not in report or not spawner.ready or not hasattr(spawner, "note_use"):
            return
        _take(spawner, report)
        facility, board = Facility.of(self.config), board_of(self)
        take_round_trips(spawner, report.get("round_trips_s"), facility.applications.applications)
        shown = board.shown_in_sessions(Audiences.of(self.db).classes_of(self.current_user))
        notices = session_notices(shown, board.clock(), facility.zone)
        self.set_header("Content-Type", "application/json")
        self.write(json.dumps(spawner.lifetime_answer() | {"notices": notices}))


def _last_use(use: object) -> str:
    """Return when a session was last used, as JupyterHub's API has times; "" where a report does not say."""
    unused_s = use.get("unused_s") if isinstance(use, dict) else None
    if not isinstance(unused_s, int | float) or not 0 <= unused_s < _MAX_S:
        return ""
    return (datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=unused_s)).isoformat(timespec="seconds")


def _take(spawner: Any, report: dict[str, Any]) -> None:
    """Take a session's report.

    Raises:
        HTTPError: 400, it is invalid.
    """
    use = report["use"]
    seconds = [use.get(name) for name in ("unused_s", "quiet_s")] if isinstance(use, dict) else []
    if len(seconds) != 2 or not all(isinstance(one, int | float) and 0 <= one < _MAX_S for one in seconds):
        raise web.HTTPError(400, "use must have unused_s and quiet_s, both in seconds")
    spawner.note_use(*seconds)
    spawner.disk_notice = in_words(read_report(report.get("full")))
    if report.get("extend") is True:
        spawner.extend()
