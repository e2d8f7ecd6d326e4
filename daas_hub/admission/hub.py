"""The admission of the hub in this process: gate, line and dispatcher, built from its configuration."""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any, ClassVar
from weakref import WeakKeyDictionary

from jupyterhub.app import JupyterHub
from traitlets.config import Config

from daas_hub.admission.capacity_watch import Ask, CapacityWatch
from daas_hub.admission.dispatcher import Dispatcher
from daas_hub.admission.gate import Gate, Key
from daas_hub.admission.line import Line, LineRules
from daas_hub.admission.model import Demand
from daas_hub.admission.settings import Queue, Quotas
from daas_hub.facility import Facility
from daas_hub.notices import NoticeBoard
from daas_hub.policy import Places

Start = Callable[[Key, dict[str, object]], Awaitable[None]]


class HubSessions:
    """What a hub knows of its sessions (see `dispatcher.Sessions`).

    Args:
        hub: the JupyterHub application.
        recorded: whether a backend has a record of a session.
    """

    def __init__(self, hub: Any, recorded: Callable[[Key], bool]) -> None:
        self._hub = hub
        self._recorded = recorded

    def running(self) -> Collection[Key]:
        """Return those that are ready."""
        return {key for key, spawner in self._spawners() if spawner.ready}

    def possible(self) -> Collection[Key]:
        """Return those that start, run, stop, or of which nothing is known."""
        return {
            key
            for key, one in self._spawners()
            if one.active or one.pending or getattr(one, "is_unknown", False) or getattr(one, "stop_wanted", False)
        }

    def may_run(self, key: Key) -> bool:
        """Return whether a backend has a record of it: its end was not confirmed."""
        return self._recorded(key)

    def can_start(self) -> bool:
        """Return whether `JupyterHub.concurrent_spawn_limit` allows one more start, and no maintenance has begun."""
        if (board := NoticeBoard.of(self._hub.db)) is not None and not board.is_open():
            return False
        limit = self._hub.concurrent_spawn_limit
        if not limit:
            return True
        return sum(1 for _, one in self._spawners() if one.pending in ("spawn", "check")) < limit

    def _spawners(self) -> list[tuple[Key, Any]]:
        return [
            ((user.name, name), spawner)
            for user in list(self._hub.users.values())
            for name, spawner in list(user.spawners.items())
            if name
        ]


class Admission:
    """The admission of one hub."""

    _recorded: ClassVar[WeakKeyDictionary[Any, Callable[[Key], bool]]] = WeakKeyDictionary()
    _asks: ClassVar[WeakKeyDictionary[Any, Mapping[str, Ask]]] = WeakKeyDictionary()
    _starts: ClassVar[WeakKeyDictionary[Any, Start]] = WeakKeyDictionary()
    _known: ClassVar[WeakKeyDictionary[Any, Admission]] = WeakKeyDictionary()

    def __init__(self, hub: Any) -> None:
        facility = Facility.of(hub.config)
        queue, quotas = Queue(config=hub.config), Quotas(config=hub.config)
        rules = quotas.rules(hub.config, facility.places, queue.reserved(facility.zone, facility.places))
        start = self._starts.get(hub)
        self.gate = Gate(rules, hub.db)
        #: None if launches do not wait
        self.line: Line | None = None
        if queue.enabled and start is not None:
            limits = LineRules(
                queue.policy(), queue.tickets_per_person, facility.sessions_per_person, queue.retry_seconds
            )
            self.line = Line(self.gate, limits, hub.db)
        self.dispatcher = Dispatcher(self.gate, HubSessions(hub, self._recorded[hub]), self.line, start)
        self.capacities = CapacityWatch(
            self.gate, self._asks.get(hub, {}), quotas.ask_interval_s, changed=self.dispatcher.ask
        )

    @classmethod
    def register(cls, hub: Any, recorded: Callable[[Key], bool], asks: Mapping[str, Ask] | None = None) -> None:
        """Let a hub that is starting have an admission; it is built once the hub has a database.

        Args:
            recorded: whether a backend has a record of a session.
            asks: what asks the backend of a place for its capacity, by its name.
        """
        cls._recorded[hub] = recorded
        cls._asks[hub] = asks or {}

    @classmethod
    def start_with(cls, hub: Any, start: Start) -> None:
        """Let a hub start launches from the queue with this function (see `Dispatcher`)."""
        cls._starts[hub] = start

    @classmethod
    def current(cls) -> Admission | None:
        """Return the admission of the hub in this process; None without one (commands, tests of a spawner alone)."""
        hub = JupyterHub.instance() if JupyterHub.initialized() else None
        if hub is None or hub not in cls._recorded or getattr(hub, "db", None) is None:
            return None
        if hub not in cls._known:
            cls._known[hub] = cls(hub)
        return cls._known[hub]

    @classmethod
    async def run(cls, hub: Any) -> None:
        """Serve a hub from the moment it has read its sessions until it ends."""
        while not getattr(hub, "http_server", None):  # noqa: ASYNC110  # the hub has no event for its start
            await asyncio.sleep(0.2)
        if (admission := cls.current()) is not None:
            await asyncio.gather(admission.dispatcher.run(), admission.capacities.run())

    def admit(self, demand: Demand) -> None:
        """Admit a start.

        Raises:
            OverQuota, NoRoom: with the numbers.
        """
        self.dispatcher.admit(demand)


def require_valid(config: Config) -> None:
    """Check the settings of quotas and queue, when the hub starts.

    Raises:
        ConfigurationError: one is not valid.
    """
    places = Places(config=config).rules()
    queue = Queue(config=config)
    Quotas(config=config).rules(config, places, queue.reserved(datetime.UTC, places))
