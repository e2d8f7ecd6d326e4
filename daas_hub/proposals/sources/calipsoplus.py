"""Proposals from a user office with the REST contract of the CALIPSOplus portal, which stays as it is.

A GET of one configured URL with the account's name in it, with HTTP Basic or without, returns pages. Stricter than the
contract's own portal: the URL is used exactly as configured (a trailing slash matters to many servers), the next page
is requested from the same URL whatever `next` says, and a session whose directories cannot be understood is left out.
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
from daas_hub.proposals.http_source import ProposalService, ServicePage
from daas_hub.proposals.model import Query, TooManyProposals
from daas_hub.services.http import Reply, ServiceClient, basic_auth
from daas_hub.services.secret_file import read_secret

_NAME = "$USERNAME"

#: What the contract's `ordering` calls our columns.
_ORDERINGS = {"id": "proposal_id", "title": "subject", "beamlines": "beam_line"}
#: Minimum length of a part of an id, so that a search for it finds few others.
_MIN_SEARCH = 3


class CalipsoplusProposals(ProposalService):
    """Proposals from a user office with the CALIPSOplus REST contract: `Facility.proposals = "calipsoplus"`."""

    source = "calipsoplus"
    called = "The user office"
    MAKES_PAGES = True
    SORTS = tuple(_ORDERINGS)
    SEARCHES_PHRASES = True
    # the contract has gids, also as strings
    GROUPS_ARE_NAMES = False
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
        URL of a person's experiments, with $USERNAME in place of the account name. It is used exactly as written. No
        default. Example: "https://useroffice.facility.org/services/experiments/$USERNAME/".
        """,
    )
    user = Unicode(
        config=True,
        help='User name for HTTP Basic. Default: no authentication. Example: "daas".',
    )
    password_file = Unicode(
        config=True,
        help="""
        File with the password of `user`, readable by the hub's user only. Required with `user`.
        Example: "/etc/daas-hub/secrets/useroffice".
        """,
    )
    page_size = Int(100, min=1, config=True, help="Proposals requested per page; the service may return fewer.")

    def __init__(self, facility: Configurable | None = None, **kwargs: Any) -> None:
        super().__init__(facility, **kwargs)
        if _NAME not in self.url:
            raise ConfigurationError(
                self.setting("url"),
                self.url,
                f"does not contain {_NAME}",
                remedy="Every person would get the same proposals.",
            )
        if ":" in self.user:
            raise ConfigurationError(
                self.setting("user"), self.user, "contains a colon", remedy="HTTP Basic does not allow it."
            )
        if self.user:
            read_secret(self.setting("password_file"), self.password_file)

    async def records_of(self, client: ServiceClient, account: Account, limit: int) -> list[Any]:
        """Ask for all pages of this account's experiments; an account unknown to the user office has none."""
        return await self._all(client, account, {}, limit)

    async def records_called(self, client: ServiceClient, account: Account, proposal_id: str) -> list[Any] | None:
        """Search for a part of the id without letters: some servers ignore case in a search, and some do not."""
        if not self.has_usual("id"):
            return None
        part = max(re.findall(r"[^A-Za-z]+", proposal_id), key=len, default="")
        records: list[Any] | None = None
        for text in (part, proposal_id) if len(part) >= _MIN_SEARCH else (proposal_id,):
            try:
                records = await self._all(client, account, {"search": text}, self.page_above)
                break
            except TooManyProposals:
                continue
        ids = {str(self.field_map.value("id", one)).lower() for one in records or () if isinstance(one, dict)}
        if records is not None and len(part) >= _MIN_SEARCH and proposal_id.lower() in ids:
            return records
        try:
            # this server's search may not cover the id, and a short id may have a twin
            return await self._all(client, account, {}, self.max_records)
        except TooManyProposals:
            if records is None:
                raise
            # too many to read: the search decides, as the contract says
            return records

    async def records_matching(
        self, client: ServiceClient, account: Account, word: str, limit: int
    ) -> list[Any] | None:
        """Ask for all experiments with this word: the contract's search takes one only."""
        return await self._all(client, account, {"search": word}, limit)

    async def find(self, client: ServiceClient, account: Account, query: Query) -> ServicePage | None:
        """Ask for one page or, if the server has its own page size, for the server's pages that contain it."""
        asked = {"page_size": str(query.page_size)} | ({"search": query.search} if query.search else {})
        asked["ordering"] = ("-" if query.sort.startswith("-") else "") + _ORDERINGS[query.sort.removeprefix("-")]
        start = (query.page - 1) * query.page_size
        first = await self._page_number(client, account, asked, query.page)
        if first is None or (not first.records and query.page > 1):
            # after the last page: the first one has the number of proposals
            return await self._page_number(client, account, asked, 1)
        if 0 < len(first.records) < min(query.page_size, first.total - start):
            begin = first if query.page == 1 else await self._page_number(client, account, asked, 1)
            size = len(begin.records) if begin else 0
            records: list[Any] = []
            for number in range(start // size + 1, (start + query.page_size - 1) // size + 2) if size > 1 else ():
                page = await self._page_number(client, account, asked, number)
                records += page.records if page else []
            records = records[start % size :][: query.page_size] if size else []
            return ServicePage(records, len(records), first.total)
        return first

    async def _page_number(
        self, client: ServiceClient, account: Account, asked: dict[str, str], number: int
    ) -> ServicePage | None:
        """Return the page with this number; None if it does not exist, or the server rejects the request."""
        reply = await self._ask(client, account, asked | {"page": str(number)}, f"page {number} of the experiments")
        if reply.status in (400, 404) and reply.is_json:
            return None if reply.status == 400 or number > 1 else ServicePage([], 0, 0)
        page = client.require(reply, dict)
        results, count = page.get("results"), page.get("count")
        if not isinstance(results, list):
            client.fail("an object without a list of results")
        if isinstance(count, bool) or not isinstance(count, int) or count < len(results):
            return None
        return ServicePage(results, len(results), count)

    async def _ask(self, client: ServiceClient, account: Account, query: dict[str, str], asked_for: str) -> Reply:
        headers = basic_auth(self.user, await self.secret("password_file")) if self.user else None
        url = self.service.url.replace(_NAME, quote(account.name, safe=""))
        return await client.get(url, asked_for, params=query, headers=headers)

    async def _all(self, client: ServiceClient, account: Account, more: dict[str, str], limit: int) -> list[Any]:
        records: list[Any] = []
        query: dict[str, str] = {"page_size": str(self.page_size), "page": "1"} | more
        asked: list[dict[str, str]] = []
        while query not in asked:
            asked.append(query)
            reply = await self._ask(client, account, query, f"page {len(asked)} of the experiments")
            # a server without such a URL answers 404, too, but not with JSON
            if reply.status == 404 and reply.is_json and len(asked) == 1:
                return []
            page = client.require(reply, dict)
            results, count = page.get("results"), page.get("count")
            if not isinstance(results, list):
                client.fail("an object without a list of results")
            if isinstance(count, int) and page.get("next"):
                self.require_within(count, limit)
            records += results
            self.require_within(records, limit)
            following = page.get("next")
            if not isinstance(following, str) or not following or not results:
                return records
            query = query | dict(parse_qsl(urlsplit(following).query))
        client.fail("the same page again as the next one")

    def data_of(self, values: list[Any]) -> tuple[str, ...]:
        """Return the read-only directories of a session (see `volumes_of`)."""
        return volumes_of(values)


def volumes_of(values: list[Any]) -> tuple[str, ...]:
    """Read `data_set_path`: {"/data/x": {"bind": "", "mode": "ro"}}, as an object or a string, perhaps with ' for ".

    Only read-only directories are raw data: where results go is set in `MountRules.processed`. The path that a
    directory was bound to is ignored, each session has its own ~/data.

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
                found[re.sub(r"(?<=.)/+\Z", "", path)] = None
    return tuple(found)


def _parsed(text: str) -> Any:
    for spelling in (text, text.replace("'", '"')):
        try:
            return json.loads(spelling)
        except (ValueError, RecursionError):
            continue
    raise ValueError(f"its data_set_path is {text!r:.80}")
