"""PlacesSpawner: a session in one of several backends, which is chosen at its launch.

The hub sees one spawner. `authorise_start` decides the place with the plan, and the spawner of that place runs the
session: every call about it is passed on. The state in the hub's database names the place, and no other one loads it.
"""

from __future__ import annotations

import contextlib
from typing import Any

from jupyterhub.app import JupyterHub
from jupyterhub.spawner import Spawner
from traitlets import default
from traitlets.config import Config

from daas_hub.errors import DaasError, Refused, SessionFailed
from daas_hub.facility import Facility
from daas_hub.findings import Finding
from daas_hub.launch import Plan
from daas_hub.policy import Places
from daas_hub.spawners.places.backends import Backend, Backends, class_of, problems_of
from daas_hub.spawners.places.checks import catalogue_problems, examine_places
from daas_hub.spawners.places.delegation import DelegatesToPlace
from daas_hub.spawners.places.inner_spawner import inner_spawner, leave
from daas_hub.spawners.runtime_dir import session_key
from daas_hub.spawners.session_address import UnknownAddress

#: Traits that the hub reads after the place is chosen; each place may have its own.
_OF_THE_PLACE = ("start_timeout", "http_timeout", "poll_interval", "poll_jitter")


class PlaceFull(Refused):
    """A launch in a place that has no session left."""

    is_about_limits = True


class PlacesSpawner(DelegatesToPlace, Spawner):
    """Sessions in several backends, each a named place (`Places.places`)."""

    is_places_spawner = True

    #: The state in the database of a session whose place is not configured; it is kept as it is.
    _kept_state: dict[str, Any] | None = None

    @default("poll_interval")
    def _poll_interval_default(self) -> int:
        return 5

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._configured_environment = dict(self.environment)

    # -- checks ------------------------------------------------------------------------------------------------------

    @classmethod
    def startup_problems(cls, config: Config) -> list[DaasError]:
        """Add the problems of the places, and of each one's backend."""
        return super().startup_problems(config) or problems_of(config)

    @classmethod
    def configuration_problems(cls, config: Config, facility: Facility) -> list[DaasError]:
        """Add names that the catalogue does not have, and what each backend checks itself."""
        return cls.startup_problems(config) or catalogue_problems(Backends.of(config), facility)

    @classmethod
    async def examine(cls, config: Config, facility: Facility, plan: Plan | None) -> list[Finding]:
        """Examine each place (see `ProposalSessionMixin.examine`)."""
        return await examine_places(Backends.of(config), facility, plan)

    @classmethod
    def backend_classes(cls, config: Config) -> list[type[Any]]:
        """Return the spawner classes of the places, for `daas-hub check-config`; those that exist."""
        found = []
        with contextlib.suppress(DaasError):
            for place in Places(config=config).rules():
                with contextlib.suppress(DaasError):
                    found.append(class_of(place))
        return found

    @classmethod
    def backends(cls, config: Config) -> list[Any]:
        """Return a spawner without a user for each place."""
        return [found for one in Backends.of(config).values() for found in one.spawner_class.backends(one.config)]

    # -- the place of a session --------------------------------------------------------------------------------------

    @property
    def is_unknown(self) -> bool:
        """Whether the session may run in a place that is not configured: nothing is known of it."""
        return self._kept_state is not None and self.orm_spawner is not None and self.orm_spawner.server is not None

    @property
    def unknown_notice(self) -> str:
        """What pages say of such a session."""
        where = f"in the place {self.place}, which is not configured now"
        before = "before this portal had several places, and is in none of them"
        return f"It was started {where if self.place else before}. It may still run, and was not stopped."

    @classmethod
    def in_use(cls, config: Config, name: str, users: Any, *, apart_from: Any = None) -> int:
        """Return how many sessions a place has, with those whose end it has not confirmed."""
        records = Backends.of(config)[name].records
        found = {key for key, one in records.all().items() if one.stop_wanted} if records else set()
        for user in list(users.values()):
            for server, spawner in list(user.spawners.items()):
                if spawner is not apart_from and getattr(spawner, "place", "") == name and spawner.active:
                    found.add(session_key(user.name, server))
        return len(found)

    def _enter(self, backend: Backend) -> None:
        """Let the session be one of this place."""
        if self.inner is not None:
            leave(self.inner)
        self.inner = inner_spawner(self, backend.spawner_class, backend.config)
        self.place = backend.place.name
        self._kept_state = None

    def _require_room(self, backend: Backend) -> None:
        """Refuse a start beyond the capacity of a place.

        Raises:
            PlaceFull: it is.
        """
        capacity, title = backend.place.capacity, backend.place.title
        if capacity is None:
            return
        used = self.in_use(self.config, backend.place.name, JupyterHub.instance().users, apart_from=self)
        if used >= capacity:
            raise PlaceFull(
                f"{title} is full: {used} of {capacity} sessions are in use.",
                remedy="Choose another place, or try again later.",
            )

    # -- a start -----------------------------------------------------------------------------------------------------

    def require_startable(self) -> None:
        """Refuse a start while an earlier session of this name may still run, here or in another place.

        Raises:
            SessionFailed: it may.
        """
        if self.inner is not None:
            self.inner.require_startable()
        key = session_key(self.user.name, self.name)
        for name, backend in Backends.of(self.config).items():
            if name != self.place and (records := backend.records) is not None and records.get(key) is not None:
                raise SessionFailed(
                    f"An earlier session of this name may still run in {backend.place.title}.",
                    remedy="Please launch another one.",
                )

    async def prepare(self, plan: Plan) -> bool:
        """Enter the place of the plan, and prepare the start there."""
        backend = Backends.of(self.config)[plan.place]
        # nothing is awaited between the two: of several launches at once, only as many enter as there is room
        self._require_room(backend)
        self._enter(backend)
        inner = self.inner
        await inner.apply_group_overrides()
        await self.hand_over_auth_state()
        # what hooks have set since
        configured = self._configured_environment
        inner.environment = inner.environment | {
            name: value for name, value in self.environment.items() if configured.get(name) != value
        }
        inner.require_startable()
        took_long = bool(await inner.prepare(plan))
        for name in _OF_THE_PLACE:
            setattr(self, name, getattr(inner, name))
        return took_long

    async def start_session(self, plan: Plan) -> str:
        """Start the session in its place."""
        if self.inner is None or plan.place != self.place:
            raise SessionFailed("Where this session may run has changed meanwhile.", remedy="Please launch again.")
        self.inner.plan = plan
        return str(await self.inner.start())

    # -- state across a restart of the hub ---------------------------------------------------------------------------

    def get_state(self) -> dict[str, Any]:
        """Return the place, and the state of its spawner."""
        if self._kept_state is not None:
            return self._kept_state
        state = super().get_state()
        if self.inner is not None:
            state |= {"place": self.place, "backend": self.inner.get_state()}
        return state

    def load_state(self, state: dict[str, Any]) -> None:
        """Restore what `get_state` returned, in the place that it belongs to and in no other."""
        super().load_state(state)
        name, own = self._owner_of(state)
        backends = Backends.of(self.config)
        if name in backends:
            self._enter(backends[name])
            self.inner.load_state(own)
        elif name or own:
            self.place = name
            if name not in Places(config=self.config).retired:
                self._kept_state = dict(state)

    def _owner_of(self, state: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        """Return the place of a stored state, and the part of it that is that place's; "" for none."""
        if "backend" in state:
            own = state.get("backend")
            return str(state.get("place", "")), own if isinstance(own, dict) else {}
        if recorded := self._place_of_record():
            # the hub ended while the session was starting, and had stored nothing
            return recorded, state
        if not state or self.orm_spawner.server is None:
            return "", {}
        places = [one.place for one in Backends.of(self.config).values()]
        return next((one.name for one in places if one.has_earlier_sessions), ""), state

    def clear_state(self) -> None:
        """Forget the session, except one of which nothing is known."""
        if self.is_unknown:
            return
        self._kept_state = None
        self._auth_state = ()
        if self.inner is not None:
            self.inner.clear_state()
        super().clear_state()

    def _place_of_record(self) -> str:
        """Return the place that has a record of this session on disk; "" for none."""
        key = session_key(self.user.name, self.name) if self.user is not None else ""
        for name, backend in Backends.of(self.config).items():
            if key and (records := backend.records) is not None and records.get(key) is not None:
                return name
        return ""

    # -- passed on to the place --------------------------------------------------------------------------------------

    async def poll(self) -> int | None:
        """Return what the place says; None, as for a session that runs, if it is not known."""
        if self.inner is not None:
            status: int | None = await self.inner.poll()
            return status
        return None if self.is_unknown else 0

    async def stop(self, now: bool = False) -> None:
        """Stop the session in its place.

        Raises:
            SessionFailed: its place is not configured.
        """
        if self.inner is not None:
            await self.inner.stop(now=now)
        elif self.is_unknown:
            raise SessionFailed(self.unknown_notice, remedy="Please tell the administrators.")

    @property
    def server(self) -> Any:
        """The session's address in the hub's database."""
        if self.is_unknown:
            return UnknownAddress(orm_server=self.orm_spawner.server)
        return super().server

    @server.setter
    def server(self, server: Any) -> None:
        # a stop that failed is still a stop for the hub, which would forget the session
        if server is None and self.is_unknown:
            return
        Spawner.server.fset(self, server)
