"""`/audit`: the events of the audit, for administrators."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import urlencode

from jupyterhub.scopes import needs_scope
from tornado import web

from daas_hub.audit.reader import Event, read_page
from daas_hub.audit.settings import Audit
from daas_hub.portal.base import PortalHandler

_PAGE_SIZE = 50
_MAX_PAGE = 10_000
_MAX_SEARCH = 255

_WORDS = {
    ("login", "signed-in"): "Signed in",
    ("login", "refused"): "Login refused",
    ("launch", "requested"): "Launch requested",
    ("launch", "refused"): "Launch refused",
    ("launch", "failed"): "Launch failed",
    ("launch", "started"): "Session started",
    ("launch", "extended"): "Session extended",
    ("launch", "ended"): "Session ended",
    ("account-link", "connected"): "Login connected",
    ("account-link", "disconnected"): "Login disconnected",
}


class AuditHandler(PortalHandler):
    """The page with the newest events, a search, and links to older ones."""

    @web.authenticated
    @needs_scope("admin-ui")  # type: ignore[untyped-decorator]
    async def get(self) -> None:
        """Show the events."""
        settings = Audit(config=self.config)
        search = self.get_query_argument("search", "")[:_MAX_SEARCH]
        number = self.get_query_argument("page", "1")
        page = int(number) if number.isascii() and number.isdigit() and 1 <= int(number[:6]) <= _MAX_PAGE else 1
        problem = "" if settings.enabled else "The audit is off: Audit.enabled is False."
        found = None
        if settings.enabled:
            try:
                found = await asyncio.to_thread(read_page, settings.folder(), search=search, page=page, size=_PAGE_SIZE)
            except OSError as error:
                self.log.error("the audit cannot be read: %s", error)
                problem = "The events cannot be read. The log says why."
        has_older = found is not None and found.has_older
        await self.show(
            "audit.html",
            title="Audit",
            active="audit",
            problem=problem,
            search=search,
            page=page,
            events=[_shown(one) for one in found.events] if found is not None else [],
            newer=self._address(search, page - 1) if page > 1 else "",
            older=self._address(search, page + 1) if has_older else "",
        )

    def _address(self, search: str, page: int) -> str:
        given = {"search": search} if search else {}
        return f"{self.hub_url}audit?{urlencode(given | {'page': page})}"


def _shown(event: Event) -> dict[str, Any]:
    """Return an event as the page shows it."""
    fields = event.fields
    action = str(fields.get("action", ""))
    about = [
        fields.get("application", ""),
        *fields.get("proposals", []),
        fields.get("place", ""),
        fields.get("session", ""),
        fields.get("method", ""),
        fields.get("subject", ""),
        " ".join(fields.get("roles", [])),
    ]
    return {
        "at": f"{event.at}Z",
        "at_text": event.at.replace("T", " "),
        "words": _WORDS.get((event.kind, action), action),
        "user": fields.get("user", ""),
        "account": fields.get("account") or fields.get("target", ""),
        "about": [str(one) for one in about if one],
        "reason": fields.get("reason", ""),
        "launch": fields.get("launch", ""),
        "address": fields.get("address", ""),
    }
