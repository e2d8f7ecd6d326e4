"""The session gateway: where sessions in pods reach the hub, and nothing else of it.

One TCP listener of the hub. A connection is accepted from the address of a known pod of this hub, and closed at once
otherwise, unless a start is awaited whose address is not known yet (`early_arrivals`). Each session has the routes, the
rate and the limits that it has over its socket file on one machine (`hub_api_socket`), and two routes of the gateway's
own (`gateway_session`).
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import logging
import socket
from collections.abc import Callable
from typing import ClassVar

from daas_hub.spawners.hub_api_limits import BACKLOG
from daas_hub.spawners.kubernetes.address import host_and_port
from daas_hub.spawners.kubernetes.early_arrivals import EarlyArrivals
from daas_hub.spawners.kubernetes.gateway_session import GatewaySession

_log = logging.getLogger("jupyterhub.daas")


class SessionGateway:
    """The listener of a hub; one for each address that it is bound to."""

    _known: ClassVar[dict[str, SessionGateway]] = {}

    def __init__(self, address: str) -> None:
        self._address = address
        self._sessions: dict[str, GatewaySession] = {}
        self._name_at: dict[object, Callable[[str], str | None]] = {}
        #: The addresses of starts that the API server has not reported yet.
        self._early: dict[str, str] = {}
        self._early_arrivals = EarlyArrivals(self._awaited, self._take_address)
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
        for session in (*self._sessions.values(), self._early_arrivals):
            session.close()
        self._sessions.clear()
        self._early.clear()

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
            self._early = {address: early for address, early in self._early.items() if early != name}

    def session_at(self, address: str) -> GatewaySession | None:
        """Return the session whose pod has this address; None for everybody else, and if two places have it."""
        names = {name_at(address) for name_at in self._name_at.values()} | {self._early_name(address)}
        found = [self._sessions[name] for name in names if name is not None and name in self._sessions]
        if len(found) > 1:
            _log.error("pods of two places have the address %s: neither is let in at %s", address, self._address)
        return found[0] if len(found) == 1 else None

    # -- before the API server has reported an address ------------------------------------------------------------

    def _early_name(self, address: str) -> str | None:
        """Return the session that arrived from this address, until the API server reports its pod's; None for none."""
        name = self._early.get(address)
        session = self._sessions.get(name or "")
        return name if session is not None and session.may_be_at(address) else None

    def _awaited(self, key: str) -> GatewaySession | None:
        """Return the session that is to arrive and whose token has this hash."""
        awaited = [one for one in self._sessions.values() if one.arrival is not None]
        # all are compared, and the time says nothing about which is meant
        found = [one for one in awaited if hmac.compare_digest(one.key, key)]
        return found[0] if len(found) == 1 else None

    def _take_address(self, session: GatewaySession, address: str) -> bool:
        """Take an address for that of a session's pod; return False if it is another one's, or may not be a pod's."""
        name = next((name for name, one in self._sessions.items() if one is session), None)
        is_taken = any(name_at(address) for name_at in self._name_at.values())
        if name is None or is_taken or self._early_name(address) not in (None, name):
            return False
        if session.arrival is None or session.arrival.address not in ("", address):
            return False
        if not session.may_be_at(address):
            return False
        session.arrival.address = address
        self._early[address] = name
        return True

    # -- connections ----------------------------------------------------------------------------------------------

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
            address = peer[0].removeprefix("::ffff:")
            if (session := self.session_at(address)) is not None:
                session.admit(client)
            elif any(one.arrival is not None for one in self._sessions.values()):
                self._early_arrivals.admit(client, address)
            else:
                client.close()
