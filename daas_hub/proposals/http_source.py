"""Base of the sources of proposals that are asked over HTTP: settings, requests, reading.

A source declares the fields of its service's records (`FIELDS`) and how to request the records of one account
(`records_of`). If its service can, it also requests a single proposal (`records_called`) and single pages (`find`,
`SORTS`). Reading the records, leaving out unusable ones and logging them is the same for all.
"""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Mapping, Sized
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from cachetools import LRUCache
from traitlets import Dict, Float, Int, Unicode
from traitlets.config import Configurable

from daas_hub.accounts import Account
from daas_hub.errors import ConfigurationError, SourceUnavailable
from daas_hub.findings import Finding, ok
from daas_hub.proposals.field_checks import lines_of_fields
from daas_hub.proposals.fields import FieldMap
from daas_hub.proposals.listing import ORDER_FLAW, Listing, flaw_of, text_of
from daas_hub.proposals.log_once import LogOnce
from daas_hub.proposals.model import LeftOut, Page, Proposal, Query, TooManyProposals
from daas_hub.proposals.reading import Reading, directories_of, read_proposals
from daas_hub.services.circuit_breaker import CircuitBreaker
from daas_hub.services.http import Service, ServiceClient
from daas_hub.services.measuring import host_of
from daas_hub.services.recording import keep_records
from daas_hub.services.secret_file import read_secret
from daas_hub.services.urls import require_url, tls_context

#: How many words of a search are tried, the longest first, to find one that few proposals have.
_WORDS_TRIED = 3
#: Accounts for which is remembered what could not be used.
_MAX_ACCOUNTS = 2000


@dataclass(frozen=True)
class ServicePage:
    """A page in the form of the service.

    Attributes:
        records: the records of the page's proposals, in the service's order.
        entries: number of proposals on the page as the service counts them, including unreadable ones.
        total: number of matches.
        sort: the actual order, if it is not the requested one.
    """

    records: list[Any]
    entries: int
    total: int
    sort: str | None = None


class ProposalService(Configurable):
    """Base of the sources that are asked over HTTP. What is set here applies to each of them."""

    #: the source's name in the configuration, and the subject of sentences for users
    source: ClassVar[str] = ""
    called: ClassVar[str] = "The data catalogue"
    #: the usual path of each field; see `FieldMap`
    FIELDS: ClassVar[Mapping[str, str]] = {}
    #: whether the service can return single pages of an account's proposals, and the columns it can sort them by
    MAKES_PAGES: bool = False
    SORTS: tuple[str, ...] = ()
    #: the order of pages if the service cannot sort as requested; "" for its own order
    USUAL_SORT: str = "-id"
    #: whether every match of a search must have the words in the fields that pages show
    CHECKS_WORDS: bool = True
    #: whether the service searches for several words as one phrase
    SEARCHES_PHRASES: bool = False
    #: whether a string of digits is the name of a group like any other ("20261234"), and not a gid
    GROUPS_ARE_NAMES: bool = True
    #: fields that must have their usual path for pages: the service sorts and searches its own fields
    FIXED: ClassVar[tuple[str, ...]] = ("id", "title", "abstract", "beamlines", "visits", "visit.start")

    url = Unicode(
        config=True,
        help="""
        URL of the service: https://, or http:// on localhost. No default. Example: "https://icat.facility.org/icat".
        """,
    )
    fields = Dict(
        config=True,
        help="""
        Where the service's records have a field, if not in the usual place. Keys: id, title, abstract, beamlines,
        group, visits, visit.number, visit.name, visit.title, visit.beamline, visit.start, visit.end, visit.data.
        Values: a path ("a.b"), alternative paths ("a|b"), a template ("/data/{a}/{b}"), or "" for a field the service
        does not have. Default: see the source's how-to page.
        Example: {"title": "summary", "visit.data": "/data/visitor/{name}/{visitId}"}.
        """,
    )
    timeout_s = Float(
        10.0,
        config=True,
        help="Timeout in seconds of one query, including its logins and all its pages. Example: 5.",
    )
    max_bytes = Int(8_000_000, config=True, help="Maximum size of a response in bytes; a larger one is an error.")
    max_records = Int(
        5000,
        config=True,
        help="""
        Maximum number of records read for one person. A person with more gets the service's pages if it supports them,
        and an error message otherwise. Example: 20000.
        """,
    )
    page_above = Int(
        500,
        min=1,
        config=True,
        help="""
        Up to this many records of a person are read at once, and searched and sorted by the portal. Above it, pages,
        search and order are the service's, if it supports them. Example: 2000, for a fast service.
        """,
    )
    ca_file = Unicode(
        config=True,
        help="""
        PEM file with the CA certificates to verify the service with. Default: the system's CA certificates.
        Example: "/etc/ssl/facility-ca.pem".
        """,
    )
    plain_http_reason = Unicode(
        config=True,
        help="""
        The reason why this service may be asked over plain HTTP. Without one, http:// is accepted on localhost only.
        No default. Example: "both servers are on an isolated network".
        """,
    )

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Refuse the definition of a source without `records_of`."""
        super().__init_subclass__(**kwargs)
        if cls.records_of is ProposalService.records_of:
            raise TypeError(f"{cls.__name__} has no records_of")

    def __init__(self, facility: Configurable | None = None, **kwargs: Any) -> None:
        """Check the settings.

        Raises:
            ConfigurationError: naming the one that cannot work.
        """
        super().__init__(**({"parent": facility} if facility is not None else {}), **kwargs)
        if self.timeout_s <= 0:
            raise ConfigurationError(
                self.setting("timeout_s"), self.timeout_s, "is not positive", remedy="Set it to a number of seconds."
            )
        self.service = Service(
            source=self.source,
            title=self.called,
            url=require_url(self.setting("url"), self.url, plain_http_reason=self.plain_http_reason),
            timeout_s=self.timeout_s,
            max_bytes=self.max_bytes,
            tls=tls_context(self.setting("ca_file"), self.ca_file),
            breaker=CircuitBreaker(f"{self.source} at {self.url}", source=self.source, host=host_of(self.url)),
        )
        self.field_map = FieldMap.of(self.setting("fields"), self.FIELDS, self.fields)
        self.problem_log = LogOnce(self.source)
        self._left_out: LRUCache[Account, tuple[LeftOut, ...]] = LRUCache(_MAX_ACCOUNTS)
        self.makes_pages = self.MAKES_PAGES and self.has_usual(*self.FIXED)

    # -- the contract (`ProposalSource`, `NamedProposals`, `PagedProposals`) ------------------------------------------

    async def proposals_of(self, account: Account) -> tuple[Proposal, ...]:
        """Return the proposals of this account (see `ProposalSource`)."""
        async with self.service.client() as client:
            records = await self.records_of(client, account, self.max_records)
        return await self._read(records, account)

    async def proposals_called(self, account: Account, proposal_id: str) -> tuple[Proposal, ...]:
        """Return those whose id is this one, capitals aside (see `NamedProposals`)."""
        async with self.service.client() as client:
            records = await self.records_called(client, account, proposal_id)
            if records is None:
                records = await self.records_of(client, account, self.max_records)
        # read like all others: that the service found them does not make them usable
        proposals = await self._read(records, account, is_list=False)
        return tuple(one for one in proposals if one.id.lower() == proposal_id.lower())

    async def proposals_up_to_many(self, account: Account) -> tuple[Proposal, ...] | None:
        """Return all, or None if they are many (see `PagedProposals`)."""
        if not self.makes_pages:
            return await self.proposals_of(account)
        try:
            async with self.service.client() as client:
                records = await self.records_of(client, account, min(self.page_above, self.max_records))
        except TooManyProposals:
            return None
        return await self._read(records, account)

    async def page_of(self, account: Account, query: Query) -> Page | None:
        """Return one page of the service (see `PagedProposals`); None if it has none that answers the query."""
        if not self.makes_pages:
            return None
        if query.search and (some := await self._matching(account, query.search)) is not None:
            return replace(await asyncio.to_thread(Listing(some).page, query), of=None)
        wanted = query.sort if query.sort.removeprefix("-") in self.SORTS else self.USUAL_SORT
        for sort in dict.fromkeys((wanted, self.USUAL_SORT)):
            page, flaw = await self._page(account, replace(query, sort=sort))
            if page is not None or not flaw.startswith(ORDER_FLAW):
                return page
        return None

    async def contract_lines(self, name: str, account: Account, records: list[Any]) -> list[Finding]:
        """Check the portal's login, and records against this source's contract (see `ContractChecks`)."""
        key, check = f"proposals.{name}.login", f"{name}: the service knows the portal's login"
        async with self.service.client() as client:
            said = await self.verify_login(client)
        login = [ok(key, check, said)] if said else []
        return login + lines_of_fields(
            name, records, self.field_map, setting=self.setting("fields"), data_of=self.data_of
        )

    # -- what a source implements ------------------------------------------------------------------------------------

    @abstractmethod
    async def records_of(self, client: ServiceClient, account: Account, limit: int) -> list[Any]:
        """Ask for the records of this account and no other, at most `limit` (see `require_within`).

        Raises:
            TooManyProposals: there are more than `limit`.
            SourceUnavailable: the service did not answer as it should.
        """

    async def records_called(self, client: ServiceClient, account: Account, proposal_id: str) -> list[Any] | None:
        """Ask for the records of one proposal of this account; None if all of them must be asked for.

        The result has every record of this account for this proposal, ignoring case; it may have others. The id may be
        any string: it comes from a link.

        Raises:
            SourceUnavailable: the service did not answer as it should.
        """
        return None

    async def find(self, client: ServiceClient, account: Account, query: Query) -> ServicePage | None:
        """Ask for one page of this account's proposals; None if the service cannot answer this query.

        Raises:
            SourceUnavailable: the service did not answer as it should.
        """
        return None

    async def records_matching(
        self, client: ServiceClient, account: Account, word: str, limit: int
    ) -> list[Any] | None:
        """Ask for all of this account's records with a word, for a service whose search takes one word only.

        Searching for the other words and sorting is done here. None if `find` is to be used.

        Raises:
            TooManyProposals: there are more than `limit`.
            SourceUnavailable: the service did not answer as it should.
        """
        return None

    async def verify_login(self, client: ServiceClient) -> str:
        """Ask what only a valid login of the portal may ask, and return the result; "" if nothing can be asked.

        Raises:
            SourceUnavailable: the service does not accept the login, or did not answer as it should.
        """
        return ""

    # -- common to all -----------------------------------------------------------------------------------------------

    async def _page(self, account: Account, query: Query) -> tuple[Page | None, str]:
        """Return a page that answers the query, or None and what is wrong with it."""
        async with self.service.client() as client:
            found = await self.find(client, account, query)
            if found is None:
                return None, ""
            pages = max(1, -(-found.total // query.page_size))
            if query.page > pages:
                query = replace(query, page=pages)
                found = await self.find(client, account, query)
                if found is None:
                    return None, ""
        if found.sort is not None:
            query = replace(query, sort=found.sort)
        proposals = await self._read(found.records, account)
        if flaw := flaw_of(proposals, query, entries=found.entries, total=found.total, checks_words=self.CHECKS_WORDS):
            self.problem_log.error(f"page of the service not used: it has {flaw}")
            return None, flaw
        is_phrase = self.SEARCHES_PHRASES and len(query.search.split()) > 1
        page = Page(proposals, found.total, query.search, query.sort, query.page, pages, self.SORTS)
        return replace(page, is_phrase=is_phrase), ""

    async def _matching(self, account: Account, search: str) -> tuple[Proposal, ...] | None:
        """Return all proposals with one word of a search, if the service can find them and they are few."""
        for word in sorted(set(search.split()), key=len, reverse=True)[:_WORDS_TRIED]:
            try:
                async with self.service.client() as client:
                    records = await self.records_matching(client, account, word, min(self.page_above, self.max_records))
            except TooManyProposals:
                continue
            if records is None:
                return None
            proposals = await self._read(records, account, is_list=False)
            return proposals if all(word.casefold() in text_of(one) for one in proposals) else None
        return None

    def left_out_of(self, account: Account) -> tuple[LeftOut, ...]:
        """Return what the last list, or page, of this account left out (see `ReportsLeftOut`)."""
        return self._left_out.get(account, ())

    async def _read(self, records: list[Any], account: Account, *, is_list: bool = True) -> tuple[Proposal, ...]:
        reading = await asyncio.to_thread(self.read, records, account)
        for problem in reading.problems:
            self.problem_log.error(problem)
        if is_list:
            self._left_out[account] = reading.left_out
        return reading.proposals

    def read(self, records: list[Any], account: Account) -> Reading:
        """Turn records into proposals. Called in a thread."""
        keep_records(records)
        group_ids = {name: gid for gid, name in account.group_names.items()}
        return read_proposals(
            records,
            self.field_map,
            group_ids=group_ids,
            data_of=self.data_of,
            groups_are_names=self.GROUPS_ARE_NAMES,
        )

    def data_of(self, values: list[Any]) -> tuple[str, ...]:
        """Return the directories in the values of "visit.data" (see `directories_of`)."""
        return directories_of(values)

    def has_usual(self, *words: str) -> bool:
        """Return whether these fields have their usual path: the service searches no other."""
        return all(self.field_map.paths[word] == self.FIELDS.get(word, "") for word in words)

    def setting(self, name: str) -> str:
        """Return a setting's full name, for an error."""
        return f"{type(self).__name__}.{name}"

    def address(self, *steps: str) -> str:
        """Return a URL below the service's."""
        return "/".join([self.service.url.rstrip("/"), *steps])

    def require_within(self, records: Sized | int, limit: int) -> None:
        """Check the number of records that were read, or are there to read.

        Raises:
            TooManyProposals: more than `limit`. A part of the proposals must not look like all of them.
        """
        if (records if isinstance(records, int) else len(records)) > limit:
            raise TooManyProposals(
                f"{self.called} has more of your proposals than can be listed.",
                remedy="Please search for a proposal by its number, or contact the administrators.",
                detail=f"{self.source}: more than {limit} records (see {self.setting('max_records')})",
            )

    async def secret(self, name: str) -> str:
        """Read a secret again, so that a new one needs no restart.

        Raises:
            SourceUnavailable: its file has become unusable since the hub started.
        """
        try:
            return await asyncio.to_thread(read_secret, self.setting(name), getattr(self, name))
        except ConfigurationError as error:
            raise SourceUnavailable(
                f"{self.called} is not available at the moment.",
                remedy="The problem has been logged.",
                detail=f"{self.source}: {error}",
                kind=error.kind,
            ) from None
