"""Checks of what the configuration says about a service: its URL, and the authorities that it trusts."""

from __future__ import annotations

import ssl
from urllib.parse import urlsplit

from daas_hub.errors import ConfigurationError
from daas_hub.services.web_proxy import LOOPBACK


def require_url(setting: str, url: str, *, plain_http_reason: str | None = None) -> str:
    """Return the configured URL of a service, unchanged.

    Args:
        plain_http_reason: why plain HTTP is acceptable; None where it never is.

    Raises:
        ConfigurationError: it is not a URL, contains a password, or is plain HTTP to another machine without a reason.
    """

    def problem(message: str, remedy: str) -> ConfigurationError:
        shown = url if "@" not in url else "(not shown)"
        return ConfigurationError(setting, shown, message, remedy=remedy)

    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host, parts = None, urlsplit("")
    # a field in the host would let a login choose the server
    is_plain = url.isprintable() and " " not in url and not {"{", "}"} & set(parts.netloc) and not parts.fragment
    if not host or parts.scheme not in ("http", "https") or not is_plain:
        raise problem("is not the URL of a service", "Write it in full: https://service.facility.org/path.")
    if parts.username is not None or parts.password is not None:
        raise problem("contains a user name or a password", "Remove it; put it into a file of its own.")
    if parts.scheme == "http" and host not in LOOPBACK and not (plain_http_reason or "").strip():
        raise problem(
            "is not encrypted: anybody on the network could read and change the data",
            "Use https://; http:// is accepted on this machine only."
            if plain_http_reason is None
            else "Use https://, or give the reason in plain_http_reason.",
        )
    return url


def tls_context(setting: str, ca_file: str) -> ssl.SSLContext | None:
    """Return a context that trusts the authorities in a file; None for "" (the system's).

    Raises:
        ConfigurationError: the file contains no certificates.
    """
    if not ca_file:
        return None
    try:
        return ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(
            setting,
            ca_file,
            f"contains no certificates: {error}",
            remedy="Name a file with certificates in PEM format.",
        ) from None
