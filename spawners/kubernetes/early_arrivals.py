"""The arrival of a session whose pod's address the API server has not reported yet.

A kubelet reports the address of a pod about a second after the pod's program began to run. Until then the program shows
the token of its start, which is in a Secret of its pod alone, and the address that it connects from is taken for the
pod's, for this start, until the API server reports one. Anybody in the cluster's network may connect here, so all of
this is small: few connections, one short request each, none that waits, and who shows no token stays away for a while.
"""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Callable
from typing import ClassVar

from tornado.http1connection import HTTP1ConnectionParameters
from tornado.web import Application, HTTPError

from daas_hub.spawners.hub_api_limits import TokenBucket
from daas_hub.spawners.hub_api_socket import SessionConnection, SessionRequests
from daas_hub.spawners.kubernetes.address import plain
from daas_hub.spawners.kubernetes.gateway_session import ARRIVAL, ArrivalRoute, GatewaySession, log_nothing

#: The header in which the first program of a pod says from which address it connects, as it sees that itself.
OWN_ADDRESS = "X-Daas-Pod-Address"

#: Simultaneous connections of one address; all of them together have as many as a session.
MAX_OF_ONE = 2
#: Requests of all of them at once, and per second after that.
BURST = 64.0
REQUESTS_PER_S = 32.0
#: Seconds for a whole request.
REQUEST_TIME_S = 2.0
#: Seconds for which an address is turned away that has shown no token of a start.
AWAY_S = 10.0


class EarlyArrivals(SessionRequests):
    """Connections from addresses of no known pod.

    Args:
        find: returns the session that is awaited and whose token has this hash; None if no session has it.
        take: takes an address for that of a session's pod, and returns whether it may be.
    """

    parameters: ClassVar[HTTP1ConnectionParameters] = HTTP1ConnectionParameters(
        no_keep_alive=True, max_header_size=4096, max_body_size=256
    )
    request_time_s: ClassVar[float] = REQUEST_TIME_S
    # it is their address that pays: others must not wait because of them
    cost_of_failure: ClassVar[float] = 0.0

    def __init__(
        self, find: Callable[[str], GatewaySession | None], take: Callable[[GatewaySession, str], bool]
    ) -> None:
        super().__init__(_EARLY, re.compile(re.escape(f"POST {ARRIVAL}")), "an early arrival")
        self.find, self.take = find, take
        self._budget = TokenBucket(BURST, REQUESTS_PER_S)
        self._away_until: dict[str, float] = {}
        self._has_token: set[SessionConnection] = set()

    def admit(self, client: socket.socket, address: str) -> None:
        """Serve a connection from this address, or close it at once."""
        if not self._may_ask(client, address):
            client.close()
            return
        self.serve(client).remote_ip = address

    def _may_ask(self, client: socket.socket, address: str) -> bool:
        """Return whether a connection is served: there is room, and nothing is known against its address."""
        if not self.has_room() or self._budget.wait_s() > 0:
            return False
        if sum(one.remote_ip == address for one in self._connections) >= MAX_OF_ONE:
            return False
        if self._away_until.get(address, 0.0) > time.monotonic():
            return False
        # from this machine itself, for instance from a proxy on it: no pod has its address
        return plain(str(client.getsockname()[0])) != plain(address) != ""

    def note_token(self, connection: SessionConnection) -> None:
        """Note that a connection has shown the token of a start that is awaited."""
        self._has_token.add(connection)

    def may_log(self) -> bool:
        """Log no request of whoever may connect."""
        return False

    def ended(self, connection: SessionConnection) -> None:
        """Forget a connection; turn its address away for a while if it has shown no token."""
        if connection in self._has_token:
            self._has_token.discard(connection)
        elif connection in self._connections:
            now = time.monotonic()
            # no more than the rate lets in within that time
            self._away_until = {one: until for one, until in self._away_until.items() if until > now}
            self._away_until[connection.remote_ip] = now + AWAY_S
        super().ended(connection)


class _EarlyArrivalRoute(ArrivalRoute):
    """The same arrival, found by the token alone."""

    def prepare(self) -> None:
        """Find the session by its token, and take the address of the connection for its pod's."""
        early: EarlyArrivals = self.connection.api
        session = early.find(self.key)
        if session is None:
            # nobody learns more than that it is too early: the session of a start that ended tries until it gives up
            raise HTTPError(503)
        early.note_token(self.connection)
        self.session = session
        peer = plain(self.connection.remote_ip)
        # something on the way rewrites addresses: this one is a node's, or of many pods
        if plain(self.request.headers.get(OWN_ADDRESS, "")) != peer or not early.take(session, peer):
            raise HTTPError(503)


_EARLY = Application([(ARRIVAL, _EarlyArrivalRoute)], log_function=log_nothing)
