"""The hub's part in the login of a launch (`daas_hub.launch_login`): the code, and the browser's cookie."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from jupyterhub.scopes import access_scopes, identify_scopes

from daas_hub.launch_login import COOKIE, VALID_S, LaunchLogin, challenge_of
from daas_hub.portal.hub_requests import public_origin


def new_launch_login(handler: Any) -> LaunchLogin | None:
    """Return a login for the session that this request starts; None if the portal cannot sign this browser in there.

    A browser takes no cookie from the portal for another host name. A program that authenticates with a token has no
    login at the hub that a sign-out would end.
    """
    if handler.settings.get("subdomain_host") or not handler.is_login(handler.own_session_id):
        return None
    return LaunchLogin.new()


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
