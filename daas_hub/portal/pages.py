"""Login, home, and one proposal."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from jupyterhub.handlers.login import LoginHandler
from tornado import web
from tornado.httputil import url_concat

from daas_hub.accounts import Account
from daas_hub.errors import SourceUnavailable
from daas_hub.launch import offered
from daas_hub.portal.base import CONTENT_SECURITY_POLICY
from daas_hub.portal.base import Page as PortalPage
from daas_hub.portal.ended import take_why_it_ended
from daas_hub.portal.views import button_view, day_of_epoch, listing_view, session_card, source_notice, visit_view
from daas_hub.proposals import Page, Proposal, Query
from daas_hub.proposals.listing import COLUMNS, question_of

#: So long an account's other logins are told of a new one: whoever did not connect it should see it.
NEW_LOGIN_S = 14 * 86_400.0


class SessionCards(PortalPage):
    """Pages that show session cards."""

    def cards(self, titles: Mapping[str, str], *, proposal_id: str | None = None) -> list[dict[str, Any]]:
        """Return this user's sessions, the newest first; only those of one proposal, if it is named.

        Args:
            titles: of proposals, as far as they are known (see `titles_of_sessions`).
        """
        user = self.current_user
        spawners = sorted(
            self.own_spawners(),
            key=lambda spawner: (spawner.orm_spawner.started is not None, str(spawner.orm_spawner.started)),
            reverse=True,
        )
        cards = [
            session_card(self.hub_url, user.url, spawner, self.facility.applications, titles) for spawner in spawners
        ]
        return [card for card in cards if proposal_id is None or card["proposal_id"] == proposal_id]

    def own_spawners(self) -> list[Any]:
        """Return this user's sessions as the hub knows them, running or not."""
        user = self.current_user
        return [user.spawners[name] for name in user.orm_spawners if name]

    async def titles_of_sessions(self, account: Account) -> dict[str, str]:
        """Return the titles of the proposals that this user's sessions belong to, as far as their source tells them."""
        wanted = {
            str((spawner.orm_spawner.user_options or {}).get("proposal") or "") for spawner in self.own_spawners()
        }
        titles = {}
        for name in sorted(wanted - {""}):
            try:
                told = await self.facility.proposal_of(account, name)
            except SourceUnavailable:
                continue
            if told.value is not None:
                titles[name] = told.value.title
        return titles

    async def known_proposal(self, account: Account, proposal_id: str) -> tuple[Proposal | None, dict[str, str]]:
        """Return a proposal, and what is to be said of it while its source is down (see `source_notice`)."""
        try:
            told = await self.facility.proposal_of(account, proposal_id)
        except SourceUnavailable as problem:
            # the outage itself was told once; here, who was touched by it
            self.log.info("proposals of %s: %s", account.name, problem)
            return None, source_notice(problem, None)
        return told.value, source_notice(told.problem, told.age_s)


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
        page, source = await self._page(account, query)
        await self.show(
            "home.html",
            title="Home",
            active="proposals",
            person=self.person(account),
            proposals_source=source,
            sessions=self.cards(await self.titles_of_sessions(account)),
            new_logins=await self._new_logins(account),
            own_applications=[
                button_view(self.hub_url, application, None, None)
                for application in offered(self.facility.applications, None)
            ]
            if self.facility.may_have_own_resources(account)
            else [],
            **listing_view(self.hub_url, page, query),
        )

    async def _new_logins(self, account: Account) -> list[dict[str, str]]:
        """Return the logins that were connected with this account lately, but for the one that is used now."""
        links = self.facility.links
        if links is None:
            return []
        try:
            found = await links.store.links_of(account.name, account.uid)
        except SourceUnavailable as problem:
            self.log.error("connected logins of %s: %s", account.name, problem.detail)
            return []
        since = time.time() - NEW_LOGIN_S
        return [
            {"title": self.title_of(one.issuer), "subject": one.subject, "day": day_of_epoch(one.made_at)}
            for one in found
            if one.made_at > since and one.identity.hub_name != self.current_user.name
        ]

    async def _page(self, account: Account, query: Query) -> tuple[Page, dict[str, str]]:
        try:
            told = await self.facility.page_of(account, query)
        except SourceUnavailable as problem:
            self.log.info("proposals of %s: %s", account.name, problem)
            return Page((), 0, query.search, query.sort, 1, 1, COLUMNS), source_notice(problem, None)
        return told.value, source_notice(told.problem, told.age_s)


class ProposalHandler(SessionCards):
    """One proposal: its visits, each with its applications."""

    @web.authenticated
    async def get(self, proposal_id: str) -> None:
        """Show it; one that is not this person's looks like one that does not exist."""
        account = await self.account()
        # a source that is down says 503 here, not 404: nobody knows whether the proposal is theirs
        answer = await self.facility.proposal_of(account, proposal_id)
        proposal = answer.value
        if proposal is None:
            raise web.HTTPError(404, "There is no such proposal among yours.")
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
            visits=[
                visit_view(self.hub_url, proposal, visit, applications, self.facility.visit_url) for visit in visits
            ],
            visit_link_title=self.facility.visit_url_title,
            sessions=self.cards({proposal.id: proposal.title}, proposal_id=proposal.id),
        )


class LoginPageHandler(LoginHandler):
    """The hub's login page with our policy; the page itself is in templates/."""

    @property
    def content_security_policy(self) -> str:
        """Our policy; the form that leads to the provider is a link, so nothing needs to be opened for it."""
        return CONTENT_SECURITY_POLICY

    def _render(self, login_error: str | None = None, username: str | None = None, **values: Any) -> Any:
        """Add the login methods that the authenticator offers, each with the page that is wanted afterwards."""
        offered_methods = getattr(self.authenticator, "login_methods", None)
        wanted = {"next": self.get_argument("next", "")}
        methods = [
            method | {"url": url_concat(method["url"], wanted)}
            for method in (offered_methods(self.hub.base_url) if offered_methods else [])
        ]
        ended = "" if login_error else take_why_it_ended(self)
        return super()._render(login_error, username, methods=methods, ended=ended, **values)
