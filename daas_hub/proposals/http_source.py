"""What every catalogue or user office that is asked over HTTP has in common: its settings, and the walk of a question.

A provider says which fields its records have (`FIELDS`) and how the records of one account are asked for
(`records_of`). If its service can, it also says how one proposal is asked for (`records_called`), and how one page of
many (`find`, `SORTS`). Reading them, leaving out what cannot be used and telling it is the same for all.
"""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Mapping, Sized
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from traitlets import Dict, Float, Int, Unicode
from traitlets.config import Configurable

from daas_hub.accounts import Account
from daas_hub.errors import ConfigurationError, SourceUnavailable
from daas_hub.findings import Finding
from daas_hub.proposals.field_checks import lines_of_fields
from daas_hub.proposals.fields import FieldMap
from daas_hub.proposals.listing import ORDER_FLAW, Listing, flaw_of, text_of
from daas_hub.proposals.log_once import LogOnce
from daas_hub.proposals.model import Page, Proposal, Query, TooManyProposals
from daas_hub.proposals.reading import Reading, directories_of, read_proposals
from daas_hub.services.circuit_breaker import CircuitBreaker
from daas_hub.services.http import Conversation, Service, require_url, trust_of
from daas_hub.services.recording import keep_records
from daas_hub.services.secret_file import read_secret

#: Words of a search that are tried for one that few proposals have.
_WORDS_TRIED = 3


@dataclass(frozen=True)
class Found:
    """A page as a service gives it.

    Attributes:
        records: the records of the page's proposals, in the service's order.
        entries: how many proposals the page has in the service's own count, also those that cannot be read.
        total: how many match.
        sort: the order it has, if that is not the one that was asked for.
    """

    records: list[Any]
    entries: int
    total: int
    sort: str | None = None


class ProposalService(Configurable):
    """Base of the sources that are asked over HTTP; what is set here holds for each of them."""

    #: the source's name in the configuration, and what users call it at the beginning of a sentence
    source: ClassVar[str] = ""
    called: ClassVar[str] = "The data catalogue"
    #: where the source has what; see `FieldMap`
    FIELDS: ClassVar[Mapping[str, str]] = {}
    #: whether the service makes pages of somebody's proposals, and by which columns it sorts them
    MAKES_PAGES: bool = False
    SORTS: tuple[str, ...] = ()
    #: the order of pages where the service cannot do the one that was asked for; "" for its own order
    USUAL_SORT: str = "-id"
    #: whether what a search finds must have its words where a page shows them
    CHECKS_WORDS: bool = True
    #: whether the service looks for several words as they stand, one after the other
    SEARCHES_PHRASES: bool = False
    #: words that must be where they usually are, or pages cannot be asked for: the service looks in its own fields
    FIXED: ClassVar[tuple[str, ...]] = ("id", "title", "abstract", "beamlines", "visits", "visit.start")

    url = Unicode(
        config=True,
        help="""
        The service's address, https:// (plain http:// on this machine only). Example: "https://icat.facility.org/icat".
        No default.
        """,
    )
    fields = Dict(
        config=True,
        help="""
        Which field of the service's records is which of ours, where it is not the usual one. Words: id, title,
        abstract, beamlines, group, visits, visit.number, visit.name, visit.title, visit.beamline, visit.start,
        visit.end, visit.data. Values: a way ("a.b"), alternatives ("a|b"), a text with ways in it ("/data/{a}/{b}"), or
        "" for nothing. Example: {"title": "summary", "visit.data": "/data/visitor/{name}/{visitId}"}. Default: see the
        source's how-to page.
        """,
    )
    timeout_s = Float(
        10.0,
        config=True,
        help="Seconds everything one question needs may take, pages and logins together. Example: 5.",
    )
    max_bytes = Int(8_000_000, config=True, help="Most bytes of one answer; what is larger is refused, not read.")
    max_records = Int(
        5000,
        config=True,
        help="""
        Most records of one person that are read for one question. Who has more is shown pages, if the service can make
        them, or else a sentence that says so. Example: 20000.
        """,
    )
    page_above = Int(
        500,
        min=1,
        config=True,
        help="""
        Records of one person that are read all at once, and searched and sorted here, exactly. Who has more is shown
        pages that the service searches and sorts, if it can. Example: 2000, for a fast service.
        """,
    )
    ca_file = Unicode(
        config=True,
        help="""
        File with the certificates (PEM) of the authority that vouches for the service.
        Example: "/etc/ssl/facility.pem". Default: the machine's authorities.
        """,
    )
    plain_http_reason = Unicode(
        config=True,
        help="""
        Why this service may be asked without encryption; without a reason here http:// is refused.
        Example: "both are in the server room's own network". No default.
        """,
    )

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Refuse a source that asks for nothing when it is defined."""
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
            raise ConfigurationError(self.setting("timeout_s"), self.timeout_s, "is no time", remedy="Give seconds.")
        self.service = Service(
            source=self.source,
            called=self.called,
            url=require_url(self.setting("url"), self.url, plain_http_reason=self.plain_http_reason),
            timeout_s=self.timeout_s,
            max_bytes=self.max_bytes,
            tls=trust_of(self.setting("ca_file"), self.ca_file),
            breaker=CircuitBreaker(f"{self.source} at {self.url}"),
        )
        self.field_map = FieldMap.of(self.setting("fields"), self.FIELDS, self.fields)
        self.told = LogOnce(self.source)
        self.makes_pages = self.MAKES_PAGES and self.has_usual(*self.FIXED)

    # -- what the contract owes (`ProposalSource`, `NamedProposals`, `PagedProposals`) ---------------------------------

    async def proposals_of(self, account: Account) -> tuple[Proposal, ...]:
        """Return the proposals of this account (see `ProposalSource`)."""
        async with self.service.conversation() as talk:
            records = await self.records_of(talk, account, self.max_records)
        return await self._read(records, account)

    async def proposals_called(self, account: Account, proposal_id: str) -> tuple[Proposal, ...]:
        """Return those whose id is this one, capitals aside (see `NamedProposals`)."""
        async with self.service.conversation() as talk:
            records = await self.records_called(talk, account, proposal_id)
            if records is None:
                records = await self.records_of(talk, account, self.max_records)
        # read as all of them are: what the service found says nothing about what may be used
        proposals = await self._read(records, account)
        return tuple(one for one in proposals if one.id.lower() == proposal_id.lower())

    async def proposals_up_to_many(self, account: Account) -> tuple[Proposal, ...] | None:
        """Return all, or None if they are many (see `PagedProposals`)."""
        if not self.makes_pages:
            return await self.proposals_of(account)
        try:
            async with self.service.conversation() as talk:
                records = await self.records_of(talk, account, min(self.page_above, self.max_records))
        except TooManyProposals:
            return None
        return await self._read(records, account)

    async def page_of(self, account: Account, query: Query) -> Page | None:
        """Return one page (see `PagedProposals`): the service's, if it can be the answer, else None."""
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
        """Hold what came against this source's contract, line by line (see `ContractChecks`)."""
        return lines_of_fields(name, records, self.field_map, setting=self.setting("fields"), data_of=self.data_of)

    # -- what a source says -----------------------------------------------------------------------------------------

    @abstractmethod
    async def records_of(self, talk: Conversation, account: Account, most: int) -> list[Any]:
        """Ask for the records of this account and nobody else, and at most so many (see `require_room`).

        Raises:
            TooManyProposals: there are more than `most`.
            SourceUnavailable: the service did not answer as it should.
        """

    async def records_called(self, talk: Conversation, account: Account, proposal_id: str) -> list[Any] | None:
        """Ask for the records of one proposal of this account; None if all of them must be asked for.

        The answer holds every record that is this account's and names this proposal, in whatever capitals; it may hold
        others. The id may be any text: it comes from a link.

        Raises:
            SourceUnavailable: the service did not answer as it should.
        """
        return None

    async def find(self, talk: Conversation, account: Account, query: Query) -> Found | None:
        """Ask for one page of this account's proposals; None if the service cannot answer this question.

        Raises:
            SourceUnavailable: the service did not answer as it should.
        """
        return None

    async def records_matching(self, talk: Conversation, account: Account, word: str, most: int) -> list[Any] | None:
        """Ask for all of this account's records with a word in them, for a service whose search knows one word only.

        None if `find` does better. The rest of the search is done here, and so is the order.

        Raises:
            TooManyProposals: there are more than `most`.
            SourceUnavailable: the service did not answer as it should.
        """
        return None

    # -- what is the same for all -----------------------------------------------------------------------------------

    async def _page(self, account: Account, query: Query) -> tuple[Page | None, str]:
        """Return a page that can be the answer, or None and what is wrong with it."""
        async with self.service.conversation() as talk:
            found = await self.find(talk, account, query)
            if found is None:
                return None, ""
            pages = max(1, -(-found.total // query.page_size))
            if query.page > pages:
                query = replace(query, page=pages)
                found = await self.find(talk, account, query)
                if found is None:
                    return None, ""
        if found.sort is not None:
            query = replace(query, sort=found.sort)
        proposals = await self._read(found.records, account)
        if flaw := flaw_of(proposals, query, entries=found.entries, total=found.total, checks_words=self.CHECKS_WORDS):
            self.told.tell(f"a page that the service made was not used: it has {flaw}")
            return None, flaw
        is_phrase = self.SEARCHES_PHRASES and len(query.search.split()) > 1
        page = Page(proposals, found.total, query.search, query.sort, query.page, pages, self.SORTS)
        return replace(page, is_phrase=is_phrase), ""

    async def _matching(self, account: Account, search: str) -> tuple[Proposal, ...] | None:
        """Return all proposals with one of the words of a search, if the service finds them and they are not many."""
        for word in sorted(set(search.split()), key=len, reverse=True)[:_WORDS_TRIED]:
            try:
                async with self.service.conversation() as talk:
                    records = await self.records_matching(talk, account, word, min(self.page_above, self.max_records))
            except TooManyProposals:
                continue
            if records is None:
                return None
            proposals = await self._read(records, account)
            return proposals if all(word.casefold() in text_of(one) for one in proposals) else None
        return None

    async def _read(self, records: list[Any], account: Account) -> tuple[Proposal, ...]:
        reading = await asyncio.to_thread(self.read, records, account)
        for problem in reading.problems:
            self.told.tell(problem)
        return reading.proposals

    def read(self, records: list[Any], account: Account) -> Reading:
        """Turn records into proposals. Called in a thread."""
        keep_records(records)
        group_ids = {name: gid for gid, name in account.group_names.items()}
        return read_proposals(records, self.field_map, group_ids=group_ids, data_of=self.data_of)

    def data_of(self, values: list[Any]) -> tuple[str, ...]:
        """Return the directories that the values of "visit.data" name (see `directories_of`)."""
        return directories_of(values)

    def has_usual(self, *words: str) -> bool:
        """Return whether these words are where this source always has them: only there its service can look."""
        return all(self.field_map.paths[word] == self.FIELDS.get(word, "") for word in words)

    def setting(self, name: str) -> str:
        """Return a setting's full name, for an error."""
        return f"{type(self).__name__}.{name}"

    def address(self, *steps: str) -> str:
        """Return the address of something below the service's."""
        return "/".join([self.service.url.rstrip("/"), *steps])

    def require_room(self, records: Sized | int, most: int) -> None:
        """Check how much was read already, or is there to read.

        Raises:
            TooManyProposals: more than `most`; half of somebody's proposals would look like all of them.
        """
        if (records if isinstance(records, int) else len(records)) > most:
            raise TooManyProposals(
                f"{self.called} has more proposals of yours than can be shown together.",
                remedy="Please search for one by its number, or tell the administrators.",
                detail=f"{self.source}: more than {most} records (see {self.setting('max_records')})",
            )

    async def secret(self, name: str) -> str:
        """Read a secret anew, so that one that is exchanged needs no restart.

        Raises:
            SourceUnavailable: its file went wrong since the hub started.
        """
        try:
            return await asyncio.to_thread(read_secret, self.setting(name), getattr(self, name))
        except ConfigurationError as error:
            raise SourceUnavailable(
                f"{self.called} cannot be asked at the moment.",
                remedy="The administrators were told.",
                detail=f"{self.source}: {error}",
                kind=error.kind,
            ) from None
