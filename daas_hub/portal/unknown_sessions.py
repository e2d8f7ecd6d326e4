"""The API about sessions that run and that the hub does not know, as after its database was lost or restored."""

from __future__ import annotations

import time
from typing import Any

from jupyterhub.apihandlers.base import APIHandler
from jupyterhub.scopes import needs_scope
from tornado import web

from daas_hub.portal.administration import note_action


class _UnknownSessionsHandler(APIHandler):
    @property
    def reconcilers(self) -> list[Any]:
        """Those of this hub's backends (`daas_hub.spawners.startup`); none with spawners of other projects."""
        return list(self.settings.get("daas_reconcilers", ()))


class UnknownSessionsHandler(_UnknownSessionsHandler):
    """`/api/daas/unknown-sessions`: all of them."""

    @needs_scope("admin-ui")  # type: ignore[untyped-decorator]
    async def get(self) -> None:
        """Return them by their names on the backend, with what was recorded when they were started."""
        found = [one for reconciler in self.reconcilers for one in reconciler.unknown.values()]
        now = time.monotonic()
        self.write(
            {
                "sessions": [
                    {
                        "name": one.running.name,
                        "user": one.record.user if one.record else "",
                        "session": one.record.server if one.record else "",
                        "proposal": one.record.proposal if one.record else "",
                        "backend": one.record.backend if one.record else "",
                        "unknown_for_s": round(now - one.since),
                    }
                    for one in sorted(found, key=lambda one: one.running.name)
                ]
            }
        )


class UnknownSessionHandler(_UnknownSessionsHandler):
    """`/api/daas/unknown-sessions/<name>`: one of them."""

    @needs_scope("delete:servers")  # type: ignore[untyped-decorator]
    async def delete(self, name: str) -> None:
        """End it."""
        owner = next((one for one in self.reconcilers if name in one.unknown), None)
        if owner is None:
            raise web.HTTPError(404, "There is no session of this name that the hub does not know.")
        record = owner.unknown[name].record
        if not await owner.end_unknown(name):
            raise web.HTTPError(503, "It could not be ended; the hub's log says why.")
        note_action(self, "DELETE unknown-session", record.user if record else "", record.server if record else name)
        self.set_status(204)


UNKNOWN_SESSIONS_API: list[tuple[Any, ...]] = [
    (r"/api/daas/unknown-sessions", UnknownSessionsHandler),
    (r"/api/daas/unknown-sessions/([^/]+)", UnknownSessionHandler),
]
