"""A short memory of a provider's answers: in the process only, keyed by account.

An answer serves pages for a minute. While the source is down it serves them longer, marked as old; it never serves a
launch. An outage is told once, when it begins, and once more when it is over.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from daas_hub.errors import SourceUnavailable
from daas_hub.identity import Account
from daas_hub.proposals.records import Proposal, ProposalSource

#: After a failure pages wait this many times as long as the failure took before they ask again: a source that refuses
#: at once is asked at once, one that hangs for ten seconds does not make every page hang for ten seconds.
_REST_FACTOR = 3

_log = logging.getLogger("jupyterhub.daas")

_Value = TypeVar("_Value")


@dataclass(frozen=True)
class Answer:
    """The proposals of an account.

    Attributes:
        age_s: how long ago the source said so.
        problem: why it could not be asked again; None if the answer is as young as it should be.
    """

    proposals: tuple[Proposal, ...]
    age_s: float = 0.0
    problem: SourceUnavailable | None = None

    @property
    def is_stale(self) -> bool:
        """Tell whether this is an old answer that stands in for a source that is down: nothing is granted by it."""
        return self.problem is not None


@dataclass
class _Memory:
    asked_at: float
    proposals: tuple[Proposal, ...]


@dataclass
class _Failure:
    until: float
    problem: SourceUnavailable


class RememberedProposals:
    """Saves the source from a question for every page; a launch asks the source itself (`fresh=True`)."""

    def __init__(
        self,
        source: ProposalSource,
        *,
        keep_s: float = 60.0,
        show_old_s: float = 0.0,
        people: int = 2000,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._source = source
        self._keep_s = keep_s
        self._show_old_s = show_old_s
        self._people = people
        self._clock = clock
        self._answers: dict[Account, _Memory] = {}
        self._failures: dict[Account, _Failure] = {}
        self._down_since: float | None = None

    async def proposals_of(self, account: Account, *, fresh: bool = False) -> Answer:
        """Give the proposals of this account; `fresh` asks the source whatever is remembered.

        Raises:
            SourceUnavailable: the source did not answer and nothing young enough is remembered (always when `fresh`).
        """
        now = self._clock()
        known = self._answers.get(account)
        if known is not None and not fresh and now - known.asked_at <= self._keep_s:
            return Answer(known.proposals, max(now - known.asked_at, 0.0))
        failure = self._failures.get(account)
        if failure is not None and not fresh and now < failure.until:
            return self._old(known, now, failure.problem)
        try:
            proposals = await self._source.proposals_of(account)
        except SourceUnavailable as problem:
            failed = self._clock()
            self._note_down(problem, failed)
            _remember(self._failures, account, _Failure(failed + _REST_FACTOR * (failed - now), problem), self._people)
            if fresh:
                raise
            return self._old(self._answers.get(account), failed, problem)
        self._note_up()
        self._failures.pop(account, None)
        _remember(self._answers, account, _Memory(now, proposals), self._people)
        return Answer(proposals)

    def _old(self, known: _Memory | None, now: float, problem: SourceUnavailable) -> Answer:
        """Give what is remembered, marked as old.

        Raises:
            SourceUnavailable: nothing is, or it is too old.
        """
        if known is None or now - known.asked_at > self._show_old_s:
            # the traceback of another request would be told as this one's
            raise problem.with_traceback(None)
        return Answer(known.proposals, max(now - known.asked_at, 0.0), problem)

    def _note_down(self, problem: SourceUnavailable, now: float) -> None:
        if self._down_since is None:
            self._down_since = now
            _log.error("the source of proposals is down: %s", problem.detail or problem)

    def _note_up(self) -> None:
        if self._down_since is not None:
            _log.warning("the source of proposals is up again, after %.0f s", self._clock() - self._down_since)
            self._down_since = None


def _remember(memory: dict[Account, _Value], account: Account, value: _Value, most: int) -> None:
    """Keep a value, at the price of the one that was kept longest ago."""
    memory.pop(account, None)
    while len(memory) >= most:
        memory.pop(next(iter(memory)))
    memory[account] = value
