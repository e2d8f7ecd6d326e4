"""Why a login ended, from the request that found out to the login page that says so: a signed cookie of ten minutes."""

from __future__ import annotations

from typing import Any

from tornado.web import RequestHandler

COOKIE = "daas-ended"
_GOOD_FOR_DAYS = 10 / 1440
_MOST_LETTERS = 400


def tell_why_later(handler: Any, why: str) -> None:
    """Let this browser's next login page say why the login ended; a program with a token has its status code."""
    if not isinstance(handler, RequestHandler) or getattr(handler, "_token_authenticated", False):
        return
    handler.set_signed_cookie(
        COOKIE,
        why[:_MOST_LETTERS],
        expires_days=None,
        path=_path_of(handler),
        httponly=True,
        samesite="Lax",
        secure=handler.request.protocol == "https",
    )


def why_it_ended(handler: Any) -> str:
    """Give the sentence for the login page; "" if there is none. It stays until it is taken."""
    told = handler.get_signed_cookie(COOKIE, max_age_days=_GOOD_FOR_DAYS)
    return told.decode("utf-8", "replace") if told else ""


def take_why_it_ended(handler: Any) -> str:
    """Give the sentence, once."""
    told = why_it_ended(handler)
    if told:
        handler.clear_cookie(COOKIE, path=_path_of(handler))
    return told


def _path_of(handler: Any) -> str:
    return str(handler.hub.base_url)
