"""The servers of a directory: tried in order, by a few threads with a connection each, within a deadline.

When none answered several times in a row, lookups fail at once for a while (see `CircuitBreaker`). `source.py` decides
what to search for.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from daas_hub.accounts.refusals import TRY_AGAIN
from daas_hub.accounts.sources.ldap.bind_result import BindResult
from daas_hub.accounts.sources.ldap.connection import Connector, Search, Server, ServerFailed, ServerRefused
from daas_hub.accounts.sources.ldap.entries import SearchResult
from daas_hub.errors import ConfigurationError, DaasError, ErrorKind, SourceUnavailable
from daas_hub.services.circuit_breaker import CircuitBreaker
from daas_hub.services.measuring import count_rejected, host_of, measured_requests

_log = logging.getLogger("jupyterhub.daas")
_Answer = TypeVar("_Answer")

#: Runs one search; the argument of a lookup.
Ask = Callable[[Search], SearchResult]

#: An address that failed is tried after the others for this long.
_FAILED_S = 30.0
#: A connection that was idle for longer is opened anew: servers and firewalls drop idle ones silently.
_IDLE_S = 60.0


class _NoAnswer(SourceUnavailable):
    """No server answered; `heard` says whether one answered with an error, None if none was asked."""

    def __init__(self, heard: bool | None, kind: ErrorKind) -> None:
        super().__init__("The facility's directory is not available at the moment.", remedy=TRY_AGAIN, kind=kind)
        self.heard = heard


class LdapServers:
    """Connections to the servers, one per thread, opened when needed and again when they break."""

    def __init__(self, server: Server, clock: Callable[[], float] = time.monotonic) -> None:
        self._server = server
        self._clock = clock
        self._connector = Connector(server, clock)
        #: In metrics, for all servers of the directory: the first one's name.
        self._host = host_of(server.addresses[0]) if server.addresses else ""
        self._threads = ThreadPoolExecutor(server.max_connections, thread_name_prefix="ldap")
        self._breaker = CircuitBreaker(
            f"directory {', '.join(server.addresses)}", source="ldap", host=self._host, clock=clock
        )
        self._failed: dict[str, float] = {}
        self._thread = threading.local()

    async def run(self, work: Callable[[float], _Answer], about: str = "") -> _Answer:
        """Run work in a thread and return its result. Its argument is the deadline, on this object's clock.

        Args:
            about: what the work is about, for the log.

        Raises:
            SourceUnavailable: it took too long, or the servers have not answered lately.
        """
        if not self._breaker.allows_request():
            count_rejected("ldap", self._host)
            raise _NoAnswer(None, ErrorKind.CIRCUIT_OPEN)
        with measured_requests("ldap", self._host):
            return await self._run(work, about)

    async def _run(self, work: Callable[[float], _Answer], about: str) -> _Answer:
        within_s = self._server.timeout_s
        until = self._clock() + within_s
        began_at = until

        def begin() -> _Answer:
            nonlocal began_at
            began_at = self._clock()
            return work(until)

        def is_silence() -> bool:
            # not if most of the time was spent waiting for a thread
            return until - began_at > within_s / 2

        try:
            answer = await asyncio.wait_for(asyncio.get_running_loop().run_in_executor(self._threads, begin), within_s)
        except TimeoutError:
            self._log("directory: no answer%s within %g s", about, within_s)
            if is_silence():
                self._breaker.record_failure()
            raise SourceUnavailable(
                "The facility's directory does not respond at the moment.", remedy=TRY_AGAIN, kind=ErrorKind.TIMEOUT
            ) from None
        except _NoAnswer as problem:
            if problem.heard:
                self._breaker.record_success()
            elif problem.heard is False and is_silence():
                self._breaker.record_failure()
            raise
        except DaasError:
            # "no such account" is an answer, too
            self._breaker.record_success()
            raise
        self._breaker.record_success()
        return answer

    def ask(self, lookup: Callable[[Ask], _Answer], until: float) -> _Answer:
        """Run a lookup (some searches) on the first server that answers. Blocks the calling thread.

        Raises:
            SourceUnavailable: none answered before the deadline.
        """
        heard: bool | None = None
        kinds: list[ErrorKind] = []
        for address in self._by_preference():
            idle = self._idle_connection(address)
            for connection in (idle, None) if idle is not None else (None,):
                if self._clock() >= until:
                    break
                try:
                    return self._look_up(lookup, connection or self._open(address, until), until)
                except self._connector.failures as problem:
                    self._forget()
                    heard = _is_heard(problem, heard)
                    kinds.append(self._connector.kind_of(problem))
                    # an idle connection may have been closed meanwhile, which says nothing about the server
                    if connection is None:
                        self._failed[address] = self._clock()
                        self._log("directory %s: %s", address, _shown(problem))
        raise _NoAnswer(heard, _main_kind(kinds))

    def check_password(self, dn: str, password: str, until: float) -> BindResult:
        """Bind with this DN and password, over a new encrypted connection. Blocks the calling thread.

        Raises:
            SourceUnavailable: no server answered before the deadline. The directory still counts as up: it has just
                answered the search, and this failure may be about this entry alone.
        """
        kinds: list[ErrorKind] = []
        for address in self._by_preference():
            if self._clock() >= until or not self._connector.encrypts(address):
                continue
            try:
                return self._connector.check_password(address, dn, password, until)
            except self._connector.failures as problem:
                self._failed[address] = self._clock()
                kinds.append(self._connector.kind_of(problem))
                # some errors of ldap3 repeat the request
                shown = problem if isinstance(problem, ServerFailed) else type(problem).__name__
                self._log("directory %s: %s", address, shown)
        raise _NoAnswer(True, _main_kind(kinds))

    def close(self) -> None:
        """Shut down the threads and close the connections."""
        self._connector.close_all()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _look_up(self, lookup: Callable[[Ask], _Answer], connection: Any, until: float) -> _Answer:
        """Run a lookup over this connection. After a refusal the connection is still usable."""
        answer = lookup(lambda search: self._connector.search(connection, until, search))
        self._failed.pop(self._thread.address, None)
        return answer

    def _log(self, words: str, *values: object) -> None:
        # the circuit breaker has logged the outage, once
        _log.log(logging.INFO if self._breaker.is_open else logging.ERROR, words, *values)

    def _by_preference(self) -> list[str]:
        return sorted(self._server.addresses, key=self._failed_lately)

    def _failed_lately(self, address: str) -> bool:
        return self._clock() - self._failed.get(address, -_FAILED_S - 1) < _FAILED_S

    def _idle_connection(self, address: str) -> Any:
        connection = getattr(self._thread, "connection", None)
        if connection is not None and (self._thread.address != address or self._clock() - self._thread.used > _IDLE_S):
            self._forget()
            return None
        self._thread.used = self._clock()
        return connection

    def _open(self, address: str, until: float) -> Any:
        self._forget()
        connection = self._connector.open(address, until)
        self._thread.connection, self._thread.address, self._thread.used = connection, address, self._clock()
        return connection

    def _forget(self) -> None:
        connection, self._thread.connection = getattr(self._thread, "connection", None), None
        if connection is not None:
            self._connector.close(connection)


def _main_kind(kinds: Sequence[ErrorKind]) -> ErrorKind:
    """Return the kind of several servers' failures: an answer says more than silence."""
    silent = (ErrorKind.NO_CONNECTION, ErrorKind.TIMEOUT)
    return next((kind for kind in kinds if kind not in silent), kinds[0] if kinds else ErrorKind.TIMEOUT)


def _is_heard(problem: Exception, before: bool | None) -> bool | None:
    """Return whether a server has answered, given one more problem. An unusable file of ours says nothing about it."""
    return before if isinstance(problem, ConfigurationError) else bool(before) or isinstance(problem, ServerRefused)


def _shown(problem: Exception) -> str:
    """Return a failure for the log, with the name of its class if the message is not ours."""
    return str(problem) if isinstance(problem, ServerFailed) else f"{type(problem).__name__}: {problem}"
