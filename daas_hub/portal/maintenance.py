"""Ends the sessions that still run when a maintenance says so, also after a restart of the hub in between."""

from __future__ import annotations

import asyncio
from typing import Any

from daas_hub.notices import NoticeBoard

INTERVAL_S = 2.0
#: Sessions that are ended at the same time: each end waits for its backend.
_AT_ONCE = 10
ENDED = "It was ended for a maintenance of the portal."

#: The event loop keeps only weak references to tasks.
_running: set[asyncio.Task[None]] = set()


def watch_maintenance(app: Any, board: NoticeBoard) -> None:
    """Watch the board for as long as the hub runs."""
    task = asyncio.get_running_loop().create_task(_watch(app, board))
    _running.add(task)
    task.add_done_callback(_running.discard)


async def _watch(app: Any, board: NoticeBoard) -> None:
    while True:
        await asyncio.sleep(INTERVAL_S)
        maintenance = board.maintenance()
        if maintenance is None or not maintenance.stops_sessions(board.clock()):
            continue
        try:
            await end_sessions(app)
        except Exception:
            # whatever it is: the next round must come
            app.log.exception("the sessions could not be ended for the maintenance")


async def end_sessions(app: Any) -> None:
    """End every session that runs. One that starts is left until it runs: the next round ends it."""
    found = [
        (user, name)
        for user in list(app.users.values())
        for name, spawner in list(user.spawners.items())
        if spawner.ready and not spawner.pending and not getattr(spawner, "is_unknown", False)
    ]
    room = asyncio.Semaphore(_AT_ONCE)

    async def end(user: Any, name: str) -> None:
        async with room:
            spawner = user.spawners[name]
            app.log.warning("ending %s for the maintenance", spawner._log_name)
            spawner.ending = ENDED
            try:
                await app.proxy.delete_user(user, name)
                await user.stop(name)
            except Exception as error:  # of a backend; the next round tries again
                app.log.error("%s could not be ended: %s", spawner._log_name, error)

    await asyncio.gather(*(end(user, name) for user, name in found))
