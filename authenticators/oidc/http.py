"""One question to a login provider over HTTP, and its answer: bounded, never led elsewhere, one meaning or none."""

from __future__ import annotations

import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from tornado.httpclient import AsyncHTTPClient, HTTPRequest, HTTPResponse
from tornado.simple_httpclient import HTTPTimeoutError

from daas_hub.errors import ErrorKind, SourceUnavailable

MAX_ANSWER_BYTES = 1_000_000
#: The status that tornado gives where there was none.
_TORNADOS_OWN = 599

#: A number or a name may be long, not endless; a document of a provider nests a few levels.
LATER = "Please try again in a few minutes."


@dataclass(frozen=True)
class Answer:
    """A status, and the JSON object that came with it; None if what came is no object."""

    status: int
    document: dict[str, Any] | None


async def ask(url: str, *, timeout_s: float, http: Mapping[str, Any], **request: Any) -> Answer:
    """Ask a provider.

    Args:
        http: what the configuration says of its requests (certificates, a proxy).
        request: further arguments of tornado's `HTTPRequest`.

    Raises:
        SourceUnavailable: no answer, a failure of the provider's own, a redirect, or more than is read.
    """
    client = AsyncHTTPClient(force_instance=True, max_body_size=MAX_ANSWER_BYTES)
    try:
        answer = await client.fetch(
            HTTPRequest(
                url,
                **{"connect_timeout": timeout_s, "request_timeout": timeout_s, **http, **request},
                follow_redirects=False,
            ),
            raise_error=False,
        )
        # tornado gives its own 599 for whatever went wrong on the way
        failed = 300 <= answer.code < 400 or answer.code >= 500
        body = b"" if failed else answer.body or b""
    except Exception as error:  # any transport or size problem means the same: it cannot be had
        raise _out_of_reach(url, *_transport_failure(error)) from None
    finally:
        client.close()
    if failed:
        raise _out_of_reach(
            url, *(_transport_failure(answer.error) if answer.code == _TORNADOS_OWN else _status_failure(answer))
        )
    return Answer(answer.code, _object(body))


def _object(body: bytes) -> dict[str, Any] | None:
    try:
        document = read_json(body)
    except ValueError:
        return None
    return document if isinstance(document, dict) else None


def read_json(text: bytes | str) -> Any:
    """Read JSON that can be read in one way only.

    Raises:
        ValueError: it is none, nests without end, or has a key twice: two readers would not see the same.
    """

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({key for key, _ in pairs}) != len(pairs):
            raise ValueError("a key stands twice")
        return dict(pairs)

    try:
        return json.loads(text, object_pairs_hook=once)
    except RecursionError:
        raise ValueError("it nests too deep") from None


def _out_of_reach(url: str, why: str, kind: ErrorKind) -> SourceUnavailable:
    """Return the error; what is for the log tells the host and the kind, and nothing that stood in an address."""
    return SourceUnavailable(
        "The login provider cannot be reached at the moment.",
        remedy=LATER,
        detail=f"{urlsplit(url).netloc}: {why}",
        kind=kind,
    )


def _status_failure(answer: HTTPResponse) -> tuple[str, ErrorKind]:
    if answer.code >= 500:
        return f"status {answer.code}", ErrorKind.SERVER_ERROR
    try:
        host = urlsplit(answer.headers.get("Location", "")).netloc
    except ValueError:
        host = ""
    kind = ErrorKind.REDIRECT if host else ErrorKind.REDIRECT_SAME_HOST
    return f"a redirect ({answer.code}) to {host or 'another path'}", kind


def _transport_failure(error: BaseException | None) -> tuple[str, ErrorKind]:
    if isinstance(error, HTTPTimeoutError):
        return "no answer in time", ErrorKind.TIMEOUT
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"a certificate that does not hold ({error.verify_message})", ErrorKind.TLS_CERTIFICATE
    if isinstance(error, OSError):
        return f"no connection ({error.strerror or type(error).__name__})", ErrorKind.NO_CONNECTION
    words = f"no answer that can be used, or more than {MAX_ANSWER_BYTES} bytes ({type(error).__name__})"
    return words, ErrorKind.INVALID_RESPONSE
