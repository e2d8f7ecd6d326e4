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

from daas_hub.database import is_database_away, was_lost_since
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


async def start_until_kept(app: Any, user_name: str, name: str, options: dict[str, object] | None) -> None:
    """Start a session for its owner, who need not be there, and return when it runs; repeat the start while it is lost.

    Raises:
        Exception: JupyterHub's, of the start.
    """
    while True:
        began, user = time.monotonic(), _user_of(app, user_name)
        try:
            title = user.spawners[name].orm_spawner.display_name
            await StartHandler.of(app, user).spawn_single_user(user, name, title, options)
            if (pending := user.spawners[name]._spawn_future) is not None:
                await asyncio.shield(pending)
        except Exception as error:
            if not is_lost(error, began) or not await _end_rest(app, user, (user_name, name), began):
                raise
            app.log.warning("%s:%s: the start is repeated", user_name, name)
        else:
            return


def note_failure(
    error: BaseException | None,
    began: float,
    user: Any,
    key: tuple[str, str],
    options: dict[str, object] | None,
    *,
    repeat: bool,
) -> None:
    """Take care of a start that failed, if it was lost (see `is_lost`).

    Args:
        user: JupyterHub's object of its owner.
        key: the names of the owner and of the session.
        repeat: whether it had been accepted; of another one, what is left is ended.
    """
    if is_lost(error, began):
        task = asyncio.ensure_future(_take_care(user, key, options, began, repeat=repeat))
        _waiting.add(task)
        task.add_done_callback(_waiting.discard)


async def _take_care(
    user: Any, key: tuple[str, str], options: dict[str, object] | None, began: float, *, repeat: bool
) -> None:
    app = JupyterHub.instance()
    try:
        if await _end_rest(app, user, key, began) and repeat:
            app.log.warning("%s:%s: the start is repeated", *key)
            await start_until_kept(app, *key, options)
    except Exception:
        # its card says it as well
        app.log.exception("%s:%s: a start that was lost with the database failed again", *key)


def _user_of(app: Any, name: str) -> Any:
    return app.users[orm.User.find(app.db, name)]


async def _end_rest(app: Any, user: Any, key: tuple[str, str], began: float) -> bool:
    """Wait for the database, and end what is left of a start; return False if it is not to be repeated any more."""
    user_name, name = key
    spawner = user.spawners[name]
    if (future := spawner._spawn_future) is not None and not future.done():
        # its request failed, and not the start
        await asyncio.wait([future])
    if future is None or future.cancelled() or not is_lost(future.exception(), began):
        return future is None and not spawner.active
    app.log.warning("%s:%s: the start was lost with the database, and waits for it", *key)
    # JupyterHub would say that it is ready, or is being stopped
    spawner._spawn_pending, spawner._stop_pending = True, False
    try:
        while True:
            await _wait_for_database(app.db)
            try:
                row = orm.User.find(app.db, user_name)
                if row is None or name not in app.users[row].orm_spawners or user.spawners.get(name) is not spawner:
                    # removed meanwhile
                    return False
                await user.stop(name)
                app.log.warning("%s:%s: what was left of the start is ended", *key)
                return True
            except SQLAlchemyError as error:
                if not is_database_away(error):
                    raise
    finally:
        spawner._spawn_pending = False


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
