"""Live session cards: server-sent events, one stream per page, one event per change."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from typing import Any

from sqlalchemy.exc import SQLAlchemyError
from tornado import web
from tornado.iostream import StreamClosedError

from daas_hub.database import is_database_away
from daas_hub.portal.notices import notices_signature
from daas_hub.portal.session_cards import SessionCards
from daas_hub.portal.session_views import extend_words, notice_of, session_state

#: The hub has no event for a session's change of state, so its records in memory are polled (microseconds).
POLL_S = 0.5
#: Pages that receive nothing for more than twice as long report that they are not updated (portal.js).
ALIVE_S = 5.0
#: Open streams per person; a forgotten tab holds one.
MAX_STREAMS = 20

_open: Counter[str] = Counter()


class SessionEventsHandler(SessionCards):
    """The stream of one page."""

    def get_content_type(self) -> str:
        """Server-sent events."""
        return "text/event-stream"

    @web.authenticated
    async def get(self) -> None:
        """Send the cards as the page renders them, immediately and after every change."""
        name = self.current_user.name
        if _open[name] >= MAX_STREAMS:
            raise web.HTTPError(429, "Too many pages of the portal are open. Please close some of them.")
        self.set_header("Content-Type", "text/event-stream")
        self.set_header("Cache-Control", "no-store")
        self.set_header("X-Accel-Buffering", "no")
        self._gone = False
        _open[name] += 1
        try:
            await self._stream()
        except StreamClosedError:
            pass
        finally:
            _open[name] -= 1

    def on_connection_close(self) -> None:
        """Note that the page was closed."""
        self._gone = True

    async def _stream(self) -> None:
        account = await self.account()
        proposal_id, only = self.get_query_argument("proposal", None), self.get_query_argument("session", None)
        shown: object = None
        shown_notices: object = None
        waited = 0.0
        login = self.own_session_id
        while not self._gone:
            try:
                # the stream of a login that was ended closes: the browser reconnects, and is sent to the login page
                if not self.is_login(login):
                    return
                now = self._signature()
                if now != shown:
                    cards = self.cards(await self.titles_of_sessions(account), account, proposal_id=proposal_id)
                    cards = [card for card in cards if only in (None, card["name"])]
                    html = await self.render_template("sessions.html", sessions=cards, waiting_page=only is not None)
                    shown, message = now, f"data: {json.dumps({'html': html})}\n\n"
                elif (notices := notices_signature(self)) != shown_notices:
                    html = await self.render_template("notices.html", user=self.current_user)
                    shown_notices, message = notices, f"event: notices\ndata: {json.dumps({'html': html})}\n\n"
                else:
                    # a comment would keep the connection open, too, but scripts do not see it
                    message = "event: alive\ndata:\n\n" if waited >= ALIVE_S else ""
            except SQLAlchemyError as error:
                if not is_database_away(error):
                    raise
                # the page says that it is not up to date, as soon as it has heard nothing for a while
                self.db.rollback()
                message = ""
            if message:
                self.write(message)
                await self.flush()
                waited = 0.0
            await asyncio.sleep(POLL_S)
            waited += POLL_S

    def _signature(self) -> Any:
        return tuple(
            (spawner.name, session_state(spawner), notice_of(spawner), extend_words(spawner))
            for spawner in self.own_spawners()
        )
