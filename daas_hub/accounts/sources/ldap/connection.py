"""A connection to an LDAP server: verified TLS, bind, searches, each with a timeout.

Only this module uses the LDAP library (decision 11). `servers.py` chooses the server.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

from daas_hub.accounts.sources.ldap.bind_result import PASSWORD_POLICY, REJECTED, BindResult, bind_result
from daas_hub.accounts.sources.ldap.entries import Entry, SearchResult, joined
from daas_hub.errors import ConfigurationError, ErrorKind
from daas_hub.services.secret_file import read_secret


@dataclass(frozen=True)
class Server:
    """How to reach the directory. Addresses are tried in order, recently failed ones last."""

    addresses: tuple[str, ...]
    start_tls: bool = True
    ca_file: str = ""
    bind_dn: str = ""
    password_file: str = ""
    operation_timeout_s: float = 3.0
    timeout_s: float = 10.0
    max_connections: int = 4


@dataclass(frozen=True)
class Search:
    """A search; without a filter it reads the entry `base` itself.

    Attributes:
        size_limit: the most entries; with more, the result is incomplete, whatever the server does with the limit.
        paged: whether to request pages (RFC 2696): servers limit an answer, and not always the pages of one.
    """

    base: str
    filter: str
    attributes: tuple[str, ...]
    size_limit: int
    paged: bool = False


#: Entries per page; Active Directory's own limit is 1,000.
PAGE = 500
_PAGED_RESULTS = "1.2.840.113556.1.4.319"


_SUCCESS, _SIZE_LIMIT, _NO_SUCH_OBJECT, _REFERRAL = 0, 4, 32, 10
#: Busy, unavailable: as good as no answer. A time limit or an internal error may be due to a single search.
_UNAVAILABLE = (51, 52)


#: The error kinds of LDAP result codes; all others are errors of the server.
_KINDS = {
    13: ErrorKind.NO_PERMISSION,
    _NO_SUCH_OBJECT: ErrorKind.NO_SUCH_BASE,
    50: ErrorKind.NO_PERMISSION,
    53: ErrorKind.NO_PERMISSION,
}


class ServerFailed(Exception):
    """This server cannot be used now; another one may."""

    def __init__(self, words: str, kind: ErrorKind = ErrorKind.SERVER_ERROR) -> None:
        super().__init__(words)
        self.kind = kind


class ServerRefused(ServerFailed):
    """The server answers with an error, which waiting will not change."""

    @classmethod
    def of(cls, code: int, words: str, kind: ErrorKind | None = None) -> ServerFailed:
        """Return the error for an LDAP result code."""
        kind = kind or _KINDS.get(code, ErrorKind.SERVER_ERROR)
        return ServerFailed(words) if code in _UNAVAILABLE else cls(words, kind)


class Connector:
    """Opens connections to LDAP servers, and searches over them. All methods block the calling thread.

    Attributes:
        failures: exceptions that mean that a server cannot be used, including an unusable password file.
    """

    def __init__(self, server: Server, clock: Callable[[], float] = time.monotonic) -> None:
        with warnings.catch_warnings():
            # ldap3 2.9.1 uses deprecated names of pyasn1, and warns when it is imported
            warnings.simplefilter("ignore", DeprecationWarning)
            import ldap3
        self._ldap3 = ldap3
        self.failures: tuple[type[Exception], ...] = (
            ServerFailed,
            ConfigurationError,
            OSError,
            ValueError,
            ldap3.core.exceptions.LDAPExceptionError,
        )
        self._server = server
        self._clock = clock
        self._open_now: set[Any] = set()
        # read once, so that a missing file is reported when the hub starts
        self._tls = ssl.create_default_context(cafile=server.ca_file or None)
        self._tls.minimum_version = ssl.TLSVersion.TLSv1_2

    def kind_of(self, failure: Exception) -> ErrorKind:
        """Return what kind of failure one of `failures` is; ldap3's are also what they wrap (OSError, SSLError)."""
        if isinstance(failure, ServerFailed | ConfigurationError):
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
        """Return whether connections to this server are always encrypted."""
        return urlsplit(address).scheme == "ldaps" or self._server.start_tls

    def open(self, address: str, until: float) -> Any:
        """Connect, encrypt, bind, and return the connection. Raises one of `failures`."""
        bind: dict[str, Any] = {}
        if self._server.bind_dn:
            password = read_secret("LdapAccounts.password_file", self._server.password_file)
            bind = {"user": self._server.bind_dn, "password": password}
        connection = self._connect(address, until, **bind)
        try:
            if not connection.bind(read_server_info=False):
                code, description = connection.result["result"], connection.result["description"]
                raise ServerRefused.of(code, f"bind refused: {description}", ErrorKind.BIND_REFUSED)
        except BaseException:
            self.close(connection)
            raise
        return connection

    def check_password(self, address: str, dn: str, password: str, until: float) -> BindResult:
        """Bind with this DN and password, and return what the server says. Raises one of `failures`."""
        connection = self._connect(address, until, user=dn, password=password)
        try:
            connection.bind(read_server_info=False, controls=[(PASSWORD_POLICY, False, None)])
            answer = connection.result
        finally:
            self.close(connection)
        code = answer["result"]
        if code not in (_SUCCESS, *REJECTED):
            raise ServerRefused.of(code, f"password check failed: {answer['description']}")
        controls = {oid: one.get("value") for oid, one in (answer.get("controls") or {}).items()}
        return bind_result(code, str(answer.get("message") or ""), controls)

    def search(self, connection: Any, until: float, search: Search) -> SearchResult:
        """Return the result of a search, with all its pages. Raises one of `failures`."""
        pages: list[SearchResult] = []
        cookie: bytes | None = None
        while True:
            page = self._page(connection, until, search, cookie)
            pages.append(page)
            if sum(len(one.entries) for one in pages) > search.size_limit:
                return replace(joined(pages), complete=False)
            cookie = _cookie_of(connection.result) if search.paged and page.complete else None
            if not cookie:
                return joined(pages)

    def _page(self, connection: Any, until: float, search: Search, cookie: bytes | None) -> SearchResult:
        left = until - self._clock()
        if left <= 0:
            raise ServerFailed("timeout", ErrorKind.TIMEOUT)
        wait = min(left, self._server.operation_timeout_s)
        connection.socket.settimeout(wait)
        connection.search(
            search.base,
            search.filter or "(objectClass=*)",
            search_scope=self._ldap3.SUBTREE if search.filter else self._ldap3.BASE,
            dereference_aliases=self._ldap3.DEREF_NEVER,
            attributes=list(search.attributes),
            # pages are counted here; the server would count what it could not know to be too much
            size_limit=0 if search.paged else search.size_limit,
            time_limit=max(1, int(wait)),
            **({"paged_size": PAGE, "paged_cookie": cookie, "paged_criticality": False} if search.paged else {}),
        )
        code = connection.result["result"]
        if code == _NO_SUCH_OBJECT and not search.filter:
            return SearchResult(())
        if code not in (_SUCCESS, _SIZE_LIMIT, _REFERRAL):
            raise ServerRefused.of(code, f"search below {search.base} failed: {connection.result['description']}")
        return _result_of(connection.response or (), code, connection.result.get("referrals") or ())

    def close(self, connection: Any) -> None:
        """Close a connection."""
        self._open_now.discard(connection)
        # without an unbind request, which might hang
        with contextlib.suppress(OSError, AttributeError):
            connection.socket.close()
        connection.closed = True

    def close_all(self) -> None:
        """Close all connections, including those that a thread waits for."""
        for connection in list(self._open_now):
            self.close(connection)

    def _connect(self, address: str, until: float, **bind: Any) -> Any:
        """Connect and encrypt.

        Raises:
            ServerFailed: the server cannot encrypt.
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
                raise ServerRefused("no StartTLS support", ErrorKind.NO_STARTTLS)
            connection.socket.settimeout(wait)
        except BaseException:
            self.close(connection)
            raise
        return connection


def _cookie_of(result: Mapping[str, Any]) -> bytes:
    """Return the cookie for the next page; b"" after the last one, or from a server without pages."""
    control = (result.get("controls") or {}).get(_PAGED_RESULTS) or {}
    return bytes((control.get("value") or {}).get("cookie") or b"")


def _result_of(response: Sequence[Mapping[str, Any]], code: int, referrals: Sequence[str]) -> SearchResult:
    entries = tuple(
        Entry(one["dn"], {name.lower(): list(values) for name, values in one["raw_attributes"].items()})
        for one in response
        if one.get("type") == "searchResEntry"
    )
    for entry in entries:
        # ldap3 reads the remaining ranges of an attribute itself; one that is left would be a part of the values
        if part := next((name for name in entry.attributes if ";range=" in name), ""):
            raise ServerRefused(f"attribute {part} of {entry.dn} is incomplete", ErrorKind.INCOMPLETE_RESULT)
    others = [str(uri) for one in response if one.get("type") == "searchResRef" for uri in one.get("uri", ())]
    return SearchResult(entries, code == _SUCCESS, (*others, *referrals))


def _verified_tls(ldap3: Any, context: ssl.SSLContext, host: str, wait_s: float) -> Any:
    """Return an ldap3 TLS object with Python's own certificate and host name checks, and a handshake timeout."""

    class VerifiedTls(ldap3.Tls):
        def wrap_socket(self, connection: Any, do_handshake: bool = False) -> None:
            connection.socket.settimeout(wait_s)
            connection.socket = context.wrap_socket(connection.socket, server_hostname=host)

    return VerifiedTls(validate=ssl.CERT_REQUIRED)
