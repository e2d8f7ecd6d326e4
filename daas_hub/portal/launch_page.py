"""The launch page: what is about to be launched, and what can be chosen. It starts nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from daas_hub.accounts import Account
from daas_hub.catalogue import Application, Kind
from daas_hub.errors import BadRequest
from daas_hub.launch import MAX_VISITS, LaunchRequest, offered, offered_for_all, read_visit_value, visit_value
from daas_hub.portal.assets import icon_address
from daas_hub.portal.offers import PersonalCatalogue
from daas_hub.portal.places import place_choices
from daas_hub.portal.refusals import Refusal
from daas_hub.portal.session_cards import SessionCards
from daas_hub.portal.session_names import new_session_name
from daas_hub.portal.session_views import proposals_with_visits
from daas_hub.portal.views import choosable_view
from daas_hub.proposals import Proposal
from daas_hub.proposals.listing import question_of


class LaunchPage(SessionCards):
    """Renders the launch page, and the page that leads to it with several visits."""

    async def show_form(
        self,
        fields: dict[str, str],
        values: Sequence[str] = (),
        *,
        refused: Refusal | None = None,
    ) -> None:
        """Show the page for one visit, for several, or for none; if something is missing, it says what.

        Args:
            refused: the launch that was not started.
        """
        account = await self.account()
        problem = refused.words if refused else ""
        try:
            request = LaunchRequest.from_form({"application": "any"}, values)
        except BadRequest as refusal:
            request, problem = LaunchRequest("any"), problem or str(refusal)
        if request.visits or (values and not request.proposals):
            await self._show_several(account, fields, request, problem=problem, refused=refused)
            return
        if request.proposal is not None:
            fields = fields | {"proposal": request.proposal, "visit": str(request.visit)}
        proposal, problem = await self._proposal_of(account, fields, problem)
        visit = _visit_of(fields, proposal)
        if proposal is not None and not visit:
            problem = problem or f"Please choose a visit on the page of {proposal.id}."
        mine = self.catalogue_for(account)
        choices = () if problem and proposal is None and fields.get("proposal") else self._choices(account, proposal)
        if proposal is not None and not visit:
            choices = ()
        await self._show_page(
            account,
            fields,
            mine.only(choices),
            problem=problem or mine.problem_with(fields, choices),
            refused=refused,
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
        choices, mine = tuple(one for one in choices if one.kind is not Kind.LINK), self.catalogue_for(account)
        await self._show_page(
            account,
            fields,
            mine.only(choices),
            problem=problem or mine.problem_with(fields, choices),
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
        problem: str,
        request: LaunchRequest,
        refused: Refusal | None,
        **shown: Any,
    ) -> None:
        wanted = fields.get("application", "")
        names = [one.name for one in choices]
        mine = self.catalogue_for(account)
        asked = [wanted] if wanted in names else names
        places = await place_choices(self, account, request, asked, fields.get("place", ""), offer=mine.offer)
        await self.show(
            "launch.html",
            **self.shown_refusal(refused, _title_of(fields, request, choices)),
            # a refusal is shown once
            problem="" if refused else problem,
            active="own" if not request.proposals else "proposals",
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
            sizes=self._sizes(mine, choices, fields),
            temporary_home=bool(fields.get("temporary_home")),
            places=places,
            session_name=new_session_name(wanted if re.fullmatch(r"[a-z][a-z0-9-]{0,15}", wanted) else "session"),
            **shown,
        )

    async def show_choice(self) -> None:
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

    def _sizes(
        self, mine: PersonalCatalogue, choices: Sequence[Application], fields: Mapping[str, str]
    ) -> list[dict[str, Any]]:
        """Return the sizes of all applications of the page, each with the applications and places that have it."""
        places = [one for one in self.facility.places if one.is_for(mine.person)]
        offers = {one.name: mine.sizes_of(one) for one in choices}
        wanted = fields.get("application", "")
        sizes, default = offers.get(wanted, ([], ""))
        chosen = fields.get("size", "") if fields.get("size") in {one.name for one in sizes} else default
        return [
            {
                "name": size.name,
                "title": size.title,
                "applications": [name for name, (has, _) in offers.items() if size in has],
                "default_of": [name for name, (_, usual) in offers.items() if usual == size.name],
                "places": [place.name for place in places if not place.sizes or size.name in place.sizes],
                "selected": size.name == chosen,
            }
            for size in dict.fromkeys(size for has, _ in offers.values() for size in has)
        ]


def _title_of(fields: Mapping[str, str], request: LaunchRequest, choices: Sequence[Application]) -> str:
    """Return the page's title, by which tabs differ."""
    title = next((one.title for one in choices if one.name == fields.get("application")), "")
    on = ", ".join(request.proposals)
    return f"Launch{f' {title}' if title else ''}{f' – {on}' if on else ''}"


def _visit_of(fields: dict[str, str], proposal: Proposal | None) -> str:
    if proposal is None:
        return ""
    visit = fields.get("visit", "")
    if not visit and len(proposal.visits) == 1:
        return str(proposal.visits[0].number)
    known = {str(visit.number) for visit in proposal.visits}
    return visit if visit in known else ""
