"""Notices: their page for administrators, their API for commands, and the button that acknowledges one."""

from __future__ import annotations

import json
from typing import Any

from jupyterhub.apihandlers.base import APIHandler
from jupyterhub.scopes import needs_scope
from tornado import web

from daas_hub.errors import BadRequest, Refused
from daas_hub.facility import Facility
from daas_hub.notices import Level, NoticeBoard, mail_text, notice_view, read_notice, signature
from daas_hub.portal.administration import note_action
from daas_hub.portal.audiences import Audiences
from daas_hub.portal.base import PortalHandler
from daas_hub.portal.mailing import mailing_of

_FIELDS = ("kind", "level", "text", "for", "from", "until", "stop_sessions_at", "in_sessions", "mail")


def board_of(handler: Any) -> NoticeBoard:
    """Return the notices of this hub."""
    board = NoticeBoard.of(handler.db)
    assert board is not None, "the portal starts with its board"
    return board


def notices_signature(handler: Any) -> tuple[object, ...]:
    """Return what changes whenever a page of the current user has to show other notices."""
    return signature(Audiences.of(handler.db).shown_to(handler.current_user), board_of(handler).clock())


def announce(handler: Any, given: dict[str, Any]) -> dict[str, Any]:
    """Store a notice that a form or a command asks for, and return it.

    Raises:
        Refused: it cannot be, worded for whoever asked.
    """
    board, facility = board_of(handler), Facility.of(handler.config)
    zone, roles = facility.zone, facility.roles.names
    made_by = str(handler.current_user.name)
    mailing, is_mailed = mailing_of(handler.db), bool(given.get("mail"))
    if is_mailed and mailing is None:
        raise BadRequest("This portal sends no e-mail.", remedy="Set c.Mail.server, or announce it on the pages only.")
    asked = {key: value for key, value in given.items() if key != "mail"}
    notice = board.add(read_notice(asked, zone=zone, now=board.clock(), made_by=made_by, roles=roles))
    whom = "everybody" if notice.audience is None else ", ".join(sorted(notice.audience))
    handler.log.warning("notice %d (%s) by %s for %s: %r", notice.id, notice.kind, made_by, whom, notice.text)
    note_action(handler, f"ANNOUNCE {notice.kind}")
    view = notice_view(notice, board.clock(), zone)
    if is_mailed and mailing is not None:
        view["messages"] = mailing.announce(mail_text(notice, board.clock(), zone), notice.audience)
        handler.log.warning("notice %d is sent by e-mail to %d people at most", notice.id, view["messages"])
    return view


def id_in(address: str) -> int:
    """Return the id in an address; 0, which no notice has, for more digits than an id can have."""
    return int(address) if len(address) < 10 else 0


def withdraw(handler: Any, notice_id: str) -> None:
    """Remove a notice.

    Raises:
        HTTPError: 404, there is no such notice.
    """
    if not board_of(handler).withdraw(id_in(notice_id)):
        raise web.HTTPError(404, "There is no such notice.")
    handler.log.warning("notice %s withdrawn by %s", notice_id, handler.current_user.name)
    note_action(handler, "WITHDRAW notice")


class NoticesHandler(PortalHandler):
    """`/daas/notices`: what is announced, and two forms."""

    @web.authenticated
    @needs_scope("admin-ui")  # type: ignore[untyped-decorator]
    async def get(self) -> None:
        """Show the page."""
        await self._show()

    @web.authenticated
    @needs_scope("admin-ui")  # type: ignore[untyped-decorator]
    async def post(self) -> None:
        """Store the notice of a form."""
        given = {name: self.get_body_argument(name, "") for name in _FIELDS}
        try:
            announce(self, given)
        except Refused as refused:
            await self._show(given=given, problem=refused)
            return
        self.redirect(f"{self.hub_url}daas/notices", status=303)

    async def _show(self, *, given: dict[str, str] | None = None, problem: Refused | None = None) -> None:
        board, zone = board_of(self), self.facility.zone
        now = board.clock()
        notices = [
            notice_view(one, now, zone)
            | {"is_over": one.is_over(now), "is_shown": one.is_shown(now), "readers": board.readers(one.id)}
            for one in reversed(board.all())
        ]
        await self.show(
            "operators_notices.html",
            status=400 if problem else 200,
            title="Notices and maintenance",
            active="notices",
            current=[one for one in notices if not one["is_over"]],
            past=[one for one in notices if one["is_over"]],
            given=given or {},
            problem=str(problem or ""),
            levels=[str(one) for one in Level],
            roles=sorted(self.facility.roles.names),
            sends_mail=mailing_of(self.db) is not None,
            zone_name=str(getattr(zone, "key", "") or "the server's time zone"),
        )


class NoticeWithdrawalHandler(PortalHandler):
    """`/daas/notices/<id>/withdraw`: the button next to a notice."""

    @web.authenticated
    @needs_scope("admin-ui")  # type: ignore[untyped-decorator]
    async def post(self, notice_id: str) -> None:
        """Remove it."""
        withdraw(self, notice_id)
        self.redirect(f"{self.hub_url}daas/notices", status=303)


class AcknowledgementHandler(PortalHandler):
    """`/daas/notices/<id>/acknowledge`: the button of a notice that each person confirms once."""

    @web.authenticated
    async def post(self, notice_id: str) -> None:
        """Record it, and return to the page."""
        user = self.current_user
        board_of(self).acknowledge(id_in(notice_id), user.name, Audiences.of(self.db).classes_of(user))
        back = self._validate_next_url(self.request.headers.get("Referer", ""))
        self.redirect(back or f"{self.hub_url}home", status=303)


class NoticesApiHandler(APIHandler):
    """`/api/daas/notices`: the same for commands."""

    @needs_scope("admin-ui")  # type: ignore[untyped-decorator]
    async def get(self) -> None:
        """Return every notice that has not ended."""
        board, zone = board_of(self), Facility.of(self.config).zone
        now = board.clock()
        found = [notice_view(one, now, zone) | {"readers": board.readers(one.id)} for one in board.all()
                 if not one.is_over(now)]  # fmt: skip
        self.write({"notices": found})

    @needs_scope("admin-ui")  # type: ignore[untyped-decorator]
    async def post(self) -> None:
        """Store a notice; the body is an object with the names of the form's fields."""
        given = self.get_json_body()
        if not isinstance(given, dict):
            raise web.HTTPError(400, "The body is not an object of JSON.")
        try:
            notice = announce(self, given)
        except Refused as refused:
            raise web.HTTPError(400 if isinstance(refused, BadRequest) else 409, str(refused)) from None
        self.set_status(201)
        self.write(json.dumps(notice))


class NoticeApiHandler(APIHandler):
    """`/api/daas/notices/<id>`: one notice."""

    @needs_scope("admin-ui")  # type: ignore[untyped-decorator]
    async def delete(self, notice_id: str) -> None:
        """Remove it."""
        withdraw(self, notice_id)
        self.set_status(204)


NOTICE_ROUTES: list[tuple[Any, ...]] = [
    (r"/daas/notices", NoticesHandler),
    (r"/daas/notices/(\d+)/withdraw", NoticeWithdrawalHandler),
    (r"/daas/notices/(\d+)/acknowledge", AcknowledgementHandler),
    (r"/api/daas/notices", NoticesApiHandler),
    (r"/api/daas/notices/(\d+)", NoticeApiHandler),
]
