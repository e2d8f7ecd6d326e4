"""What the guard of the proxy (proxy_guard.mjs) is configured with: environment variables of the proxy's process."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

HEADERS = "DAAS_GUARD_HEADERS"
COOKIES = "DAAS_GUARD_COOKIES"


def guard_environment(trusted_proxy: Mapping[str, Any]) -> dict[str, str]:
    """Return the names that `UmbrellaAuthenticator.trusted_proxy` adds to those that no session gets.

    Values of the wrong type are left out: the authenticator refuses them, with a sentence.
    """
    headers = [trusted_proxy.get(key) for key in ("subject_header", "proof_header")]
    cookies = trusted_proxy.get("cookies")
    return {
        HEADERS: ",".join(name for name in headers if isinstance(name, str)),
        COOKIES: ",".join(str(name) for name in cookies) if isinstance(cookies, list | tuple) else "",
    }
