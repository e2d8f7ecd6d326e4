"""Starts a session from the queue: as its owner would, by the hub's own path, without a request of theirs."""

from __future__ import annotations

from typing import Any

from jupyterhub import orm
from jupyterhub.spawner import SpawnException
from tornado import web

from daas_hub.admission.dispatcher import NotStarted
from daas_hub.portal.launch_login import end_launch_login
from daas_hub.portal.lost_starts import start_until_kept
from daas_hub.portal.session_views import failure_of

#: Of a login that ended while its launch waited.
SIGN_IN_AGAIN = "Your login ended while you were waiting. Please sign in and launch again."


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
        await start_until_kept(app, user_name, name, options)
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
    finally:
        end_launch_login(spawner)


def _keep(app: Any, spawner: Any, words: str) -> None:
    """Let the session's card say why it did not start, also after a restart of the hub."""
    spawner.failure = words
    spawner.orm_spawner.state = spawner.get_state()
    app.db.commit()
