"""Origins (RFC 6454) as values: two spellings of one scheme, host and port compare equal.

Browsers leave the scheme's default port out of `Origin`; web servers in front may send it in `Host`, as in
"daas.facility.org:443".
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

_DEFAULT_PORTS = {"http": 80, "https": 443}
#: Host and port of a `Host` header: a name, an IPv4 address, or an IPv6 address in brackets.
_HOST = re.compile(r"(?P<name>[^\s:/?#@\[\]\\]+|\[[0-9A-Fa-f:.]+\])(?::(?P<port>[0-9]{0,5}))?")


def normalized_host(host: str, scheme: str) -> str:
    """Return a host in lower case, without the scheme's default port; "" if it is malformed."""
    parts = _HOST.fullmatch(host)
    if parts is None:
        return ""
    name, port = parts["name"].lower(), int(parts["port"] or _DEFAULT_PORTS.get(scheme, 0))
    return name if port == _DEFAULT_PORTS.get(scheme) else f"{name}:{port}"


def normalized_origin(address: str) -> str:
    """Return the origin of an address in one spelling; "" if it has none, as "null" or a path."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return ""
    scheme = parts.scheme.lower()
    host = normalized_host(parts.netloc, scheme) if scheme in _DEFAULT_PORTS else ""
    return f"{scheme}://{host}" if host else ""


def is_origin_of(origin: str, host: str) -> bool:
    """Return whether a page of this origin was served under this `Host`.

    A host without a port has the default port of the origin's scheme: behind TLS, a server need not know its own.
    """
    own = normalized_origin(origin)
    return bool(own) and own.partition("://")[2] == normalized_host(host, own.partition("://")[0])
