"""One connection to one server of a directory: verified TLS, a bind, searches, each of them bounded in time.

The library (decision 11) is known here only. Which server is asked, and when, is in `ldapservers.py`.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from daas_hub.accounts.sources.ldap.entries import Entry, Found
from daas_hub.errors import ConfigurationError, ErrorKind
from daas_hub.services.secret_file import read_secret


@dataclass(frozen=True)
class Server:
    """How the directory is reached. Every address is tried in turn, the one that failed lately last."""

    addresses: tuple[str, ...]
    start_tls: bool = True
    ca_file: str = ""
    bind_dn: str = ""
    password_file: str = ""
    operation_timeout_s: float = 3.0
    timeout_s: float = 10.0
    connections: int = 4


@dataclass(frozen=True)
class Search:
    """One search; an empty filter reads the entry `base` itself."""

    base: str
    filter: str
    attributes: tuple[str, ...]
    most: int


_SUCCESS, _SIZE_LIMIT, _NO_SUCH_OBJECT, _REFERRAL = 0, 4, 32, 10
#: Wrong, expired, locked, without a password, no such entry: all of them mean no.
_NOT_LET_IN = (19, 32, 34, 48, 49, 50, 53)
#: Busy, unavailable: as good as no answer. Out of time, or an error of its own, may be one question's fault.
_UNWELL = (51, 52)


#: What a result code means for an administrator; any other is the server's own affair.
_KINDS = {
    13: ErrorKind.NO_PERMISSION,
    _NO_SUCH_OBJECT: ErrorKind.NO_SUCH_BASE,
    50: ErrorKind.NO_PERMISSION,
    53: ErrorKind.NO_PERMISSION,
}


class Failed(Exception):
    """This server cannot be used now; another one may."""

    def __init__(self, words: str, kind: ErrorKind = ErrorKind.SERVER_ERROR) -> None:
        super().__init__(words)
        self.kind = kind


class Refused(Failed):
    """It answers, but not as it should: that will not change by leaving it alone."""

    @classmethod
    def of(cls, code: int, words: str, kind: ErrorKind | None = None) -> Failed:
        """Return the error for a server's result code."""
        kind = kind or _KINDS.get(code, ErrorKind.SERVER_ERROR)
        return Failed(words) if code in _UNWELL else cls(words, kind)


class Connector:
    """Opens connections to the servers of a directory, and speaks over them. Everything here may block its thread.

    Attributes:
        failures: what keeps a server from being asked; a password's file that went wrong is one.
    """

    def __init__(self, server: Server, clock: Callable[[], float] = time.monotonic) -> None:
        with warnings.catch_warnings():
            # ldap3 2.9.1 uses names that pyasn1 has renamed since; it tells so at its import
            warnings.simplefilter("ignore", DeprecationWarning)
            import ldap3
        self._ldap3 = ldap3
        self.failures: tuple[type[Exception], ...] = (
            Failed,
            ConfigurationError,
            OSError,
            ValueError,
            ldap3.core.exceptions.LDAPExceptionError,
        )
        self._server = server
        self._clock = clock
        self._open_now: set[Any] = set()
        # read once: a bundle that is missing is told when the hub starts
        self._tls = ssl.create_default_context(cafile=server.ca_file or None)
        self._tls.minimum_version = ssl.TLSVersion.TLSv1_2

    def kind_of(self, failure: Exception) -> ErrorKind:
        """Return what kind of failure one of `failures` is; ldap3's are also what they wrap (OSError, SSLError)."""
        if isinstance(failure, Failed | ConfigurationError):
            return failure.kind
        kinds = {
            self._ldap3.core.exceptions.LDAPInvalidFilterError: ErrorKind.INVALID_FILTER,
            ssl.SSLCertVerificationError: ErrorKind.TLS_CERTIFICATE,
            socket.gaierror: ErrorKind.DNS,
            TimeoutError: ErrorKind.TIMEOUT,
            OSError: ErrorKind.NO_CONNECTION,
            self._ldap3.core.exceptions.LDAPCommunicationError: ErrorKind.NO_CONNECTION,
        }
        return next((kind for error, kind in kinds.items() if isinstance(failure, error)), ErrorKind.UNAVAILABLE)

    def encrypts(self, address: str) -> bool:
        """Return whether nothing is said to this server in the clear."""
        return urlsplit(address).scheme == "ldaps" or self._server.start_tls

    def open(self, address: str, until: float) -> Any:
        """Connect, encrypt, bind; give the connection. One of `failures` says why it cannot be used."""
        bind: dict[str, Any] = {}
        if self._server.bind_dn:
            password = read_secret("LdapAccounts.password_file", self._server.password_file)
            bind = {"user": self._server.bind_dn, "password": password}
        connection = self._connect(address, until, **bind)
        try:
            if not connection.bind(read_server_info=False):
                code, told = connection.result["result"], connection.result["description"]
                raise Refused.of(code, f"it does not accept the bind: {told}", ErrorKind.BIND_REFUSED)
        except BaseException:
            self.close(connection)
            raise
        return connection

    def lets_in(self, address: str, dn: str, password: str, until: float) -> bool:
        """Return whether a server lets this entry in. One of `failures` says why it cannot be used."""
        connection = self._connect(address, until, user=dn, password=password)
        try:
            connection.bind(read_server_info=False)
            code, told = connection.result["result"], connection.result["description"]
        finally:
            self.close(connection)
        if code not in (_SUCCESS, *_NOT_LET_IN):
            raise Refused.of(code, f"it answers {told!r} about a password")
        return bool(code == _SUCCESS)

    def search(self, connection: Any, until: float, search: Search) -> Found:
        """Return what a search finds. One of `failures` says why the server cannot be used."""
        left = until - self._clock()
        if left <= 0:
            raise Failed("it takes too long", ErrorKind.TIMEOUT)
        wait = min(left, self._server.operation_timeout_s)
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
            raise Refused.of(code, f"it answers {connection.result['description']!r} for {search.base}")
        return _found(connection.response or (), code, connection.result.get("referrals") or ())

    def close(self, connection: Any) -> None:
        """Close a connection."""
        self._open_now.discard(connection)
        # no good-bye: a server that hangs would be waited for
        with contextlib.suppress(OSError, AttributeError):
            connection.socket.close()
        connection.closed = True

    def close_all(self) -> None:
        """Close every connection, also one that a thread waits for."""
        for connection in list(self._open_now):
            self.close(connection)

    def _connect(self, address: str, until: float, **bind: Any) -> Any:
        """Connect and encrypt.

        Raises:
            Failed: the server cannot encrypt.
        """
        parts = urlsplit(address)
        encrypted = parts.scheme == "ldaps"
        wait = max(0.1, min(self._server.operation_timeout_s, until - self._clock()))
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
                raise Refused("it does not offer StartTLS", ErrorKind.NO_STARTTLS)
            connection.socket.settimeout(wait)
        except BaseException:
            self.close(connection)
            raise
        return connection


def _found(response: Sequence[Mapping[str, Any]], code: int, referrals: Sequence[str]) -> Found:
    entries = tuple(
        Entry(one["dn"], {name.lower(): list(values) for name, values in one["raw_attributes"].items()})
        for one in response
        if one.get("type") == "searchResEntry"
    )
    others = [str(uri) for one in response if one.get("type") == "searchResRef" for uri in one.get("uri", ())]
    return Found(entries, code == _SUCCESS, (*others, *referrals))


def _verified_tls(ldap3: Any, context: ssl.SSLContext, host: str, wait_s: float) -> Any:
    """Return ldap3 a TLS whose certificate and host name Python itself checks, and whose handshake ends in time."""

    class VerifiedTls(ldap3.Tls):
        def wrap_socket(self, connection: Any, do_handshake: bool = False) -> None:
            connection.socket.settimeout(wait_s)
            connection.socket = context.wrap_socket(connection.socket, server_hostname=host)

    return VerifiedTls(validate=ssl.CERT_REQUIRED)
