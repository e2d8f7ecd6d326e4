"""The one way to a facility's services over HTTP: bounded in time and size, never led elsewhere, JSON or nothing.

A source says what it asks for; whatever else comes (a page of HTML, an error, silence, a flood) becomes
`SourceUnavailable`: a plain sentence for the user, and for the log which service was asked what, and what it said. The
log has only the configured address, not the requested one: some catalogues have the session in the path.
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
from urllib.parse import urlsplit

import aiohttp
import yarl

from daas_hub.errors import ConfigurationError, ErrorKind, SourceUnavailable
from daas_hub.services import strict_json
from daas_hub.services.circuit_breaker import CircuitBreaker
from daas_hub.services.http_failures import failure_of, redirect_failure, transport_failure
from daas_hub.services.measuring import count_not_asked, host_of, question
from daas_hub.services.recording import Exchange, begin, shape_of
from daas_hub.services.web_proxy import LOOPBACK, proxy_for

#: Larger answers are parsed beside the event loop.
_PARSED_AT_ONCE = 50_000
#: A service that is being restarted answers so for a moment; a question (never a login) is asked once more.
_TRY_AGAIN = (502, 503, 504)
_TRY_AGAIN_AFTER_S = 0.2

#: What a request fails with when there is no answer. A `ValueError` is an address that is none.
_FAILURES = (aiohttp.ClientError, OSError, ValueError)

_SHAPES: dict[type[Any], str] = {dict: "an object", list: "a list"}


@dataclass(frozen=True)
class Service:
    """One service of the facility.

    Attributes:
        source: its name in the configuration and in the log, "icat" say.
        called: what users call it, at the beginning of a sentence: "The data catalogue".
        url: its address, without anything secret.
        timeout_s: for everything one question needs: logins, pages and all.
        max_bytes: of one answer, unpacked.
        tls: whom to believe that they are the service; None for the machine's own authorities.
        breaker: leaves the service alone for a while when it fails again and again; None never does.
        stumbles: whether a 500 may be one question's fault, because strangers choose what is asked: it closes the
            service to nobody then. What a gateway says of a service that is not there (502, 503, 504) does.
        proxy: the web proxy it is reached through; "" for the machine's, if there is one (see `web_proxy`).
    """

    source: str
    called: str
    url: str
    timeout_s: float = 10.0
    max_bytes: int = 8_000_000
    tls: ssl.SSLContext | None = None
    breaker: CircuitBreaker | None = None
    stumbles: bool = False
    proxy: str = field(default="", repr=False)

    @asynccontextmanager
    async def conversation(self) -> AsyncIterator[Conversation]:
        """Open a conversation; everything in it shares connections and one deadline, and no cookie outlives it.

        Raises:
            SourceUnavailable: the time is over, or the service failed again and again and is left alone for a moment.
        """
        host = host_of(self.url)
        if self.breaker is not None and not self.breaker.admits():
            count_not_asked(self.source, host)
            raise self.unavailable(
                "anything", "nothing: it was not asked, for it failed several times in a row", ErrorKind.CIRCUIT_OPEN
            )
        with question(self.source, host):
            async with self._measured_conversation() as talk:
                yield talk

    @asynccontextmanager
    async def _measured_conversation(self) -> AsyncIterator[Conversation]:
        talk: Conversation | None = None
        try:
            async with (
                asyncio.timeout(self.timeout_s),
                aiohttp.ClientSession(
                    connector=aiohttp.TCPConnector(limit=8, ssl=self.tls or True),
                    headers={"Accept": "application/json", "User-Agent": "daas-hub"},
                    timeout=aiohttp.ClientTimeout(total=None),
                ) as session,
            ):
                talk = Conversation(self, session)
                yield talk
        except TimeoutError:
            asked = talk.asked_for if talk else "a connection"
            if talk is not None and talk.waited_s() > self.timeout_s / 2:
                # one question waited most of the time; many questions in a row only say that there is much to ask
                talk.is_answered = False
            came = f"no answer within {self.timeout_s:g} s"
            if talk is not None and talk.exchange is not None:
                talk.exchange.wrong, talk.exchange.failure = came, ErrorKind.TIMEOUT
            raise self.unavailable(asked, came, ErrorKind.TIMEOUT) from None
        finally:
            if self.breaker is not None and talk is not None and talk.is_answered is not None:
                (self.breaker.answered if talk.is_answered else self.breaker.failed)()

    def unavailable(self, asked_for: str, came: str, kind: ErrorKind) -> SourceUnavailable:
        """Word what happened: `came` instead of what was `asked_for`."""
        return SourceUnavailable(
            f"{self.called} is not available at the moment.",
            remedy="Please try again in a few minutes. The problem has been logged.",
            detail=f"{self.source} at {self.url}: asked for {asked_for}, got {came}",
            kind=kind,
        )


@dataclass(frozen=True)
class Reply:
    """The response of a service: the status, and the document if it was JSON. Redirects and server errors raise."""

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


class Conversation:
    """Questions to one service."""

    def __init__(self, service: Service, session: aiohttp.ClientSession) -> None:
        self.service = service
        self.asked_for = ""
        #: whether the last question had an answer that was not the service's own failure; None before it is known
        self.is_answered: bool | None = None
        #: the last question, for whoever keeps a record
        self.exchange: Exchange | None = None
        self._session = session
        self._asked_at = 0.0

    def waited_s(self) -> float:
        """Return how long ago the last question was asked."""
        return asyncio.get_running_loop().time() - self._asked_at

    async def get(self, url: str, asked_for: str, **more: Any) -> Reply:
        """Ask; see `_ask`. A question that got no answer is asked once more."""
        return await self._ask("GET", url, asked_for, tries=2, **more)

    async def post(self, url: str, asked_for: str, **more: Any) -> Reply:
        """Send; see `_ask`."""
        return await self._ask("POST", url, asked_for, tries=1, **more)

    async def delete(self, url: str, asked_for: str, **more: Any) -> Reply:
        """End something; see `_ask`."""
        return await self._ask("DELETE", url, asked_for, tries=1, **more)

    async def location_of(self, url: str, asked_for: str) -> tuple[int, str]:
        """Return status and Location of an answer whose body does not matter: where a browser would be sent.

        Raises:
            SourceUnavailable: no connection.
        """
        try:
            async with self._request("GET", url, asked_for) as response:
                return response.status, response.headers.get("Location", "")
        except _FAILURES as error:
            self._failed(error)

    async def _ask(
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
        """Send one request, `url` as it is.

        Args:
            asked_for: what this is, for the log.
            form: fields of a form; `document`: the same as JSON.
            require_json: whether a success must be JSON, or nothing.

        Raises:
            SourceUnavailable: no connection, the service's failure, a redirect, too much, a success that is no JSON.
        """
        request: dict[str, Any] = {"params": params, "headers": headers, "data": form, "json": document}
        for left in reversed(range(tries)):
            try:
                async with self._request(method, url, asked_for, **request) as response:
                    if left and response.status in _TRY_AGAIN:
                        raise aiohttp.ServerDisconnectedError  # as good as no answer
                    return await self._reply(response, require_json=require_json)
            except _FAILURES as error:
                if not left or not isinstance(error, aiohttp.ClientConnectionError):
                    self._failed(error)
            await asyncio.sleep(_TRY_AGAIN_AFTER_S)
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
        """Send one request; no redirect is followed."""
        self.asked_for = asked_for
        self._asked_at = asyncio.get_running_loop().time()
        self.exchange = begin(method, url, self.service.url, asked_for)
        address = yarl.URL(url, encoded=True)
        if params:
            address = address.update_query(dict(params))
        proxy = self.service.proxy or proxy_for(address)
        async with self._session.request(method, address, proxy=proxy, allow_redirects=False, **request) as response:
            self.exchange.status = response.status
            yield response

    def _failed(self, error: Exception) -> NoReturn:
        """Say that there was no answer.

        Raises:
            SourceUnavailable, TimeoutError: always.
        """
        if isinstance(error, TimeoutError):
            raise error
        self.is_answered = False
        # without the error itself: its text may hold the address with everything in it
        self.give_up(*transport_failure(error))

    async def _reply(self, response: aiohttp.ClientResponse, *, require_json: bool) -> Reply:
        status = response.status
        self.is_answered = status < 500 or (self.service.stumbles and status not in (502, 503, 504))
        if 300 <= status < 400:
            place, kind = redirect_failure(response)
            self.give_up(f"a redirect ({status}) to {place}", kind)
        if status >= 500:
            self.give_up(f"status {status} ({response.content_type})", ErrorKind.SERVER_ERROR)
        body = await self._body(response)
        is_jwt = response.content_type == "application/jwt"
        reply = Reply(status, *await _parsed(body), body.decode("ascii", "replace").strip() if is_jwt else "")
        if require_json and status < 300 and reply.content not in ("JSON", "nothing"):
            self.give_up(
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
                self.give_up(f"more than {self.service.max_bytes} bytes", ErrorKind.RESPONSE_TOO_LARGE)
            parts.append(part)
        return b"".join(parts)

    def give_up(self, came: str, kind: ErrorKind = ErrorKind.INVALID_RESPONSE) -> NoReturn:
        """Say what came instead of what was asked for last, and what kind of failure that is.

        Raises:
            SourceUnavailable: always.
        """
        if self.exchange is not None and self.exchange.asked_for == self.asked_for:
            self.exchange.wrong, self.exchange.failure = came, kind
        raise self.service.unavailable(self.asked_for, came, kind) from None

    def give_up_on(self, reply: Reply) -> NoReturn:
        """Say that a reply has another status than was expected.

        Raises:
            SourceUnavailable: always.
        """
        self.give_up(f"status {reply.status} with {reply.content}", failure_of(reply.status, reply.content))

    def require(self, reply: Reply, shape: type[Any]) -> Any:
        """Return the document of a success, which is a `dict` or a `list`.

        Raises:
            SourceUnavailable: the service refused (for the administrators: it refused the portal), or the
                document is another one.
        """
        if reply.status in (401, 403):
            self.give_up(
                f"status {reply.status}: it does not accept the portal's credentials", ErrorKind.CREDENTIALS_REFUSED
            )
        if not 200 <= reply.status < 300:
            self.give_up_on(reply)
        if not isinstance(reply.document, shape):
            self.give_up(f"{_described(reply)} where {_SHAPES[shape]} was expected")
        return reply.document


def basic_auth(user: str, password: str) -> dict[str, str]:
    """Return the header of HTTP Basic, in UTF-8."""
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def require_url(setting: str, url: str, *, plain_http_reason: str | None = None) -> str:
    """Return a service's address as it is written, if it may be asked.

    Args:
        plain_http_reason: why it may be asked without encryption; None where no reason is accepted.

    Raises:
        ConfigurationError: it is not a URL, contains a password, or is plain HTTP without being loopback or excused.
    """

    def problem(message: str, remedy: str) -> ConfigurationError:
        shown = url if "@" not in url else "(not shown)"
        return ConfigurationError(setting, shown, message, remedy=remedy)

    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host, parts = None, urlsplit("")
    # a field in the host would let a login choose who is asked
    is_plain = url.isprintable() and " " not in url and not {"{", "}"} & set(parts.netloc) and not parts.fragment
    if not host or parts.scheme not in ("http", "https") or not is_plain:
        raise problem("is no address of a service", "Write it in full: https://service.facility.org/path.")
    if parts.username is not None or parts.password is not None:
        raise problem("holds a name or a password", "Take it out; a file of its own holds it.")
    if parts.scheme == "http" and host not in LOOPBACK and not (plain_http_reason or "").strip():
        raise problem(
            "is not encrypted: whoever is on the way could read and change what it says",
            "Use https://; http:// is accepted on this machine only."
            if plain_http_reason is None
            else "Use https://, or say in plain_http_reason why not.",
        )
    return url


def trust_of(setting: str, ca_file: str) -> ssl.SSLContext | None:
    """Return the authorities of a file; None for "" (the machine's own).

    Raises:
        ConfigurationError: the file holds none.
    """
    if not ca_file:
        return None
    try:
        return ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(
            setting, ca_file, f"holds no certificates: {error}", remedy="Give a file with certificates in PEM form."
        ) from None


async def _parsed(body: bytes) -> tuple[Any, str]:
    """Return the document of a body, and what it is."""
    body = body.removeprefix(codecs.BOM_UTF8)
    if not body.strip():
        return None, "nothing"
    try:
        if len(body) < _PARSED_AT_ONCE:
            return strict_json.loads(body, replace_surrogates=True), "JSON"
        return await asyncio.to_thread(strict_json.loads, body, replace_surrogates=True), "JSON"
    except strict_json.InvalidJSON:
        return None, "HTML" if body.lstrip().startswith(b"<") else "something that is no JSON"


def _described(reply: Reply) -> str:
    if reply.document is None:
        return "null" if reply.is_json else reply.content
    return _SHAPES.get(type(reply.document), "a value")
