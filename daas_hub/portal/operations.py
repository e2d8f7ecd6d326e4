"""The API that operators' commands ask: what JupyterHub's own does not have.

It needs the right of the page of administrators, `admin-ui`: see `daas_hub.operators`. Nothing here changes a session:
commands stop one by JupyterHub's API.
"""

from __future__ import annotations

import asyncio
import datetime
from collections import Counter
from typing import Any

import jupyterhub
from jupyterhub import orm
from jupyterhub.apihandlers.base import APIHandler
from jupyterhub.scopes import needs_scope
from sqlalchemy import or_
from tornado import web

from daas_hub.admission.gate import Gate
from daas_hub.admission.hub import Admission
from daas_hub.admission.limits import NO_LIMITS, uses_of
from daas_hub.admission.quota import use_of
from daas_hub.facility import Facility
from daas_hub.launch import visits_in
from daas_hub.metrics.revocation import frozen_checks, unconfirmed_ends
from daas_hub.notices import NoticeBoard
from daas_hub.portal.session_views import notice_of, session_state
from daas_hub.portal.template_globals import display_name_of
from daas_hub.portal.waiting import current_line, words_of
from daas_hub.services.circuit_breaker import known_breakers
from daas_hub.tables import Usage
from daas_hub.version import __version__

#: How long the proxy may take to list its routes.
_PROXY_TIMEOUT_S = 5.0
#: Sessions described in one go, before other requests have their turn.
_AT_ONCE = 100


class OperatorsHandler(APIHandler):
    """What the handlers below share."""

    @property
    def facility(self) -> Facility:
        """This facility."""
        return Facility.of(self.config)

    async def sessions(self) -> list[tuple[Any, Any]]:
        """Return the user and the spawner of every session that the hub has a record of, running or not."""
        rows = self.db.query(orm.Spawner.user_id, orm.Spawner.name).filter(orm.Spawner.name != "").all()
        found = []
        for number, (user_id, name) in enumerate(sorted(rows), start=1):
            user = self.users.get(user_id)
            # it may be gone after the pause
            if user is not None and name in user.orm_spawners:
                found.append((user, user.spawners[name]))
            if number % _AT_ONCE == 0:
                await asyncio.sleep(0)
        return found


class OperatorsSessionsHandler(OperatorsHandler):
    """`/api/daas/sessions`: all sessions of this hub."""

    @needs_scope("admin-ui")  # type: ignore[untyped-decorator]
    async def get(self) -> None:
        """Return them, the oldest first; those that do not run come last."""
        # two may have started in the same second
        found = sorted(await self.sessions(), key=lambda one: str(one[1].orm_spawner.started or "~"))
        self.write({"sessions": [session_model(user, spawner) for user, spawner in found]})


class OperatorsStatusHandler(OperatorsHandler):
    """`/api/daas/status`: the state of this portal in one answer."""

    @needs_scope("admin-ui")  # type: ignore[untyped-decorator]
    async def get(self) -> None:
        """Return it."""
        sessions = await self.sessions()
        states = Counter(session_state(spawner) for _, spawner in sessions)
        self.write(
            {
                "version": __version__,
                "jupyterhub_version": jupyterhub.__version__,
                "facility": self.facility.name,
                "proxy": await self._proxy(),
                "sessions": dict(sorted(states.items())),
                "people": len({user.name for user, spawner in sessions if spawner.active}),
                "places": self._places([spawner for _, spawner in sessions]),
                "whole_portal": self._whole_portal([spawner for _, spawner in sessions]),
                "sources": [
                    {"name": one.name, "answers": not one.is_open, "not_asked_for_s": round(one.open_for_s, 1)}
                    for one in known_breakers()
                ],
                "frozen_rechecks": frozen_checks(),
                "unconfirmed_ends": unconfirmed_ends(),
            }
        )

    async def _proxy(self) -> dict[str, Any]:
        try:
            async with asyncio.timeout(_PROXY_TIMEOUT_S):
                routes = await self.proxy.get_all_routes()
        except Exception as error:  # of an HTTP client, a proxy class of the administrator's, ...
            self.log.warning("the proxy did not list its routes: %s", type(error).__name__)
            return {"answers": False, "routes": 0}
        return {"answers": True, "routes": len(routes)}

    def _places(self, spawners: list[Any]) -> list[dict[str, Any]]:
        """Return the places with their use; without `Places`, the one backend, which has no name."""
        in_use = getattr(self.settings.get("spawner_class"), "in_use", None)
        if not self.facility.places or in_use is None:
            return [{"name": "", "title": "", "state": "open", "used": _active(spawners)} | capacity_model("")]
        return [
            {
                "name": one.name,
                "title": one.title,
                "state": str(one.state),
                "used": in_use(self.config, one.name, self.users),
            }
            | capacity_model(one.name, one.capacity)
            for one in self.facility.places
        ]

    def _whole_portal(self, spawners: list[Any]) -> dict[str, Any] | None:
        """Return what all places have together, and its use; None if that is not limited, or the one backend has it."""
        if not self.facility.places:
            return None
        found = capacity_model("")
        is_limited = found["capacity"] is not None or found["resources"] or found["asked"]
        return {"used": _active(spawners)} | found if is_limited else None


class OperatorsQueueHandler(OperatorsHandler):
    """`/api/daas/queue`: the launches that wait."""

    @needs_scope("admin-ui")  # type: ignore[untyped-decorator]
    async def get(self) -> None:
        """Return them in the order of the queue."""
        line = current_line()
        waiting = line.waiting() if line is not None else []
        people = {row.name: display_name_of(row) for row in self.db.query(orm.User)} if waiting else {}
        self.write(
            {
                "enabled": line is not None,
                "waiting": [
                    {
                        "user": one.demand.user,
                        "person": people.get(one.demand.user, one.demand.user),
                        "session": one.demand.session,
                        "application": one.demand.application,
                        "size": one.demand.size,
                        "proposals": list(one.demand.proposals),
                        "place": one.demand.place,
                        "since": _iso(one.arrived),
                        "words": words_of(one.demand.key, NoticeBoard.of(self.db)),
                    }
                    for one in waiting
                ],
            }
        )


class OperatorsUsageHandler(OperatorsHandler):
    """`/api/daas/usage?since=<seconds since 1970>`: sessions that ran, from the table that quotas count."""

    @needs_scope("admin-ui")  # type: ignore[untyped-decorator]
    async def get(self) -> None:
        """Return the sessions that ended since then, or have not ended, the oldest first."""
        try:
            since = float(self.get_query_argument("since", "0"))
        except ValueError:
            raise web.HTTPError(400, "`since` is not a number.") from None
        found = self.db.query(Usage).filter(or_(Usage.ended.is_(None), Usage.ended >= since)).order_by(Usage.id)
        self.write({"sessions": [usage_model(row) for row in found]})


def capacity_model(place: str, sessions: int | None = None) -> dict[str, Any]:
    """Return the capacity of a place as JSON: of sessions, of other resources with their use, and where it is from.

    Of hours, `days` says in which period they count.

    Args:
        place: "" for the whole portal.
        sessions: the limit of a hub without admission.
    """
    if (admission := Admission.current()) is None:
        return {"capacity": sessions, "resources": {}, "asked": None}
    found = use_of(admission.gate.rules, place, admission.gate.occupied)
    capacity = int(found.pop("sessions")[1]) if "sessions" in found else None
    resources = {name: {"used": used, "limit": limit} for name, (used, limit) in found.items()}
    resources |= hours_model(admission.gate, place)
    return {"capacity": capacity, "resources": resources, "asked": admission.capacities.described(place)}


def hours_model(gate: Gate, place: str) -> dict[str, dict[str, float]]:
    """Return the hours of a place in its period, by the name "hours"; nothing where they are not limited."""
    limits = gate.rules.places.get(place, NO_LIMITS) if place else gate.rules.facility
    if limits.hours is None:
        return {}
    here = [one for one in gate.counted() if place in ("", one.demand.place)]
    (use,) = uses_of(limits.only_hours, here, gate.now())
    return {"hours": {"used": round(use.used, 2), "limit": use.limit, "days": use.days}}


def usage_model(row: Any) -> dict[str, Any]:
    """Return what one session used as JSON."""
    return {
        "user": row.user,
        "session": row.session,
        "application": row.application,
        "size": row.size,
        "place": row.place,
        "proposals": [one for one in row.proposals.split(", ") if one],
        "cpus": row.cpus,
        "memory_bytes": row.memory_bytes,
        "gpus": row.gpus,
        "admitted": _iso(row.admitted),
        "started": _iso(row.started or 0),
        "ended": _iso(row.ended or 0),
    }


def session_model(user: Any, spawner: Any) -> dict[str, Any]:
    """Return a session as JSON; times are ISO 8601 in UTC, "" for a missing one."""
    options = spawner.orm_spawner.user_options or {}
    row = spawner.orm_spawner
    return {
        "user": user.name,
        "person": display_name_of(user.orm_user),
        "name": spawner.name,
        "application": str(options.get("application", "")),
        "size": str(options.get("size") or ""),
        "proposals": list(dict(visits_in(options))),
        "place": str(getattr(spawner, "place", "")),
        "state": session_state(spawner),
        "notice": notice_of(spawner),
        "since": _iso(row.started.replace(tzinfo=datetime.UTC).timestamp() if row.started else 0),
        "ends": _iso(getattr(spawner, "ends", 0.0)),
        "last_activity": _iso(row.last_activity.replace(tzinfo=datetime.UTC).timestamp() if row.last_activity else 0),
    }


def _active(spawners: list[Any]) -> int:
    return sum(bool(one.active) for one in spawners)


def _iso(seconds: float) -> str:
    if not seconds:
        return ""
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


OPERATORS_API: list[tuple[Any, ...]] = [
    (r"/api/daas/queue", OperatorsQueueHandler),
    (r"/api/daas/sessions", OperatorsSessionsHandler),
    (r"/api/daas/status", OperatorsStatusHandler),
    (r"/api/daas/usage", OperatorsUsageHandler),
]
