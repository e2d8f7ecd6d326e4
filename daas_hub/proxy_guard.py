"""What the guard of the proxy (proxy_guard.mjs) is configured with: environment variables of the proxy's process."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

HEADERS = "DAAS_GUARD_HEADERS"
COOKIES = "DAAS_GUARD_COOKIES"
SIGN_IN = "DAAS_GUARD_SIGN_IN"


def guard_environment(trusted_proxy: Mapping[str, Any], hub_prefix: str = "/hub/") -> dict[str, str]:
    """Return the names that `UmbrellaAuthenticator.trusted_proxy` adds to those that no session gets.

    Values of the wrong type are left out: the authenticator refuses them, with a sentence.

    Args:
        hub_prefix: the path of the hub, whose sign-in alone gets the headers.
    """
    headers = [trusted_proxy.get(key) for key in ("subject_header", "proof_header")]
    cookies = trusted_proxy.get("cookies")
    return {
        SIGN_IN: f"{hub_prefix}proxy_login",
        HEADERS: ",".join(name for name in headers if isinstance(name, str)),
        COOKIES: ",".join(str(name) for name in cookies) if isinstance(cookies, list | tuple) else "",
    }
