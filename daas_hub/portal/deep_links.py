"""Links from SynchWeb, a logbook or a user office: they lead to a visit and start nothing.

They prove nothing: users sign in first if necessary, and their own proposals are looked up. A visit of somebody else
and one that does not exist show the same page.
"""

from __future__ import annotations

from urllib.parse import parse_qs, quote, urlencode

from tornado import web

from daas_hub.accounts import Account
from daas_hub.errors import BadRequest
from daas_hub.launch import Link, visit_value
from daas_hub.portal.base import PortalHandler
from daas_hub.portal.views import day_text
from daas_hub.proposals import Proposal, Visit

#: Longer queries are refused.
_MAX_QUERY_CHARS = 1000
#: Visits that the page offers to choose from.
_MAX_CHOICES = 50


class DeepLinkHandler(PortalHandler):
    """`/daas/open?visit=mx12345-7`: the address for links from other sites."""

    @web.authenticated
    async def get(self) -> None:
        """Redirect to the launch page if the link names an application, else to the visit."""
        try:
            link = self._link()
        except BadRequest as problem:
            raise web.HTTPError(400, str(problem)) from None
        account = await self.account()
        if link.visits:
            await self._go_to_several(account, link)
            return
        meant = await self.facility.visits_meant(account, link)
        if not meant:
            self.log.info("link followed by %s matches none of their visits: %s", account.name, link)
            raise web.HTTPError(404, _NOTHING)
        if len(meant) == 1:
            self.redirect(self._address(*meant[0], link))
            return
        await self.show(
            "choose.html",
            title="Which visit?",
            active="",
            person=self.person(account),
            choices=[self._choice(proposal, visit, link) for proposal, visit in meant[:_MAX_CHOICES]],
            more=max(len(meant) - _MAX_CHOICES, 0),
        )

    async def _go_to_several(self, account: Account, link: Link) -> None:
        """Redirect to the launch page for several visits; each of them must be clear."""
        values = []
        for name in link.visits:
            meant = await self.facility.visits_meant(account, Link(visit=name))
            chosen = [(proposal, visit) for proposal, visit in meant if visit is not None]
            if len(chosen) != 1:
                self.log.info("link followed by %s: %s matches %d of their visits", account.name, name, len(chosen))
                raise web.HTTPError(404, _UNCLEAR if chosen else _NOTHING)
            values.append(("visits", visit_value(chosen[0][0].id, chosen[0][1].number)))
        more = [("application", link.application), *([("place", link.place)] if link.place else [])]
        self.redirect(f"{self.hub_url}launch?{urlencode([*values, *more])}")

    def _link(self) -> Link:
        query = self.request.query or ""
        if len(query) > _MAX_QUERY_CHARS:
            raise BadRequest("The link is too long.")
        try:
            # unchanged: the hub's own parser strips characters that a link must not have
            fields = parse_qs(query, keep_blank_values=True, strict_parsing=bool(query), errors="strict")
        except ValueError:
            raise BadRequest("The link is not well-formed.") from None
        return Link.from_query(fields)

    def _choice(self, proposal: Proposal, visit: Visit | None, link: Link) -> dict[str, str]:
        return {
            "url": self._address(proposal, visit, link),
            "proposal": proposal.id,
            "title": proposal.title,
            "visit": visit.label if visit else "",
            "beamline": visit.beamline if visit else "",
            "day": day_text(visit.start, self.facility.zone) if visit else "",
        }

    def _address(self, proposal: Proposal, visit: Visit | None, link: Link) -> str:
        if link.application and visit is not None:
            fields = {"proposal": proposal.id, "visit": str(visit.number), "application": link.application}
            return f"{self.hub_url}launch?{urlencode(fields | ({'place': link.place} if link.place else {}))}"
        if link.application and len(proposal.visits) == 1:
            return self._address(proposal, proposal.visits[0], link)
        return f"{self.hub_url}proposals/{quote(proposal.id)}{f'#visit-{visit.number}' if visit else ''}"


_UNCLEAR = (
    "The link names a visit that several of your proposals have, so nothing was chosen. Choose your visits on the"
    " home page."
)
_NOTHING = (
    "The link names a proposal or visit that does not exist or is not among yours. If you take part in it, its main"
    " proposer or the user office can add you; then follow the link again. You may also be signed in with a different"
    " account than usual: the menu at the top of the home page shows its name."
)
