"""Keep a session that is idle, or extend its time limit, from its card."""

from __future__ import annotations

from typing import Any

from tornado import web

from daas_hub.portal.session_cards import SessionCards


class ExtendHandler(SessionCards):
    """`/sessions/<name>/extend`: one click of the owner."""

    @web.authenticated
    async def post(self, name: str) -> None:
        """Do what the session's next end needs, and redirect home."""
        user = self.current_user
        if name not in user.orm_spawners:
            raise web.HTTPError(404, "You have no such session.")
        spawner = user.spawners[name]
        if not spawner.ready:
            raise web.HTTPError(409, "This session is not running any more.")
        if not extend(spawner):
            why = getattr(spawner, "extension_refusal", "")
            raise web.HTTPError(409, why or "This session cannot be extended any further.")
        self.redirect(f"{self.hub_url}home#session-{name}", status=303)


def extend(spawner: Any) -> bool:
    """Keep an idle session, or extend its time limit; return whether that was possible."""
    if getattr(spawner, "can_keep", False):
        spawner.keep()
        return True
    return bool(spawner.extend()) if hasattr(spawner, "extend") else False
