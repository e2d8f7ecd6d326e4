"""Login, home, and one proposal."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from jupyterhub.handlers.login import LoginHandler
from tornado import web
from tornado.httputil import url_concat

from daas_hub.accounts import Account
from daas_hub.errors import SourceUnavailable
from daas_hub.launch import offered, visits_in
from daas_hub.portal.authenticator import OffersLogins
from daas_hub.portal.base import PortalHandler
from daas_hub.portal.ended import take_why_it_ended
from daas_hub.portal.hub_requests import page_policy
from daas_hub.portal.places import place_titles
from daas_hub.portal.views import (
    button_view,
    day_of_epoch,
    left_out_view,
    listing_view,
    session_card,
    source_notice,
    visit_view,
)
from daas_hub.proposals import Page, Proposal, Query
from daas_hub.proposals.listing import COLUMNS, question_of

#: How long the home page shows a newly connected login to the account's other logins.
NEW_LOGIN_S = 14 * 86_400.0


class SessionCards(PortalHandler):
    """Pages that show session cards."""

    def cards(self, titles: Mapping[str, str], *, proposal_id: str | None = None) -> list[dict[str, Any]]:
        """Return this user's sessions, newest first; with `proposal_id` only those of one proposal.

        Args:
            titles: known titles of proposals (see `titles_of_sessions`).
        """
        spawners = sorted(
            self.own_spawners(),
            key=lambda spawner: (spawner.orm_spawner.started is not None, str(spawner.orm_spawner.started)),
            reverse=True,
        )
        cards = [
            session_card(
                self.hub_url,
                spawner,
                self.facility.applications,
                titles,
                self.facility.zone,
                places=place_titles(self.facility.places),
            )
            for spawner in spawners
        ]
        return [card for card in cards if proposal_id is None or proposal_id in card["proposal_ids"]]

    def own_spawners(self) -> list[Any]:
        """Return this user's sessions as the hub knows them, running or not."""
        user = self.current_user
        return [user.spawners[name] for name in user.orm_spawners if name]

    async def titles_of_sessions(self, account: Account) -> dict[str, str]:
        """Return the titles of the proposals of this user's sessions, where their source responds."""
        wanted = {
            proposal for spawner in self.own_spawners() for proposal, _ in visits_in(spawner.orm_spawner.user_options)
        }
        titles = {}
        for name in sorted(wanted):
            try:
                answer = await self.facility.proposal_of(account, name)
            except SourceUnavailable:
                continue
            if answer.value is not None:
                titles[name] = answer.value.title
        return titles

    async def known_proposal(self, account: Account, proposal_id: str) -> tuple[Proposal | None, dict[str, str]]:
        """Return a proposal, and the notice to show while its source is down (see `source_notice`)."""
        try:
            answer = await self.facility.proposal_of(account, proposal_id)
        except SourceUnavailable as problem:
            # the outage itself is logged once elsewhere; this records who was affected
            self.log.info("proposals of %s: %s", account.name, problem)
            return None, source_notice(problem, None)
        return answer.value, source_notice(answer.problem, answer.age_s)

    async def page_of(self, account: Account, query: Query) -> tuple[Page, dict[str, str]]:
        """Return a page of the list, and the notice to show while its source is down (see `source_notice`)."""
        try:
            answer = await self.facility.page_of(account, query)
        except SourceUnavailable as problem:
            self.log.info("proposals of %s: %s", account.name, problem)
            return Page((), 0, query.search, query.sort, 1, 1, COLUMNS), source_notice(problem, None)
        return answer.value, source_notice(answer.problem, answer.age_s)


class HomeHandler(SessionCards):
    """Proposals, own resources, sessions."""

    @web.authenticated
    async def get(self) -> None:
        """Show them."""
        account = await self.account()
        query = question_of(
            search=self.get_query_argument("search", ""),
            sort=self.get_query_argument("sort", ""),
            page=self.get_query_argument("page", "1"),
        )
        page, source = await self.page_of(account, query)
        await self.show(
            "home.html",
            title="Home",
            active="proposals",
            person=self.person(account),
            proposals_source=source,
            left_out=left_out_view(self.facility.left_out_of(account)),
            sessions=self.cards(await self.titles_of_sessions(account)),
            new_logins=await self._new_logins(account),
            own_applications=[
                button_view(self.hub_url, application, None, None)
                for application in offered(self.facility.applications, None)
            ]
            if self.facility.may_have_own_resources(account)
            else [],
            **listing_view(self.hub_url, page, query, self.facility.zone),
        )

    async def _new_logins(self, account: Account) -> list[dict[str, str]]:
        """Return the logins connected to this account recently, except the current one."""
        links = self.facility.links
        if links is None:
            return []
        try:
            found = await links.store.links_of(account.name, account.uid)
        except SourceUnavailable as problem:
            self.log.error("connected logins of %s: %s", account.name, problem.detail)
            return []
        since, zone = time.time() - NEW_LOGIN_S, self.facility.zone
        return [
            {
                "title": self.title_of(one.issuer),
                "subject": one.subject,
                "day": day_of_epoch(one.made_at, zone),
            }
            for one in found
            if one.made_at > since and one.identity.hub_name != self.current_user.name
        ]


class ProposalHandler(SessionCards):
    """One proposal: its visits, each with its applications."""

    @web.authenticated
    async def get(self, proposal_id: str) -> None:
        """Show it; somebody else's proposal looks like one that does not exist."""
        account = await self.account()
        # 503, not 404, while the source is down: it is unknown whether the proposal is theirs
        answer = await self.facility.proposal_of(account, proposal_id)
        proposal = answer.value
        left_out = [one for one in self.facility.left_out_of(account) if one.id == proposal_id]
        if proposal is None and left_out:
            raise web.HTTPError(
                404, f"Proposal {proposal_id} cannot be shown: {left_out[0].reason}. Please tell the user office."
            )
        if proposal is None:
            raise web.HTTPError(404, "You have no such proposal.")
        applications = offered(self.facility.applications, proposal)
        visits = sorted(proposal.visits, key=lambda visit: visit.number, reverse=True)
        await self.show(
            "proposal.html",
            title=proposal.id,
            active="proposals",
            person=self.person(account),
            proposal={
                "id": proposal.id,
                "title": proposal.title,
                "abstract": proposal.abstract,
                "beamlines": list(proposal.beamlines),
            },
            proposals_source=source_notice(answer.problem, answer.age_s),
            left_out=left_out_view(left_out),
            visits=[
                visit_view(
                    self.hub_url,
                    proposal,
                    visit,
                    applications,
                    template=self.facility.visit_url,
                    zone=self.facility.zone,
                )
                for visit in visits
            ],
            visit_link_title=self.facility.visit_url_title,
            sessions=self.cards({proposal.id: proposal.title}, proposal_id=proposal.id),
        )


class LoginPageHandler(LoginHandler):
    """The hub's login page with our policy; the page itself is in templates/."""

    @property
    def content_security_policy(self) -> str:
        """Our policy; a login by a form may end at a session."""
        return page_policy(self.settings)

    async def get(self) -> None:
        """Show it, under the portal's own name: a login that begins under another one does not find its way back."""
        portal = urlsplit(self.settings.get("subdomain_host") or "")
        # the name only: a web server in front may add or drop the port
        if portal.hostname and self.request.host_name.lower() != portal.hostname:
            self.redirect(f"{portal.scheme}://{portal.netloc}{self.request.uri}")
            return
        await super().get()

    async def post(self) -> None:
        """Log in by a form. A login page without a password form has none to send."""
        if not self.get_body_argument("username", ""):
            raise web.HTTPError(400, "This form has no user name. Please use the login page.")
        await super().post()

    def _render(self, login_error: str | None = None, username: str | None = None, **values: Any) -> Any:
        """Add the login methods that the authenticator offers, each with the page that is wanted afterwards."""
        authenticator = self.authenticator
        offered_methods = (
            authenticator.login_methods(self.hub.base_url) if isinstance(authenticator, OffersLogins) else []
        )
        wanted = {"next": self.get_argument("next", "")}
        methods = [method | {"url": url_concat(method["url"], wanted)} for method in offered_methods]
        ended = "" if login_error else take_why_it_ended(self)
        return super()._render(login_error, username, methods=methods, ended=ended, **values)
