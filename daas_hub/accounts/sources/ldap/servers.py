"""The servers of a directory: tried in turn, by a few threads with a connection each, within a deadline.

When none answered several times in a row, they are left alone for a while, and whoever asks is told so at once.
What is asked, and what an answer means, is in `ldap.py` and `entries.py`.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from daas_hub.accounts.refusals import LATER
from daas_hub.accounts.sources.ldap.connection import Connector, Failed, Refused, Search, Server
from daas_hub.accounts.sources.ldap.entries import Found
from daas_hub.errors import ConfigurationError, DaasError, ErrorKind, SourceUnavailable
from daas_hub.services.circuit_breaker import CircuitBreaker

_log = logging.getLogger("jupyterhub.daas")
_Answer = TypeVar("_Answer")

#: Does one search; what a question is given.
Ask = Callable[[Search], Found]

#: An address that failed is tried after the others for this long.
_FAILED_S = 30.0
#: A connection that was not used for this long is opened anew: servers and firewalls drop idle ones without a word.
_IDLE_S = 60.0


class _NoAnswer(SourceUnavailable):
    """No server answered a question; `heard` tells whether one said at least no, None if none was asked."""

    def __init__(self, heard: bool | None, kind: ErrorKind) -> None:
        super().__init__("The facility's directory cannot be asked at the moment.", remedy=LATER, kind=kind)
        self.heard = heard


class LdapServers:
    """Connections to the servers, one a thread, opened when needed and anew when they broke."""

    def __init__(self, server: Server, clock: Callable[[], float] = time.monotonic) -> None:
        self._server = server
        self._clock = clock
        self._connector = Connector(server, clock)
        self._threads = ThreadPoolExecutor(server.connections, thread_name_prefix="ldap")
        self._breaker = CircuitBreaker(f"directory {', '.join(server.addresses)}", clock=clock)
        self._failed: dict[str, float] = {}
        self._own = threading.local()

    async def in_time(self, work: Callable[[float], _Answer], about: str = "") -> _Answer:
        """Do work in a thread, and give what it gives. It is told until when it may take, on this object's clock.

        Args:
            about: what it is about, for the log.

        Raises:
            SourceUnavailable: it took too long, or no server answered lately.
        """
        if not self._breaker.admits():
            raise _NoAnswer(None, ErrorKind.CIRCUIT_OPEN)
        within_s = self._server.timeout_s
        until = self._clock() + within_s
        began_at = until

        def begin() -> _Answer:
            nonlocal began_at
            began_at = self._clock()
            return work(until)

        def is_silence() -> bool:
            # what waited long for a thread had no time to hear anything
            return until - began_at > within_s / 2

        try:
            answer = await asyncio.wait_for(asyncio.get_running_loop().run_in_executor(self._threads, begin), within_s)
        except TimeoutError:
            self._tell("directory: no answer%s within %g s", about, within_s)
            if is_silence():
                self._breaker.failed()
            raise SourceUnavailable(
                "The facility's directory does not answer at the moment.", remedy=LATER, kind=ErrorKind.TIMEOUT
            ) from None
        except _NoAnswer as problem:
            if problem.heard:
                self._breaker.answered()
            elif problem.heard is False and is_silence():
                self._breaker.failed()
            raise
        except DaasError:
            # that somebody is nobody's is an answer, too
            self._breaker.answered()
            raise
        self._breaker.answered()
        return answer

    def ask(self, question: Callable[[Ask], _Answer], until: float) -> _Answer:
        """Put a question (some searches) to the first server that answers. Called in a thread, and may block it.

        Raises:
            SourceUnavailable: none did until then.
        """
        heard: bool | None = None
        kinds: list[ErrorKind] = []
        for address in self._in_turn():
            kept = self._kept(address)
            for connection in (kept, None) if kept is not None else (None,):
                if self._clock() >= until:
                    break
                try:
                    return self._put(question, connection or self._open(address, until), until)
                except self._connector.failures as problem:
                    self._forget()
                    heard = _heard(problem, heard)
                    kinds.append(self._connector.kind_of(problem))
                    # one that was kept may have been closed meanwhile: that says nothing about the server
                    if connection is None:
                        self._failed[address] = self._clock()
                        self._tell("directory %s: %s: %s", address, type(problem).__name__, problem)
        raise _NoAnswer(heard, _most_telling(kinds))

    def lets_in(self, dn: str, password: str, until: float) -> bool:
        """Return whether a server lets this entry in, over an encrypted connection of its own. Called in a thread.

        Raises:
            SourceUnavailable: none said so or otherwise until then. The directory counts as heard: it has answered the
                search before, and what fails here may be about this entry alone.
        """
        kinds: list[ErrorKind] = []
        for address in self._in_turn():
            if self._clock() >= until or not self._connector.encrypts(address):
                continue
            try:
                return self._connector.lets_in(address, dn, password, until)
            except self._connector.failures as problem:
                self._failed[address] = self._clock()
                kinds.append(self._connector.kind_of(problem))
                # some of its errors repeat what they were about
                said = problem if isinstance(problem, Failed) else type(problem).__name__
                self._tell("directory %s: %s", address, said)
        raise _NoAnswer(True, _most_telling(kinds))

    def close(self) -> None:
        """End the threads and the connections."""
        self._connector.close_all()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _put(self, question: Callable[[Ask], _Answer], connection: Any, until: float) -> _Answer:
        """Put the question over this connection. A refusal is an answer, too: the connection is kept."""
        answer = question(lambda search: self._connector.search(connection, until, search))
        self._failed.pop(self._own.address, None)
        return answer

    def _tell(self, words: str, *values: object) -> None:
        # the breaker has told of an outage, once
        _log.log(logging.INFO if self._breaker.is_open else logging.ERROR, words, *values)

    def _in_turn(self) -> list[str]:
        return sorted(self._server.addresses, key=self._failed_lately)

    def _failed_lately(self, address: str) -> bool:
        return self._clock() - self._failed.get(address, -_FAILED_S - 1) < _FAILED_S

    def _kept(self, address: str) -> Any:
        connection = getattr(self._own, "connection", None)
        if connection is not None and (self._own.address != address or self._clock() - self._own.used > _IDLE_S):
            self._forget()
            return None
        self._own.used = self._clock()
        return connection

    def _open(self, address: str, until: float) -> Any:
        self._forget()
        connection = self._connector.open(address, until)
        self._own.connection, self._own.address, self._own.used = connection, address, self._clock()
        return connection

    def _forget(self) -> None:
        connection, self._own.connection = getattr(self._own, "connection", None), None
        if connection is not None:
            self._connector.close(connection)


def _most_telling(kinds: Sequence[ErrorKind]) -> ErrorKind:
    """Return the kind of several servers' failures: one that answered with an error says more than a silent one."""
    silent = (ErrorKind.NO_CONNECTION, ErrorKind.TIMEOUT)
    return next((kind for kind in kinds if kind not in silent), kinds[0] if kinds else ErrorKind.TIMEOUT)


def _heard(problem: Exception, before: bool | None) -> bool | None:
    """Return whether a server was heard, after one more problem; a file of ours that went wrong is none of theirs."""
    return before if isinstance(problem, ConfigurationError) else bool(before) or isinstance(problem, Refused)
