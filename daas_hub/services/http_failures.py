"""Kinds of failed requests, and their descriptions for the log: of a URL never more than its host."""

from __future__ import annotations

import os
from urllib.parse import urlsplit

import aiohttp

from daas_hub.errors import ErrorKind
from daas_hub.services.web_proxy import InvalidProxy


def transport_failure(error: Exception) -> tuple[str, ErrorKind]:
    """Return the description and the kind of a request without a response."""
    if isinstance(error, InvalidProxy):
        return f"nothing: {error}", ErrorKind.WEB_PROXY
    if isinstance(error, aiohttp.ClientProxyConnectionError | aiohttp.ClientHttpProxyError):
        outcome = f"status {error.status}" if isinstance(error, aiohttp.ClientHttpProxyError) else "no connection"
        return f"nothing through the web proxy ({outcome})", ErrorKind.WEB_PROXY
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return f"an invalid certificate ({error.certificate_error})", ErrorKind.TLS_CERTIFICATE
    if isinstance(error, aiohttp.ClientConnectorError):
        kind = ErrorKind.DNS if isinstance(error, aiohttp.ClientConnectorDNSError) else ErrorKind.NO_CONNECTION
        system = error.os_error
        # a resolver's error has numbers of its own
        words = os.strerror(system.errno) if system.errno and kind is not ErrorKind.DNS else system.strerror
        return f"no connection ({words or type(system).__name__})", kind
    is_garbled = isinstance(error, aiohttp.ClientPayloadError | aiohttp.ClientResponseError)
    kind = ErrorKind.INVALID_RESPONSE if is_garbled else ErrorKind.NO_CONNECTION
    return f"no answer ({type(error).__name__})", kind


def failure_of(status: int, content: str) -> ErrorKind:
    """Return the kind of failure of an unusable reply."""
    if status in (401, 403):
        return ErrorKind.CREDENTIALS_REFUSED
    if status == 404:
        return ErrorKind.NOT_FOUND
    if 400 <= status < 500:
        return ErrorKind.REQUEST_REJECTED
    if status >= 500:
        return ErrorKind.SERVER_ERROR
    return ErrorKind.HTML if content == "HTML" else ErrorKind.INVALID_RESPONSE


def redirect_failure(response: aiohttp.ClientResponse) -> tuple[str, ErrorKind]:
    """Return a redirect's target without its path, which may contain a secret, and the kind of failure."""
    try:
        asked, parts = response.url, urlsplit(response.headers.get("Location", ""))
    except ValueError:
        return "nowhere", ErrorKind.REDIRECT
    if parts.netloc and parts.netloc != asked.authority:
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}", ErrorKind.REDIRECT
    if parts.path.rstrip("/") == asked.raw_path.rstrip("/") and parts.path != asked.raw_path:
        slash = "a trailing slash" if parts.path.endswith("/") else "no trailing slash"
        same = f"the same path with {slash}: write the URL in the configuration like that"
        return same, ErrorKind.REDIRECT_SAME_HOST
    return "another path", ErrorKind.REDIRECT_SAME_HOST
