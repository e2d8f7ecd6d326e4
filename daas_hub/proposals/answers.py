"""What a source of proposals answered, and where answers are kept: in this process, bounded in number, size and age."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

from cachetools import TTLCache

from daas_hub.accounts import Account
from daas_hub.errors import SourceUnavailable
from daas_hub.proposals.model import Proposal

_Value = TypeVar("_Value")

#: An answer is dropped this long after its last possible use, so that "as old as allowed" is decided by its reader.
_MARGIN_S = 1.0


@dataclass(frozen=True)
class SourceAnswer(Generic[_Value]):
    """An answer of a source, now or a while ago.

    Attributes:
        age_s: seconds since the source gave it.
        problem: why the source could not be asked again; None unless the answer is stale.
    """

    value: _Value
    age_s: float = 0.0
    problem: SourceUnavailable | None = None

    @property
    def is_stale(self) -> bool:
        """Return whether this is shown only because the source is down. A stale answer grants nothing."""
        return self.problem is not None


@dataclass(frozen=True)
class ProposalsAnswer(SourceAnswer[tuple[Proposal, ...]]):
    """All proposals of an account."""

    @property
    def proposals(self) -> tuple[Proposal, ...]:
        """The proposals."""
        return self.value


@dataclass(frozen=True)
class StoredAnswer(Generic[_Value]):
    """An answer in the cache; `size` is the number of proposals in it."""

    asked_at: float
    value: _Value
    size: int


class AnswerStore(Generic[_Value]):
    """Answers by question. When one of the limits is reached, the least recently used answers are dropped.

    Args:
        max_proposals: of all answers together. A larger answer is kept alone.
        max_age_s: the age at which nobody uses an answer any more.
    """

    def __init__(self, *, max_answers: int, max_proposals: int, max_age_s: float, clock: Callable[[], float]) -> None:
        self._max_answers = max_answers
        self._answers: TTLCache[Hashable, StoredAnswer[_Value]] = TTLCache(
            max_proposals, max_age_s + _MARGIN_S, clock, getsizeof=lambda answer: min(answer.size, max_proposals)
        )

    def get(self, question: Hashable) -> StoredAnswer[_Value] | None:
        """Return the answer to a question, which counts as used, or None."""
        return self._answers.get(question)

    def put(self, question: Hashable, answer: StoredAnswer[_Value]) -> None:
        """Store an answer in place of the one before."""
        self.discard(question)
        while len(self._answers) >= self._max_answers:
            self._answers.popitem()
        self._answers[question] = answer

    def discard(self, question: Hashable) -> None:
        """Drop the answer to a question."""
        self._answers.pop(question, None)

    def discard_parts(self, account: Account) -> None:
        """Drop the answers about parts of an account's proposals: their questions are tuples that begin with it."""
        for question in [one for one in self._answers if isinstance(one, tuple) and one[0] == account]:
            self.discard(question)
