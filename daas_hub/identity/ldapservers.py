"""The servers of a directory: tried in turn, over verified TLS, with a few connections, in threads, within a deadline.

When none answered several times in a row, they are left alone for a while, and whoever asks is told so at once.
What is asked, and what an answer means, is in `ldap.py` and `entries.py`; the library (decision 11) is known here only.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
import threading
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlsplit

from daas_hub.breaker import Breaker
from daas_hub.errors import ConfigurationError, DaasError, SourceUnavailable
from daas_hub.identity.entries import Entry, Found
from daas_hub.identity.refusals import LATER
from daas_hub.secretfile import read_secret

_log = logging.getLogger("jupyterhub.daas")
_Answer = TypeVar("_Answer")


@dataclass(frozen=True)
class Server:
    """How the directory is reached. Every address is tried in turn, the one that failed lately last."""

    addresses: tuple[str, ...]
    start_tls: bool = True
    ca_file: str = ""
    bind_dn: str = ""
    password_file: str = ""
    server_s: float = 3.0
    answer_s: float = 10.0
    connections: int = 4


@dataclass(frozen=True)
class Search:
    """One search; an empty filter reads the entry `base` itself."""

    base: str
    filter: str
    attributes: tuple[str, ...]
    most: int


#: Does one search; what a question is given.
Ask = Callable[[Search], Found]

#: An address that failed is tried after the others for this long.
_FAILED_S = 30.0
#: A connection that was not used for this long is opened anew: servers and firewalls drop idle ones without a word.
_IDLE_S = 60.0

_SUCCESS, _SIZE_LIMIT, _NO_SUCH_OBJECT, _REFERRAL = 0, 4, 32, 10
#: Wrong, expired, locked, without a password, no such entry: all of them mean no.
_NOT_LET_IN = (19, 32, 34, 48, 49, 50, 53)
#: Out of time, busy, unavailable, an error of its own: as good as no answer.
_UNWELL = (3, 51, 52, 80)


class _Failed(Exception):
    """This server cannot be used now; another one may."""


class _Refused(_Failed):
    """It answers, but not as it should: that will not change by leaving it alone."""

    @classmethod
    def of(cls, code: int, words: str) -> _Failed:
        return (_Failed if code in _UNWELL else cls)(words)


class _NoAnswer(SourceUnavailable):
    """No server answered a question; `heard` tells whether one said at least no, None if none was asked."""

    def __init__(self, heard: bool | None) -> None:
        super().__init__("The facility's directory cannot be asked at the moment.", remedy=LATER)
        self.heard = heard


#: What keeps a server from being asked; a password's file that went wrong is one.
_FAILURES = (_Failed, ConfigurationError, OSError, ValueError)


class LdapServers:
    """Connections to the servers, one a thread, opened when needed and anew when they broke."""

    def __init__(self, server: Server, clock: Callable[[], float] = time.monotonic) -> None:
        with warnings.catch_warnings():
            # ldap3 2.9.1 uses names that pyasn1 has renamed since; it tells so at its import
            warnings.simplefilter("ignore", DeprecationWarning)
            import ldap3
        self._ldap3 = ldap3
        self._server = server
        self._clock = clock
        self._threads = ThreadPoolExecutor(server.connections, thread_name_prefix="ldap")
        self._breaker = Breaker(f"directory {', '.join(server.addresses)}", clock=clock)
        self._failed: dict[str, float] = {}
        self._own = threading.local()
        self._open_now: set[Any] = set()
        # read once: a bundle that is missing is told when the hub starts
        self._tls = ssl.create_default_context(cafile=server.ca_file or None)
        self._tls.minimum_version = ssl.TLSVersion.TLSv1_2

    async def in_time(self, work: Callable[[float], _Answer], about: str = "") -> _Answer:
        """Do work in a thread, and give what it gives. It is told until when it may take, on this object's clock.

        Args:
            about: what it is about, for the log.

        Raises:
            SourceUnavailable: it took too long, or no server answered lately.
        """
        if not self._breaker.admits():
            raise _NoAnswer(None)
        within_s = self._server.answer_s
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
            raise SourceUnavailable("The facility's directory does not answer at the moment.", remedy=LATER) from None
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
        for address in sorted(self._server.addresses, key=self._failed_lately):
            kept = self._kept(address)
            for connection in (kept, None) if kept is not None else (None,):
                if self._clock() >= until:
                    break
                try:
                    return self._put(question, connection or self._open(address, until), until)
                except (*_FAILURES, self._ldap3.core.exceptions.LDAPExceptionError) as problem:
                    self._forget()
                    heard = _heard(problem, heard)
                    # one that was kept may have been closed meanwhile: that says nothing about the server
                    if connection is None:
                        self._failed[address] = self._clock()
                        self._tell("directory %s: %s: %s", address, type(problem).__name__, problem)
        raise _NoAnswer(heard)

    def lets_in(self, dn: str, password: str, until: float) -> bool:
        """Tell whether a server lets this entry in, over an encrypted connection of its own. Called in a thread.

        Raises:
            SourceUnavailable: none said so or otherwise until then.
        """
        heard: bool | None = None
        for address in sorted(self._server.addresses, key=self._failed_lately):
            if self._clock() >= until or not (urlsplit(address).scheme == "ldaps" or self._server.start_tls):
                continue
            try:
                connection = self._connect(address, until, user=dn, password=password)
                try:
                    connection.bind(read_server_info=False)
                    code, told = connection.result["result"], connection.result["description"]
                finally:
                    self._close(connection)
                if code not in (_SUCCESS, *_NOT_LET_IN):
                    raise _Refused.of(code, f"it answers {told!r} about a password")
            except (*_FAILURES, self._ldap3.core.exceptions.LDAPExceptionError) as problem:
                heard = _heard(problem, heard)
                self._failed[address] = self._clock()
                # some of its errors repeat what they were about
                said = problem if isinstance(problem, _Failed) else type(problem).__name__
                self._tell("directory %s: %s", address, said)
            else:
                return bool(code == _SUCCESS)
        raise _NoAnswer(heard)

    def close(self) -> None:
        """End the threads, and every connection, also one that a thread waits for."""
        for connection in list(self._open_now):
            self._close(connection)
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _put(self, question: Callable[[Ask], _Answer], connection: Any, until: float) -> _Answer:
        """Put the question over this connection. A refusal is an answer, too: the connection is kept."""
        answer = question(lambda search: self._search(connection, until, search))
        self._failed.pop(self._own.address, None)
        return answer

    def _tell(self, words: str, *values: object) -> None:
        # the breaker has told of an outage, once
        _log.log(logging.INFO if self._breaker.is_open else logging.ERROR, words, *values)

    def _failed_lately(self, address: str) -> bool:
        return self._clock() - self._failed.get(address, -_FAILED_S - 1) < _FAILED_S

    def _kept(self, address: str) -> Any:
        connection = getattr(self._own, "connection", None)
        if connection is not None and (self._own.address != address or self._clock() - self._own.used > _IDLE_S):
            self._forget()
            return None
        self._own.used = self._clock()
        return connection

    def _forget(self) -> None:
        connection, self._own.connection = getattr(self._own, "connection", None), None
        if connection is not None:
            self._close(connection)

    def _close(self, connection: Any) -> None:
        self._open_now.discard(connection)
        # no good-bye: a server that hangs would be waited for
        with contextlib.suppress(OSError, AttributeError):
            connection.socket.close()
        connection.closed = True

    def _open(self, address: str, until: float) -> Any:
        """Connect, encrypt, bind.

        Raises:
            _Failed: the server does not let us in.
        """
        self._forget()
        bind: dict[str, Any] = {}
        if self._server.bind_dn:
            password = read_secret("LdapAccounts.password_file", self._server.password_file)
            bind = {"user": self._server.bind_dn, "password": password}
        connection = self._connect(address, until, **bind)
        try:
            if not connection.bind(read_server_info=False):
                code, told = connection.result["result"], connection.result["description"]
                raise _Refused.of(code, f"it does not accept the bind: {told}")
        except BaseException:
            self._close(connection)
            raise
        self._own.connection, self._own.address, self._own.used = connection, address, self._clock()
        return connection

    def _connect(self, address: str, until: float, **bind: Any) -> Any:
        """Connect and encrypt.

        Raises:
            _Failed: the server cannot encrypt.
        """
        parts = urlsplit(address)
        encrypted = parts.scheme == "ldaps"
        wait = max(0.1, min(self._server.server_s, until - self._clock()))
        tls = _verified_tls(self._ldap3, self._tls, str(parts.hostname), wait)
        server = self._ldap3.Server(
            str(parts.hostname),
            port=parts.port or (636 if encrypted else 389),
            use_ssl=encrypted,
            tls=tls,
            connect_timeout=wait,
            get_info=self._ldap3.NONE,
        )
        connection = self._ldap3.Connection(
            server, auto_referrals=False, read_only=True, raise_exceptions=False, **bind
        )
        self._open_now.add(connection)
        try:
            connection.open(read_server_info=False)
            connection.socket.settimeout(wait)
            if not encrypted and self._server.start_tls and not connection.start_tls(read_server_info=False):
                raise _Refused("it does not offer StartTLS")
            connection.socket.settimeout(wait)
        except BaseException:
            self._close(connection)
            raise
        return connection

    def _search(self, connection: Any, until: float, search: Search) -> Found:
        left = until - self._clock()
        if left <= 0:
            raise _Failed("it takes too long")
        wait = min(left, self._server.server_s)
        connection.socket.settimeout(wait)
        connection.search(
            search.base,
            search.filter or "(objectClass=*)",
            search_scope=self._ldap3.SUBTREE if search.filter else self._ldap3.BASE,
            dereference_aliases=self._ldap3.DEREF_NEVER,
            attributes=list(search.attributes),
            size_limit=search.most,
            time_limit=max(1, int(wait)),
        )
        code = connection.result["result"]
        if code == _NO_SUCH_OBJECT and not search.filter:
            return Found(())
        if code not in (_SUCCESS, _SIZE_LIMIT, _REFERRAL):
            raise _Refused.of(code, f"it answers {connection.result['description']!r} for {search.base}")
        return _found(connection.response or (), code, connection.result.get("referrals") or ())


def _heard(problem: Exception, before: bool | None) -> bool | None:
    """Tell whether a server was heard, after one more problem; a file of ours that went wrong is none of theirs."""
    return before if isinstance(problem, ConfigurationError) else bool(before) or isinstance(problem, _Refused)


def _found(response: Sequence[Mapping[str, Any]], code: int, referrals: Sequence[str]) -> Found:
    entries = tuple(
        Entry(one["dn"], {name.lower(): list(values) for name, values in one["raw_attributes"].items()})
        for one in response
        if one.get("type") == "searchResEntry"
    )
    others = [str(uri) for one in response if one.get("type") == "searchResRef" for uri in one.get("uri", ())]
    return Found(entries, code == _SUCCESS, (*others, *referrals))


def _verified_tls(ldap3: Any, context: ssl.SSLContext, host: str, wait_s: float) -> Any:
    """Give ldap3 a TLS whose certificate and host name Python itself checks, and whose handshake ends in time."""

    class VerifiedTls(ldap3.Tls):
        def wrap_socket(self, connection: Any, do_handshake: bool = False) -> None:
            connection.socket.settimeout(wait_s)
            connection.socket = context.wrap_socket(connection.socket, server_hostname=host)

    return VerifiedTls(validate=ssl.CERT_REQUIRED)
