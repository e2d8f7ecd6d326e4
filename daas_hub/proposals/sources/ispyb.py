"""Proposals from ISPyB, asked of py-ispyb's REST interface, visit by visit.

py-ispyb answers about the person who asks, and cannot be asked about another one: its lists of people hold no logins.
So there are two ways. With `issuer`, each person is let in by the access token of their login, and what ISPyB shows
them is theirs. With `user`, the portal asks in its own name, but only about the proposals and visits that groups of the
account name: the groups say whose, ISPyB says what.
"""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import quote

from traitlets import Unicode
from traitlets.config import Configurable

from daas_hub.accounts import Account
from daas_hub.errors import ConfigurationError, ErrorKind
from daas_hub.proposals.group_names import Named, groups_of, pattern_of, proposals_named
from daas_hub.proposals.http_source import Found, ProposalService
from daas_hub.proposals.model import Query
from daas_hub.services.http import Conversation, Reply
from daas_hub.services.secret_file import read_secret

#: Records asked for at a time.
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
        Address of py-ispyb with its api_root. Example: "https://ispyb.facility.org/ispyb/api/v1". No default.
        """,
    )
    plugin = Unicode(
        "keycloak", config=True, help='The authentication plugin of py-ispyb to log in by. Example: "ldap".'
    )
    issuer = Unicode(
        config=True,
        help="""
        To ask in each person's name: the OpenID provider whose access tokens py-ispyb takes, exactly as in
        `UmbrellaAuthenticator.oidc_issuer`. Example: "https://keycloak.facility.org/realms/users". Default: none, and
        `user` is used.
        """,
    )
    user = Unicode(
        config=True,
        help="""
        To ask in the portal's name: its own login, which may see all sessions. Example: "daas". Default: none.
        """,
    )
    password_file = Unicode(
        config=True,
        help="""
        File with that login's password, readable by the hub's user alone. Example: "/etc/daas/secrets/ispyb". Needed
        with `user`.
        """,
    )
    group_pattern = Unicode(
        config=True,
        help="""
        Regular expression for the names of groups that are a proposal's, or one visit's, as in GroupProposals.pattern.
        Example: "(?P<proposal>[a-z]{2}[0-9]+)(?:_(?P<visit>[0-9]+))?". Needed with `user`.
        """,
    )

    def __init__(self, facility: Configurable | None = None, **kwargs: Any) -> None:
        super().__init__(facility, **kwargs)
        if bool(self.user) == bool(self.issuer):
            raise ConfigurationError(
                self.setting("user"), self.user, "is set, or not, as issuer is", remedy="Set one of the two."
            )
        if self.user:
            read_secret(self.setting("password_file"), self.password_file)
            self._pattern = pattern_of(self.setting("group_pattern"), self.group_pattern)
        self._token = ""
        # py-ispyb documents pages of its lists, but neither an order nor a search
        self.SORTS, self.USUAL_SORT = (("id",), "-id") if self.user else ((), "")

    async def records_of(self, talk: Conversation, account: Account, most: int) -> list[Any]:
        """Ask for this account's proposals, each with its sessions."""
        return await (
            self._as_the_portal(talk, account, most) if self.user else self._as_the_person(talk, account, most)
        )

    async def records_called(self, talk: Conversation, account: Account, proposal_id: str) -> list[Any] | None:
        """Ask for one proposal, which a group must name, or in the person's own name a session of theirs."""
        if not self.has_usual("id"):
            return None
        if self.user:
            named = [one for one in self._named(account) if one.id.lower() == proposal_id.lower()]
            return await self._records(talk, named)
        token = await self._log_in_as(talk, account)
        # a list shows what is theirs; what is asked for by its own address may be shown to others, too
        sessions = await self._pages(
            talk, token, "sessions", "the sessions of a proposal", self.max_records, proposal=proposal_id
        )
        own = [one for one in sessions if isinstance(one, dict) and one.get("proposal") == proposal_id]
        if not own:
            return None
        reply = await self._ask(talk, f"proposals/{quote(proposal_id, safe='')}", "a proposal", {}, token=token)
        proposal = talk.require(reply, dict)
        return [_with_sessions(proposal, own)] if proposal.get("proposal") == proposal_id else None

    async def find(self, talk: Conversation, account: Account, query: Query) -> Found | None:
        """Ask for one page in ISPyB's order, or in that of the names that groups have; there is no search."""
        if query.search:
            return None
        start = (query.page - 1) * query.page_size
        if self.user:
            known = sorted(self._named(account), key=lambda one: one.id.lower(), reverse=query.sort.startswith("-"))
            shown = known[start : start + query.page_size]
            return Found(await self._records(talk, shown), len(shown), len(known))
        token = await self._log_in_as(talk, account)
        asked = {"skip": str(start), "limit": str(query.page_size)}
        page = talk.require(await self._ask(talk, "proposals", "a page of proposals", asked, token=token), dict)
        results, total = page.get("results"), page.get("total")
        if not isinstance(results, list) or not isinstance(total, int):
            talk.give_up("an object without results and their total")
        return Found(await self._with_their_sessions(talk, token, results[: query.page_size]), len(results), total)

    # -- in the person's name ------------------------------------------------------------------------------------------

    async def _as_the_person(self, talk: Conversation, account: Account, most: int) -> list[Any]:
        token = await self._log_in_as(talk, account)
        proposals = await self._pages(talk, token, "proposals", "the proposals", most)
        sessions = await self._pages(talk, token, "sessions", "the sessions", self.max_records)
        return [_with_sessions(one, sessions) for one in proposals]

    async def _with_their_sessions(self, talk: Conversation, token: str, proposals: list[Any]) -> list[Any]:
        names = [one.get("proposal") if isinstance(one, dict) else None for one in proposals]
        sessions = await asyncio.gather(
            *(
                self._pages(talk, token, "sessions", "the sessions of a proposal", self.max_records, proposal=name)
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

    async def _log_in_as(self, talk: Conversation, account: Account) -> str:
        login = account.login
        if login is None or login.issuer != self.issuer or not login.access_token:
            talk.asked_for = f"the proposals of {account.name}"
            talk.give_up(
                f"nothing: it was not asked, for there is no access token of {self.issuer}", ErrorKind.NO_ACCESS_TOKEN
            )
        return await self._log_in(talk, {"plugin": self.plugin, "token": login.access_token})

    # -- in the portal's name ------------------------------------------------------------------------------------------

    async def _as_the_portal(self, talk: Conversation, account: Account, most: int) -> list[Any]:
        named = self._named(account)
        self.require_room(named, most)
        return await self._records(talk, named)

    def _named(self, account: Account) -> list[Named]:
        return list(proposals_named(self._pattern, groups_of(account)))

    async def _records(self, talk: Conversation, named: list[Named]) -> list[Any]:
        if named and not self._token:
            await self._log_in_as_the_portal(talk)
        answers = await asyncio.gather(*(self._record(talk, one) for one in named), return_exceptions=True)
        for answer in answers:
            if isinstance(answer, BaseException):
                raise answer
        return [answer for answer in answers if answer is not None]

    async def _record(self, talk: Conversation, named: Named) -> dict[str, Any] | None:
        """Return a proposal that groups name, with the sessions they name; None if ISPyB does not know it."""
        reply = await self._ask(talk, f"proposals/{quote(named.id, safe='')}", "a proposal", {})
        if reply.status == 404 and reply.is_json:
            return None
        proposal = talk.require(reply, dict)
        if proposal.get("proposal") != named.id:
            # a database that takes capitals for the same, say
            self.told.tell(f"asked for {named.id}, it answers {proposal.get('proposal')!r:.60}")
            return None
        sessions = await self._pages(
            talk, "", "sessions", "the sessions of a proposal", self.max_records, proposal=named.id
        )
        if not named.is_whole:
            sessions = [one for one in sessions if isinstance(one, dict) and one.get("visit_number") in named.visits]
        return _with_sessions(proposal, sessions) | {"group": named.gid}

    async def _log_in_as_the_portal(self, talk: Conversation) -> None:
        password = await self.secret("password_file")
        self._token = await self._log_in(talk, {"plugin": self.plugin, "login": self.user, "password": password})

    # -- both ----------------------------------------------------------------------------------------------------------

    async def _log_in(self, talk: Conversation, credentials: dict[str, str]) -> str:
        reply = await talk.post(self.address("auth", "login"), "a token", document=credentials)
        token = talk.require(reply, dict).get("token")
        if not isinstance(token, str) or not token.isprintable() or not token:
            talk.give_up("an object without a token")
        return token

    async def _pages(
        self, talk: Conversation, token: str, path: str, asked_for: str, most: int, **query: str
    ) -> list[Any]:
        """Read a list to its end, with a person's token or the portal's."""
        records: list[Any] = []
        while True:
            asked = query | {"skip": str(len(records)), "limit": str(PAGE)}
            page = talk.require(await self._ask(talk, path, asked_for, asked, token=token), dict)
            results, total = page.get("results"), page.get("total")
            if not isinstance(results, list) or not isinstance(total, int):
                talk.give_up("an object without results and their total")
            self.require_room(total, most)
            records += results
            self.require_room(records, most)
            if len(records) >= total or not results:
                return records

    async def _ask(
        self, talk: Conversation, path: str, asked_for: str, query: dict[str, str], *, token: str = ""
    ) -> Reply:
        """Ask with a person's token, or with the portal's, which is fetched anew once when it is over."""
        used = token or self._token
        reply = await self._get(talk, path, asked_for, query, used)
        if reply.status == 401 and not token:
            if used == self._token:
                await self._log_in_as_the_portal(talk)
            reply = await self._get(talk, path, asked_for, query, self._token)
        return reply

    async def _get(self, talk: Conversation, path: str, asked_for: str, query: dict[str, str], token: str) -> Reply:
        headers = {"Authorization": f"Bearer {token}"}
        return await talk.get(self.address(path), asked_for, params=query, headers=headers)


def _with_sessions(proposal: Any, sessions: list[Any]) -> Any:
    """Return a proposal with those of the sessions that are its own. Pure."""
    if not isinstance(proposal, dict):
        return proposal
    number = proposal.get("proposalId")
    own = [one for one in sessions if isinstance(one, dict) and number is not None and one.get("proposalId") == number]
    return proposal | {"sessions": own, "group": None}
