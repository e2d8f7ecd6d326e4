"""A short memory of a provider's answers: in the process only, keyed by account.

An answer serves pages for a minute. While the source is down it serves them longer, marked as old; it never serves a
launch. An outage is told once, when it begins, and once more when it is over. Who has more proposals than their source
gives at once is shown pages that the source makes, and these are remembered in the same way.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from daas_hub.accounts import Account
from daas_hub.errors import SourceUnavailable
from daas_hub.proposals.listing import Listing
from daas_hub.proposals.model import (
    PROPOSAL_ID,
    NamedProposals,
    Page,
    PagedProposals,
    Proposal,
    ProposalSource,
    Query,
    TooManyProposals,
)

#: After a failure pages wait this many times as long as the failure took before they ask again: a source that refuses
#: at once is asked at once, one that hangs for ten seconds does not make every page hang for ten seconds.
_REST_FACTOR = 3
#: Who has many proposals has many in ten minutes, too: until then only pages are asked for.
_MANY_FOR_S = 600.0
#: More proposals than these are sorted and searched beside the event loop.
_SORTED_AT_ONCE = 2000
#: Proposals remembered of all people together; one takes 1 to 4 kB (see docs/reference/benchmarks.md).
MAX_PROPOSALS = 100_000

_log = logging.getLogger("jupyterhub.daas")

_Value = TypeVar("_Value")


@dataclass(frozen=True)
class Told(Generic[_Value]):
    """What a source said.

    Attributes:
        age_s: how long ago the source said so.
        problem: why it could not be asked again; None if the answer is as young as it should be.
    """

    value: _Value
    age_s: float = 0.0
    problem: SourceUnavailable | None = None

    @property
    def is_stale(self) -> bool:
        """Return whether this is an old answer that stands in for a source that is down: nothing is granted by it."""
        return self.problem is not None


@dataclass(frozen=True)
class Answer(Told[tuple[Proposal, ...]]):
    """All proposals of an account."""

    @property
    def proposals(self) -> tuple[Proposal, ...]:
        """The proposals."""
        return self.value


@dataclass
class _Memory(Generic[_Value]):
    asked_at: float
    value: _Value
    weight: int


@dataclass
class _Failure:
    until: float
    problem: SourceUnavailable


class _Kept(Generic[_Value]):
    """Answers by question: at most so many, with at most so many proposals; the longest unused one goes first."""

    def __init__(self, most: int, max_proposals: int) -> None:
        self._most = most
        self._max_proposals = max_proposals
        self._known: dict[Hashable, _Memory[_Value]] = {}
        self.weight = 0

    def get(self, key: Hashable) -> _Memory[_Value] | None:
        """Return what is kept for a question; it is used then."""
        memory = self._known.pop(key, None)
        if memory is not None:
            self._known[key] = memory
        return memory

    def put(self, key: Hashable, memory: _Memory[_Value]) -> None:
        """Keep an answer, at the price of others. One that is too large alone is kept alone."""
        self.forget(key)
        while self._known and (len(self._known) >= self._most or self.weight + memory.weight > self._max_proposals):
            self.forget(next(iter(self._known)))
        self._known[key] = memory
        self.weight += memory.weight

    def forget(self, key: Hashable) -> None:
        """Forget one answer."""
        if (memory := self._known.pop(key, None)) is not None:
            self.weight -= memory.weight

    def forget_of(self, account: Account) -> None:
        """Forget the answers about parts of an account's proposals, whose keys begin with it."""
        for key in [key for key in self._known if isinstance(key, tuple) and key[0] == account]:
            self.forget(key)


class CachedProposals:
    """Saves the source from a question for every page; a launch asks the source itself (`fresh=True`)."""

    def __init__(
        self,
        source: ProposalSource,
        *,
        keep_s: float = 60.0,
        show_old_s: float = 0.0,
        people: int = 2000,
        max_proposals: int = MAX_PROPOSALS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._source = source
        self._keep_s = keep_s
        self._show_old_s = show_old_s
        self._people = people
        self._clock = clock
        self._all: _Kept[Listing] = _Kept(people, max_proposals)
        self._pages: _Kept[Page | None] = _Kept(people, max_proposals)
        self._single: _Kept[tuple[Proposal, ...]] = _Kept(people, max_proposals)
        self._failures: dict[Account, _Failure] = {}
        self._numbers: dict[Account, int] = {}
        self._many: dict[Account, _Failure] = {}
        self._more_than_most: dict[Account, _Failure] = {}
        self._down_since: float | None = None

    async def proposals_of(self, account: Account, *, fresh: bool = False) -> Answer:
        """Return the proposals of this account; `fresh` asks the source whatever is remembered.

        Raises:
            TooManyProposals: there are more than the source gives at once.
            SourceUnavailable: the source did not answer and nothing young enough is remembered (always when `fresh`).
        """
        told = await self._listing(account, self._source.proposals_of, fresh=fresh)
        return Answer(told.value.proposals, told.age_s, told.problem)

    async def page_of(self, account: Account, query: Query) -> Told[Page]:
        """Return one page of this account's proposals: the source's, where it makes pages and they are many.

        Raises:
            SourceUnavailable: as `proposals_of`.
        """
        source = self._source
        told = await self._listing_unless_many(account)
        if told is None and isinstance(source, PagedProposals):
            page = await self._told(
                self._pages, (account, query), account, lambda: source.page_of(account, query), _weight_of_page
            )
            if page.value is not None:
                return Told(self._counted(account, page.value), page.age_s, page.problem)
        if told is None:
            told = await self._whole_after_all(account)
        return Told(await self._page(told.value, query), told.age_s, told.problem)

    async def proposal_of(self, account: Account, proposal_id: str, *, fresh: bool = False) -> Told[Proposal | None]:
        """Return the proposal of exactly this id, if it is this account's; None is not theirs, or not there at all.

        Raises:
            SourceUnavailable: as `proposals_of`.
        """
        told = await self.proposals_called(account, proposal_id, fresh=fresh)
        found = next((one for one in told.value if one.id == proposal_id), None)
        return Told(found, told.age_s, told.problem)

    async def proposals_called(
        self, account: Account, proposal_id: str, *, fresh: bool = False
    ) -> Told[tuple[Proposal, ...]]:
        """Return those of this account's proposals whose id is this one, capitals aside.

        Raises:
            SourceUnavailable: as `proposals_of`.
        """
        if not PROPOSAL_ID.fullmatch(proposal_id):
            return Told(())
        source = self._source
        everything = None if fresh else await self._listing_unless_many(account)
        if everything is None and isinstance(source, NamedProposals):
            told = await self._told(
                self._single,
                (account, proposal_id),
                account,
                lambda: source.proposals_called(account, proposal_id),
                len,
                fresh=fresh,
            )
            self._reconcile(account, proposal_id, told)
            return told
        if everything is None:
            everything = await self._listing(account, source.proposals_of, fresh=True)
        return Told(_called(everything.value.proposals, proposal_id), everything.age_s, everything.problem)

    async def proposals_unless_many(self, account: Account) -> tuple[Proposal, ...] | None:
        """Return all proposals of this account, asked for now; None if they are many.

        Raises:
            SourceUnavailable: the source did not answer.
        """
        told = await self._listing_unless_many(account, fresh=True)
        return None if told is None else told.value.proposals

    # -- all of them -----------------------------------------------------------------------------------------------

    async def _listing_unless_many(self, account: Account, *, fresh: bool = False) -> Told[Listing] | None:
        """Return all proposals; None if they are many and the source makes pages of them."""
        source = self._source
        if not isinstance(source, PagedProposals):
            return await self._listing(account, source.proposals_of, fresh=fresh)
        many = self._many.get(account)
        if many is not None and self._clock() < many.until:
            return None
        try:
            return await self._listing(account, self._up_to_many(source), fresh=fresh)
        except TooManyProposals as problem:
            _remember(self._many, account, _Failure(self._clock() + _MANY_FOR_S, problem), self._people)
            self._all.forget(account)
            return None
        except SourceUnavailable:
            if many is None or fresh:
                raise
            # the source is down, and who had many proposals may still have pages of them here
            return None

    async def _whole_after_all(self, account: Account) -> Told[Listing]:
        """Return all of many proposals, for a question that the source cannot answer by a page.

        Raises:
            TooManyProposals: there are more than the source gives at once; it is not asked again for each page.
        """
        refusal = self._more_than_most.get(account)
        if refusal is not None and self._clock() < refusal.until:
            raise refusal.problem.with_traceback(None)
        try:
            return await self._listing(account, self._source.proposals_of)
        except TooManyProposals as problem:
            _remember(self._more_than_most, account, _Failure(self._clock() + _MANY_FOR_S, problem), self._people)
            raise

    @staticmethod
    def _up_to_many(source: PagedProposals) -> Callable[[Account], Awaitable[tuple[Proposal, ...]]]:
        async def ask(account: Account) -> tuple[Proposal, ...]:
            proposals = await source.proposals_up_to_many(account)
            if proposals is None:
                raise TooManyProposals("You have many proposals.")
            return proposals

        return ask

    async def _listing(
        self,
        account: Account,
        ask: Callable[[Account], Awaitable[tuple[Proposal, ...]]],
        *,
        fresh: bool = False,
    ) -> Told[Listing]:
        async def listing() -> Listing:
            return Listing(await ask(account))

        return await self._told(self._all, account, account, listing, lambda value: len(value.proposals), fresh=fresh)

    def _counted(self, account: Account, page: Page) -> Page:
        """Return a page with the number of all proposals, if a page without a search told it."""
        if not page.search:
            _remember(self._numbers, account, page.total, self._people)
        return replace(page, of=self._numbers.get(account))

    @staticmethod
    async def _page(listing: Listing, query: Query) -> Page:
        if len(listing.proposals) <= _SORTED_AT_ONCE:
            return listing.page(query)
        return await asyncio.to_thread(listing.page, query)

    def _reconcile(self, account: Account, proposal_id: str, told: Told[tuple[Proposal, ...]]) -> None:
        """Let pages see what a launch was told: what is remembered beside it and says otherwise is forgotten."""
        if told.is_stale or told.age_s:
            return
        known = self._all.get(account)
        if known is not None and _called(known.value.proposals, proposal_id) != told.value:
            self._all.forget(account)
        if not told.value:
            self._pages.forget_of(account)

    # -- one question ------------------------------------------------------------------------------------------------

    async def _told(
        self,
        kept: _Kept[_Value],
        key: Hashable,
        account: Account,
        ask: Callable[[], Awaitable[_Value]],
        weigh: Callable[[_Value], int],
        *,
        fresh: bool = False,
    ) -> Told[_Value]:
        """Return what is remembered or what the source says now; what it says is remembered.

        Raises:
            TooManyProposals: the source says so.
            SourceUnavailable: it did not answer and nothing young enough is remembered (always when `fresh`).
        """
        now = self._clock()
        known = kept.get(key)
        if known is not None and not fresh and now - known.asked_at <= self._keep_s:
            return Told(known.value, max(now - known.asked_at, 0.0))
        failure = self._failures.get(account)
        if failure is not None and not fresh and now < failure.until:
            return self._old(known, now, failure.problem)
        try:
            value = await ask()
        except TooManyProposals:
            self._note_up()
            raise
        except SourceUnavailable as problem:
            failed = self._clock()
            self._note_down(problem, failed)
            _remember(self._failures, account, _Failure(failed + _REST_FACTOR * (failed - now), problem), self._people)
            if fresh:
                raise
            return self._old(kept.get(key), failed, problem)
        self._note_up()
        self._failures.pop(account, None)
        kept.put(key, _Memory(now, value, weigh(value)))
        return Told(value)

    def _old(self, known: _Memory[_Value] | None, now: float, problem: SourceUnavailable) -> Told[_Value]:
        """Return what is remembered, marked as old.

        Raises:
            SourceUnavailable: nothing is, or it is too old.
        """
        if known is None or now - known.asked_at > self._show_old_s:
            # the traceback of another request would be told as this one's
            raise problem.with_traceback(None)
        return Told(known.value, max(now - known.asked_at, 0.0), problem)

    def _note_down(self, problem: SourceUnavailable, now: float) -> None:
        if self._down_since is None:
            self._down_since = now
            _log.error("the source of proposals is down: %s", problem.detail or problem)

    def _note_up(self) -> None:
        if self._down_since is not None:
            _log.warning("the source of proposals is up again, after %.0f s", self._clock() - self._down_since)
            self._down_since = None


def _called(proposals: tuple[Proposal, ...], proposal_id: str) -> tuple[Proposal, ...]:
    return tuple(one for one in proposals if one.id.lower() == proposal_id.lower())


def _weight_of_page(page: Page | None) -> int:
    return 1 if page is None else len(page.proposals)


def _remember(memory: dict[Account, _Value], account: Account, value: _Value, most: int) -> None:
    """Keep a value, at the price of the one that was kept longest ago."""
    memory.pop(account, None)
    while len(memory) >= most:
        memory.pop(next(iter(memory)))
    memory[account] = value
