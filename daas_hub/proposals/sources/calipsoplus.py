"""Proposals from a user office that speaks the CALIPSOplus portal's REST contract, so that it need not change.

A GET of one configured address with the account's name in it, by HTTP Basic or without, answers in pages. What the
contract's own portal took lightly is settled here: the address is kept letter by letter (a slash at its end matters to
many servers), the next page is asked for at the same address whatever `next` names, and directories that cannot be
understood leave the session out instead of showing others.
"""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

from traitlets import Int, Unicode
from traitlets.config import Configurable

from daas_hub.accounts import Account
from daas_hub.errors import ConfigurationError
from daas_hub.proposals.http_source import Found, ProposalService
from daas_hub.proposals.model import Query, TooManyProposals
from daas_hub.services.http import Conversation, Reply, basic_auth
from daas_hub.services.secret_file import read_secret

_NAME = "$USERNAME"

#: What the contract's `ordering` calls our columns.
_ORDERINGS = {"id": "proposal_id", "title": "subject", "beamlines": "beam_line"}
#: Letters a part of an id needs, so that a search for it finds few others.
_TELLING = 3


class CalipsoplusProposals(ProposalService):
    """Proposals from a user office with the CALIPSOplus REST contract: `Facility.proposals = "calipsoplus"`."""

    source = "calipsoplus"
    called = "The user office"
    MAKES_PAGES = True
    SORTS = tuple(_ORDERINGS)
    SEARCHES_PHRASES = True
    FIXED = ("id", "title", "abstract", "beamlines")
    FIELDS = {
        "id": "proposal_id|serial_number",
        "title": "subject",
        "abstract": "body",
        "beamlines": "beam_line",
        "group": "gid",
        "visits": "sessions",
        # the contract's own document spells it with one s
        "visit.number": "session_number|sesion_number",
        "visit.name": "session_number|sesion_number",
        "visit.title": "subject",
        "visit.start": "start_date",
        "visit.end": "end_date",
        "visit.data": "data_set_path",
    }

    url = Unicode(
        config=True,
        help="""
        Address of a person's experiments, in full, with $USERNAME where the account's name goes.
        Example: "https://useroffice.facility.org/services/experiments/$USERNAME/". No default.
        """,
    )
    user = Unicode(
        config=True,
        help='Name for HTTP Basic. Example: "daas". Default: none, and nothing is sent.',
    )
    password_file = Unicode(
        config=True,
        help="""
        File with the password for HTTP Basic, readable by the hub's user alone.
        Example: "/etc/daas/secrets/useroffice". Needed with `user`.
        """,
    )
    page_size = Int(100, min=1, config=True, help="Proposals asked for at a time; the service may give fewer.")

    def __init__(self, facility: Configurable | None = None, **kwargs: Any) -> None:
        super().__init__(facility, **kwargs)
        if _NAME not in self.url:
            raise ConfigurationError(
                self.setting("url"), self.url, "would ask the same for everybody", remedy=f"Put {_NAME} into it."
            )
        if ":" in self.user:
            raise ConfigurationError(self.setting("user"), self.user, "has a colon", remedy="HTTP Basic allows none.")
        if self.user:
            read_secret(self.setting("password_file"), self.password_file)

    async def records_of(self, talk: Conversation, account: Account, most: int) -> list[Any]:
        """Ask for all pages of this account's experiments; an account the user office does not know has none."""
        return await self._all(talk, account, {}, most)

    async def records_called(self, talk: Conversation, account: Account, proposal_id: str) -> list[Any] | None:
        """Search for a part of the id that has no capitals: servers differ in whether they tell them apart."""
        if not self.has_usual("id"):
            return None
        part = max(re.findall(r"[^A-Za-z]+", proposal_id), key=len, default="")
        records: list[Any] | None = None
        for text in (part, proposal_id) if len(part) >= _TELLING else (proposal_id,):
            try:
                records = await self._all(talk, account, {"search": text}, self.page_above)
                break
            except TooManyProposals:
                continue
        ids = {str(self.field_map.value("id", one)).lower() for one in records or () if isinstance(one, dict)}
        if records is not None and len(part) >= _TELLING and proposal_id.lower() in ids:
            return records
        try:
            # who was not found may be one whom this server's search does not look for; a short id may have a twin
            return await self._all(talk, account, {}, self.max_records)
        except TooManyProposals:
            if records is None:
                raise
            # of so many the search has the word, as the contract has it
            return records

    async def records_matching(self, talk: Conversation, account: Account, word: str, most: int) -> list[Any] | None:
        """Ask for all experiments with this word: the contract's search knows no second one."""
        return await self._all(talk, account, {"search": word}, most)

    async def find(self, talk: Conversation, account: Account, query: Query) -> Found | None:
        """Ask for one page, or, of a server that makes pages of its own size, for those that have it."""
        asked = {"page_size": str(query.page_size)} | ({"search": query.search} if query.search else {})
        asked["ordering"] = ("-" if query.sort.startswith("-") else "") + _ORDERINGS[query.sort.removeprefix("-")]
        start = (query.page - 1) * query.page_size
        first = await self._numbered(talk, account, asked, query.page)
        if first is None or (not first.records and query.page > 1):
            # behind the last page: the first one says how many there are
            return await self._numbered(talk, account, asked, 1)
        if 0 < len(first.records) < min(query.page_size, first.total - start):
            begin = first if query.page == 1 else await self._numbered(talk, account, asked, 1)
            size = len(begin.records) if begin else 0
            records: list[Any] = []
            for number in range(start // size + 1, (start + query.page_size - 1) // size + 2) if size > 1 else ():
                page = await self._numbered(talk, account, asked, number)
                records += page.records if page else []
            records = records[start % size :][: query.page_size] if size else []
            return Found(records, len(records), first.total)
        return first

    async def _numbered(self, talk: Conversation, account: Account, asked: dict[str, str], number: int) -> Found | None:
        """Return the page of this number; None if there is none, or if the server does not understand the question."""
        reply = await self._ask(talk, account, asked | {"page": str(number)}, f"page {number} of the experiments")
        if reply.status in (400, 404) and reply.is_json:
            return None if reply.status == 400 or number > 1 else Found([], 0, 0)
        page = talk.require(reply, dict)
        results, count = page.get("results"), page.get("count")
        if not isinstance(results, list):
            talk.give_up("an object without a list of results")
        if isinstance(count, bool) or not isinstance(count, int) or count < len(results):
            return None
        return Found(results, len(results), count)

    async def _ask(self, talk: Conversation, account: Account, query: dict[str, str], asked_for: str) -> Reply:
        headers = basic_auth(self.user, await self.secret("password_file")) if self.user else None
        url = self.service.url.replace(_NAME, quote(account.name, safe=""))
        return await talk.get(url, asked_for, params=query, headers=headers)

    async def _all(self, talk: Conversation, account: Account, more: dict[str, str], most: int) -> list[Any]:
        records: list[Any] = []
        query: dict[str, str] = {"page_size": str(self.page_size), "page": "1"} | more
        asked: list[dict[str, str]] = []
        while query not in asked:
            asked.append(query)
            reply = await self._ask(talk, account, query, f"page {len(asked)} of the experiments")
            # a server that has no such address answers 404, too, but not in JSON
            if reply.status == 404 and reply.is_json and len(asked) == 1:
                return []
            page = talk.require(reply, dict)
            results, count = page.get("results"), page.get("count")
            if not isinstance(results, list):
                talk.give_up("an object without a list of results")
            if isinstance(count, int) and page.get("next"):
                self.require_room(count, most)
            records += results
            self.require_room(records, most)
            following = page.get("next")
            if not isinstance(following, str) or not following or not results:
                return records
            query = query | dict(parse_qsl(urlsplit(following).query))
        talk.give_up("a next page that was there before")

    def data_of(self, values: list[Any]) -> tuple[str, ...]:
        """Return the directories a session's volumes show read-only (see `volumes_of`)."""
        return volumes_of(values)


def volumes_of(values: list[Any]) -> tuple[str, ...]:
    """Read `data_set_path`: {"/data/x": {"bind": "", "mode": "ro"}}, as an object or a text, which may have ' for ".

    Only directories to be shown read-only are raw data; where results go is the portal's own affair
    (`MountRules.processed`). Where a directory was bound is not: each session has its own ~/data.

    Raises:
        ValueError: it is anything else.
    """
    found: dict[str, None] = {}
    for value in values:
        volumes = _parsed(value) if isinstance(value, str) else value
        if not isinstance(volumes, dict):
            if volumes in ([], None):
                continue
            raise ValueError(f"its data_set_path is {value!r:.80}")
        for path, volume in volumes.items():
            mode = volume.get("mode") if isinstance(volume, dict) else None
            if mode not in ("ro", "rw") or not path.startswith("/") or not path.isprintable():
                raise ValueError(f"its data_set_path has {path!r:.80}: {volume!r:.80}")
            if mode == "ro":
                found[re.sub(r"(?<=.)/+$", "", path)] = None
    return tuple(found)


def _parsed(text: str) -> Any:
    for spelling in (text, text.replace("'", '"')):
        try:
            return json.loads(spelling)
        except (ValueError, RecursionError):
            continue
    raise ValueError(f"its data_set_path is {text!r:.80}")
