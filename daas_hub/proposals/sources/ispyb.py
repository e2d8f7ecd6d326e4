"""Proposals from ISPyB, by py-ispyb's REST interface, visit by visit.

py-ispyb answers only about the user who asks: its lists of people have no logins. So there are two modes. With
`issuer`, the portal logs in with the access token of each person's login; what ISPyB shows them is theirs. With `user`,
the portal asks in its own name, but only about proposals and visits named by the account's groups: the groups decide
what is a person's, ISPyB describes it.
"""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import quote

from traitlets import Dict, List, Unicode
from traitlets.config import Configurable

from daas_hub.accounts import Account
from daas_hub.errors import ConfigurationError, ErrorKind
from daas_hub.proposals.group_names import GroupProposal, named_groups_of, pattern_of, proposals_in
from daas_hub.proposals.http_source import ProposalService, ServicePage
from daas_hub.proposals.model import Query
from daas_hub.services.http import Reply, ServiceClient
from daas_hub.services.secret_file import read_secret

#: Records per request.
PAGE = 100


class IspybProposals(ProposalService):
    """Proposals from ISPyB by py-ispyb's REST interface: `Facility.proposals = "ispyb"`."""

    source = "ispyb"
    called = "ISPyB"
    MAKES_PAGES = True
    FIELDS = {
        "id": "proposal",
        "title": "title",
        "group": "group",
        "visits": "sessions",
        "visit.number": "visit_number",
        "visit.name": "session",
        "visit.beamline": "beamLineName",
        "visit.start": "startDate",
        "visit.end": "endDate",
    }

    url = Unicode(
        config=True,
        help="""
        URL of py-ispyb, including its api_root. No default. Example: "https://ispyb.facility.org/ispyb/api/v1".
        """,
    )
    plugin = Unicode("keycloak", config=True, help='py-ispyb authentication plugin to log in with. Example: "ldap".')
    issuer = Unicode(
        config=True,
        help="""
        Issuer whose access tokens py-ispyb accepts, exactly as in `UmbrellaAuthenticator.oidc_issuer`: the portal then
        asks in each person's name. Set either `issuer` or `user`. Default: none.
        Example: "https://keycloak.facility.org/realms/users".
        """,
    )
    user = Unicode(
        config=True,
        help="""
        The portal's own login, which may see all sessions: the portal then asks in its own name. Set either `issuer` or
        `user`. Default: none. Example: "daas".
        """,
    )
    password_file = Unicode(
        config=True,
        help="""
        File with the password of `user`, readable by the hub's user only. Required with `user`.
        Example: "/etc/daas-hub/secrets/ispyb".
        """,
    )
    group_pattern = Unicode(
        config=True,
        help="""
        Regular expression for the names of groups of a proposal or a visit, as in `GroupProposals.pattern`. Required
        with `user`. Example: "(?P<proposal>[a-z]{2}[0-9]+)(?:_(?P<visit>[0-9]+))?".
        """,
    )

    beamline_staff = Dict(
        value_trait=List(Unicode()),
        key_trait=Unicode(),
        config=True,
        help="""
        With `user`: groups of accounts whose members see all visits at beamlines. Their sessions do not have the group
        of a proposal unless the account is in it. In a person's name, ISPyB itself shows staff their beamlines' visits.
        Default: none. Example: {"i03-staff": ["i03"]}.
        """,
    )

    def __init__(self, facility: Configurable | None = None, **kwargs: Any) -> None:
        super().__init__(facility, **kwargs)
        if bool(self.user) == bool(self.issuer):
            raise ConfigurationError(
                self.setting("user"), self.user, "is set together with issuer, or neither is", remedy="Set one of them."
            )
        if self.user:
            read_secret(self.setting("password_file"), self.password_file)
            self._pattern = pattern_of(self.setting("group_pattern"), self.group_pattern)
        self._token = ""
        # py-ispyb documents paging of its lists, but neither sorting nor searching
        self.SORTS, self.USUAL_SORT = (("id",), "-id") if self.user else ((), "")

    async def records_of(self, client: ServiceClient, account: Account, limit: int) -> list[Any]:
        """Ask for this account's proposals, each with its sessions."""
        return await (self._as_portal(client, account, limit) if self.user else self._as_person(client, account, limit))

    async def records_called(self, client: ServiceClient, account: Account, proposal_id: str) -> list[Any] | None:
        """Ask for one proposal: named by a group or, in the person's own name, with a session of theirs."""
        if not self.has_usual("id"):
            return None
        if self.user:
            named = [one for one in self._named(account) if one.id.lower() == proposal_id.lower()]
            records = await self._records(client, named)
            return records or await self._of_beamlines(client, account, proposal_id)
        token = await self._log_in_as(client, account)
        # lists are restricted to the person; a single proposal may be readable for others, too
        sessions = await self._pages(
            client, token, "sessions", "the sessions of a proposal", self.max_records, proposal=proposal_id
        )
        own = [one for one in sessions if isinstance(one, dict) and one.get("proposal") == proposal_id]
        if not own:
            return None
        reply = await self._ask(client, f"proposals/{quote(proposal_id, safe='')}", "a proposal", {}, token=token)
        proposal = client.require(reply, dict)
        return [_with_sessions(proposal, own)] if proposal.get("proposal") == proposal_id else None

    async def find(self, client: ServiceClient, account: Account, query: Query) -> ServicePage | None:
        """Ask for one page, in ISPyB's order or sorted by the names in the groups; there is no search."""
        if query.search or self._staffed(account):
            return None
        start = (query.page - 1) * query.page_size
        if self.user:
            known = sorted(self._named(account), key=lambda one: one.id.lower(), reverse=query.sort.startswith("-"))
            shown = known[start : start + query.page_size]
            return ServicePage(await self._records(client, shown), len(shown), len(known))
        token = await self._log_in_as(client, account)
        asked = {"skip": str(start), "limit": str(query.page_size)}
        page = client.require(await self._ask(client, "proposals", "a page of proposals", asked, token=token), dict)
        results, total = page.get("results"), page.get("total")
        if not isinstance(results, list) or not isinstance(total, int):
            client.fail("an object without results and their total")
        return ServicePage(
            await self._with_their_sessions(client, token, results[: query.page_size]), len(results), total
        )

    async def verify_login(self, client: ServiceClient) -> str:
        """Log in as the portal, and ask for a list; in the person's name there is no login of the portal."""
        if not self.user:
            return ""
        if not self._token:
            await self._log_in_as_portal(client)
        page = client.require(await self._ask(client, "proposals", "one proposal", {"skip": "0", "limit": "1"}), dict)
        total = page.get("total")
        if not isinstance(total, int) or isinstance(total, bool):
            client.fail("an object without results and their total")
        if total == 0:
            client.fail("no proposal at all: its login may see none (all_proposals)", ErrorKind.CREDENTIALS_REFUSED)
        return f"it sees {total} proposals"

    # -- in the person's name -----------------------------------------------------------------------------------------

    async def _as_person(self, client: ServiceClient, account: Account, limit: int) -> list[Any]:
        token = await self._log_in_as(client, account)
        proposals = await self._pages(client, token, "proposals", "the proposals", limit)
        sessions = await self._pages(client, token, "sessions", "the sessions", self.max_records)
        return [_with_sessions(one, sessions) for one in proposals]

    async def _with_their_sessions(self, client: ServiceClient, token: str, proposals: list[Any]) -> list[Any]:
        names = [one.get("proposal") if isinstance(one, dict) else None for one in proposals]
        sessions = await asyncio.gather(
            *(
                self._pages(client, token, "sessions", "the sessions of a proposal", self.max_records, proposal=name)
                for name in names
                if isinstance(name, str)
            ),
            return_exceptions=True,
        )
        of_all: list[Any] = []
        for answer in sessions:
            if isinstance(answer, BaseException):
                raise answer
            of_all += answer
        return [_with_sessions(one, of_all) for one in proposals]

    async def _log_in_as(self, client: ServiceClient, account: Account) -> str:
        login = account.login
        if login is None or login.issuer != self.issuer or not login.access_token:
            client.asked_for = f"the proposals of {account.name}"
            client.fail(
                f"nothing: not asked, because there is no access token of {self.issuer}", ErrorKind.NO_ACCESS_TOKEN
            )
        return await self._log_in(client, {"plugin": self.plugin, "token": login.access_token})

    # -- in the portal's name -----------------------------------------------------------------------------------------

    async def _as_portal(self, client: ServiceClient, account: Account, limit: int) -> list[Any]:
        named = self._named(account)
        self.require_within(named, limit)
        records = await self._records(client, named)
        known = {one.get("proposal") for one in records}
        records += [one for one in await self._of_beamlines(client, account) if one.get("proposal") not in known]
        self.require_within(records, limit)
        return records

    def _staffed(self, account: Account) -> list[str]:
        """Return the beamlines that the account is staff of."""
        groups = [name for _, name in named_groups_of(account)]
        return sorted({beamline for name in groups for beamline in self.beamline_staff.get(name, ())})

    async def _of_beamlines(
        self, client: ServiceClient, account: Account, proposal_id: str = ""
    ) -> list[dict[str, Any]]:
        """Return the proposals with visits at the account's beamlines, each with these visits; or one of them."""
        sessions: list[Any] = []
        asked = {"proposal": proposal_id} if proposal_id else {}
        beamlines = self._staffed(account)
        if beamlines and not self._token:
            await self._log_in_as_portal(client)
        proposals: dict[Any, Any] = {}
        for beamline in beamlines:
            visits = "the sessions of a beamline"
            found = await self._pages(client, "", "sessions", visits, self.max_records, beamLineName=beamline, **asked)
            # looked at again: a server that ignores the parameter gives the sessions of all
            sessions += [one for one in found if isinstance(one, dict) and one.get("beamLineName") == beamline]
            # ISPyB finds proposals by a beamline's name, and also by words of titles
            rows = await self._pages(client, "", "proposals", "its proposals", self.max_records, search=beamline)
            proposals |= {one.get("proposalId"): one for one in rows if isinstance(one, dict)}
        with_visits = {one.get("proposalId") for one in sessions}
        return [_with_sessions(one, sessions) for number, one in proposals.items() if number in with_visits]

    def _named(self, account: Account) -> list[GroupProposal]:
        return list(proposals_in(self._pattern, named_groups_of(account)))

    async def _records(self, client: ServiceClient, named: list[GroupProposal]) -> list[Any]:
        if named and not self._token:
            await self._log_in_as_portal(client)
        answers = await asyncio.gather(*(self._record(client, one) for one in named), return_exceptions=True)
        for answer in answers:
            if isinstance(answer, BaseException):
                raise answer
        records = [answer for answer in answers if answer is not None]
        if named and not records:
            # to a login without rights, every proposal is unknown
            await self.verify_login(client)
        return records

    async def _record(self, client: ServiceClient, named: GroupProposal) -> dict[str, Any] | None:
        """Return a proposal named by groups, with the sessions named by them; None if ISPyB does not know it."""
        reply = await self._ask(client, f"proposals/{quote(named.id, safe='')}", "a proposal", {})
        if reply.status == 404 and reply.is_json:
            return None
        proposal = client.require(reply, dict)
        if proposal.get("proposal") != named.id:
            # a database that ignores case, for example
            self.problem_log.error(f"asked for {named.id}, got {proposal.get('proposal')!r:.60}")
            return None
        sessions = await self._pages(
            client, "", "sessions", "the sessions of a proposal", self.max_records, proposal=named.id
        )
        if not named.is_whole:
            sessions = [one for one in sessions if isinstance(one, dict) and one.get("visit_number") in named.visits]
        return _with_sessions(proposal, sessions) | {"group": named.gid}

    async def _log_in_as_portal(self, client: ServiceClient) -> None:
        password = await self.secret("password_file")
        self._token = await self._log_in(client, {"plugin": self.plugin, "login": self.user, "password": password})

    # -- both modes ---------------------------------------------------------------------------------------------------

    async def _log_in(self, client: ServiceClient, credentials: dict[str, str]) -> str:
        reply = await client.post(self.address("auth", "login"), "a token", document=credentials)
        token = client.require(reply, dict).get("token")
        if not isinstance(token, str) or not token.isprintable() or not token:
            client.fail("an object without a token")
        return token

    async def _pages(
        self, client: ServiceClient, token: str, path: str, asked_for: str, limit: int, **query: str
    ) -> list[Any]:
        """Read a list to the end, with a person's token or the portal's."""
        records: list[Any] = []
        while True:
            asked = query | {"skip": str(len(records)), "limit": str(PAGE)}
            page = client.require(await self._ask(client, path, asked_for, asked, token=token), dict)
            results, total = page.get("results"), page.get("total")
            if not isinstance(results, list) or not isinstance(total, int):
                client.fail("an object without results and their total")
            self.require_within(total, limit)
            records += results
            self.require_within(records, limit)
            if len(records) >= total or not results:
                return records

    async def _ask(
        self, client: ServiceClient, path: str, asked_for: str, query: dict[str, str], *, token: str = ""
    ) -> Reply:
        """Ask with a person's token or with the portal's, which is renewed once if it has expired."""
        used = token or self._token
        reply = await self._get(client, path, asked_for, query, used)
        if reply.status == 401 and not token:
            if used == self._token:
                await self._log_in_as_portal(client)
            reply = await self._get(client, path, asked_for, query, self._token)
        return reply

    async def _get(self, client: ServiceClient, path: str, asked_for: str, query: dict[str, str], token: str) -> Reply:
        headers = {"Authorization": f"Bearer {token}"}
        return await client.get(self.address(path), asked_for, params=query, headers=headers)


def _with_sessions(proposal: Any, sessions: list[Any]) -> Any:
    """Return a proposal together with its own sessions. Pure."""
    if not isinstance(proposal, dict):
        return proposal
    number = proposal.get("proposalId")
    own = [one for one in sessions if isinstance(one, dict) and number is not None and one.get("proposalId") == number]
    return proposal | {"sessions": own, "group": None}
