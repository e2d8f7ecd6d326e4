"""One sandbox, from the start of bubblewrap until its first program may run.

Bubblewrap builds the sandbox and blocks. Meanwhile the hub (as root) writes the id maps and forbids further user
namespaces, applies the resource limits, and compares the mounts with the granted ones. Only then does it unblock the
sandbox; if anything fails before, nothing of the session has run.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

from daas_hub.errors import SessionFailed, StorageProblem
from daas_hub.launch import Plan
from daas_hub.spawners.guest_layout import places
from daas_hub.spawners.runtime_dir import close_all, mounted, open_pipe
from daas_hub.spawners.sandbox import forbid_userns
from daas_hub.spawners.sandbox.argv import InheritedFds, become_argv
from daas_hub.spawners.sandbox.gid_map import gid_map, groups_of
from daas_hub.spawners.sandbox.processes import descendants, read_child_pid
from daas_hub.spawners.sandbox.seccomp import open_filters
from daas_hub.storage import AccountStorage, Pinned

_log = logging.getLogger("jupyterhub.daas")

#: Timeout in seconds for bubblewrap to build the sandbox (it takes some 20 ms).
BUILD_TIMEOUT_S = 10.0


@dataclass(frozen=True)
class SandboxLaunch:
    """What a sandbox is built from.

    Attributes:
        pinned: the granted directories, open.
        argv: returns bubblewrap's arguments for the descriptors it inherits.
        environment: the session's whole environment.
        listen_fd: the listening socket that the session inherits.
        output: file or pipe for the session's output.
        apply_limits: puts processes under the session's resource limits.
        on_started: called with the pid of the sandbox's first process, before anything of the session runs.
        build_timeout_s: timeout in seconds for bubblewrap to build the sandbox.
        storage: the storage as the account sees it; None makes one for the comparison.
    """

    plan: Plan
    pinned: tuple[Pinned, ...]
    argv: Callable[[InheritedFds], list[str]]
    environment: dict[str, str]
    listen_fd: int
    output: IO[bytes]
    apply_limits: Callable[..., Coroutine[None, None, None]]
    on_started: Callable[[int], None]
    build_timeout_s: float = BUILD_TIMEOUT_S
    storage: AccountStorage | None = None


async def build_sandbox(launch: SandboxLaunch) -> asyncio.subprocess.Process:
    """Build a sandbox and let it run; return bubblewrap's process, which ends with the session.

    Raises:
        SessionFailed, StorageProblem: it could not be built, or its mounts are not the granted ones.
    """
    as_root = os.geteuid() == 0
    open_fds: set[int] = set()
    try:
        info_read, info_write = open_pipe(open_fds)
        start_read, start_write = open_pipe(open_fds)
        ns_read, ns_write = open_pipe(open_fds)
        filters = open_filters()
        open_fds.update(filters)
        argv = launch.argv(InheritedFds(info_write, start_read, ns_read if as_root else None, filters))
        try:
            bubblewrap = await asyncio.create_subprocess_exec(
                *(become_argv(launch.plan.account) if as_root else []),
                *argv,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=launch.output,
                stderr=launch.output,
                env=launch.environment,
                # start_write, too: bubblewrap unblocks at the end of the pipe, and must not when the hub dies
                pass_fds=(launch.listen_fd, info_write, start_read, start_write, ns_read, *filters),
                start_new_session=True,
                cwd="/",
                umask=0o007,
            )
        except OSError as error:
            raise SessionFailed(
                "The sandbox program cannot be started.", remedy="Please tell the administrators."
            ) from error
        close_all(open_fds, info_write, start_read, ns_read, *filters)
        init = 0
        try:
            init = await _first_process(info_read, launch.build_timeout_s)
            await _secure(init, launch, bubblewrap, ns_write if as_root else None)
            launch.on_started(init)
        except BaseException:
            # both: the first process inside is blocked, and would stay so
            inside = descendants(bubblewrap.pid, generations=1)
            for pid in {bubblewrap.pid, init, *inside} - {0}:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            raise
        os.write(start_write, b"1")
        return bubblewrap
    finally:
        close_all(open_fds, *tuple(open_fds))


async def _secure(
    init: int, launch: SandboxLaunch, bubblewrap: asyncio.subprocess.Process, ns_write: int | None
) -> None:
    """Limit the sandbox, map its ids and compare its mounts; nothing of the session runs before.

    Args:
        ns_write: the pipe that bubblewrap waits for before it continues; None for a hub that is not root.
    """
    limiting = asyncio.ensure_future(launch.apply_limits(bubblewrap.pid, init))
    try:
        forbidding = await _map_ids(init, launch.plan, ns_write) if ns_write is not None else None
        await _require_granted(init, launch, bubblewrap)
        if forbidding is not None:
            await _require_forbidden(forbidding)
    except BaseException:
        # a failed start removes the cgroup, which must not be made meanwhile
        await asyncio.gather(limiting, return_exceptions=True)
        raise
    await limiting


async def _first_process(info_fd: int, timeout_s: float) -> int:
    """Return the pid (as the hub sees it) of the sandbox's first process."""
    try:
        return await asyncio.wait_for(asyncio.to_thread(read_child_pid, info_fd), timeout_s)
    except (TimeoutError, ValueError) as error:
        raise _not_built() from error


def _not_built() -> SessionFailed:
    return SessionFailed(
        "The session's sandbox could not be built.", remedy="Please tell the administrators; the hub's log says more."
    )


async def _map_ids(init: int, plan: Plan, ns_write: int) -> asyncio.subprocess.Process:
    """Map the account's ids, and no others; return the process that forbids further user namespaces."""
    account = plan.account
    shared = [mount.owner[1] for mount in plan.mounts if mount.owner]
    # in a thread: 80 ms for the most groups that an account can have
    gids, unmapped = await asyncio.to_thread(gid_map, groups_of(account), [account.gid, *shared])
    if unmapped:
        _log.info("%s has more groups than a user namespace can map: %d are shown as nogroup", account.name, unmapped)
    try:
        # files of the kernel do not block
        Path(f"/proc/{init}/uid_map").write_text(f"{account.uid} {account.uid} 1\n")  # noqa: ASYNC240
        Path(f"/proc/{init}/gid_map").write_text(gids)  # noqa: ASYNC240
    except OSError as error:  # bubblewrap has ended
        raise _not_built() from error
    forbid = await asyncio.create_subprocess_exec(
        sys.executable, "-I", "-S", forbid_userns.__file__, str(init),
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    os.write(ns_write, b"1")
    return forbid


async def _require_forbidden(forbid: asyncio.subprocess.Process) -> None:
    """Wait until no user namespace can be created inside; nothing of the session runs before."""
    if await forbid.wait() != 0:
        raise SessionFailed("The session's sandbox could not be secured.", remedy="Please tell the administrators.")


async def _require_granted(init: int, launch: SandboxLaunch, bubblewrap: asyncio.subprocess.Process) -> None:
    """Compare every mount of the sandbox with the granted directory, which is open, before anything runs."""
    if launch.storage is None:
        async with AccountStorage(launch.plan.account) as storage:
            await _require_granted(init, replace(launch, storage=storage), bubblewrap)
            return
    until = time.monotonic() + launch.build_timeout_s
    while True:
        wrong = await _first_wrong_mount(init, launch.plan, launch.pinned, launch.storage)
        if wrong is None:
            return
        if bubblewrap.returncode is not None:
            raise _not_built()
        if time.monotonic() > until:
            raise StorageProblem(
                f"The directory {wrong!r} changed while your session was starting.",
                remedy="No data were exposed. Please launch again.",
            )
        await asyncio.sleep(0.002)


async def _first_wrong_mount(init: int, plan: Plan, pinned: Sequence[Pinned], storage: AccountStorage) -> str | None:
    """Return the target of the first mount that is not (yet) the granted directory; None if all are."""
    if not pinned:
        return None
    try:
        # neither touches a mounted file system: those are entered as the account, below
        options = mounted(Path(f"/proc/{init}/mountinfo").read_text())  # noqa: ASYNC240
        root = os.open(f"/proc/{init}/root", os.O_PATH | os.O_DIRECTORY)
    except OSError:
        return "."
    try:
        inside = [place.lstrip("/") for _, place in places(plan.opened(one.mount for one in pinned))]
        seen = await storage.identities(root, inside, pinned[0].mount)
    finally:
        os.close(root)
    return first_difference(plan, pinned, options, seen)


def first_difference(
    plan: Plan, pinned: Sequence[Pinned], options: Mapping[str, Sequence[str]], seen: Sequence[tuple[int, int] | None]
) -> str | None:
    """Return the target of the first mount that is not the granted directory, or is writable and must not be.

    Args:
        options: of each mount point in the sandbox.
        seen: device and inode of each directory in the sandbox, in the order of `places`.
    """
    identities = {one.mount: one.identity for one in pinned}
    for (mount, place), identity in zip(places(plan.opened(identities)), seen, strict=True):
        mode = "rw" if mount.writable else "ro"
        if identity != identities[mount] or mode not in options.get(place, ()):
            return mount.target
    return None
