"""Why a login ended, passed from the request that ended it to the login page in a signed cookie of ten minutes."""

from __future__ import annotations

from typing import Any

from tornado.web import RequestHandler

COOKIE = "daas-ended"
_VALID_DAYS = 10 / 1440
_MAX_CHARS = 400
#: Set on a handler that ends a login and renders the login page itself.
_FOUND = "_daas_ended"


def keep_logout_reason(handler: Any, user: Any, why: str) -> None:
    """Make this browser's next login page say why the login ended.

    Requests about another person's login are ignored, and so are requests with an API token: they get a status code.
    """
    is_own = getattr(handler, "_jupyterhub_user", None) is user and not getattr(handler, "_token_authenticated", False)
    if not (isinstance(handler, RequestHandler) and is_own):
        return
    setattr(handler, _FOUND, why[:_MAX_CHARS])
    handler.set_signed_cookie(
        COOKIE,
        why[:_MAX_CHARS],
        expires_days=None,
        path=_path_of(handler),
        httponly=True,
        samesite="Lax",
        secure=handler.request.protocol == "https",
    )


def take_logout_reason(handler: Any) -> str:
    """Return the reason once, and clear it; "" if there is none. A new login clears it, too."""
    found: str = getattr(handler, _FOUND, "")
    kept = b"" if found else handler.get_signed_cookie(COOKIE, max_age_days=_VALID_DAYS) or b""
    if found or handler.get_cookie(COOKIE) is not None:
        handler.clear_cookie(COOKIE, path=_path_of(handler))
    return found or kept.decode("utf-8", "replace")


def _path_of(handler: Any) -> str:
    return str(handler.hub.base_url)
