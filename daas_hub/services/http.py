"""HTTP client for the facility's services: limits on time and size, no redirects, JSON only.

Anything but the expected response (an HTML page, an error, a timeout, a body that is too large) raises
`SourceUnavailable`, with a sentence for the user and, for the log, what was requested and what was received. The log
contains the configured URL only, never the requested one: some catalogues put the session id into the path.
"""

from __future__ import annotations

import asyncio
import base64
import codecs
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, NoReturn

import aiohttp
import yarl

from daas_hub.errors import ErrorKind, SourceUnavailable
from daas_hub.services import strict_json
from daas_hub.services.circuit_breaker import CircuitBreaker
from daas_hub.services.http_failures import failure_of, redirect_failure, transport_failure
from daas_hub.services.measuring import count_rejected, host_of, measured_requests
from daas_hub.services.recording import Exchange, begin, shape_of
from daas_hub.services.web_proxy import proxy_for

#: Larger documents are parsed in a thread.
_MAX_PARSED_INLINE = 50_000
#: What a gateway responds while a service restarts. GET is retried once; a login never is.
_RETRIED = (502, 503, 504)
_RETRY_AFTER_S = 0.2

#: Errors of a request without a response. A `ValueError` is an invalid URL.
_FAILURES = (aiohttp.ClientError, OSError, ValueError)

_SHAPES: dict[type[Any], str] = {dict: "an object", list: "a list"}


@dataclass(frozen=True)
class Service:
    """A service of the facility.

    Attributes:
        source: its name in the configuration and in the log: "icat".
        title: its name for users, as the subject of a sentence: "The data catalogue".
        url: its configured URL, without secrets.
        timeout_s: for all requests of one client together: logins and pages included.
        max_bytes: of one response, decompressed.
        tls: the trusted authorities; None for the system's.
        breaker: fails requests at once after repeated failures; None never does.
        tolerates_500: whether status 500 is a failure of one request, not of the service: strangers choose what is
            requested, and must not open the circuit for everybody. A gateway's 502, 503 and 504 count all the same.
        proxy: URL of the web proxy; "" for the system's, if there is one (see `web_proxy`).
    """

    source: str
    title: str
    url: str
    timeout_s: float = 10.0
    max_bytes: int = 8_000_000
    tls: ssl.SSLContext | None = None
    breaker: CircuitBreaker | None = None
    tolerates_500: bool = False
    proxy: str = field(default="", repr=False)

    @asynccontextmanager
    async def client(self) -> AsyncIterator[ServiceClient]:
        """Open a client; its requests share connections and one deadline, and its cookies end with it.

        Raises:
            SourceUnavailable: the deadline has passed, or the circuit is open after repeated failures.
        """
        host = host_of(self.url)
        if self.breaker is not None and not self.breaker.allows_request():
            count_rejected(self.source, host)
            raise self.unavailable(
                "anything",
                "nothing: it was not asked, because it failed several times in a row",
                ErrorKind.CIRCUIT_OPEN,
            )
        with measured_requests(self.source, host):
            async with self._measured_client() as client:
                yield client

    @asynccontextmanager
    async def _measured_client(self) -> AsyncIterator[ServiceClient]:
        client: ServiceClient | None = None
        try:
            async with (
                asyncio.timeout(self.timeout_s),
                aiohttp.ClientSession(
                    connector=aiohttp.TCPConnector(limit=8, ssl=self.tls or True),
                    headers={"Accept": "application/json", "User-Agent": "daas-hub"},
                    timeout=aiohttp.ClientTimeout(total=None),
                ) as session,
            ):
                client = ServiceClient(self, session)
                yield client
        except TimeoutError:
            asked_for = client.asked_for if client else "a connection"
            if client is not None and client.waited_s() > self.timeout_s / 2:
                # one request took most of the time; many requests in a row only mean that there is much to read
                client.has_answered = False
            got = f"no answer within {self.timeout_s:g} s"
            if client is not None and client.exchange is not None:
                client.exchange.wrong, client.exchange.failure = got, ErrorKind.TIMEOUT
            raise self.unavailable(asked_for, got, ErrorKind.TIMEOUT) from None
        finally:
            if self.breaker is not None and client is not None and client.has_answered is not None:
                (self.breaker.record_success if client.has_answered else self.breaker.record_failure)()

    def unavailable(self, asked_for: str, got: str, kind: ErrorKind) -> SourceUnavailable:
        """Return the error for a response that is not what was asked for."""
        return SourceUnavailable(
            f"{self.title} is not available at the moment.",
            remedy="Please try again in a few minutes. The problem has been logged.",
            detail=f"{self.source} at {self.url}: asked for {asked_for}, got {got}",
            kind=kind,
        )


@dataclass(frozen=True)
class Reply:
    """A service's response: its status, and the document if the body is JSON. Redirects and server errors raise."""

    status: int
    document: Any
    content: str
    #: A body of the type application/jwt, such as signed userinfo.
    jwt: str = ""

    @property
    def is_json(self) -> bool:
        """Return whether there is a document."""
        return self.content == "JSON"

    @property
    def object(self) -> dict[str, Any] | None:
        """The document, if it is an object of JSON."""
        return self.document if isinstance(self.document, dict) else None


class ServiceClient:
    """Requests to one service (see `Service.client`)."""

    def __init__(self, service: Service, session: aiohttp.ClientSession) -> None:
        self.service = service
        self.asked_for = ""
        #: whether the last request was answered, and not with the service's own failure; None before it is known
        self.has_answered: bool | None = None
        #: the last request, as it is recorded
        self.exchange: Exchange | None = None
        self._session = session
        self._sent_at = 0.0

    def waited_s(self) -> float:
        """Return the seconds since the last request was sent."""
        return asyncio.get_running_loop().time() - self._sent_at

    async def get(self, url: str, asked_for: str, **more: Any) -> Reply:
        """Send a GET; see `_send`. It is retried once if there is no response."""
        return await self._send("GET", url, asked_for, tries=2, **more)

    async def post(self, url: str, asked_for: str, **more: Any) -> Reply:
        """Send a POST; see `_send`."""
        return await self._send("POST", url, asked_for, tries=1, **more)

    async def delete(self, url: str, asked_for: str, **more: Any) -> Reply:
        """Send a DELETE; see `_send`."""
        return await self._send("DELETE", url, asked_for, tries=1, **more)

    async def location_of(self, url: str, asked_for: str) -> tuple[int, str]:
        """Return the status and the Location header of a response; its body is not read.

        Raises:
            SourceUnavailable: no connection.
        """
        try:
            async with self._request("GET", url, asked_for) as response:
                return response.status, response.headers.get("Location", "")
        except _FAILURES as error:
            self._fail_without_response(error)

    async def _send(
        self,
        method: str,
        url: str,
        asked_for: str,
        *,
        tries: int,
        require_json: bool = True,
        params: Mapping[str, str | int] | None = None,
        headers: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
        document: Any = None,
    ) -> Reply:
        """Send a request; `url` is not encoded again.

        Args:
            asked_for: what is requested, for the log: "a session".
            form: the fields of a form; `document`: a JSON document.
            require_json: whether a successful response must be JSON or empty.

        Raises:
            SourceUnavailable: no connection, a server error, a redirect, too large a body, a success that is not JSON.
        """
        request: dict[str, Any] = {"params": params, "headers": headers, "data": form, "json": document}
        for left in reversed(range(tries)):
            try:
                async with self._request(method, url, asked_for, **request) as response:
                    if left and response.status in _RETRIED:
                        raise aiohttp.ServerDisconnectedError  # a gateway, not the service
                    return await self._reply(response, require_json=require_json)
            except _FAILURES as error:
                if not left or not isinstance(error, aiohttp.ClientConnectionError):
                    self._fail_without_response(error)
            await asyncio.sleep(_RETRY_AFTER_S)
        raise AssertionError("the last try returns or raises")

    @asynccontextmanager
    async def _request(
        self,
        method: str,
        url: str,
        asked_for: str,
        *,
        params: Mapping[str, str | int] | None = None,
        **request: Any,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Send a request without following redirects."""
        self.asked_for = asked_for
        self._sent_at = asyncio.get_running_loop().time()
        self.exchange = begin(method, url, self.service.url, asked_for)
        address = yarl.URL(url, encoded=True)
        if params:
            address = address.update_query(dict(params))
        proxy = self.service.proxy or proxy_for(address)
        async with self._session.request(method, address, proxy=proxy, allow_redirects=False, **request) as response:
            self.exchange.status = response.status
            yield response

    def _fail_without_response(self, error: Exception) -> NoReturn:
        """Raise the error for a request without a response.

        Raises:
            SourceUnavailable, TimeoutError: always.
        """
        if isinstance(error, TimeoutError):
            raise error
        self.has_answered = False
        # not the error's own text: it may contain the whole URL
        self.fail(*transport_failure(error))

    async def _reply(self, response: aiohttp.ClientResponse, *, require_json: bool) -> Reply:
        status = response.status
        self.has_answered = status < 500 or (self.service.tolerates_500 and status not in _RETRIED)
        if 300 <= status < 400:
            place, kind = redirect_failure(response)
            self.fail(f"a redirect ({status}) to {place}", kind)
        if status >= 500:
            self.fail(f"status {status} ({response.content_type})", ErrorKind.SERVER_ERROR)
        body = await self._body(response)
        is_jwt = response.content_type == "application/jwt"
        reply = Reply(status, *await _parsed(body), body.decode("ascii", "replace").strip() if is_jwt else "")
        if require_json and status < 300 and reply.content not in ("JSON", "nothing"):
            self.fail(
                f"{reply.content} (status {status}, {response.content_type})", failure_of(reply.status, reply.content)
            )
        if self.exchange is not None:
            self.exchange.size, self.exchange.seconds = len(body), self.waited_s()
            self.exchange.content = reply.content
            self.exchange.shape = shape_of(reply.document) if reply.is_json else ""
        return reply

    async def _body(self, response: aiohttp.ClientResponse) -> bytes:
        parts, size = [], 0
        async for part in response.content.iter_chunked(65_536):
            size += len(part)
            if size > self.service.max_bytes:
                self.fail(f"more than {self.service.max_bytes} bytes", ErrorKind.RESPONSE_TOO_LARGE)
            parts.append(part)
        return b"".join(parts)

    def fail(self, got: str, kind: ErrorKind = ErrorKind.INVALID_RESPONSE) -> NoReturn:
        """Raise the error for the last request.

        Args:
            got: what was received instead of what was asked for.

        Raises:
            SourceUnavailable: always.
        """
        if self.exchange is not None and self.exchange.asked_for == self.asked_for:
            self.exchange.wrong, self.exchange.failure = got, kind
        raise self.service.unavailable(self.asked_for, got, kind) from None

    def fail_on_status(self, reply: Reply) -> NoReturn:
        """Raise the error for a reply with an unexpected status.

        Raises:
            SourceUnavailable: always.
        """
        self.fail(f"status {reply.status} with {reply.content}", failure_of(reply.status, reply.content))

    def require(self, reply: Reply, shape: type[Any]) -> Any:
        """Return the document of a successful reply.

        Args:
            shape: `dict` or `list`.

        Raises:
            SourceUnavailable: the service refused the portal's credentials or the request, or the document has another
                shape.
        """
        if reply.status in (401, 403):
            self.fail(
                f"status {reply.status}: it does not accept the portal's credentials", ErrorKind.CREDENTIALS_REFUSED
            )
        if not 200 <= reply.status < 300:
            self.fail_on_status(reply)
        if not isinstance(reply.document, shape):
            self.fail(f"{_described(reply)} where {_SHAPES[shape]} was expected")
        return reply.document


def basic_auth(user: str, password: str) -> dict[str, str]:
    """Return the headers of HTTP Basic authentication, in UTF-8."""
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


async def _parsed(body: bytes) -> tuple[Any, str]:
    """Return the document in a body, and what the body is: "JSON", "HTML", "nothing", ..."""
    body = body.removeprefix(codecs.BOM_UTF8)
    if not body.strip():
        return None, "nothing"
    try:
        if len(body) < _MAX_PARSED_INLINE:
            return strict_json.loads(body, replace_surrogates=True), "JSON"
        return await asyncio.to_thread(strict_json.loads, body, replace_surrogates=True), "JSON"
    except strict_json.InvalidJSON:
        return None, "HTML" if body.lstrip().startswith(b"<") else "something other than JSON"


def _described(reply: Reply) -> str:
    if reply.document is None:
        return "null" if reply.is_json else reply.content
    return _SHAPES.get(type(reply.document), "a value")
