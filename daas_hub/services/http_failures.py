"""What kind of failure a request ended in, and what the log says of it: never a part of an address behind its host."""

from __future__ import annotations

import os
from urllib.parse import urlsplit

import aiohttp

from daas_hub.errors import ErrorKind
from daas_hub.services.web_proxy import InvalidProxy


def transport_failure(error: Exception) -> tuple[str, ErrorKind]:
    """Return what happened to a request without an answer."""
    if isinstance(error, InvalidProxy):
        return f"nothing, for {error}", ErrorKind.WEB_PROXY
    if isinstance(error, aiohttp.ClientProxyConnectionError | aiohttp.ClientHttpProxyError):
        said = f"status {error.status}" if isinstance(error, aiohttp.ClientHttpProxyError) else "no connection"
        return f"nothing through the web proxy ({said})", ErrorKind.WEB_PROXY
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return f"a certificate that does not hold ({error.certificate_error})", ErrorKind.TLS_CERTIFICATE
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
    """Return what is wrong with a reply that cannot be used."""
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
    """Return where a redirect leads, without what stands behind the host: that may be a secret."""
    try:
        asked, parts = response.url, urlsplit(response.headers.get("Location", ""))
    except ValueError:
        return "nowhere", ErrorKind.REDIRECT
    if parts.netloc and parts.netloc != asked.authority:
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}", ErrorKind.REDIRECT
    if parts.path.rstrip("/") == asked.raw_path.rstrip("/") and parts.path != asked.raw_path:
        ends = "a slash at its end" if parts.path.endswith("/") else "no slash at its end"
        same = f"the same path with {ends}: write the address in the configuration so"
        return same, ErrorKind.REDIRECT_SAME_HOST
    return "another path", ErrorKind.REDIRECT_SAME_HOST
