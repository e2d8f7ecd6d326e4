"""Proposals from ICAT: the investigations a person takes part in, asked of icat.server's REST interface.

The portal has one session of its own and asks about each person by name, in ICAT's query language. An investigation is
a visit; those of one name are one proposal. ICAT answers 403 both to a session that is over and to a right it does not
give, so what counts is the `code` in its answer.
"""

from __future__ import annotations

import json
from typing import Any

from traitlets import List, Unicode
from traitlets.config import Configurable

from daas_hub.errors import ConfigurationError
from daas_hub.identity import Account
from daas_hub.proposals.service import ProposalService
from daas_hub.secretfile import read_secret
from daas_hub.webservice import Conversation, Reply

_ACCOUNT = "{account}"

#: How a person is joined to an investigation `i`, as the user `u`.
WAYS = {
    "users": "JOIN i.investigationUsers iu JOIN iu.user u",
    "groups": "JOIN i.investigationGroups ig JOIN ig.grouping g JOIN g.userGroups ug JOIN ug.user u",
    "instruments": (
        "JOIN i.investigationInstruments ij JOIN ij.instrument s JOIN s.instrumentScientists sc JOIN sc.user u"
    ),
}

#: Investigations asked for at a time. ICAT counts what is included, too, and refuses more than some thousand.
PAGE = 100


class IcatProposals(ProposalService):
    """Proposals from ICAT's REST interface: `Facility.proposals = "icat"`."""

    source = "icat"
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
        help='The authenticator of ICAT that knows the portal\'s account. Example: "db". Default: "simple". Since 0.1.',
    )
    user = Unicode(
        config=True,
        help="""
        The portal's own account in ICAT; its rules must let it read investigations, their users, groups and
        instruments. Example: "daas". No default. Since 0.1.
        """,
    )
    password_file = Unicode(
        config=True,
        help="""
        File with that account's password, readable by the hub's user alone. Example: "/etc/daas/secrets/icat".
        No default. Since 0.1.
        """,
    )
    user_name = Unicode(
        _ACCOUNT,
        config=True,
        help="""
        A person's name in ICAT, where {account} is the account's. Example: "db/{account}", if the authenticator puts
        its mnemonic before names. Default: "{account}". Since 0.1.
        """,
    )
    ways = List(
        Unicode(),
        default_value=["users"],
        config=True,
        help="""
        What makes an investigation a person's: "users" (named in it), "groups" (in a group named in it), "instruments"
        (scientist of its instrument). Example: ["users", "instruments"]. Default: ["users"]. Since 0.1.
        """,
    )

    def __init__(self, facility: Configurable | None = None, **kwargs: Any) -> None:
        super().__init__(facility, **kwargs)
        if not self.user:
            raise ConfigurationError(self.setting("user"), "", "is not set", remedy="Give the portal's ICAT account.")
        read_secret(self.setting("password_file"), self.password_file)
        if _ACCOUNT not in self.user_name:
            raise ConfigurationError(
                self.setting("user_name"),
                self.user_name,
                "is the same for all",
                remedy=f"Put {_ACCOUNT} into it.",
            )
        unknown = [way for way in self.ways if way not in WAYS]
        if unknown or not self.ways:
            raise ConfigurationError(
                self.setting("ways"), unknown or self.ways, "says nothing", remedy=f"Known: {', '.join(WAYS)}."
            )
        self._session = ""

    async def records_of(self, talk: Conversation, account: Account) -> list[Any]:
        """Ask for the investigations of this account, in every way that is configured."""
        name = self.user_name.replace(_ACCOUNT, account.name)
        found: dict[Any, Any] = {}
        for way in self.ways:
            start = 0
            while True:
                rows = await self._rows(talk, query_of(name, way, start), f"the investigations of a person by {way}")
                for row in rows:
                    record = row.get("Investigation") if isinstance(row, dict) else None
                    if not isinstance(record, dict):
                        talk.give_up("rows that are no investigations")
                    found[record.get("id")] = record
                self.require_room(talk, list(found))
                if len(rows) < PAGE:
                    break
                start += PAGE
        return list(found.values())

    async def _rows(self, talk: Conversation, query: str, asked_for: str) -> list[Any]:
        """Ask a query; a session that is over is opened anew, once."""
        reply = await self._ask(talk, query, asked_for)
        if _code(reply) == "SESSION":
            self._session = ""
            reply = await self._ask(talk, query, asked_for)
        if _code(reply):
            talk.give_up(f"ICAT's error {_code(reply)} (status {reply.status})")
        rows: list[Any] = talk.require(reply, list)
        return rows

    async def _ask(self, talk: Conversation, query: str, asked_for: str) -> Reply:
        session = self._session or await self._open(talk)
        return await talk.get(self.address("entityManager"), asked_for, params={"sessionId": session, "query": query})

    async def _open(self, talk: Conversation) -> str:
        credentials = [{"username": self.user}, {"password": await self.secret("password_file")}]
        form = {"json": json.dumps({"plugin": self.plugin, "credentials": credentials})}
        reply = await talk.post(self.address("session"), "a session", form=form)
        if _code(reply) == "SESSION":
            talk.give_up(f"ICAT's error SESSION: it does not accept {self.user} of {self.plugin}")
        session = talk.require(reply, dict).get("sessionId")
        if not isinstance(session, str) or not session:
            talk.give_up("an object without a session")
        self._session = session
        return session


def query_of(name: str, way: str, start: int) -> str:
    """Give the query for one page of a person's investigations.

    Raises:
        ValueError: a name that cannot stand in a query.
    """
    if not name.isprintable():
        raise ValueError("a person's name has characters that cannot be shown")
    # the REST interface has no parameters: in ICAT's texts a quote is written twice
    literal = name.replace("'", "''")
    person = f"{WAYS[way]} WHERE u.name = '{literal}'"
    page = f"INCLUDE i.investigationInstruments ii, ii.instrument LIMIT {start}, {PAGE}"
    return f"SELECT DISTINCT i FROM Investigation i {person} ORDER BY i.id {page}"  # noqa: S608


def _code(reply: Reply) -> str:
    """Give the code of ICAT's error; "" if it is none. The message beside it may hold the session, and is not used."""
    if reply.status < 400 or not isinstance(reply.document, dict):
        return ""
    code = reply.document.get("code")
    return code[:40] if isinstance(code, str) and code.isprintable() else ""
