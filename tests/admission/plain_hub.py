"""Gate, line and dispatcher on a real database, for tests that say what runs."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from jupyterhub import orm

from daas_hub.admission.dispatcher import Dispatcher
from daas_hub.admission.gate import Gate, Key
from daas_hub.admission.limits import Limits
from daas_hub.admission.line import Line, LineRules
from daas_hub.admission.model import Demand
from daas_hub.admission.quota import Rules
from daas_hub.tables import upgrade_tables

from .scenes import Clock

TWO = Rules(facility=Limits(sessions=2))


@dataclass
class Hub:
    """A hub of which a test says what runs; `killed` is the same database with a new process."""

    url: str
    rules: Rules = TWO
    limits: LineRules = field(default_factory=LineRules)
    clock: Clock = field(default_factory=Clock)
    ready: set[Key] = field(default_factory=set)
    recorded: set[Key] = field(default_factory=set)
    #: what the start of a session ends with
    outcome: dict[Key, Exception] = field(default_factory=dict)
    starts: list[Key] = field(default_factory=list)
    #: how often all sessions were compared with what is in use
    compared: int = 0

    def __post_init__(self) -> None:
        self.db: Any = orm.new_session_factory(self.url)()
        upgrade_tables(self.db.get_bind())
        self.gate = Gate(self.rules, self.db, self.clock)
        self.line = Line(self.gate, self.limits, self.db, self.clock)
        self.dispatcher = Dispatcher(self.gate, self, self.line, self.start, self.clock)

    def killed(self, **changes: Any) -> Hub:
        self.db.close()
        return Hub(self.url, self.rules, self.limits, self.clock, **changes)

    def running(self) -> set[Key]:
        self.compared += 1
        return self.ready

    def possible(self) -> set[Key]:
        return self.ready

    def may_run(self, key: Key) -> bool:
        return key in self.recorded

    def can_start(self) -> bool:
        return True

    async def start(self, key: Key, options: dict[str, object]) -> None:
        self.starts.append(key)
        await asyncio.sleep(0)
        if key in self.outcome:
            raise self.outcome[key]
        self.ready.add(key)

    def join(self, launch: Demand) -> None:
        self.line.require_may_join(launch)
        self.line.join(launch, {"application": launch.application})

    async def rounds(self, count: int = 3) -> None:
        for _ in range(count):
            self.dispatcher.round()
            # until everything that it began has ended: nothing here waits for a time
            for _ in range(50):
                await asyncio.sleep(0)
