"""Launch, follow and stop a session. No GET starts one."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from tornado import web

from daas_hub.accounts import Account
from daas_hub.catalogue import Application, Kind
from daas_hub.errors import BadRequest, DaasError, Refused
from daas_hub.launch import (
    MAX_VISITS,
    LaunchRequest,
    has_temporary_home,
    offered,
    offered_for_all,
    read_visit_value,
    visit_value,
    visits_in,
)
from daas_hub.portal.assets import icon_address
from daas_hub.portal.pages import SessionCards
from daas_hub.portal.places import place_choices
from daas_hub.portal.views import (
    button_view,
    choosable_view,
    failure_of,
    new_session_name,
    proposals_with_visits,
    session_state,
)
from daas_hub.proposals import Proposal
from daas_hub.proposals.listing import question_of

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
        if self.get_query_argument("choose", ""):
            await self._show_choice()
            return
        names = ("proposal", "visit", "application", "place")
        fields = {name: self.get_query_argument(name, "", strip=False) for name in names}
        await self._show_form(fields, self.get_query_arguments("visits", strip=False))

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
            await self._show_form(
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
            await _forget(self, name)
            raise refusal

    async def _show_form(
        self,
        fields: dict[str, str],
        values: Sequence[str] = (),
        *,
        problem: str = "",
        status: int = 200,
        failed_at_home: bool = False,
    ) -> None:
        """Show the page for one visit, for several, or for none; if something is missing, it says what."""
        account = await self.account()
        try:
            request = LaunchRequest.from_form({"application": "any"}, values)
        except BadRequest as refusal:
            request, problem = LaunchRequest("any"), problem or str(refusal)
        if request.visits or (values and not request.proposals):
            await self._show_several(
                account, fields, request, problem=problem, status=status, failed_at_home=failed_at_home
            )
            return
        if request.proposal is not None:
            fields = fields | {"proposal": request.proposal, "visit": str(request.visit)}
        proposal, problem = await self._proposal_of(account, fields, problem)
        visit = _visit_of(fields, proposal)
        if proposal is not None and not visit:
            problem = problem or f"Please choose a visit on the page of {proposal.id}."
        choices = () if problem and proposal is None and fields.get("proposal") else self._choices(account, proposal)
        if proposal is not None and not visit:
            choices = ()
        await self._show_page(
            account,
            fields,
            choices,
            problem=problem,
            status=status,
            failed_at_home=failed_at_home,
            request=LaunchRequest("any", proposal.id, int(visit)) if proposal and visit else LaunchRequest("any"),
            proposal_id=proposal.id if proposal else "",
            proposal_title=proposal.title if proposal else "",
            visit_number=visit,
        )

    async def _show_several(
        self, account: Account, fields: dict[str, str], request: LaunchRequest, *, problem: str, **shown: Any
    ) -> None:
        """Show the page for several visits."""
        proposals = []
        for wanted in request.proposals:
            proposal, problem = await self._proposal_of(account, {"proposal": wanted}, problem)
            proposals += [proposal] if proposal else []
        is_missing = len(proposals) < len(request.proposals) or not proposals
        choices = () if is_missing else offered_for_all(self.facility.applications, proposals)
        if not choices and not problem:
            problem = "No application is offered for all of these proposals. Choose visits of one beamline."
        await self._show_page(
            account,
            fields,
            [one for one in choices if one.kind is not Kind.LINK],
            problem=problem,
            **shown,
            request=request,
            several=proposals_with_visits(request.visits, {one.id: one.title for one in proposals}),
            visits=[visit_value(*one) for one in request.visits],
        )

    async def _show_page(
        self,
        account: Account,
        fields: dict[str, str],
        choices: Sequence[Application],
        *,
        status: int,
        request: LaunchRequest,
        **shown: Any,
    ) -> None:
        wanted = fields.get("application", "")
        names = [one.name for one in choices]
        places = await place_choices(
            self, account, request, [wanted] if wanted in names else names, fields.get("place", "")
        )
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
            sizes=self._sizes(wanted, fields.get("size", "")),
            temporary_home=bool(fields.get("temporary_home")),
            places=places,
            session_name=new_session_name(wanted if re.fullmatch(r"[a-z][a-z0-9-]{0,15}", wanted) else "session"),
            **shown,
        )

    async def _show_choice(self) -> None:
        """Show the person's visits, to choose several of them; a search keeps what is chosen."""
        account = await self.account()
        problem = ""
        try:
            chosen = dict.fromkeys(map(read_visit_value, self.get_query_arguments("visits", strip=False)))
        except BadRequest as refusal:
            chosen, problem = {}, str(refusal)
        search = self.get_query_argument("search", "")
        page, source = await self.page_of(account, question_of(search=search, sort="-latest", page="1"))
        kept = []
        for name in dict.fromkeys(proposal for proposal, _ in chosen):
            if name not in {one.id for one in page.proposals}:
                proposal, _ = await self.known_proposal(account, name)
                kept += [proposal] if proposal else []
        zone = self.facility.zone
        await self.show(
            "visits.html",
            title="Several visits",
            active="proposals",
            person=self.person(account),
            problem=problem,
            proposals_source=source,
            search=search,
            application=self.get_query_argument("application", ""),
            proposals=[choosable_view(one, chosen, zone) for one in (*kept, *page.proposals) if one.visits],
            more=max(page.total - len(page.proposals), 0),
            max_visits=MAX_VISITS,
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

    def _sizes(self, wanted: str, chosen: str) -> list[dict[str, Any]]:
        application = self.facility.applications.applications.get(wanted)
        if application is None:
            return []
        sizes = self.facility.applications.sizes_of(application)
        # each place has its own default, where not all of them offer the usual one
        usual = (
            sizes[0].name
            if all(sizes[0].name in (one.sizes or (sizes[0].name,)) for one in self.facility.places)
            else ""
        )
        selected = chosen if chosen in {size.name for size in sizes} else usual
        return [{"name": size.name, "title": size.title, "selected": size.name == selected} for size in sizes]


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
        visits = visits_in(spawner.orm_spawner.user_options)
        proposals = {name: (await self.known_proposal(account, name))[0] for name in dict(visits)}
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
            relaunch=self._relaunch(spawner, visits, proposals),
            relaunch_safely=self._relaunch(spawner, visits, proposals, temporary_home=True)
            if getattr(spawner, "failed_at_home", False)
            else None,
        )

    def _relaunch(
        self,
        spawner: Any,
        visits: Sequence[tuple[str, int | None]],
        proposals: Mapping[str, Proposal | None],
        *,
        temporary_home: bool = False,
    ) -> dict[str, Any] | None:
        """Return the button that launches the same again, if the application and all visits are still available."""
        options = spawner.orm_spawner.user_options or {}
        application = self.facility.applications.applications.get(str(options.get("application", "")))
        if application is None:
            return None
        temporary_home = temporary_home or has_temporary_home(options)
        found = []
        for name, number in visits:
            proposal = proposals[name]
            visit = proposal.visit(-1 if number is None else number) if proposal else None
            if proposal is None or visit is None:
                return None
            found.append((proposal, visit))
        if len(found) > 1:
            several = [(proposal.id, visit.number) for proposal, visit in found]
            button = button_view(self.hub_url, application, None, None, several=several, temporary_home=temporary_home)
        else:
            proposal, visit = found[0] if found else (None, None)
            button = button_view(self.hub_url, application, proposal, visit, temporary_home=temporary_home)
        # where it was asked to be; a place that is not open now is refused in words
        place = str(options.get("place") or "")
        return button | {"fields": button["fields"] | ({"place": place} if place else {})}


class StopHandler(SessionCards):
    """Stops a session, also one that has ended already."""

    @web.authenticated
    async def post(self, name: str) -> None:
        """Stop it, forget it, and redirect home."""
        user = self.current_user
        if name in user.orm_spawners:
            spawner = user.spawners[name]
            if getattr(spawner, "is_unknown", False):
                raise web.HTTPError(409, f"This session cannot be stopped now. {spawner.unknown_notice}")
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
