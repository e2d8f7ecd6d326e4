"""Repeats a start that failed because the hub's database did not answer, once it does.

A restart of a few seconds fails nothing (`daas_hub.database`). In a longer one JupyterHub fails the start, and cannot
end what is left of it either, because it writes while it ends a session. So that is done first: nobody gets two.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

from jupyterhub import orm
from jupyterhub.app import JupyterHub
from jupyterhub.spawner import SpawnException
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from tornado import web

from daas_hub.database import was_lost_since
from daas_hub.portal.hub_requests import is_database_away
from daas_hub.portal.start_handler import StartHandler

#: Seconds between two questions whether the database answers, and after which the start has failed for good.
ASK_S, GIVE_UP_S = 1.0, 3600.0

#: Starts that wait: asyncio alone would forget them.
_waiting: set[asyncio.Task[None]] = set()


def is_lost(error: BaseException | None, began: float) -> bool:
    """Return whether a start failed with its database: it lost its connection, or what it had written was rolled back.

    Args:
        began: when it began, in seconds of `time.monotonic()`.
    """
    # refused, or failed by the backend
    if not isinstance(error, Exception) or isinstance(error, SpawnException | web.HTTPError):
        return False
    return is_database_away(error) or was_lost_since(began)


async def start_until_kept(app: Any, user_name: str, name: str, options: dict[str, object]) -> None:
    """Start a session for its owner, who need not be there, and return when it runs; repeat the start while it is lost.

    Raises:
        Exception: JupyterHub's, of the start.
    """
    while True:
        began = time.monotonic()
        user = _user_of(app, user_name)
        spawner = user.spawners[name]
        try:
            title = spawner.orm_spawner.display_name
            await StartHandler.of(app, user).spawn_single_user(user, name, title, options)
            if (pending := user.spawners[name]._spawn_future) is not None:
                await asyncio.shield(pending)
        except Exception as error:
            if not is_lost(error, began) or not await _end_rest(app, user_name, name):
                raise
        else:
            return


def repeat_if_lost(start: asyncio.Future[Any], user_name: str, name: str, options: dict[str, object]) -> None:
    """Repeat a start whose page is shown already, if it is lost.

    Args:
        start: of `spawn_single_user`.
    """
    task = asyncio.ensure_future(_follow(start, user_name, name, options))
    _waiting.add(task)
    task.add_done_callback(_waiting.discard)


async def _follow(start: asyncio.Future[Any], user_name: str, name: str, options: dict[str, object]) -> None:
    app, began = JupyterHub.instance(), time.monotonic()
    try:
        await asyncio.shield(start)
        # JupyterHub's handlers return before a slow start has ended
        if (pending := _user_of(app, user_name).spawners[name]._spawn_future) is not None:
            await asyncio.shield(pending)
    except Exception as error:
        if not is_lost(error, began):
            return
    else:
        return
    try:
        if await _end_rest(app, user_name, name):
            await start_until_kept(app, user_name, name, options)
    except Exception:
        # its card says it as well
        app.log.exception("%s:%s: a start that was lost with the database failed again", user_name, name)


def _user_of(app: Any, name: str) -> Any:
    return app.users[orm.User.find(app.db, name)]


async def _end_rest(app: Any, user_name: str, name: str) -> bool:
    """Wait for the database, and end what is left of a start; return False if it is not to be repeated any more."""
    app.log.warning("%s:%s: the start was lost with the database, and waits for it", user_name, name)
    while True:
        await _wait_for_database(app.db)
        try:
            row = orm.User.find(app.db, user_name)
            user = app.users[row] if row is not None else None
            if user is None or name not in user.orm_spawners:
                # removed meanwhile
                return False
            spawner = user.spawners[name]
            if spawner._spawn_future is None:
                # it had not begun; or another one runs already
                return not spawner.active
            if not spawner._spawn_future.done():
                return False
            await user.stop(name)
            app.log.warning("%s:%s: the start is repeated", user_name, name)
        except SQLAlchemyError as error:
            if not is_database_away(error):
                raise
        else:
            return True


async def _wait_for_database(db: Any) -> None:
    until = time.monotonic() + GIVE_UP_S
    while True:
        try:
            db.rollback()
            db.execute(select(1))
        except SQLAlchemyError:
            if time.monotonic() >= until:
                raise
            await asyncio.sleep(ASK_S)
        else:
            return
