"""What `UmbrellaAuthenticator.trusted_proxy` configures: the web server in front, and how it proves itself."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from ipaddress import ip_network
from typing import Any

from daas_hub.authenticators.trusted_proxy.signature import SECRET, SIGNED, Network, ProofRules
from daas_hub.errors import ConfigurationError
from daas_hub.log_redaction import redact_value
from daas_hub.services.secret_file import read_secret

#: Shorter secrets can be guessed.
LEAST_SECRET = 32
_PAGE = "See docs/how-to/login-umbrella-through-a-web-server.md."
#: The name of a cookie (RFC 6265), without the comma that separates names on their way to the proxy.
_COOKIE = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_HEADER = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,63}")
#: A path of this host, or an address of another.
_LOGOUT = re.compile(r"(?:/(?!/)|https://)[!-~]*")
_KEYS: dict[str, type | tuple[type, ...]] = {
    "title": str,
    "issuer": str,
    "secret_file": str,
    "proof": str,
    "web_servers": (list, tuple),
    "cookies": (list, tuple),
    "attribute": str,
    "logout_url": str,
    "subject_header": str,
    "proof_header": str,
    "max_age_s": (int, float),
    "hours": (int, float),
}

#: Returns the error of a key: its name, what is wrong, what to do.
Wrong = Callable[[str, str, str], ConfigurationError]


@dataclass(frozen=True)
class ProxySettings:
    """A web server in front, complete and checked.

    Attributes:
        issuer: who vouches for the subject; with it the key of the identity.
        hours: lifetime of a login; it cannot be verified again.
        attribute: what the identity provider calls the subject, for messages.
        logout_url: where a browser signs out of the web server, with {return_to}; "" if it cannot.
    """

    title: str
    issuer: str
    rules: ProofRules
    hours: float = 12.0
    attribute: str = "EAAHash"
    logout_url: str = ""


def read_proxy(setting: str, options: Mapping[str, Any]) -> ProxySettings:
    """Return the settings of a web server in front.

    Raises:
        ConfigurationError: naming the key that cannot work; the secret is never shown.
    """

    def wrong(key: str, message: str, remedy: str) -> ConfigurationError:
        return ConfigurationError(f"{setting}[{key!r}]", options.get(key), message, remedy=remedy)

    _require_usable(options, wrong)
    where, file = f"{setting}['secret_file']", str(options["secret_file"])

    def secret() -> str:
        value = read_secret(where, file)
        redact_value(value)
        return value

    if len(secret()) < LEAST_SECRET:
        raise ConfigurationError(
            where,
            file,
            f"holds fewer than {LEAST_SECRET} characters",
            remedy="Write the output of openssl rand -hex 32.",
        )
    own = {key: options[key] for key in ("proof", "subject_header", "proof_header", "max_age_s") if key in options}
    if "web_servers" in options:
        own["web_servers"] = _networks(options["web_servers"], wrong)
    rules = ProofRules(secret=secret, **own)
    if rules.subject_header.lower() == rules.proof_header.lower():
        raise wrong("proof_header", "is the header of the subject, too", "Use two headers.")
    return ProxySettings(
        options.get("title", "UmbrellaID"),
        options["issuer"],
        rules,
        float(options.get("hours", ProxySettings.hours)),
        options.get("attribute", ProxySettings.attribute),
        options.get("logout_url", ProxySettings.logout_url),
    )


def _require_usable(options: Mapping[str, Any], wrong: Wrong) -> None:
    """Check each key by itself."""
    for key, value in options.items():
        if key not in _KEYS:
            near = get_close_matches(str(key), _KEYS, n=1)
            known = ", ".join(_KEYS)
            raise wrong(key, "there is no such key", f"Did you mean {near[0]!r}?" if near else f"Known: {known}.")
        if not isinstance(value, _KEYS[key]) or isinstance(value, bool):
            raise wrong(key, "has the wrong type", _PAGE)
    for key in ("issuer", "secret_file"):
        if not options.get(key):
            raise wrong(key, "is not set", _PAGE)
    if options.get("proof", SECRET) not in (SIGNED, SECRET):
        raise wrong("proof", "is not a kind of proof", 'Use "signature" or "secret".')
    for key in ("max_age_s", "hours"):
        if options.get(key, 1) <= 0:
            raise wrong(key, "is not a positive number", "Use a number above 0.")
    for key in ("subject_header", "proof_header"):
        if key in options and not _HEADER.fullmatch(options[key]):
            raise wrong(key, "is not the name of a header", "Use letters, digits and '-', as in X-Daas-Proof.")
    if not all(isinstance(name, str) and _COOKIE.fullmatch(name) for name in options.get("cookies", ())):
        raise wrong("cookies", "has an entry that is not the name of a cookie", 'As in ["mysite_session"].')
    if options.get("logout_url") and not _LOGOUT.fullmatch(options["logout_url"]):
        raise wrong("logout_url", "is no path and no https address", "As in /Shibboleth.sso/Logout?return={return_to}.")


def _networks(addresses: list[Any] | tuple[Any, ...], wrong: Wrong) -> tuple[Network, ...]:
    try:
        return tuple(ip_network(str(one), strict=False) for one in addresses)
    except ValueError as problem:
        raise wrong("web_servers", str(problem), 'Use addresses and networks, as in ["192.0.2.7"].') from None
