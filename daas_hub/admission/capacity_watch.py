"""Asks the backends for their capacity, and lets the gate use the answers.

A backend that does not answer changes nothing: its last answer counts, with its age, and no launch is refused for good
because of it. Before the first answer nothing is known, and nothing limited.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from daas_hub.admission.backend_capacity import BackendCapacity
from daas_hub.admission.gate import Gate
from daas_hub.admission.quota import Rules
from daas_hub.errors import ConfigurationError, DaasError

#: How long one backend may take; the others do not wait for it.
TIMEOUT_S = 20.0
#: Intervals without an answer after which the last one is old.
_OLD_AFTER = 3

_log = logging.getLogger("jupyterhub.daas")

Ask = Callable[[], Awaitable[BackendCapacity | None]]


@dataclass
class Answer:
    """The last answer of one backend.

    Attributes:
        at: when it came, by the clock of the watch.
        problem: why there is no newer one, for administrators; "" if it is of the last time.
    """

    capacity: BackendCapacity | None = None
    at: float = 0.0
    problem: str = ""


class CapacityWatch:
    """The capacity of the places whose backends are asked.

    Args:
        gate: its rules get the answers.
        backends: what asks the backend of a place, by its name; "" for the only one.
        changed: called when the limits have changed.
    """

    def __init__(
        self,
        gate: Gate,
        backends: Mapping[str, Ask],
        interval_s: float,
        *,
        changed: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._gate = gate
        self._configured = gate.rules
        self._ask = {name: ask for name, ask in backends.items() if name in gate.rules.asked}
        self._interval_s = interval_s
        self._changed = changed
        self._clock = clock
        self.answers = {name: Answer(problem="it was not asked yet") for name in gate.rules.asked}

    async def run(self) -> None:
        """Ask until the hub ends."""
        while self._ask:
            await self.round()
            await asyncio.sleep(self._interval_s)

    async def round(self) -> None:
        """Ask all backends once."""
        await asyncio.gather(*(self._ask_one(name) for name in self._ask))
        self.apply()

    def apply(self) -> None:
        """Let the gate use what is known."""
        rules = self.rules()
        if rules != self._gate.rules:
            self._gate.rules = rules
            self._gate.version += 1
            self._changed()

    def rules(self) -> Rules:
        """Return the configured rules with the answers."""
        known = {name: one.capacity for name, one in self.answers.items() if one.capacity is not None}
        return self._configured.answered(known, frozenset(name for name in self.answers if self.is_old(name)))

    def is_old(self, name: str) -> bool:
        """Return whether nothing is known of the capacity of a place as it is now."""
        one = self.answers[name]
        return one.capacity is None or self._clock() - one.at > _OLD_AFTER * self._interval_s

    def described(self, name: str) -> dict[str, Any] | None:
        """Return what is known of an asked place, for the API of operators; None for one that is not asked."""
        if (one := self.answers.get(name)) is None:
            return None
        return {
            "source": one.capacity.source if one.capacity else "",
            "age_s": round(self._clock() - one.at, 1) if one.capacity else None,
            "problem": one.problem,
        }

    async def _ask_one(self, name: str) -> None:
        answer = self.answers[name]
        try:
            async with asyncio.timeout(TIMEOUT_S):
                found = await self._ask[name]()
            if found is None:
                raise ConfigurationError("Quotas", "ask", "this spawner cannot be asked for its capacity")
        except Exception as error:  # of a client library, of an administrator's own spawner
            self._note_problem(name, answer, error)
        else:
            if answer.problem and answer.capacity is not None:
                _log.warning("capacity%s: known again, from %s", f" of {name}" if name else "", found.source)
            self.answers[name] = Answer(found, self._clock())

    def _note_problem(self, name: str, answer: Answer, error: Exception) -> None:
        words = f"no answer within {TIMEOUT_S:.0f} s" if isinstance(error, TimeoutError) else type(error).__name__
        if isinstance(error, DaasError):
            words = f"{error.message} {error.detail}".strip()
        if words != answer.problem:
            _log.warning("capacity%s is not known: %s", f" of {name}" if name else "", words)
        answer.problem = words
