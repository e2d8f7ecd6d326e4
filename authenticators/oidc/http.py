"""Requests to a login provider over the portal's one HTTP client (`daas_hub.services.http`), and their settings."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import yarl

from daas_hub.errors import ConfigurationError
from daas_hub.services.http import Service

#: Maximum size of one response, decompressed.
MAX_ANSWER_BYTES = 1_000_000
TIMEOUT_S = 10.0

LATER = "Please try again in a few minutes."

#: Keys of oauthenticator's `http_request_kwargs` that are honoured; they are arguments of tornado's `HTTPRequest`.
_KNOWN: dict[str, type | tuple[type, ...]] = {
    "ca_certs": str,
    "client_cert": str,
    "client_key": str,
    "ssl_options": ssl.SSLContext,
    "validate_cert": bool,
    "request_timeout": (int, float),
    "proxy_host": str,
    "proxy_port": int,
    "proxy_username": str,
    "proxy_password": str,
}


@dataclass(frozen=True)
class HTTPSettings:
    """How providers are reached.

    Attributes:
        tls: authorities to trust and the client certificate; None for the system's trust store.
        timeout_s: for one request.
        proxy: address of a web proxy; "" for the one in HTTPS_PROXY, if any.
    """

    tls: ssl.SSLContext | None = None
    timeout_s: float = TIMEOUT_S
    proxy: str = field(default="", repr=False)


@dataclass(frozen=True)
class Answer:
    """A status, and the JSON object in the response; None if it is not an object. `jwt` is an application/jwt body."""

    status: int
    document: dict[str, Any] | None
    jwt: str = ""


def service_at(url: str, http: HTTPSettings) -> Service:
    """Return a provider's endpoint as a service; only its host is logged, because the rest may hold a secret."""
    return Service(
        "login provider",
        "The login provider",
        urlsplit(url).netloc,
        timeout_s=http.timeout_s,
        max_bytes=MAX_ANSWER_BYTES,
        tls=http.tls,
        proxy=http.proxy,
    )


async def ask(
    url: str,
    asked_for: str,
    *,
    http: HTTPSettings,
    headers: Mapping[str, str] | None = None,
    form: Mapping[str, str] | None = None,
) -> Answer:
    """Send a GET request, or a form.

    Args:
        asked_for: what is requested, for the log.

    Raises:
        SourceUnavailable: no response, a server error, a redirect, or a response that is too large.
    """
    async with service_at(url, http).client() as client:
        if form is None:
            reply = await client.get(url, asked_for, headers=headers, require_json=False)
        else:
            reply = await client.post(url, asked_for, headers=headers, form=form, require_json=False)
    return Answer(reply.status, reply.object, reply.jwt)


def read_http_settings(setting: str, wanted: Mapping[str, Any]) -> HTTPSettings:
    """Return what oauthenticator's `http_request_kwargs` and `validate_server_cert` say.

    Args:
        setting: the name of `http_request_kwargs`, for an error.
        wanted: its keys, and `validate_cert`.

    Raises:
        ConfigurationError: a key that the portal's HTTP client does not support, or an invalid value.
    """
    for key, value in wanted.items():
        if key not in _KNOWN:
            raise ConfigurationError(
                f"{setting}[{key!r}]",
                "(not shown)",
                "has no effect on the portal's HTTP client",
                remedy=f"Remove it. Known: {', '.join(sorted(set(_KNOWN) - {'validate_cert'}))}.",
            )
        if not isinstance(value, _KNOWN[key]) or (isinstance(value, bool) and key != "validate_cert"):
            raise ConfigurationError(
                f"{setting}[{key!r}]", "(not shown)", "has the wrong type", remedy="Compare tornado's HTTPRequest."
            )
    return HTTPSettings(
        tls=_tls(setting, wanted),
        timeout_s=float(wanted.get("request_timeout", TIMEOUT_S)),
        proxy=_proxy(setting, wanted),
    )


def _tls(setting: str, wanted: Mapping[str, Any]) -> ssl.SSLContext | None:
    given: ssl.SSLContext | None = wanted.get("ssl_options")
    ca_certs, certificate = wanted.get("ca_certs"), wanted.get("client_cert")
    is_checked = wanted.get("validate_cert", True)
    if given is not None or (not ca_certs and not certificate and is_checked):
        return given
    try:
        context = ssl.create_default_context(cafile=ca_certs or None)
        if certificate:
            context.load_cert_chain(certificate, wanted.get("client_key"))
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(
            f"{setting}['{'client_cert' if certificate else 'ca_certs'}']",
            certificate or ca_certs,
            f"cannot be used: {error}",
            remedy="Give a readable file in PEM format.",
        ) from None
    if not is_checked:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _proxy(setting: str, wanted: Mapping[str, Any]) -> str:
    host = wanted.get("proxy_host")
    if not host:
        return ""
    try:
        return str(
            yarl.URL.build(
                scheme="http",
                host=host,
                port=wanted.get("proxy_port", 80),
                user=wanted.get("proxy_username"),
                password=wanted.get("proxy_password"),
            )
        )
    except ValueError:
        raise ConfigurationError(
            f"{setting}['proxy_host']", host, "is not a host name", remedy="Give the name without http:// and port."
        ) from None
