"""The socket file over which one session reaches the routes of the hub's REST API that it needs, within limits.

Each session has a socket of its own, so everything is counted per session, and goes with it. A connection carries one
request. A session above its limits gets no answer, because its connections are not accepted: a connection in the
kernel's queue costs the hub neither a descriptor, nor memory, nor a line in its log. The hub's application gets a
request only when it is complete.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import re
import socket
from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar

from tornado.http1connection import HTTP1ConnectionParameters, HTTP1ServerConnection
from tornado.httputil import HTTPConnection, HTTPMessageDelegate, HTTPServerRequest
from tornado.iostream import IOStream
from tornado.routing import Router
from tornado.web import Application, RequestHandler

from daas_hub.spawners.hub_api_limits import (
    BACKLOG,
    BODY_TIME_S,
    BURST,
    COST_OF_FAILURE,
    HEADER_TIME_S,
    LOG_BURST,
    LOG_LINES_PER_S,
    MAX_BODY_BYTES,
    MAX_CONNECTIONS,
    MAX_DEBT,
    MAX_HEADER_BYTES,
    REQUEST_TIME_S,
    REQUESTS_PER_S,
    Descriptors,
    TokenBucket,
)
from daas_hub.spawners.runtime_dir import bind_session_socket

SOCKET = "api.sock"
#: Seconds until the next attempt to accept, when this process has no descriptor left.
RETRY_S = 0.5

_PARAMETERS = HTTP1ConnectionParameters(
    no_keep_alive=True,
    max_header_size=MAX_HEADER_BYTES,
    header_timeout=HEADER_TIME_S,
    max_body_size=MAX_BODY_BYTES,
    body_timeout=BODY_TIME_S,
)
_descriptors = Descriptors()
_log = logging.getLogger("jupyterhub.daas")


def session_routes(hub_prefix: str, user: str, further: Iterable[str] = ()) -> re.Pattern[str]:
    """Return what matches "METHOD /path" of each route that a session may use.

    Args:
        hub_prefix: the hub's path, for instance "/hub/".
        user: the name of the session's owner, escaped as in addresses.
        further: more routes below the API, for instance "GET /users/*", where "*" is one segment of the path.
    """
    routes = ["GET /", "GET /user", "POST /oauth2/token", f"POST /users/{user}/activity", *further]
    # the version is at "api" and at "api/"
    patterns = [re.escape(f"GET {hub_prefix}api")]
    for route in routes:
        method, _, path = route.partition(" ")
        patterns.append(re.escape(f"{method} {hub_prefix}api{path}").replace(r"\*", "[^/]+"))
    return re.compile("|".join(patterns))


class SessionRequests:
    """The requests of one session, whatever its connections come over: what it may use, and what it has used up.

    Args:
        application: the hub's tornado application.
        routes: what matches "METHOD /path" of a route that may be used (`session_routes`).
        session: how the hub's log names this session.

    Attributes:
        parameters, request_time_s: the limits of one request.
        cost_of_failure: what a request without a successful response costs, in requests.
    """

    parameters: ClassVar[HTTP1ConnectionParameters] = _PARAMETERS
    request_time_s: ClassVar[float] = REQUEST_TIME_S
    cost_of_failure: ClassVar[float] = COST_OF_FAILURE

    def __init__(self, application: Application, routes: re.Pattern[str], session: str) -> None:
        self.application, self.routes, self.session = application, routes, session
        self._budget = TokenBucket(BURST, REQUESTS_PER_S, max_debt=MAX_DEBT)
        self._log_budget = TokenBucket(LOG_BURST, LOG_LINES_PER_S)
        self._not_logged = 0
        self._connections: set[SessionConnection] = set()
        _limit_log(application)

    def close(self) -> None:
        """Close its connections."""
        for connection in tuple(self._connections):
            connection.stream.close()

    def has_room(self, waiting: int = 0) -> bool:
        """Return whether one more connection may be open, besides those that wait to be served."""
        return _descriptors.are_left and len(self._connections) + waiting < MAX_CONNECTIONS

    def count_waiting(self, change: int) -> None:
        """Count accepted connections that wait to be served, as connections of all sessions."""
        _descriptors.used += change

    def serve(self, client: socket.socket) -> SessionConnection:
        """Serve one request on an accepted connection, and return that."""
        _descriptors.used += 1
        self._budget.spend()
        connection = SessionConnection(self, client)
        self._connections.add(connection)
        return connection

    def may_log(self) -> bool:
        """Return whether a line about a request of this session may be logged; mention those that were not."""
        if not self._log_budget.take():
            self._not_logged += 1
            return False
        if self._not_logged:
            _log.warning("%s: %d of its requests to the hub's API were not logged", self.session, self._not_logged)
            self._not_logged = 0
        return True

    def ended(self, connection: SessionConnection) -> None:
        """Forget a connection; one without a successful response costs more."""
        if connection in self._connections:
            self._connections.discard(connection)
            _descriptors.used -= 1
            if not connection.succeeded:
                self._budget.spend(self.cost_of_failure)
            self._accept_when_possible()

    def _accept_when_possible(self) -> None:
        """Take the next connection; called at the end of every one."""

    def application_for(self, request: HTTPServerRequest) -> Application:
        """Return what handles a request: the hub, or a refusal."""
        is_known = self.routes.fullmatch(f"{request.method} {request.path}") is not None
        return self.application if is_known else _REFUSING


class HubAPISocket(SessionRequests):
    """The open socket of one session."""

    def __init__(
        self,
        folder: Path,
        application: Application,
        routes: re.Pattern[str],
        session: str,
        *,
        owner: int | None = None,
    ) -> None:
        """Listen on `folder`/api.sock.

        The folder, not the file, is mounted into the session, so that it finds the new socket after a restart of the
        hub.

        Args:
            application: the hub's tornado application.
            routes: what matches "METHOD /path" of a route that may be used (`session_routes`).
            session: how the hub's log names this session.
            owner: who may connect (see `bind_session_socket`).
        """
        super().__init__(application, routes, session)
        self._timer: asyncio.TimerHandle | None = None
        self._is_listening = False
        self._loop = asyncio.get_running_loop()
        folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        self._listener = bind_session_socket(folder / SOCKET, owner)
        self._listener.listen(BACKLOG)
        self._accept_when_possible()

    def close(self) -> None:
        """Close the socket and its connections."""
        self._pause()
        self._listener.close()
        super().close()

    # -- accepting ------------------------------------------------------------------------------------------------

    def _accept_when_possible(self) -> None:
        """Accept now, or when a request may come again; when a connection is missing, its end calls this."""
        self._pause()
        if self._listener.fileno() < 0 or len(self._connections) >= MAX_CONNECTIONS:
            return
        if wait_s := self._budget.wait_s():
            self._retry_in(wait_s)
        else:
            self._loop.add_reader(self._listener.fileno(), self._accept)
            self._is_listening = True

    def _pause(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._is_listening:
            self._loop.remove_reader(self._listener.fileno())
            self._is_listening = False

    def _retry_in(self, seconds: float) -> None:
        self._pause()
        self._timer = self._loop.call_later(seconds, self._accept_when_possible)

    def _accept(self) -> None:
        """Accept one connection, if there is room for it."""
        if not _descriptors.are_left:
            self._retry_in(RETRY_S)
            return
        try:
            client, _ = self._listener.accept()
        except (BlockingIOError, ConnectionAbortedError, InterruptedError):
            return
        except OSError as problem:
            if problem.errno not in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
                raise
            if self.may_log():
                _log.error("%s: cannot be connected to the hub's API now: %s", self.session, problem)
            self._retry_in(RETRY_S)
            return
        self.serve(client)
        self._accept_when_possible()


class SessionConnection(Router):
    """One connection, for one request: the hub's application gets it if it is for a route that sessions use."""

    # what tornado and the hub ask of a connection; the address is tornado's for a socket file
    protocol = "http"
    remote_ip = "0.0.0.0"  # noqa: S104

    def __init__(self, api: SessionRequests, client: socket.socket) -> None:
        self.api = api
        self.succeeded = False
        client.setblocking(False)
        self.stream = IOStream(client, max_buffer_size=2 * MAX_BODY_BYTES, read_chunk_size=16 * 1024)
        self._limit = asyncio.get_running_loop().call_later(api.request_time_s, self.stream.close)
        HTTP1ServerConnection(self.stream, api.parameters, self).start_serving(self)

    def __str__(self) -> str:
        return self.api.session

    def start_request(self, server_conn: object, request_conn: HTTPConnection) -> HTTPMessageDelegate:
        """Begin the request; its handler finds this connection as `request.server_connection`."""
        return super().start_request(self, request_conn)

    def find_handler(self, request: HTTPServerRequest, **kwargs: Any) -> HTTPMessageDelegate | None:
        """Return what handles the request: the hub, or a refusal."""
        return self.api.application_for(request).find_handler(request, **kwargs)

    def on_close(self, server_conn: object) -> None:
        """Note the end of the connection."""
        self._limit.cancel()
        self.stream.close()
        self.api.ended(self)


class _Refused(RequestHandler):
    """Refuses a route that sessions do not use."""

    def prepare(self) -> None:
        """Respond as the hub's API does."""
        self.set_status(404)
        self.finish({"status": 404, "message": "A session cannot use this route of the hub's API."})


def _log_nothing(handler: RequestHandler) -> None:
    """Log no request."""


_REFUSING = Application([(".*", _Refused)], log_function=_log_nothing)


def _limit_log(application: Application) -> None:
    """Limit what the hub's application logs of requests of sessions, and note whether each succeeded."""
    stock = application.settings.get("log_function", _log_nothing)
    if hasattr(stock, "of_people"):
        return

    def log_request(handler: RequestHandler) -> None:
        connection = handler.request.server_connection
        if isinstance(connection, SessionConnection):
            connection.succeeded = handler.get_status() < 400
            if not connection.api.may_log():
                return
            handler.request.remote_ip = connection.api.session
        stock(handler)

    log_request.of_people = stock  # type: ignore[attr-defined]
    application.settings["log_function"] = log_request
