"""Calls `spawn_single_user`, which is a method of JupyterHub's handlers, without a request of the session's owner."""

from __future__ import annotations

from typing import Any

from tornado.httputil import HTTPConnection, HTTPServerRequest

from daas_hub.portal.hub_requests import HubRequest


class _NoConnection(HTTPConnection):
    """The connection of a request that nobody has sent."""

    def set_close_callback(self, callback: object) -> None:
        """Nothing is closed."""


class StartHandler(HubRequest):
    """A handler for a person who is not there."""

    # the login is refreshed as for a start by the API: nobody can be sent to a login page
    _token_authenticated = True
    #: Whoever calls it takes care of that.
    follows_starts = False

    @classmethod
    def of(cls, app: Any, user: Any) -> StartHandler:
        """Return a handler for this person; `app` is the JupyterHub application."""
        connection: Any = _NoConnection()
        request = HTTPServerRequest("POST", f"{app.hub.base_url}launch", connection=connection)
        request.remote_ip = "127.0.0.1"
        handler = cls(app.tornado_application, request)
        handler._jupyterhub_user = user
        return handler
