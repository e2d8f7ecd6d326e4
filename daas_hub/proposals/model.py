"""Proposals, visits, and what a source of proposals implements."""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from daas_hub.accounts import Account
from daas_hub.errors import ErrorKind, SourceUnavailable
from daas_hub.findings import Finding

#: A valid proposal id. A facility may be stricter, never laxer: such an id is safe in a path, a URL, a mount option
#: and a log line, and no part of it is `..`. It may have slashes, as ids with a registered prefix do
#: ("20.500.11935/2026-0123").
_PART = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
PROPOSAL_ID = re.compile(rf"{_PART}(?:/{_PART}){{0,3}}")
#: An id without slashes: what the name of a group can hold.
ID_IN_A_NAME = re.compile(_PART)

#: The numbers of visits: ISPyB counts from 0, and some catalogues count all visits of a facility in one row.
LOWEST_VISIT = 0
HIGHEST_VISIT = 2**31 - 1


class TooManyProposals(SourceUnavailable):
    """An account has more proposals than its source returns at once. The service itself is up."""

    kind = ErrorKind.TOO_MANY_RECORDS


#: The zone of times that a source states without one: what the facility's clock shows, whatever its zone is.
WALL_CLOCK = datetime.timezone(datetime.timedelta(0), "wall clock")


def in_zone(moment: datetime.datetime | None, zone: datetime.tzinfo | None) -> datetime.datetime | None:
    """Return a moment in the facility's time zone; one that was stated without a zone is in it already."""
    # "is": all zones without an offset are equal
    if moment is None or zone is None or moment.tzinfo is None or moment.tzinfo is WALL_CLOCK:
        return moment
    return moment.astimezone(zone)


@dataclass(frozen=True)
class Visit:
    """One beamtime of a proposal.

    Attributes:
        number: unique in the proposal; used in links and stored sessions.
        data: absolute paths of the raw data on the facility's storage.
        name: the facility's name for it, as in paths, if that is not its number. "S0011", "mx12345-7".
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
        """The facility's name for this visit."""
        return self.name or str(self.number)


@dataclass(frozen=True)
class Proposal:
    """An experiment. `gid` is the group that shares its processed data, if it has one."""

    id: str
    title: str
    abstract: str = ""
    beamlines: tuple[str, ...] = ()
    visits: tuple[Visit, ...] = ()
    gid: int | None = None

    def visit(self, number: int) -> Visit | None:
        """Return the visit with this number, or None."""
        return next((visit for visit in self.visits if visit.number == number), None)


@dataclass(frozen=True)
class LeftOut:
    """A record of an account, or a part of one, that cannot be used.

    Attributes:
        id: of the proposal, as the source has it.
        reason: for the person and for the administrators; printable.
    """

    id: str
    reason: str


@dataclass(frozen=True)
class Query:
    """A page of an account's proposals to ask for.

    Attributes:
        search: words that must all be in id, title, abstract or beamlines; "" for all proposals.
        sort: a column, with a leading "-" for descending; "" for the source's own order.
        page: from 1.
    """

    search: str = ""
    sort: str = "-latest"
    page: int = 1
    page_size: int = 20


@dataclass(frozen=True)
class Page:
    """One page of proposals.

    Attributes:
        total: number of matches.
        sort: the actual order; not the requested one if the source does not support it.
        page: the last page if a later one was requested.
        sorts: the columns that pages can be sorted by.
        of: number of proposals without the search; None if unknown.
        is_phrase: whether the words of the search were searched for as one phrase.
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
    """What every source of proposals implements."""

    async def proposals_of(self, account: Account) -> tuple[Proposal, ...]:
        """Return the proposals this account may see, asked for now.

        Raises:
            TooManyProposals: there are more than the source returns at once.
            SourceUnavailable: the source did not answer properly; nothing may be granted.
        """
        ...


@runtime_checkable
class NamedProposals(Protocol):
    """What a source may also implement: one proposal without all the others, for launches."""

    async def proposals_called(self, account: Account, proposal_id: str) -> tuple[Proposal, ...]:
        """Return the proposals of this account with this id, ignoring case, asked for now.

        The same checks apply as for all proposals, and the caller compares the id exactly. Usually there is one, or
        none: a proposal of somebody else and one that does not exist are the same.

        Raises:
            SourceUnavailable: the source did not answer properly; nothing may be granted.
        """
        ...


@runtime_checkable
class PagedProposals(NamedProposals, Protocol):
    """What a source may also implement: pages, for accounts with more proposals than are read at once."""

    async def proposals_up_to_many(self, account: Account) -> tuple[Proposal, ...] | None:
        """Return all proposals of this account, as `proposals_of`; None if there are many, to be asked for by page.

        Raises:
            SourceUnavailable: the source did not answer properly.
        """
        ...

    async def page_of(self, account: Account, query: Query) -> Page | None:
        """Return one page; None if the source cannot answer this query, so that all proposals must be read.

        Raises:
            SourceUnavailable: the source did not answer properly.
        """
        ...


@runtime_checkable
class ReportsLeftOut(Protocol):
    """What a source may also implement: which of an account's records could not be used."""

    def left_out_of(self, account: Account) -> tuple[LeftOut, ...]:
        """Return what the last answer about this account left out; nothing is asked."""
        ...


@runtime_checkable
class ContractChecks(Protocol):
    """What a source may also implement, for `daas-hub doctor`: checks of its records against its contract."""

    async def contract_lines(self, name: str, account: Account, records: list[Any]) -> list[Finding]:
        """Return a finding for each line of the contract; may ask the source further questions.

        Args:
            name: of the source in the configuration; part of the findings' keys: "proposals.icat.fields".
            records: the records of this account, before they are read; empty for a source without records.

        Raises:
            SourceUnavailable: a further question was not answered.
        """
        ...
