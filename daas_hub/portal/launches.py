"""Launch a session. No GET starts one."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl

from sqlalchemy.exc import SQLAlchemyError
from tornado import web

from daas_hub.catalogue import Kind
from daas_hub.database import is_database_away
from daas_hub.errors import BadRequest, DaasError, Refused, SourceUnavailable
from daas_hub.launch import LaunchRequest
from daas_hub.metrics.launches import count_refused
from daas_hub.portal.early_routes import is_routed_early, route_early, wait_accepting
from daas_hub.portal.launch_login import end_launch_login, keep_login, new_launch_login, open_session, take_login
from daas_hub.portal.launch_page import LaunchPage
from daas_hub.portal.lost_starts import is_lost
from daas_hub.portal.pages import HomePage, ProposalPage
from daas_hub.portal.refusals import Refusal
from daas_hub.portal.session_names import SESSION_NAME, new_session_name
from daas_hub.portal.session_views import reference_of
from daas_hub.portal.sessions import SessionPage, forget
from daas_hub.portal.waiting import current_line, join_queue, start_in_turn, waiting_words

#: Seconds to wait for a launch to be refused or ready before the browser is sent to the page that shows its progress.
#: Rendering a page that is visible only for a moment would add a fifth to a desktop's start.
PROGRESS_PAGE_AFTER_S = 0.8

#: Launches (user, session) whose form is being processed: the hub marks them as pending only a moment later.
_launching: set[tuple[str, str]] = set()

_SESSION_NAME = re.compile(SESSION_NAME)


class _NotLaunched(Refused):
    """A launch that ended at once, with its reference."""


class LaunchHandler(LaunchPage, HomePage, ProposalPage, SessionPage):
    """A link fills in the launch page; clicking a button there, or on another page, starts a session.

    A launch that does not start is explained on the page with its button.
    """

    accepts_starts = True

    @web.authenticated
    async def get(self) -> None:
        """Show the page, filled in from the link."""
        if self.get_query_argument("choose", ""):
            await self.show_choice()
            return
        names = ("proposal", "visit", "application", "size", "place")
        fields = {name: self.get_query_argument(name, "", strip=False) for name in names}
        await self.show_form(fields, self.get_query_arguments("visits", strip=False))

    @web.authenticated
    async def post(self) -> None:
        """Start a session, and send the browser to its page."""
        fields = {
            key: self.get_body_argument(key, "", strip=False)
            for key in ("application", "proposal", "visit", "size", "temporary_home", "place")
        }
        visits = self.get_body_arguments("visits", strip=False)
        name = self.get_body_argument("session_name", "", strip=False)
        # first: the hub would refresh the login, too, but before it marks this session as starting
        if await self.refresh_auth(self.current_user, force=True) is None:
            # the login page says why
            self.redirect(self.settings["login_url"], status=303)
            return
        try:
            request = LaunchRequest.from_form(fields, visits)
            if not _SESSION_NAME.fullmatch(name):
                name = new_session_name(request.application)
            # only forms of ours ask: a program that sends the form twice wants two sessions
            if self._asks_first() and (card := self._identical(name, request)):
                await self._show_where_pressed(
                    Refusal(_running_words(card), 200, fields, visits, self._pressed_on(), running=card)
                )
                return
            await self._launch(name, request)
        except DaasError as problem:
            self.log.info("launch of %s refused: %s", self.current_user.name, problem)
            status = 403
            if isinstance(problem, BadRequest):
                # of the form itself; a spawner counts all others
                count_refused(problem.reason, problem.kind)
                status = 400
            await self._show_where_pressed(
                Refusal(
                    str(problem),
                    status,
                    fields,
                    visits,
                    self._pressed_on(),
                    failed_at_home=problem.is_about_home,
                    is_about_limits=problem.is_about_limits,
                    reference=problem.reference,
                )
            )
            return
        user = self.current_user
        spawner = user.spawners.get(name)
        try:
            address = self._address_of(spawner, name)
        except SQLAlchemyError as error:
            if not is_database_away(error):
                raise
            # the start is lost with it, and is repeated
            self.db.rollback()
            address = f"{self.hub_url}sessions/{name}"
        self.redirect(address, status=303)

    def _address_of(self, spawner: Any, name: str) -> str:
        """Return where to send the browser: to the session as soon as it accepts connections, else to its page here."""
        address = f"{self.hub_url}sessions/{name}"
        if spawner is None or not (spawner.ready or is_routed_early(spawner)):
            return address
        return open_session(self, spawner, take_login(self, spawner))

    def _asks_first(self) -> bool:
        """Return whether a second identical session is to be asked about; the launch page's answer has both words."""
        answers = self.get_body_arguments("running")
        return "ask" in answers and "another" not in answers

    def _identical(self, name: str, request: LaunchRequest) -> dict[str, Any] | None:
        """Return the card of another session with the same content that starts or runs."""
        return None if self._is_launched(name) else self.running().get(request.content)

    def _is_launched(self, name: str) -> bool:
        user = self.current_user
        return (user.name, name) in _launching or (
            name in user.orm_spawners
            and bool(user.spawners[name].active or user.spawners[name].pending or waiting_words(user.spawners[name]))
        )

    def _pressed_on(self) -> str:
        return self.get_body_argument("page", "", strip=False)

    async def _show_where_pressed(self, refused: Refusal) -> None:
        """Show the page that the form was sent from, with the reason; or else the launch page."""
        account = await self.account()
        kind, _, rest = refused.page.partition("/")
        try:
            if refused.page.partition("?")[0] == "home":
                given = dict(parse_qsl(refused.page.partition("?")[2]))
                await self.show_home(account, given, refused)
            elif kind == "proposals" and rest == refused.fields.get("proposal"):
                await self.show_proposal(account, rest, refused)
            elif kind == "sessions":
                await self.show_session(account, rest, refused)
            else:
                await self.show_form(dict(refused.fields), refused.visits, refused=replace(refused, page=""))
        except (SourceUnavailable, web.HTTPError):
            # that page cannot be shown any more
            await self.show_form(dict(refused.fields), refused.visits, refused=replace(refused, page=""))

    async def _launch(self, name: str, request: LaunchRequest) -> None:
        """Start it, unless the same launch is in progress: clicking the button twice starts one session."""
        if self._is_launched(name):
            return
        # by name: the user's record cannot be read after an error of the database
        launching = (self.current_user.name, name)
        _launching.add(launching)
        try:
            await self._spawn(name, request)
        finally:
            _launching.discard(launching)

    async def _spawn(self, name: str, request: LaunchRequest) -> None:
        user = self.current_user
        application = self.facility.applications.applications.get(request.application)
        title = application.title if application else ""
        is_desktop = application is not None and application.kind is not Kind.NOTEBOOK
        if current_line() is not None:
            spawner = await join_queue(self, name, request)
            self._prepare_login(spawner, is_desktop=is_desktop)
            await self._wait(spawner, asyncio.ensure_future(start_in_turn(spawner, PROGRESS_PAGE_AFTER_S)))
            return
        # the hub expects the record of a named server before it starts it
        spawner = user.get_or_create_spawner(name, title, replace_failed=True)
        self._prepare_login(spawner, is_desktop=is_desktop)
        began = time.monotonic()
        spawning = asyncio.ensure_future(self.spawn_single_user(user, name, title, options=request.as_json()))
        spawning.add_done_callback(_retrieve)
        spawning.add_done_callback(lambda _: end_launch_login(spawner))
        await self._wait(spawner, spawning)
        if spawning.done() and not spawning.cancelled() and (error := spawning.exception()) is not None:
            if is_lost(error, began):
                # its page shows the repetition
                return
            message = getattr(error, "jupyterhub_message", "") or _words_of_limit(error)
            if not message:
                raise error
            refusal = _NotLaunched(message)
            refusal.is_about_home = getattr(user.spawners[name], "failed_at_home", False)
            refusal.is_about_limits = getattr(error.__cause__, "is_about_limits", False)
            refusal.reference = reference_of(user.spawners[name])
            await forget(self, name)
            raise refusal

    def _prepare_login(self, spawner: Any, *, is_desktop: bool) -> None:
        """Prepare a login of this browser at the session that starts, if it has a use for one."""
        spawner.launch_login = new_launch_login(self) if is_desktop else None
        spawner.kept_login = None
        if spawner.launch_login is not None:
            keep_login(self, spawner, spawner.launch_login)

    async def _wait(self, spawner: Any, starting: asyncio.Future[Any]) -> None:
        """Wait until a start is refused or ready, or a browser can be sent to its session, or it takes too long."""
        accepting = asyncio.ensure_future(wait_accepting(spawner))
        await asyncio.wait([starting, accepting], timeout=PROGRESS_PAGE_AFTER_S, return_when=asyncio.FIRST_COMPLETED)
        if accepting.done() and not starting.done():
            await route_early(self.proxy, spawner)
        accepting.cancel()


def _words_of_limit(error: BaseException) -> str:
    """Return the words of one of the hub's own limits (`active_server_limit`, `concurrent_spawn_limit`)."""
    return str(error.log_message) if isinstance(error, web.HTTPError) and error.status_code == 429 else ""


def _running_words(card: Mapping[str, Any]) -> str:
    state = "is starting already" if card["state"] == "starting" else "is running already"
    since = f", since {card['since_text']}" if card["since_text"] else ""
    return f"{card['title']} {state} here{since}. Nothing was started. Open it, or start another one."


def _retrieve(task: asyncio.Future[Any]) -> None:
    """Retrieve a background launch's exception: its failure is shown on the session's page, not logged by asyncio."""
    if not task.cancelled():
        task.exception()
