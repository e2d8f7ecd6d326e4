"""Launch a session. No GET starts one."""

from __future__ import annotations

import asyncio
import re
from typing import Any

from tornado import web

from daas_hub.errors import BadRequest, DaasError, Refused
from daas_hub.launch import LaunchRequest
from daas_hub.portal.launch_page import LaunchPage
from daas_hub.portal.sessions import forget
from daas_hub.portal.views import new_session_name

#: Seconds to wait for a launch to be refused or ready before the browser is sent to the page that shows its progress.
#: Rendering a page that is visible only for a moment would add a fifth to a desktop's start.
PROGRESS_PAGE_AFTER_S = 0.8

#: Launches (user, session) whose form is being processed: the hub marks them as pending only a moment later.
_launching: set[tuple[str, str]] = set()

_SESSION_NAME = re.compile(r"[a-z](?:[a-z0-9]|-(?!-)){0,28}[a-z0-9]")


class LaunchHandler(LaunchPage):
    """A link fills in the launch page; clicking the button there, or on a proposal's page, starts a session."""

    @web.authenticated
    async def get(self) -> None:
        """Show the page, filled in from the link."""
        if self.get_query_argument("choose", ""):
            await self.show_choice()
            return
        names = ("proposal", "visit", "application", "place")
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
            await self._launch(name, request)
        except DaasError as refusal:
            self.log.info("launch of %s refused: %s", self.current_user.name, refusal)
            status = 400 if isinstance(refusal, BadRequest) else 403
            await self.show_form(
                fields, visits, problem=str(refusal), status=status, failed_at_home=refusal.is_about_home
            )
            return
        user = self.current_user
        is_ready = name in user.spawners and user.spawners[name].ready
        self.redirect(user.spawners[name].session_url if is_ready else f"{self.hub_url}sessions/{name}", status=303)

    async def _launch(self, name: str, request: LaunchRequest) -> None:
        """Start it, unless the same launch is in progress: clicking the button twice starts one session."""
        user = self.current_user
        if (user.name, name) in _launching or (
            name in user.orm_spawners and (user.spawners[name].active or user.spawners[name].pending)
        ):
            return
        _launching.add((user.name, name))
        try:
            await self._spawn(name, request)
        finally:
            _launching.discard((user.name, name))

    async def _spawn(self, name: str, request: LaunchRequest) -> None:
        user = self.current_user
        application = self.facility.applications.applications.get(request.application)
        title = application.title if application else ""
        # the hub expects the record of a named server before it starts it
        user.get_or_create_spawner(name, title, replace_failed=True)
        spawning = asyncio.ensure_future(self.spawn_single_user(user, name, title, options=request.as_json()))
        spawning.add_done_callback(_retrieve)
        await asyncio.wait([spawning], timeout=PROGRESS_PAGE_AFTER_S)
        if spawning.done() and not spawning.cancelled() and (error := spawning.exception()) is not None:
            message = getattr(error, "jupyterhub_message", "")
            if not message:
                raise error
            refusal = Refused(message)
            refusal.is_about_home = getattr(user.spawners[name], "failed_at_home", False)
            await forget(self, name)
            raise refusal


def _retrieve(task: asyncio.Future[Any]) -> None:
    """Retrieve a background launch's exception: its failure is shown on the session's page, not logged by asyncio."""
    if not task.cancelled():
        task.exception()
