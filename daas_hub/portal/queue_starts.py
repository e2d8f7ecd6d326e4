"""Starts a session from the queue: as its owner would, by the hub's own path, without a request of theirs."""

from __future__ import annotations

import asyncio
from typing import Any

from jupyterhub import orm
from jupyterhub.spawner import SpawnException
from tornado import web
from tornado.httputil import HTTPConnection, HTTPServerRequest

from daas_hub.admission.dispatcher import NotStarted
from daas_hub.portal.hub_requests import HubRequest
from daas_hub.portal.session_views import failure_of

#: Of a login that ended while its launch waited.
SIGN_IN_AGAIN = "Your login ended while you were waiting. Please sign in and launch again."


class _NoConnection(HTTPConnection):
    """The connection of a request that nobody has sent."""

    def set_close_callback(self, callback: object) -> None:
        """Nothing is closed."""


class _StartHandler(HubRequest):
    """Calls `spawn_single_user`, which is a method of JupyterHub's handlers, for a person who is not there."""

    # the login is refreshed as for a start by the API: nobody can be sent to a login page
    _token_authenticated = True

    @classmethod
    def of(cls, app: Any, user: Any) -> _StartHandler:
        """Return a handler for this person."""
        connection: Any = _NoConnection()
        request = HTTPServerRequest("POST", f"{app.hub.base_url}launch", connection=connection)
        request.remote_ip = "127.0.0.1"
        handler = cls(app.tornado_application, request)
        handler._jupyterhub_user = user
        return handler


async def start_from_queue(app: Any, key: tuple[str, str], options: dict[str, object]) -> None:
    """Start a session, and return when it runs.

    Raises:
        NotStarted: it does not.
    """
    user_name, name = key
    row = orm.User.find(app.db, user_name)
    user = app.users[row] if row is not None else None
    if user is None or name not in user.orm_spawners:
        raise NotStarted("It was removed from the list of sessions.", "removed")
    spawner = user.spawners[name]
    if spawner.active or spawner.pending:
        raise NotStarted("It was started otherwise.", "started")
    try:
        await _StartHandler.of(app, user).spawn_single_user(user, name, spawner.orm_spawner.display_name, options)
        if (pending := user.spawners[name]._spawn_future) is not None:
            await asyncio.shield(pending)
    except SpawnException as error:
        # within the second that the hub waits: the backend, or an authorisation, whose reason counts
        raise NotStarted(failure_of(spawner), error.reason) from error
    except web.HTTPError as error:
        if error.status_code == 429:
            raise NotStarted(str(error.log_message), "throttled") from error
        words = SIGN_IN_AGAIN if error.status_code == 403 else failure_of(spawner) or str(error.log_message)
        _keep(app, spawner, words)
        raise NotStarted(words, "refused") from error
    except Exception as error:
        raise NotStarted(failure_of(spawner), str(getattr(error, "reason", "error"))) from error


def _keep(app: Any, spawner: Any, words: str) -> None:
    """Let the session's card say why it did not start, also after a restart of the hub."""
    spawner.failure = words
    spawner.orm_spawner.state = spawner.get_state()
    app.db.commit()
