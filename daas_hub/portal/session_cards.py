"""What pages that show session cards share: the cards, and the proposals as their source returns them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from daas_hub.accounts import Account
from daas_hub.accounts.hub_user import withheld_roles
from daas_hub.errors import SourceUnavailable
from daas_hub.launch import LaunchContent, content_of, visits_in
from daas_hub.portal.base import PortalHandler
from daas_hub.portal.buttons import Buttons
from daas_hub.portal.larger_sizes import larger_size_view
from daas_hub.portal.offers import PersonalCatalogue, offer_for
from daas_hub.portal.places import place_titles
from daas_hub.portal.refusals import Refusal
from daas_hub.portal.session_views import session_card, session_state
from daas_hub.portal.views import source_notice
from daas_hub.proposals import Page, Proposal, Query
from daas_hub.proposals.listing import COLUMNS


class SessionCards(PortalHandler):
    """Pages that show session cards."""

    def cards(
        self, titles: Mapping[str, str], account: Account | None = None, *, proposal_id: str | None = None
    ) -> list[dict[str, Any]]:
        """Return this user's sessions, newest first; with `proposal_id` only those of one proposal.

        Args:
            titles: known titles of proposals (see `titles_of_sessions`).
            account: the user's; without it, cards offer no larger size.
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
            | {"larger": self._larger_size(spawner, account)}
            for spawner in spawners
        ]
        return [card for card in cards if proposal_id is None or proposal_id in card["proposal_ids"]]

    def _larger_size(self, spawner: Any, account: Account | None) -> dict[str, Any] | None:
        if account is None or session_state(spawner) != "ended":
            return None
        return larger_size_view(spawner, self.catalogue_for(account))

    def running(self) -> dict[LaunchContent, dict[str, Any]]:
        """Return the cards of this user's sessions that start or run, by what they were launched with."""
        cards = {card["name"]: card for card in self.cards({}) if card["state"] in ("starting", "running")}
        found = {}
        for name in reversed(cards):
            content = content_of(self.current_user.spawners[name].orm_spawner.user_options)
            if content is not None:
                found[content] = cards[name]
        return found

    def catalogue_for(self, account: Account) -> PersonalCatalogue:
        """Return the catalogue as this login may use it."""
        person = replace(account, roles=account.roles - withheld_roles(self.current_user))
        return PersonalCatalogue(self.facility.applications, self.facility.places, person, offer_for(person))

    def buttons(self, account: Account, refused: Refusal | None = None) -> Buttons:
        """Return what renders the launch buttons of a page; `refused` is a launch sent from it."""
        return Buttons(self.hub_url, self.catalogue_for(account), running=self.running(), refused=refused)

    def shown_refusal(self, refused: Refusal | None, title: str) -> dict[str, Any]:
        """Return the values of a page that was sent a launch: its title, and what `refusal` in macros.html shows."""
        if refused is None:
            return {"title": title, "refused": None}
        return {
            "title": f"{refused.title} – {title}",
            "status": refused.status,
            "refused": refused.view(),
            "address": f"{self.hub_url}{refused.address}",
        }

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
