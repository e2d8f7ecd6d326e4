"""The launch page: what is about to be launched, and what can be chosen. It starts nothing."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from daas_hub.accounts import Account
from daas_hub.catalogue import Application, Kind
from daas_hub.errors import BadRequest
from daas_hub.launch import MAX_VISITS, LaunchRequest, offered, offered_for_all, read_visit_value, visit_value
from daas_hub.portal.assets import icon_address
from daas_hub.portal.places import place_choices
from daas_hub.portal.session_cards import SessionCards
from daas_hub.portal.views import choosable_view, new_session_name, proposals_with_visits
from daas_hub.proposals import Proposal
from daas_hub.proposals.listing import question_of


class LaunchPage(SessionCards):
    """Renders the launch page, and the page that leads to it with several visits."""

    async def show_form(
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


def _visit_of(fields: dict[str, str], proposal: Proposal | None) -> str:
    if proposal is None:
        return ""
    visit = fields.get("visit", "")
    if not visit and len(proposal.visits) == 1:
        return str(proposal.visits[0].number)
    known = {str(visit.number) for visit in proposal.visits}
    return visit if visit in known else ""
