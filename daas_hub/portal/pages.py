"""The home page, and the page of one proposal."""

from __future__ import annotations

import datetime
import time
from collections.abc import Mapping
from urllib.parse import urlencode

from tornado import web

from daas_hub.accounts import Account
from daas_hub.errors import SourceUnavailable
from daas_hub.launch import offered
from daas_hub.portal.refusals import Refusal
from daas_hub.portal.session_cards import SessionCards
from daas_hub.portal.views import day_of_epoch, left_out_view, listing_view, source_notice, visit_view
from daas_hub.proposals.listing import VisitOrder, question_of

#: How long the home page shows a newly connected login to the account's other logins.
NEW_LOGIN_S = 14 * 86_400.0


class HomePage(SessionCards):
    """Proposals, own resources, sessions."""

    async def show_home(self, account: Account, given: Mapping[str, str], refused: Refusal | None = None) -> None:
        """Show them.

        Args:
            given: search, sort order and page of the list of proposals.
            refused: a launch that was sent from this page.
        """
        given = {name: given[name] for name in ("search", "sort", "page") if given.get(name)}
        query = question_of(**({"search": "", "sort": "", "page": "1"} | given))
        button = self.buttons(account, refused)
        page, source = await self.page_of(account, query)
        await self.show(
            "home.html",
            **self.shown_refusal(refused, "Home"),
            page=f"home?{urlencode(given)}" if given else "home",
            active="proposals",
            person=self.person(account),
            proposals_source=source,
            left_out=left_out_view(self.facility.left_out_of(account)),
            sessions=self.cards(await self.titles_of_sessions(account), account),
            new_logins=await self._new_logins(account),
            own_applications=[
                button(application, None, None)
                for application in button.only(offered(self.facility.applications, None))
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


class HomeHandler(HomePage):
    """`/home`: proposals, own resources, sessions."""

    @web.authenticated
    async def get(self) -> None:
        """Show them."""
        given = {name: self.get_query_argument(name, "") for name in ("search", "sort", "page")}
        await self.show_home(await self.account(), given)


class ProposalPage(SessionCards):
    """One proposal: its visits, each with its applications."""

    async def show_proposal(self, account: Account, proposal_id: str, refused: Refusal | None = None) -> None:
        """Show it; somebody else's proposal looks like one that does not exist.

        Args:
            refused: a launch that was sent from this page.
        """
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
        button = self.buttons(account, refused)
        applications = button.only(offered(self.facility.applications, proposal))
        order = VisitOrder(proposal.visits, datetime.datetime.now(datetime.UTC), self.facility.zone)
        await self.show(
            "proposal.html",
            **self.shown_refusal(refused, f"Proposal {proposal.id}"),
            page=f"proposals/{proposal.id}",
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
                    button=button,
                )
                | {"is_refused": refused is not None and refused.is_on(visit.number)}
                | {"when": order.words(visit)}
                for visit in order.newest_first()
            ],
            visit_link_title=self.facility.visit_url_title,
            sessions=self.cards({proposal.id: proposal.title}, account, proposal_id=proposal.id),
        )


class ProposalHandler(ProposalPage):
    """`/proposals/<id>`: one proposal."""

    @web.authenticated
    async def get(self, proposal_id: str) -> None:
        """Show it."""
        await self.show_proposal(await self.account(), proposal_id)
