"""Proposals from ICAT: the investigations a person takes part in, by icat.server's REST interface.

The portal has one session of its own and asks about each person by name, in ICAT's query language. An investigation is
a visit; those with the same name are one proposal. ICAT answers 403 both to an expired session and to a missing
permission, so the `code` in its answer decides.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from traitlets import List, Unicode
from traitlets.config import Configurable

from daas_hub.accounts import Account
from daas_hub.errors import ConfigurationError, ErrorKind
from daas_hub.findings import Finding, ok, warning
from daas_hub.proposals.http_source import ProposalService, ServicePage
from daas_hub.proposals.model import Query
from daas_hub.services.http import Reply, ServiceClient
from daas_hub.services.secret_file import read_secret

_ACCOUNT = "{account}"

#: How a person is joined to an investigation `i`, as the user `u`.
MEMBERSHIP = {
    "users": "JOIN i.investigationUsers iu JOIN iu.user u",
    "groups": "JOIN i.investigationGroups ig JOIN ig.grouping g JOIN g.userGroups ug JOIN ug.user u",
    "instruments": (
        "JOIN i.investigationInstruments ij JOIN ij.instrument s JOIN s.instrumentScientists sc JOIN sc.user u"
    ),
}

#: COUNT works for every query since 4.7; ESCAPE, which searches need, exists since 4.6.
OLDEST = (4, 7)

#: Investigations per request. ICAT also counts included entities, and refuses more than some thousand.
PAGE = 100


class IcatProposals(ProposalService):
    """Proposals from ICAT's REST interface: `Facility.proposals = "icat"`."""

    source = "icat"
    MAKES_PAGES = True
    # each investigation is matched by its own texts, a proposal shows those of its first one
    CHECKS_WORDS = False
    SORTS = ("id", "latest")
    FIELDS = {
        "id": "name",
        "title": "title",
        "abstract": "summary",
        # every record is a visit
        "visits": "",
        "visit.number": "id",
        "visit.name": "visitId",
        "visit.beamline": "investigationInstruments.instrument.name",
        "visit.start": "startDate",
        "visit.end": "endDate",
    }

    plugin = Unicode(
        "simple",
        config=True,
        help='ICAT authentication plugin of the portal\'s account. Example: "db".',
    )
    user = Unicode(
        config=True,
        help="""
        The portal's own account in ICAT. ICAT's rules must let it read investigations with their users, groups and
        instruments. No default. Example: "daas".
        """,
    )
    password_file = Unicode(
        config=True,
        help="""
        File with the password of `user`, readable by the hub's user only. No default.
        Example: "/etc/daas-hub/secrets/icat".
        """,
    )
    user_name = Unicode(
        _ACCOUNT,
        config=True,
        help="""
        Template of a person's name in ICAT; {account} is the account name. Example: "db/{account}", if the plugin
        prefixes names with its mnemonic.
        """,
    )
    membership = List(
        Unicode(),
        default_value=["users"],
        config=True,
        help="""
        Which investigations are a person's: "users" (listed as a user), "groups" (member of a group listed in it),
        "instruments" (scientist of its instrument). Example: ["users", "instruments"].
        """,
    )

    def __init__(self, facility: Configurable | None = None, **kwargs: Any) -> None:
        super().__init__(facility, **kwargs)
        if not self.user:
            raise ConfigurationError(
                self.setting("user"), "", "is not set", remedy="Set it to the portal's account in ICAT."
            )
        read_secret(self.setting("password_file"), self.password_file)
        if _ACCOUNT not in self.user_name:
            raise ConfigurationError(
                self.setting("user_name"),
                self.user_name,
                f"does not contain {_ACCOUNT}",
                remedy="Every person would get the same proposals.",
            )
        unknown = [one for one in self.membership if one not in MEMBERSHIP]
        if unknown or not self.membership:
            raise ConfigurationError(
                self.setting("membership"),
                unknown or self.membership,
                "is not a known membership",
                remedy=f"Known: {', '.join(MEMBERSHIP)}.",
            )
        self._session = ""

    async def records_of(self, client: ServiceClient, account: Account, limit: int) -> list[Any]:
        """Ask for the investigations of this account, by every configured membership."""
        return await self._investigations(client, account, "", limit)

    async def records_called(self, client: ServiceClient, account: Account, proposal_id: str) -> list[Any] | None:
        """Ask for the investigations of this name, ignoring case."""
        if not self.has_usual("id"):
            return None
        return await self._investigations(
            client, account, f" AND LOWER(i.name) = {literal_of(proposal_id.lower())}", self.max_records
        )

    async def find(self, client: ServiceClient, account: Account, query: Query) -> ServicePage | None:
        """Ask for the names on a page, and then for their investigations. One query covers one membership only."""
        if len(self.membership) != 1:
            return None
        person = self._name_of(account)
        (membership,) = self.membership
        counting = count_of(person, membership, query.search)
        (total,) = await self._rows(client, counting, "the number of proposals") or [None]
        if isinstance(total, bool) or not isinstance(total, int):
            return None
        names: list[Any] | None = None
        for sort in dict.fromkeys((query.sort, self.USUAL_SORT)):
            asked = names_of(person, membership, replace(query, sort=sort))
            names = await self._rows(client, asked, "the names on a page", may_refuse=sort != self.USUAL_SORT)
            if names is not None:
                break
        if names is None or not all(isinstance(name, str) and name.isprintable() for name in names):
            return None
        found = [one for one in await self._named(client, account, names) if one.get("name") in names]
        found.sort(key=lambda one: names.index(one["name"]))
        return ServicePage(found, len(names), total, sort)

    async def contract_lines(self, name: str, account: Account, records: list[Any]) -> list[Finding]:
        """Check ICAT's version, too, and close the session that was opened for the checks."""
        lines = await super().contract_lines(name, account, records)
        async with self.service.client() as client:
            said = client.require(await client.get(self.address("version"), "its version"), dict)
            lines.append(version_line(name, said.get("version")))
            if self._session:
                address, self._session = self.address("session", quote(self._session, safe="")), ""
                reply = await client.delete(address, "the end of its session")
                if not 200 <= reply.status < 300:
                    client.fail_on_status(reply)
        return lines

    def _name_of(self, account: Account) -> str:
        return self.user_name.replace(_ACCOUNT, account.name)

    async def _named(self, client: ServiceClient, account: Account, names: list[str]) -> list[Any]:
        if not names:
            return []
        listed = ", ".join(literal_of(name) for name in names)
        return await self._investigations(client, account, f" AND i.name IN ({listed})", self.max_records)

    async def _investigations(self, client: ServiceClient, account: Account, more: str, limit: int) -> list[Any]:
        name = self._name_of(account)
        found: dict[Any, Any] = {}
        for membership in self.membership:
            start = 0
            while True:
                asked_for = f"the investigations of a person by {membership}"
                rows = await self._rows(client, query_of(name, membership, start, more), asked_for) or []
                for row in rows:
                    record = row.get("Investigation") if isinstance(row, dict) else None
                    if not isinstance(record, dict):
                        client.fail("rows that are not investigations")
                    found[record.get("id")] = record
                self.require_within(found, limit)
                if len(rows) < PAGE:
                    break
                start += PAGE
        return list(found.values())

    async def _rows(
        self, client: ServiceClient, query: str, asked_for: str, *, may_refuse: bool = False
    ) -> list[Any] | None:
        """Send a query; an expired session is renewed once. None if ICAT refuses the query and `may_refuse` is set."""
        reply = await self._ask(client, query, asked_for)
        if _code(reply) == "SESSION":
            self._session = ""
            reply = await self._ask(client, query, asked_for)
        if may_refuse and _code(reply) == "BAD_PARAMETER":
            self.problem_log.error("ICAT cannot sort by the latest visit: pages are sorted by name")
            return None
        if _code(reply):
            client.fail(f"ICAT's error {_code(reply)} (status {reply.status})", ErrorKind.REQUEST_REJECTED)
        rows: list[Any] = client.require(reply, list)
        return rows

    async def _ask(self, client: ServiceClient, query: str, asked_for: str) -> Reply:
        session = self._session or await self._open(client)
        return await client.get(self.address("entityManager"), asked_for, params={"sessionId": session, "query": query})

    async def _open(self, client: ServiceClient) -> str:
        credentials = [{"username": self.user}, {"password": await self.secret("password_file")}]
        form = {"json": json.dumps({"plugin": self.plugin, "credentials": credentials})}
        reply = await client.post(self.address("session"), "a session", form=form)
        if _code(reply) == "SESSION":
            client.fail(
                f"ICAT's error SESSION: login of {self.user} with plugin {self.plugin} refused",
                ErrorKind.CREDENTIALS_REFUSED,
            )
        session = client.require(reply, dict).get("sessionId")
        if not isinstance(session, str) or not session:
            client.fail("an object without a session")
        self._session = session
        return session


def version_line(name: str, version: Any) -> Finding:
    """Return whether this version of ICAT supports the queries. Pure."""
    key, did = f"proposals.{name}.version", f"{name}: ICAT version"
    known = re.match(r"(\d{1,4})\.(\d{1,4})", version) if isinstance(version, str) else None
    if known is None:
        return warning(key, did, "unknown", "Check that the URL is that of ICAT (.../icat).")
    wanted = ".".join(map(str, OLDEST))
    if (int(known[1]), int(known[2])) < OLDEST:
        remedy = f"Searches and pages need {wanted} or newer: upgrade ICAT."
        return warning(key, did, f"{known[0]}, older than {wanted}", remedy)
    return ok(key, did, f"{known[0]} ({wanted} or newer is needed)")


def literal_of(text: str) -> str:
    """Return a string literal of the query language: the REST interface has no parameters.

    Raises:
        ValueError: the text cannot be used in a query.
    """
    if not text.isprintable():
        raise ValueError("the text has unprintable characters")
    return "'" + text.replace("'", "''") + "'"


def query_of(name: str, membership: str, start: int, more: str = "") -> str:
    """Return the query for one page of a person's investigations; `more` narrows them.

    Raises:
        ValueError: the name cannot be used in a query.
    """
    person = f"{MEMBERSHIP[membership]} WHERE u.name = {literal_of(name)}{more}"
    page = f"INCLUDE i.investigationInstruments ii, ii.instrument LIMIT {start}, {PAGE}"
    return f"SELECT DISTINCT i FROM Investigation i {person} ORDER BY i.id {page}"  # noqa: S608


def count_of(name: str, membership: str, search: str) -> str:
    """Return the query for the number of a person's proposals that match."""
    return f"SELECT COUNT(DISTINCT i.name) FROM Investigation i {_matching(name, membership, search)}"  # noqa: S608


def names_of(name: str, membership: str, query: Query) -> str:
    """Return the query for the names of a person's proposals on one page."""
    matching = _matching(name, membership, query.search)
    direction = "DESC" if query.sort.startswith("-") else "ASC"
    page = f"LIMIT {(query.page - 1) * query.page_size}, {query.page_size}"
    if query.sort.removeprefix("-") == "latest":
        order = f"GROUP BY i.name ORDER BY MAX(i.startDate) {direction}, i.name"
        return f"SELECT i.name FROM Investigation i {matching} {order} {page}"  # noqa: S608
    return f"SELECT DISTINCT i.name FROM Investigation i {matching} ORDER BY i.name {direction} {page}"  # noqa: S608


def _matching(name: str, membership: str, search: str) -> str:
    """Return the joins and conditions for a person's investigations with all words of a search."""
    joins, words = MEMBERSHIP[membership], search.split()
    if words:
        joins += " LEFT JOIN i.investigationInstruments si LEFT JOIN si.instrument sn"
    conditions = [f"u.name = {literal_of(name)}"]
    for word in words:
        like = f"LIKE {_pattern_of(word)}"
        fields = ("i.name", "i.title", "i.summary", "sn.name")
        conditions.append("(" + " OR ".join(f"LOWER({field}) {like}" for field in fields) + ")")
    return f"{joins} WHERE {' AND '.join(conditions)}"


def _pattern_of(word: str) -> str:
    """Return the LIKE pattern for texts that contain this word; wildcards in it are escaped."""
    escaped = re.sub(r"[!%_]", r"!\g<0>", word.lower())
    # some databases use the backslash as escape character unless another one is given
    is_plain = escaped == word.lower() and "\\" not in word
    return literal_of(f"%{escaped}%") + ("" if is_plain else " ESCAPE '!'")


def _code(reply: Reply) -> str:
    """Return ICAT's error code, or "". The message is not used: it may contain the session id."""
    if reply.status < 400 or not isinstance(reply.document, dict):
        return ""
    code = reply.document.get("code")
    return code[:40] if isinstance(code, str) and code.isprintable() else ""
