"""One session at the session gateway: its limits, and the two routes that are the gateway's own.

The routes never reach the hub's API: the arrival, with which a session proves its mounts and the network's wall before
anything of the user runs, and the heartbeat.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import json
import re
import socket
import time
from collections.abc import Callable
from typing import Any

from tornado.httputil import HTTPServerRequest
from tornado.web import Application, HTTPError, RequestHandler

from daas_hub.errors import SessionFailed, StorageProblem
from daas_hub.spawners.hub_api_socket import SessionRequests
from daas_hub.spawners.kubernetes.arrival import Arrival

#: The routes of the gateway's own (`daas_hub.session.pod`).
ARRIVAL = "/session/arrival"
HEARTBEAT = "/session/heartbeat"


def key_of(token: str) -> str:
    """Return the hash by which the gateway knows a session's token; the hub keeps no token over a restart."""
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()


class GatewaySession(SessionRequests):
    """One session at the gateway.

    Attributes:
        arrival: what it must prove; None for one that has.
        may_be_at: returns whether its pod may have an address that the API server has not reported yet.
        heard: when it last reported that it lives, as `time.monotonic()`; at first, when it was let in.
        heard_at: the same, in seconds since the epoch.
        memory_kill_at: when it last reported that a program was killed at the memory limit; 0 if it never did.
    """

    def __init__(
        self,
        application: Application,
        routes: re.Pattern[str],
        session: str,
        *,
        key: str,
        remaining_s: Callable[[], float],
        arrival: Arrival | None = None,
        may_be_at: Callable[[str], bool] = lambda _: False,
    ) -> None:
        """Make a session of the gateway.

        Args:
            application, routes, session: see `SessionRequests`.
            key: hash of the token with which it reports (`key_of`).
            remaining_s: returns how many seconds it may still last.
        """
        super().__init__(application, routes, session)
        self.key, self.remaining_s, self.arrival, self.may_be_at = key, remaining_s, arrival, may_be_at
        self.note_life()
        self._memory_kills: int | None = None
        self.memory_kill_at = 0.0
        self._waiting: set[socket.socket] = set()

    def admit(self, client: socket.socket) -> None:
        """Serve a connection as soon as the session's rate allows; close one too many."""
        if not self.has_room(len(self._waiting)):
            client.close()
        elif wait_s := self._budget.wait_s():
            self._waiting.add(client)
            self.count_waiting(1)
            asyncio.get_running_loop().call_later(wait_s, self._admit_again, client)
        else:
            self.serve(client)

    def _admit_again(self, client: socket.socket) -> None:
        if client in self._waiting:
            self._waiting.discard(client)
            self.count_waiting(-1)
            self.admit(client)

    def close(self) -> None:
        """Close its connections, also those that wait."""
        for client in self._waiting:
            client.close()
        self.count_waiting(-len(self._waiting))
        self._waiting.clear()
        super().close()

    def application_for(self, request: HTTPServerRequest) -> Application:
        """Return what handles a request: the gateway for its own routes, the hub, or a refusal."""
        if request.method == "POST" and request.path in (ARRIVAL, HEARTBEAT):
            return _OWN
        return super().application_for(request)

    def note_life(self) -> None:
        """Note that the session lives now."""
        self.heard, self.heard_at = time.monotonic(), time.time()

    def note_memory_kills(self, count: object) -> None:
        """Record its own count of processes that were killed out of memory; the first count reports none."""
        if not isinstance(count, int) or count < 0:
            return
        if self._memory_kills is not None and count > self._memory_kills:
            self.memory_kill_at = time.time()
        self._memory_kills = count

    @property
    def silent_s(self) -> float:
        """Seconds since the session last reported, or was let in: it may be lost since before the hub was started."""
        return time.monotonic() - self.heard


class _OwnRoute(RequestHandler):
    """A route of the gateway itself: for whoever has the session's token."""

    session: GatewaySession
    #: The response to another token than the session's.
    refusal = 403

    @property
    def connection(self) -> Any:
        """The connection of the request, which knows its session (`hub_api_socket`)."""
        return self.request.server_connection

    @property
    def key(self) -> str:
        """The hash of the token that came with the request."""
        return key_of(self.request.headers.get("Authorization", "").removeprefix("token "))

    def prepare(self) -> None:
        """Find the session, and compare its token."""
        self.session = self.connection.api
        if not hmac.compare_digest(self.key, self.session.key):
            raise HTTPError(self.refusal)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Respond as JSON, without more words."""
        self.finish({"message": "This session is not known to the hub."})

    def answer(self) -> None:
        """Respond with how long the session may last."""
        self.connection.succeeded = True
        self.finish({"remaining_s": self.session.remaining_s()})


class ArrivalRoute(_OwnRoute):
    """The arrival of a session."""

    # the address may have been another pod's a moment ago: then it is too early
    refusal = 503

    def post(self) -> None:
        """Say what is to be proven, or judge the proof."""
        arrival = self.session.arrival
        if arrival is None:
            raise HTTPError(409)
        arrival.note_contact()
        try:
            report = json.loads(self.request.body)
            if not report:
                self.connection.succeeded = True
                self.finish({"directories": [one.path for one in arrival.granted], "closed": list(arrival.closed())})
                return
            arrival.judge(report)
        except (StorageProblem, SessionFailed) as problem:
            self.set_status(403)
            self.finish({"message": str(problem)})
            return
        except (ValueError, TypeError, KeyError, IndexError):
            raise HTTPError(400) from None
        self.session.note_life()
        self.answer()


class _HeartbeatRoute(_OwnRoute):
    def post(self) -> None:
        """Note that the session lives, and what it reports of itself."""
        self.session.note_life()
        with contextlib.suppress(ValueError, AttributeError):
            self.session.note_memory_kills(json.loads(self.request.body).get("memory_kills"))
        self.answer()


def log_nothing(handler: RequestHandler) -> None:
    """Log no request: a session reports six times a minute."""


_OWN = Application([(ARRIVAL, ArrivalRoute), (HEARTBEAT, _HeartbeatRoute)], log_function=log_nothing)
