"""Launch, follow and stop a session. No GET starts one."""

from __future__ import annotations

import asyncio
import re
from typing import Any
from urllib.parse import urlencode

from tornado import web

from daas_hub.accounts import Account
from daas_hub.catalogue import Application, Kind
from daas_hub.errors import BadRequest, DaasError, Refused
from daas_hub.launch import LaunchRequest, offered
from daas_hub.portal.assets import icon_address
from daas_hub.portal.pages import SessionCards
from daas_hub.portal.views import button_view, failure_of, new_session_name, session_state
from daas_hub.proposals import Proposal

#: Seconds to wait for a launch to be refused or ready before the browser is sent to the page that shows its progress.
#: Rendering a page that is visible only for a moment would add a fifth to a desktop's start.
PROGRESS_PAGE_AFTER_S = 0.8

#: Launches (user, session) whose form is being processed: the hub marks them as pending only a moment later.
_launching: set[tuple[str, str]] = set()

_SESSION_NAME = re.compile(r"[a-z](?:[a-z0-9]|-(?!-)){0,28}[a-z0-9]")


class LaunchHandler(SessionCards):
    """A link fills in the launch page; clicking the button there, or on a proposal's page, starts a session."""

    @web.authenticated
    async def get(self) -> None:
        """Show the page, filled in from the link."""
        names = ("proposal", "visit", "application")
        await self._show_form({name: self.get_query_argument(name, "", strip=False) for name in names})

    @web.authenticated
    async def post(self) -> None:
        """Start a session, and send the browser to its page."""
        fields = {
            key: self.get_body_argument(key, "", strip=False) for key in ("application", "proposal", "visit", "size")
        }
        name = self.get_body_argument("session_name", "", strip=False)
        # first: the hub would refresh the login, too, but before it marks this session as starting
        if await self.refresh_auth(self.current_user, force=True) is None:
            # the login page says why
            self.redirect(self.settings["login_url"], status=303)
            return
        try:
            request = LaunchRequest.from_form(fields)
            if not _SESSION_NAME.fullmatch(name):
                name = new_session_name(request.application)
            await self._launch(name, request)
        except DaasError as refusal:
            self.log.info("launch of %s refused: %s", self.current_user.name, refusal)
            await self._show_form(fields, problem=str(refusal), status=400 if isinstance(refusal, BadRequest) else 403)
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
            await _forget(self, name)
            raise Refused(message)

    async def _show_form(self, fields: dict[str, str], *, problem: str = "", status: int = 200) -> None:
        account = await self.account()
        proposal, problem = await self._proposal_of(account, fields, problem)
        visit = _visit_of(fields, proposal)
        if proposal is not None and not visit:
            problem = problem or f"Please choose a visit on the page of {proposal.id}."
        choices = () if problem and proposal is None and fields.get("proposal") else self._choices(account, proposal)
        if proposal is not None and not visit:
            choices = ()
        wanted = fields.get("application", "")
        await self.show(
            "launch.html",
            status=status,
            title="Launch",
            active="",
            person=self.person(account),
            applications=[
                {
                    "name": one.name,
                    "title": one.title,
                    "description": one.description,
                    "icon_url": icon_address(self.hub_url, one),
                    "selected": one.name == wanted,
                }
                for one in choices
            ],
            proposal_id=proposal.id if proposal else "",
            proposal_title=proposal.title if proposal else "",
            visit_number=visit,
            sizes=self._sizes(wanted),
            problem=problem,
            session_name=new_session_name(wanted if re.fullmatch(r"[a-z][a-z0-9-]{0,15}", wanted) else "session"),
        )

    async def _proposal_of(self, account: Account, fields: dict[str, str], problem: str) -> tuple[Proposal | None, str]:
        if not (wanted := fields.get("proposal", "")):
            return None, problem
        proposal, source = await self.known_proposal(account, wanted)
        problem = problem or source["words"]
        if proposal is None and not problem:
            problem = "You have no such proposal. Its main proposer or the user office can add you."
        return proposal, problem

    def _choices(self, account: Account, proposal: Proposal | None) -> tuple[Application, ...]:
        if proposal is None and not self.facility.may_have_own_resources(account):
            return ()
        return tuple(one for one in offered(self.facility.applications, proposal) if one.kind is not Kind.LINK)

    def _sizes(self, wanted: str) -> list[dict[str, Any]]:
        application = self.facility.applications.applications.get(wanted)
        if application is None:
            return []
        sizes = self.facility.applications.sizes_of(application)
        return [{"name": size.name, "title": size.title, "selected": index == 0} for index, size in enumerate(sizes)]


class SessionHandler(SessionCards):
    """The page of a session that is starting, has failed or has ended."""

    @web.authenticated
    async def get(self, name: str) -> None:
        """Show it; a running session is opened."""
        user = self.current_user
        if name not in user.orm_spawners:
            raise web.HTTPError(404, "You have no such session.")
        spawner = user.spawners[name]
        account = await self.account()
        options = spawner.orm_spawner.user_options or {}
        proposal, _ = await self.known_proposal(account, str(options.get("proposal") or ""))
        titles = await self.titles_of_sessions(account)
        # only now: the state may have changed during the requests above
        state = session_state(spawner)
        if state == "running":
            self.redirect(spawner.session_url)
            return
        card = next(card for card in self.cards(titles) if card["name"] == name)
        query = urlencode({"_xsrf": self.xsrf_token.decode("ascii")})
        await self.show(
            "session.html",
            title=card["title"],
            active="sessions",
            person=self.person(account),
            session=card,
            steps=list(getattr(spawner, "steps", ())),
            progress_url=f"{self.hub_url}api/users/{user.name}/servers/{name}/progress?{query}",
            ready=False,
            session_url=card["open_url"],
            failed_text=failure_of(spawner) if state == "failed" else "",
            relaunch=self._relaunch(spawner, proposal),
        )

    def _relaunch(self, spawner: Any, proposal: Proposal | None) -> dict[str, Any] | None:
        """Return the button that launches the same application again, if it is still available."""
        options = spawner.orm_spawner.user_options or {}
        application = self.facility.applications.applications.get(str(options.get("application", "")))
        if application is None:
            return None
        visit = proposal.visit(options.get("visit", -1)) if proposal else None
        if options.get("proposal") and visit is None:
            return None
        return button_view(self.hub_url, application, proposal, visit)


class StopHandler(SessionCards):
    """Stops a session, also one that has ended already."""

    @web.authenticated
    async def post(self, name: str) -> None:
        """Stop it, forget it, and redirect home."""
        user = self.current_user
        if name in user.orm_spawners:
            spawner = user.spawners[name]
            if spawner.pending == "spawn" and spawner._spawn_future is not None:
                spawner._spawn_future.cancel()
                await asyncio.wait([spawner._spawn_future], timeout=2)
                spawner._spawn_pending = False
            if spawner.pending != "stop" and (spawner.active or await spawner.poll() is None):
                await self.stop_single_user(user, name)
        await _forget(self, name)
        self.redirect(f"{self.hub_url}home", status=303)


class StockSpawnHandler(SessionCards):
    """Replaces the hub's spawn pages, where a link followed by a user's browser is enough to start a server."""

    @web.authenticated
    async def get(self, name: str = "") -> None:
        """Redirect to the session's page or the home page."""
        user = self.current_user
        known = bool(name) and name in user.orm_spawners
        self.redirect(f"{self.hub_url}sessions/{name}" if known else f"{self.hub_url}home")

    @web.authenticated
    async def post(self, name: str = "") -> None:
        """Redirect home: launches have their own form."""
        self.redirect(f"{self.hub_url}home", status=303)


async def _forget(handler: SessionCards, name: str) -> None:
    """Remove the hub's record of a session that has ended; while it is stopping it stays listed."""
    user = handler.current_user
    if name not in user.orm_spawners:
        return
    spawner = user.spawners[name]
    if spawner.active or spawner.pending or getattr(spawner, "stop_wanted", False):
        return
    user.spawners.pop(name, None)
    handler.db.delete(user.orm_spawners[name])
    handler.db.commit()


def _visit_of(fields: dict[str, str], proposal: Proposal | None) -> str:
    if proposal is None:
        return ""
    visit = fields.get("visit", "")
    if not visit and len(proposal.visits) == 1:
        return str(proposal.visits[0].number)
    known = {str(visit.number) for visit in proposal.visits}
    return visit if visit in known else ""


def _retrieve(task: asyncio.Future[Any]) -> None:
    """Retrieve a background launch's exception: its failure is shown on the session's page, not logged by asyncio."""
    if not task.cancelled():
        task.exception()
