"""Why a login ended, from the request that found out to the login page that says so: a signed cookie of ten minutes."""

from __future__ import annotations

from typing import Any

from tornado.web import RequestHandler

COOKIE = "daas-ended"
_GOOD_FOR_DAYS = 10 / 1440
_MAX_LETTERS = 400
#: What a request found out itself, for a login page that is its answer.
_FOUND = "_daas_ended"


def tell_why_later(handler: Any, user: Any, why: str) -> None:
    """Let this browser's next login page say why the login ended.

    Nobody is told who asked about another person's login, and no program with a token: it has its status.
    """
    is_own = getattr(handler, "_jupyterhub_user", None) is user and not getattr(handler, "_token_authenticated", False)
    if not (isinstance(handler, RequestHandler) and is_own):
        return
    setattr(handler, _FOUND, why[:_MAX_LETTERS])
    handler.set_signed_cookie(
        COOKIE,
        why[:_MAX_LETTERS],
        expires_days=None,
        path=_path_of(handler),
        httponly=True,
        samesite="Lax",
        secure=handler.request.protocol == "https",
    )


def take_why_it_ended(handler: Any) -> str:
    """Return the sentence, once; "" if there is none. A sign-in takes it as well: it is over then."""
    found: str = getattr(handler, _FOUND, "")
    kept = b"" if found else handler.get_signed_cookie(COOKIE, max_age_days=_GOOD_FOR_DAYS) or b""
    if found or handler.get_cookie(COOKIE) is not None:
        handler.clear_cookie(COOKIE, path=_path_of(handler))
    return found or kept.decode("utf-8", "replace")


def _path_of(handler: Any) -> str:
    return str(handler.hub.base_url)
