"""The hub's part in the login of a launch (`daas_hub.launch_login`): the code, and the browser's cookie.

A browser that is sent on by the response to its form gets the cookie with it. If its session is not ready by then, the
login is kept for the page that this browser follows the start on.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from jupyterhub.scopes import access_scopes, identify_scopes

from daas_hub.launch_login import COOKIE, VALID_S, LaunchLogin, challenge_of
from daas_hub.portal.desktop_page import is_browser
from daas_hub.portal.hub_requests import public_origin


@dataclass(frozen=True)
class KeptLogin:
    """A login whose browser waits for its session."""

    #: The login at the hub that pressed the button.
    session_id: str
    login: LaunchLogin


def new_launch_login(handler: Any) -> LaunchLogin | None:
    """Return a login for the session that this request starts; None if the portal cannot sign this browser in there.

    A browser takes no cookie from the portal for another host name. A program that authenticates with a token has no
    login at the hub that a sign-out would end.
    """
    if handler.settings.get("subdomain_host") or not handler.is_login(handler.own_session_id):
        return None
    return LaunchLogin.new()


def keep_login(handler: Any, spawner: Any, login: LaunchLogin) -> None:
    """Keep a login for the next request of this browser about a session that is not ready."""
    spawner.kept_login = KeptLogin(handler.own_session_id, login)


def is_login_kept(handler: Any, spawner: Any) -> bool:
    """Return whether a login is kept for this browser."""
    kept = getattr(spawner, "kept_login", None)
    return kept is not None and bool(kept.session_id == handler.own_session_id)


def take_login(handler: Any, spawner: Any) -> LaunchLogin | None:
    """Return the login that is kept for this browser, once; None for any other browser."""
    if not is_login_kept(handler, spawner):
        return None
    kept, spawner.kept_login = spawner.kept_login, None
    return kept.login


def end_launch_login(spawner: Any) -> None:
    """Let the login of a start that has ended expire, as it does in the session; a later start has none of it."""
    spawner.launch_login = None
    if (kept := getattr(spawner, "kept_login", None)) is None:
        return

    def expire() -> None:
        if spawner.kept_login is kept:
            spawner.kept_login = None

    asyncio.get_running_loop().call_later(VALID_S, expire)


def open_session(handler: Any, spawner: Any, login: LaunchLogin | None) -> str:
    """Return the address at which this browser opens a session that accepts connections; sign it in with this login."""
    if login is not None and set_login_cookie(handler, spawner, login) and is_browser(handler.request):
        # the session responds in a moment; the portal can send the same page now
        return f"{handler.hub_url}sessions/{spawner.name}/desktop"
    return str(spawner.session_url)


def set_login_cookie(handler: Any, spawner: Any, login: LaunchLogin) -> bool:
    """Set the cookie with which the browser of this request enters its session; return whether it may."""
    if not handler.get_scope_filter("access:servers")(spawner.orm_spawner, kind="server"):
        # a role of this person does not include it: the hub's own page says so
        return False
    if not handler.is_login(handler.own_session_id):
        # signed out while the session started
        return False
    handler.set_cookie(
        COOKIE,
        login.for_browser(_new_code(handler, spawner, login)),
        path=spawner.session_url,
        max_age=VALID_S,
        httponly=True,
        samesite="Lax",
        secure=public_origin(handler).startswith("https:"),
    )
    return True


def _new_code(handler: Any, spawner: Any, login: LaunchLogin) -> str:
    """Return a new authorization code of the session's OAuth client, as the hub's authorize endpoint makes it."""
    client = spawner.orm_spawner.oauth_client
    query = {
        "client_id": client.identifier,
        "redirect_uri": client.redirect_uri,
        "response_type": "code",
        "code_challenge": challenge_of(login.verifier),
        "code_challenge_method": "S256",
    }
    headers, _, _ = handler.oauth_provider.create_authorization_response(
        f"{handler.hub_url}api/oauth2/authorize?{urlencode(query)}",
        "POST",
        "",
        {},
        # a desktop's server reads who somebody is, and nothing else
        [*identify_scopes(), *access_scopes(client)],
        {"user": handler.current_user, "handler": handler, "session_id": handler.own_session_id},
    )
    return parse_qs(urlsplit(headers["Location"]).query)["code"][0]
