"""The session gateway: where sessions in pods reach the hub, and nothing else of it.

One TCP listener of the hub. A connection is accepted from the address of a known pod of this hub, and closed at once
otherwise. Each session has the routes, the rate and the limits that it has over its socket file on one machine
(`hub_api_socket`). Two routes are the gateway's own and never reach the hub's API: the arrival, with which a session
proves its mounts and the network's wall before anything of the user runs, and the heartbeat.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import json
import logging
import re
import socket
import time
from collections.abc import Callable
from typing import Any, ClassVar

from tornado.httputil import HTTPServerRequest
from tornado.web import Application, HTTPError, RequestHandler

from daas_hub.errors import SessionFailed, StorageProblem
from daas_hub.spawners.hub_api_limits import BACKLOG
from daas_hub.spawners.hub_api_socket import SessionRequests
from daas_hub.spawners.kubernetes.address import host_and_port
from daas_hub.spawners.kubernetes.arrival import Arrival

#: The routes of the gateway's own (`daas_hub.session.pod`).
ARRIVAL = "/session/arrival"
HEARTBEAT = "/session/heartbeat"

_log = logging.getLogger("jupyterhub.daas")


def key_of(token: str) -> str:
    """Return the hash by which the gateway knows a session's token; the hub keeps no token over a restart."""
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()


class GatewaySession(SessionRequests):
    """One session at the gateway.

    Attributes:
        arrival: what it must prove; None for one that has.
        heard: when it last reported that it lives, as `time.monotonic()`; at first, when it was let in.
        heard_at: the same, in seconds since the epoch.
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
    ) -> None:
        """Make a session of the gateway.

        Args:
            application, routes, session: see `SessionRequests`.
            key: hash of the token with which it reports (`key_of`).
            remaining_s: returns how many seconds it may still last.
        """
        super().__init__(application, routes, session)
        self.key, self.remaining_s, self.arrival = key, remaining_s, arrival
        self.note_life()
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

    @property
    def silent_s(self) -> float:
        """Seconds since the session last reported, or was let in: it may be lost since before the hub was started."""
        return time.monotonic() - self.heard


class SessionGateway:
    """The listener of a hub; one for each address that it is bound to."""

    _known: ClassVar[dict[str, SessionGateway]] = {}

    def __init__(self, address: str) -> None:
        self._address = address
        self._sessions: dict[str, GatewaySession] = {}
        self._name_at: dict[object, Callable[[str], str | None]] = {}
        self._listener: socket.socket | None = None

    @classmethod
    def at(cls, address: str) -> SessionGateway:
        """Return the gateway that is bound to an address, open.

        Raises:
            OSError: it cannot be opened.
        """
        gateway = cls._known.setdefault(address, cls(address))
        gateway.open()
        return gateway

    def open(self) -> None:
        """Listen, unless it does."""
        if self._listener is not None:
            return
        host, port = host_and_port(self._address)
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with contextlib.ExitStack() as undo:
            listener = undo.enter_context(socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK))
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((host, port))
            listener.listen(BACKLOG * 8)
            undo.pop_all()
        self._listener = listener
        asyncio.get_running_loop().add_reader(listener.fileno(), self._accept)

    @property
    def port(self) -> int:
        """The port it listens on."""
        assert self._listener is not None
        return int(self._listener.getsockname()[1])

    def close(self) -> None:
        """Close the listener and every session's connections."""
        if self._listener is not None:
            asyncio.get_running_loop().remove_reader(self._listener.fileno())
            self._listener.close()
            self._listener = None
        for session in self._sessions.values():
            session.close()
        self._sessions.clear()

    def know_addresses(self, place: object, name_at: Callable[[str], str | None]) -> None:
        """Ask this function, too, for the name of the session whose pod has an address; one for each place."""
        self._name_at.setdefault(place, name_at)

    def add(self, name: str, session: GatewaySession) -> None:
        """Let a session in, instead of an earlier one of its name."""
        self.remove(name)
        self._sessions[name] = session

    def get(self, name: str) -> GatewaySession | None:
        """Return a session; None if it is not let in."""
        return self._sessions.get(name)

    def remove(self, name: str) -> None:
        """Let a session in no more."""
        if (session := self._sessions.pop(name, None)) is not None:
            session.close()

    def session_at(self, address: str) -> GatewaySession | None:
        """Return the session whose pod has this address; None for everybody else, and if two places have it."""
        names = {name_at(address) for name_at in self._name_at.values()}
        found = [self._sessions[name] for name in names if name is not None and name in self._sessions]
        if len(found) > 1:
            _log.error("pods of two places have the address %s: neither is let in at %s", address, self._address)
        return found[0] if len(found) == 1 else None

    def _accept(self) -> None:
        """Accept what has come; close at once what is not from a session's pod."""
        assert self._listener is not None
        for _ in range(BACKLOG):
            try:
                client, peer = self._listener.accept()
            except (BlockingIOError, ConnectionAbortedError, InterruptedError):
                return
            except OSError as problem:
                _log.error("the session gateway cannot accept a connection: %s", problem)
                return
            if (session := self.session_at(peer[0].removeprefix("::ffff:"))) is None:
                client.close()
            else:
                session.admit(client)


class _OwnRoute(RequestHandler):
    """A route of the gateway itself: for whoever has the session's token."""

    session: GatewaySession

    @property
    def connection(self) -> Any:
        """The connection of the request, which knows its session (`hub_api_socket`)."""
        return self.request.server_connection

    def prepare(self) -> None:
        """Find the session, and compare its token."""
        self.session = self.connection.api
        given = self.request.headers.get("Authorization", "").removeprefix("token ")
        if not hmac.compare_digest(key_of(given), self.session.key):
            raise HTTPError(403)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Respond as JSON, without more words."""
        self.finish({"message": "This session is not known to the hub."})

    def answer(self) -> None:
        """Respond with how long the session may last."""
        self.connection.succeeded = True
        self.finish({"remaining_s": self.session.remaining_s()})


class _ArrivalRoute(_OwnRoute):
    def post(self) -> None:
        """Say what is to be proven, or judge the proof."""
        arrival = self.session.arrival
        if arrival is None:
            raise HTTPError(409)
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
        """Note that the session lives."""
        self.session.note_life()
        self.answer()


def _log_nothing(handler: RequestHandler) -> None:
    """Log no request: a session reports six times a minute."""


_OWN = Application([(ARRIVAL, _ArrivalRoute), (HEARTBEAT, _HeartbeatRoute)], log_function=_log_nothing)
