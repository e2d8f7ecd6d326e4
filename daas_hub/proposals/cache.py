"""A short-lived cache of a source's answers, by account.

Pages use an answer for `cache_s`. While the source is down they use it for `stale_cache_s`, marked as stale; a launch
never uses it. An outage is logged once, when it begins, and once more when it is over. Accounts with more proposals
than are read at once get pages that the source makes, which are cached in the same way.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass, replace
from typing import TypeVar

from cachetools import LRUCache, TLRUCache, TTLCache

from daas_hub.accounts import Account
from daas_hub.errors import SourceUnavailable
from daas_hub.proposals.answers import AnswerStore, ProposalsAnswer, SourceAnswer, StoredAnswer
from daas_hub.proposals.listing import Listing
from daas_hub.proposals.model import (
    PROPOSAL_ID,
    LeftOut,
    NamedProposals,
    Page,
    PagedProposals,
    Proposal,
    ProposalSource,
    Query,
    ReportsLeftOut,
    TooManyProposals,
)

#: After a failure pages wait this many times as long as the failure took before they ask again: a source that refuses
#: at once is asked at once, one that hangs for ten seconds does not make every page hang for ten seconds.
_BACKOFF_FACTOR = 3
#: An account with many proposals is assumed to have many for this long: until then only pages are asked for.
_MANY_FOR_S = 600.0
#: More proposals than these are sorted and searched in a thread.
_SORT_IN_THREAD_ABOVE = 2000
#: Proposals cached for all accounts together; one takes 1 to 4 kB (see docs/reference/benchmarks.md).
MAX_PROPOSALS = 100_000

_log = logging.getLogger("jupyterhub.daas")

_Value = TypeVar("_Value")


@dataclass(frozen=True)
class _Failure:
    until: float
    problem: SourceUnavailable


class CachedProposals:
    """Saves the source a question for every page; a launch asks the source itself (`fresh=True`)."""

    def __init__(
        self,
        source: ProposalSource,
        *,
        cache_s: float = 60.0,
        stale_cache_s: float = 0.0,
        max_accounts: int = 2000,
        max_proposals: int = MAX_PROPOSALS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._source = source
        self._cache_s = cache_s
        self._stale_cache_s = stale_cache_s
        self._clock = clock

        def store() -> AnswerStore[_Value]:
            max_age_s = max(cache_s, stale_cache_s)
            return AnswerStore(max_answers=max_accounts, max_proposals=max_proposals, max_age_s=max_age_s, clock=clock)

        self._all: AnswerStore[Listing] = store()
        self._pages: AnswerStore[Page | None] = store()
        self._single: AnswerStore[tuple[Proposal, ...]] = store()
        self._failures: TLRUCache[Account, _Failure] = TLRUCache(
            max_accounts, lambda _account, failure, _now: failure.until, clock
        )
        #: until when an account is assumed to have many proposals. Kept after that: while the source is down, it says
        #: that pages may be cached
        self._many_until: LRUCache[Account, float] = LRUCache(max_accounts)
        self._too_many: TTLCache[Account, TooManyProposals] = TTLCache(max_accounts, _MANY_FOR_S, clock)
        self._totals: LRUCache[Account, int] = LRUCache(max_accounts)
        self._down_since: float | None = None

    async def proposals_of(self, account: Account, *, fresh: bool = False) -> ProposalsAnswer:
        """Return the proposals of this account; `fresh` asks the source whatever is cached.

        Raises:
            TooManyProposals: there are more than the source gives at once.
            SourceUnavailable: the source did not answer and nothing recent enough is cached (always when `fresh`).
        """
        answer = await self._listing(account, self._source.proposals_of, fresh=fresh)
        return ProposalsAnswer(answer.value.proposals, answer.age_s, answer.problem)

    async def page_of(self, account: Account, query: Query) -> SourceAnswer[Page]:
        """Return one page of this account's proposals: the source's, if it makes pages and the proposals are many.

        Raises:
            SourceUnavailable: as `proposals_of`.
        """
        source = self._source
        answer = await self._listing_unless_many(account)
        if answer is None and isinstance(source, PagedProposals):
            page = await self._answer(
                self._pages, (account, query), account, lambda: source.page_of(account, query), _size_of_page
            )
            if page.value is not None:
                return SourceAnswer(self._with_total(account, page.value), page.age_s, page.problem)
        if answer is None:
            answer = await self._listing_of_many(account)
        return SourceAnswer(await self._page(answer.value, query), answer.age_s, answer.problem)

    async def proposal_of(
        self, account: Account, proposal_id: str, *, fresh: bool = False
    ) -> SourceAnswer[Proposal | None]:
        """Return the proposal with exactly this id; None if it is not this account's, or does not exist.

        Raises:
            SourceUnavailable: as `proposals_of`.
        """
        answer = await self.proposals_called(account, proposal_id, fresh=fresh)
        found = next((one for one in answer.value if one.id == proposal_id), None)
        return SourceAnswer(found, answer.age_s, answer.problem)

    async def proposals_called(
        self, account: Account, proposal_id: str, *, fresh: bool = False
    ) -> SourceAnswer[tuple[Proposal, ...]]:
        """Return those of this account's proposals whose id is this one, ignoring case.

        Raises:
            SourceUnavailable: as `proposals_of`.
        """
        if not PROPOSAL_ID.fullmatch(proposal_id):
            return SourceAnswer(())
        source = self._source
        everything = None if fresh else await self._listing_unless_many(account)
        if everything is None and isinstance(source, NamedProposals):
            answer = await self._answer(
                self._single,
                (account, proposal_id),
                account,
                lambda: source.proposals_called(account, proposal_id),
                len,
                fresh=fresh,
            )
            self._discard_contradictions(account, proposal_id, answer)
            return answer
        if everything is None:
            everything = await self._listing(account, source.proposals_of, fresh=True)
        return SourceAnswer(_called(everything.value.proposals, proposal_id), everything.age_s, everything.problem)

    def left_out_of(self, account: Account) -> tuple[LeftOut, ...]:
        """Return which of this account's records could not be used, by the source's last answer."""
        return self._source.left_out_of(account) if isinstance(self._source, ReportsLeftOut) else ()

    async def proposals_unless_many(self, account: Account) -> tuple[Proposal, ...] | None:
        """Return all proposals of this account, asked for now; None if they are many.

        Raises:
            SourceUnavailable: the source did not answer.
        """
        answer = await self._listing_unless_many(account, fresh=True)
        return None if answer is None else answer.value.proposals

    # -- all proposals of an account ---------------------------------------------------------------------------------

    async def _listing_unless_many(self, account: Account, *, fresh: bool = False) -> SourceAnswer[Listing] | None:
        """Return all proposals; None if they are many and the source makes pages of them."""
        source = self._source
        if not isinstance(source, PagedProposals):
            return await self._listing(account, source.proposals_of, fresh=fresh)
        many_until = self._many_until.get(account)
        if many_until is not None and self._clock() < many_until:
            return None
        try:
            return await self._listing(account, self._up_to_many(source), fresh=fresh)
        except TooManyProposals:
            self._many_until[account] = self._clock() + _MANY_FOR_S
            self._all.discard(account)
            return None
        except SourceUnavailable:
            if many_until is None or fresh:
                raise
            # the source is down; an account that had many proposals may still have pages in the cache
            return None

    async def _listing_of_many(self, account: Account) -> SourceAnswer[Listing]:
        """Return all of many proposals, for a question that the source cannot answer with a page.

        Raises:
            TooManyProposals: there are more than the source gives at once; it is not asked again for each page.
        """
        refusal = self._too_many.get(account)
        if refusal is not None:
            raise refusal.with_traceback(None)
        try:
            return await self._listing(account, self._source.proposals_of)
        except TooManyProposals as problem:
            self._too_many[account] = problem
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
    ) -> SourceAnswer[Listing]:
        async def listing() -> Listing:
            return Listing(await ask(account))

        return await self._answer(self._all, account, account, listing, lambda value: len(value.proposals), fresh=fresh)

    def _with_total(self, account: Account, page: Page) -> Page:
        """Return a page with the number of all proposals, if a page without a search was asked for before."""
        if not page.search:
            self._totals[account] = page.total
        return replace(page, of=self._totals.get(account))

    @staticmethod
    async def _page(listing: Listing, query: Query) -> Page:
        if len(listing.proposals) <= _SORT_IN_THREAD_ABOVE:
            return listing.page(query)
        return await asyncio.to_thread(listing.page, query)

    def _discard_contradictions(
        self, account: Account, proposal_id: str, answer: SourceAnswer[tuple[Proposal, ...]]
    ) -> None:
        """Let pages agree with what a launch just learned: cached answers that say otherwise are dropped."""
        if answer.is_stale or answer.age_s:
            return
        known = self._all.get(account)
        if known is not None and _called(known.value.proposals, proposal_id) != answer.value:
            self._all.discard(account)
        if not answer.value:
            self._pages.discard_parts(account)

    # -- one question ------------------------------------------------------------------------------------------------

    async def _answer(
        self,
        store: AnswerStore[_Value],
        question: Hashable,
        account: Account,
        ask: Callable[[], Awaitable[_Value]],
        size_of: Callable[[_Value], int],
        *,
        fresh: bool = False,
    ) -> SourceAnswer[_Value]:
        """Return the cached answer, or the source's, which is cached.

        Raises:
            TooManyProposals: the source says so.
            SourceUnavailable: it did not answer and nothing recent enough is cached (always when `fresh`).
        """
        now = self._clock()
        known = store.get(question)
        if known is not None and not fresh and now - known.asked_at <= self._cache_s:
            return SourceAnswer(known.value, max(now - known.asked_at, 0.0))
        failure = self._failures.get(account)
        if failure is not None and not fresh:
            return self._stale(known, now, failure.problem)
        try:
            value = await ask()
        except TooManyProposals:
            self._note_up()
            raise
        except SourceUnavailable as problem:
            failed = self._clock()
            self._note_down(problem, failed)
            self._failures[account] = _Failure(failed + _BACKOFF_FACTOR * (failed - now), problem)
            if fresh:
                raise
            return self._stale(store.get(question), failed, problem)
        self._note_up()
        self._failures.pop(account, None)
        store.put(question, StoredAnswer(now, value, size_of(value)))
        return SourceAnswer(value)

    def _stale(
        self, known: StoredAnswer[_Value] | None, now: float, problem: SourceUnavailable
    ) -> SourceAnswer[_Value]:
        """Return the cached answer, marked as stale.

        Raises:
            SourceUnavailable: nothing is cached, or it is too old.
        """
        if known is None or now - known.asked_at > self._stale_cache_s:
            # without the traceback of the request that failed, which may be another one
            raise problem.with_traceback(None)
        return SourceAnswer(known.value, max(now - known.asked_at, 0.0), problem)

    def _note_down(self, problem: SourceUnavailable, now: float) -> None:
        if self._down_since is None:
            self._down_since = now
            _log.error("the source of proposals is down: %s", problem.detail or problem)

    def _note_up(self) -> None:
        if self._down_since is not None:
            _log.warning("the source of proposals is up again after %.0f s", self._clock() - self._down_since)
            self._down_since = None


def _called(proposals: tuple[Proposal, ...], proposal_id: str) -> tuple[Proposal, ...]:
    return tuple(one for one in proposals if one.id.lower() == proposal_id.lower())


def _size_of_page(page: Page | None) -> int:
    return 1 if page is None else len(page.proposals)
