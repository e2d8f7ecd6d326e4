"""Proposal and visit, and the contract of a provider."""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from daas_hub.accounts import Account
from daas_hub.errors import ErrorKind, SourceUnavailable
from daas_hub.findings import Finding

#: What an id of a proposal may look like anywhere. A facility may be stricter, never laxer: these characters are
#: safe in a path, a URL, a mount option and a log line, and `..` is none of them.
PROPOSAL_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")

#: The highest number of a visit: some catalogues count all visits of a facility in one row.
HIGHEST_VISIT = 2**31 - 1


class TooManyProposals(SourceUnavailable):
    """Somebody has more proposals than their source gives at once. The service itself is well."""

    kind = ErrorKind.TOO_MANY_RECORDS


@dataclass(frozen=True)
class Visit:
    """One beamtime of a proposal.

    Attributes:
        number: what links and stored sessions say; no other visit of the proposal has it.
        data: the raw data's directories on the facility's storage, absolute paths.
        name: what the facility calls it, where that is not its number; paths have it so. "S0011", "mx12345-7".
    """

    number: int
    title: str = ""
    beamline: str = ""
    start: datetime.datetime | None = None
    end: datetime.datetime | None = None
    data: tuple[str, ...] = ()
    name: str = ""

    @property
    def label(self) -> str:
        """What the facility calls this visit."""
        return self.name or str(self.number)


@dataclass(frozen=True)
class Proposal:
    """An experiment as the facility tells it. `gid` is the group that shares its processed data, if it has one."""

    id: str
    title: str
    abstract: str = ""
    beamlines: tuple[str, ...] = ()
    visits: tuple[Visit, ...] = ()
    gid: int | None = None

    def visit(self, number: int) -> Visit | None:
        """Return the visit of this number; None if there is none."""
        return next((visit for visit in self.visits if visit.number == number), None)


@dataclass(frozen=True)
class Query:
    """Which page of somebody's proposals.

    Attributes:
        search: words that must all be in number, title, abstract or beamlines; "" for all proposals.
        sort: a column, with "-" before it for descending; "" for the source's own order.
        page: from 1.
    """

    search: str = ""
    sort: str = "-latest"
    page: int = 1
    page_size: int = 20


@dataclass(frozen=True)
class Page:
    """One page of proposals, and what it is a page of.

    Attributes:
        total: how many match the search.
        sort: the order it really has, which is another than was asked for if the source cannot do that one.
        page: the last one if there are fewer pages than was asked for.
        sorts: the columns that another order may be asked by.
        of: how many proposals there are without the search; None if nobody asked.
        is_phrase: whether the words of the search were looked for as they stand, one after the other.
    """

    proposals: tuple[Proposal, ...]
    total: int
    search: str
    sort: str
    page: int
    pages: int
    sorts: tuple[str, ...] = ()
    of: int | None = None
    is_phrase: bool = False


class ProposalSource(Protocol):
    """What every provider of proposals owes. That is all."""

    async def proposals_of(self, account: Account) -> tuple[Proposal, ...]:
        """Return the proposals this account may see, asked for now.

        Raises:
            TooManyProposals: there are more than the source gives at once.
            SourceUnavailable: the source did not answer as it should; nothing may be granted.
        """
        ...


@runtime_checkable
class NamedProposals(Protocol):
    """What a provider may owe besides: one proposal, without all the others. A launch asks so."""

    async def proposals_called(self, account: Account, proposal_id: str) -> tuple[Proposal, ...]:
        """Return those proposals of this account whose id is this one, capitals aside, asked for now.

        The same checks hold as for all of them, and whoever asks compares the id letter by letter. Usually it is one,
        or none: not this person's and not there at all are the same.

        Raises:
            SourceUnavailable: the source did not answer as it should; nothing may be granted.
        """
        ...


@runtime_checkable
class PagedProposals(NamedProposals, Protocol):
    """What a provider may owe besides: pages, where somebody has more proposals than are read at once."""

    async def proposals_up_to_many(self, account: Account) -> tuple[Proposal, ...] | None:
        """Return all proposals of this account, as `proposals_of` does; None if they are many, for `page_of` then.

        Raises:
            SourceUnavailable: the source did not answer as it should.
        """
        ...

    async def page_of(self, account: Account, query: Query) -> Page | None:
        """Return one page; None if the source cannot answer this question, and all must be looked at.

        Raises:
            SourceUnavailable: the source did not answer as it should.
        """
        ...


@runtime_checkable
class ContractChecks(Protocol):
    """What a provider may owe besides, for an examination: how what came holds against its own contract."""

    async def contract_lines(self, name: str, account: Account, records: list[Any]) -> list[Finding]:
        """Return a finding for each line of the contract, and ask what else belongs to it.

        Args:
            name: of the source in the configuration; keys begin with it: "proposals.icat.fields".
            account: the one that was asked about.
            records: what came for it, as it is read; nothing for a source without records.

        Raises:
            SourceUnavailable: what else was asked had no answer.
        """
        ...
