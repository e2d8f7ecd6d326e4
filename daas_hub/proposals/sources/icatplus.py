"""Proposals from ICAT+: the investigations a person sees there, asked in the person's own name.

ICAT+ answers only about the owner of a session. So the portal opens a session for each query with the access token of
the person's login (ICAT's OpenID plugin takes it as the password). URLs of ICAT+ contain the session id, which is why
they are never logged.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from traitlets import List, Unicode, Union
from traitlets.config import Configurable

from daas_hub.accounts import Account
from daas_hub.errors import ConfigurationError, ErrorKind
from daas_hub.proposals.http_source import ProposalService
from daas_hub.services.http import ServiceClient

#: Investigations per request.
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
        # a rescheduled visit has its actual times among the parameters
        "visit.start": "parameters.__actualStartDate|startDate",
        "visit.end": "parameters.__actualEndDate|endDate",
    }

    plugin = Unicode("esrf", config=True, help='ICAT authentication plugin for access tokens. Example: "oidc".')
    issuer = Unicode(
        config=True,
        help="""
        Issuer whose access tokens ICAT accepts, exactly as in `UmbrellaAuthenticator.oidc_issuer`. Tokens of other
        issuers are never sent. No default. Example: "https://keycloak.facility.org/realms/users".
        """,
    )
    filter = Union(
        [List(Unicode()), Unicode()],
        default_value="participant",
        config=True,
        help="""
        ICAT+'s filter for a person's own investigations, or several in a list. Without one, ICAT+ would include public
        investigations, which anybody may see. Example: ["participant", "instrumentscientist"], if beamline staff see
        the proposals of their beamline. Default: "participant".
        """,
    )

    def __init__(self, facility: Configurable | None = None, **kwargs: Any) -> None:
        super().__init__(facility, **kwargs)
        for name, remedy in (("issuer", "Set it to your provider's issuer."), ("filter", 'Write "participant".')):
            value = getattr(self, name)
            if not value or "" in ([value] if isinstance(value, str) else value):
                raise ConfigurationError(self.setting(name), "", "is not set", remedy=remedy)

    async def records_of(self, client: ServiceClient, account: Account, limit: int) -> list[Any]:
        """Open a session in the person's name, and ask for their investigations."""
        login = account.login
        if login is None or login.issuer != self.issuer or not login.access_token:
            client.asked_for = f"the investigations of {account.name}"
            client.fail(
                f"nothing: not asked, because there is no access token of {self.issuer}", ErrorKind.NO_ACCESS_TOKEN
            )
        credentials = {"plugin": self.plugin, "password": login.access_token}
        said = client.require(await client.post(self.address("session"), "a session", document=credentials), dict)
        session = said.get("sessionId")
        if not isinstance(session, str) or not session:
            client.fail("an object without a session")
        found: list[Any] = []
        for one in [self.filter] if isinstance(self.filter, str) else self.filter:
            known = {_id_of(record) for record in found} - {None}
            records = await self._filtered(client, session, one, limit)
            found += [record for record in records if _id_of(record) not in known]
            self.require_within(found, limit)
        return found

    async def _filtered(self, client: ServiceClient, session: str, filtered: str, limit: int) -> list[Any]:
        records: list[Any] = []
        asked_for = f"the investigations ({filtered})"
        seen: set[Any] = set()
        while True:
            query = {"filter": filtered, "limit": PAGE, "skip": len(records)}
            address = self.address("catalogue", quote(session, safe=""), "investigation")
            rows = client.require(await client.get(address, asked_for, params=query), list)
            # older servers wrap each one in an object
            page = [row.get("Investigation", row) if isinstance(row, dict) else row for row in rows]
            new = [one for one in page if not isinstance(one, dict) or one.get("id") not in seen]
            seen |= {one["id"] for one in new if isinstance(one, dict) and isinstance(one.get("id"), int)}
            records += new
            self.require_within(records, limit)
            # a server without paging returns everything, again and again
            if len(rows) < PAGE or not new:
                return records


def _id_of(record: Any) -> int | None:
    number = record.get("id") if isinstance(record, dict) else None
    return number if isinstance(number, int) else None
