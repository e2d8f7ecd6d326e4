"""Proposals from ICAT+: the investigations a person sees there, asked in the person's own name.

ICAT+ answers about the person whose session it is, and knows no question about somebody else. So the portal lets each
person in by the access token of their login (ICAT's OpenID plugin takes it as the password), asks, and logs nobody in
for longer than that. The session stands in the addresses ICAT+ wants, which is why no address is ever told.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from traitlets import Unicode
from traitlets.config import Configurable

from daas_hub.accounts import Account
from daas_hub.errors import ConfigurationError, ErrorKind
from daas_hub.proposals.http_source import ProposalService
from daas_hub.services.http import Conversation

#: Investigations asked for at a time.
PAGE = 500


class IcatPlusProposals(ProposalService):
    """Proposals from ICAT+, asked with each person's own access token: `Facility.proposals = "icatplus"`."""

    source = "icatplus"
    FIELDS = {
        "id": "name",
        "title": "title",
        "abstract": "summary",
        # every record is a visit
        "visits": "",
        "visit.number": "id",
        "visit.name": "visitId",
        "visit.beamline": "instrument.name",
        # a visit that was moved has its real times among the parameters
        "visit.start": "parameters.__actualStartDate|startDate",
        "visit.end": "parameters.__actualEndDate|endDate",
    }

    plugin = Unicode("esrf", config=True, help='The authenticator of ICAT that takes access tokens. Example: "oidc".')
    issuer = Unicode(
        config=True,
        help="""
        The OpenID provider whose access tokens ICAT takes, exactly as in `UmbrellaAuthenticator.oidc_issuer`. A token
        of another provider is never sent. Example: "https://keycloak.facility.org/realms/users". No default.
        """,
    )
    filter = Unicode(
        "participant",
        config=True,
        help="""
        Which of the investigations a person may see are theirs, in the words of ICAT+: what is public is everybody's
        and no reason to start a session on it. Example: "instrumentscientist". Default: "participant".
        """,
    )

    def __init__(self, facility: Configurable | None = None, **kwargs: Any) -> None:
        super().__init__(facility, **kwargs)
        for name, remedy in (("issuer", "Give your provider's issuer."), ("filter", 'Write "participant".')):
            if not getattr(self, name):
                raise ConfigurationError(self.setting(name), "", "is not set", remedy=remedy)

    async def records_of(self, talk: Conversation, account: Account, most: int) -> list[Any]:
        """Open a session in the person's name, and ask for their investigations."""
        login = account.login
        if login is None or login.issuer != self.issuer or not login.access_token:
            talk.asked_for = f"the investigations of {account.name}"
            talk.give_up(
                f"nothing: it was not asked, for there is no access token of {self.issuer}", ErrorKind.NO_ACCESS_TOKEN
            )
        credentials = {"plugin": self.plugin, "password": login.access_token}
        said = talk.require(await talk.post(self.address("session"), "a session", document=credentials), dict)
        session = said.get("sessionId")
        if not isinstance(session, str) or not session:
            talk.give_up("an object without a session")
        records: list[Any] = []
        asked_for = f"the investigations ({self.filter})"
        seen: set[Any] = set()
        while True:
            query = {"filter": self.filter, "limit": PAGE, "skip": len(records)}
            address = self.address("catalogue", quote(session, safe=""), "investigation")
            rows = talk.require(await talk.get(address, asked_for, params=query), list)
            # older servers put each one into a box
            page = [row.get("Investigation", row) if isinstance(row, dict) else row for row in rows]
            new = [one for one in page if not isinstance(one, dict) or one.get("id") not in seen]
            seen |= {one["id"] for one in new if isinstance(one, dict) and isinstance(one.get("id"), int)}
            records += new
            self.require_room(records, most)
            # a server without pages gives everything, and again when asked for more
            if len(rows) < PAGE or not new:
                return records
