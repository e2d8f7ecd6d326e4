"""A short memory of a provider's answers: in the process only, keyed by person, gone after a minute."""

from __future__ import annotations

import time
from collections.abc import Callable

from daas_hub.proposals.records import Proposal, ProposalSource


class RememberedProposals:
    """Saves the source from a question for every page; a launch asks the source itself (`fresh=True`)."""

    def __init__(
        self,
        source: ProposalSource,
        *,
        keep_s: float = 60.0,
        people: int = 2000,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._source = source
        self._keep_s = keep_s
        self._people = people
        self._clock = clock
        self._answers: dict[str, tuple[float, tuple[Proposal, ...]]] = {}

    async def proposals_of(self, account_name: str, *, fresh: bool = False) -> tuple[Proposal, ...]:
        """Give the proposals of this account; `fresh` asks the source whatever is remembered.

        Raises:
            SourceUnavailable: the source did not answer and nothing young enough is remembered (never when `fresh`).
        """
        now = self._clock()
        told, answer = self._answers.get(account_name, (now - self._keep_s - 1, ()))
        if not fresh and now - told <= self._keep_s:
            return answer
        answer = await self._source.proposals_of(account_name)
        self._answers.pop(account_name, None)
        while len(self._answers) >= self._people:
            self._answers.pop(next(iter(self._answers)))
        self._answers[account_name] = (now, answer)
        return answer
