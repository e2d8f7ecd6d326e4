"""The sign-ins that a browser has begun at a provider: one cookie each, so that several tabs do not undo each other.

A cookie is valid once. It holds what the callback is checked against, signed by the hub, and goes to the hub's own
pages only, not to sessions.
"""

from __future__ import annotations

import hashlib
import time
from typing import Any

from jupyterhub.handlers import BaseHandler
from oauthenticator.oauth2 import STATE_COOKIE_NAME, _deserialize_state, _serialize_state

#: The newest ones of a browser; a request's headers have a limit.
MAX_BEGUN = 8
_PREFIX = f"{STATE_COOKIE_NAME}-"


def cookie_name(state: str) -> str:
    """Return the name of the cookie of a sign-in; any text that came as its `state` has one."""
    return _PREFIX + hashlib.sha256(state.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def keep(handler: BaseHandler, state: str, begun: dict[str, Any]) -> None:
    """Store a sign-in in the browser, and forget the oldest ones beyond `MAX_BEGUN`."""
    others = {
        name: float(_read(handler, name).get("at") or 0.0) for name in handler.cookies if name.startswith(_PREFIX)
    }
    for name in sorted(others, key=others.__getitem__, reverse=True)[MAX_BEGUN - 1 :]:
        handler.clear_cookie(name, path=handler.hub.base_url)
    value = _serialize_state(begun | {"state_id": state, "at": time.time()})
    handler._set_cookie(cookie_name(state), value, expires_days=1, httponly=True, path=handler.hub.base_url)


def take(handler: BaseHandler, state: str) -> dict[str, Any]:
    """Return the sign-in of this state and forget it; {} if this browser has not begun it, or it was finished."""
    name = cookie_name(state)
    begun = _read(handler, name)
    if begun:
        handler.clear_cookie(name, path=handler.hub.base_url)
    return begun


def _read(handler: BaseHandler, name: str) -> dict[str, Any]:
    signed = handler.get_secure_cookie(name, max_age_days=1)
    begun = _deserialize_state(signed) if signed else {}
    return begun if isinstance(begun, dict) else {}
