"""Refuses symbolic links in the sources of a container's mounts: the engine follows them, wherever they lead."""

from __future__ import annotations

import asyncio
import contextlib
import os
import stat
import threading
from collections.abc import Callable, Sequence

from daas_hub.spawners.docker_broker.policy import Forbidden

#: Seconds the directories of a container may take to answer.
TIMEOUT_S = 8.0


def require_no_link(path: str, root: str) -> None:
    """Check that no part of a path below its root is a symbolic link: the engine would follow it, out of the root.

    Raises:
        Forbidden: one is, or nothing is there.
    """
    place = root
    for part in ("", *path[len(root) + 1 :].split("/")):
        place = f"{place}/{part}" if part else place
        try:
            mode = os.lstat(place).st_mode
        except FileNotFoundError:
            # in the engine's own words, which the hub looks for
            raise Forbidden(f"bind source path does not exist: {path}", 400) from None
        except OSError as problem:
            raise Forbidden(f"mount of {path!r}: {place!r} cannot be inspected ({problem.strerror})") from None
        if stat.S_ISLNK(mode):
            raise Forbidden(f"mount of {path!r}: {place!r} is a symbolic link")


async def require_no_links(
    sources: Sequence[tuple[str, str]],
    timeout_s: float = TIMEOUT_S,
    check: Callable[[str, str], object] = require_no_link,
) -> None:
    """Check several paths, each with its root, in a thread: a file server that hangs must not block the broker.

    Raises:
        Forbidden: one has a link in it, is not there, or does not answer.
    """
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[Forbidden | None] = loop.create_future()

    def finish(refusal: Forbidden | None) -> None:
        if not answer.done():
            answer.set_result(refusal)

    def work() -> None:
        refusal = None
        try:
            for path, root in sources:
                check(path, root)
        except Forbidden as found:
            refusal = found
        with contextlib.suppress(RuntimeError):  # the program ended meanwhile
            loop.call_soon_threadsafe(finish, refusal)

    threading.Thread(target=work, name="symlinks", daemon=True).start()
    try:
        async with asyncio.timeout(timeout_s):
            refusal = await answer
    except TimeoutError:
        raise Forbidden("a directory to be mounted does not answer", 500) from None
    if refusal is not None:
        raise refusal
