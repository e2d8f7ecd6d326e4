"""The arguments of bubblewrap for a plan. Pure; what is not named here is not in the session.

Own user, pid, ipc, uts, network and mount namespaces; a root made of /usr and a few files of /etc, all read-only;
no device but the harmless ones; no capability; no system call but the listed ones (see `seccomp`). The environment is
the one bubblewrap is started with: arguments are visible to everybody on the machine. The network namespace is empty: a
session reaches the hub's API over a socket file, and is reached over a listening socket that it inherits.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from daas_hub.accounts import Account
from daas_hub.launch import Plan
from daas_hub.spawners.guest_layout import (
    API_DIR,
    SOCKETS_DIR,
    TEMPORARY_HOME_FILE,
    folder_of_several,
    outside_home,
    target_of,
    temporary_home_bytes,
)
from daas_hub.spawners.sandbox import set_groups as set_groups_program
from daas_hub.spawners.sandbox.gid_map import groups_of

#: Files of /etc that programs need; no passwords, no host names, no configuration of the machine's services.
ETC = (
    "alternatives", "bash.bashrc", "fonts", "gtk-2.0", "gtk-3.0", "ld.so.cache", "ld.so.conf", "ld.so.conf.d",
    "mime.types", "mailcap", "ssl/certs", "ca-certificates", "X11", "xdg", "terminfo", "python3", "python3.11",
    "python3.13", "matplotlibrc", "OpenCL", "vulkan", "pcmanfm", "lxterminal",
)  # fmt: skip

#: The kernel takes no longer argument (MAX_ARG_STRLEN, 32 pages with the final NUL).
MAX_ARGUMENT_BYTES = 131_072

#: Programs that load what their user has installed: extensions of the notebook server.
OPEN_PROGRAMS = ("daas-lab",)

#: Size of directories for sockets and the like.
_SMALL_BYTES = 64 * 2**20


@dataclass(frozen=True)
class InheritedFds:
    """The descriptors that bubblewrap inherits: where it reports its child, where it blocks, and the call filters."""

    info: int
    start: int
    user_namespace: int | None
    filters: Sequence[int]


def become_argv(account: Account) -> list[str]:
    """Return the prefix of an argv with which a hub that is root runs it as the account, with exactly its groups.

    It runs in a mount namespace to which later mounts of the machine do not propagate: one that appeared below the raw
    data while a session runs would be in it, and writable. (Bubblewrap's own mounts are slaves, which receive them.)

    Python could change the ids by itself, but it would fork the hub first and copy its page tables, which blocks the
    event loop: 11 ms for a hub of 140 MB, more for a larger one.

    Raises:
        SessionFailed: the account has more groups than a process may have.
    """
    gids = [str(gid) for gid in groups_of(account)]
    groups = ",".join(gids)
    ids = ["--reuid", str(account.uid), "--regid", str(account.gid), "--inh-caps", "-all"]
    private = ["unshare", "--mount", "--propagation", "private", "--"]
    if len(groups) < MAX_ARGUMENT_BYTES:
        return [*private, "setpriv", *ids, "--groups", groups, "--"]
    set_groups = [sys.executable, "-I", "-S", set_groups_program.__file__, *gids, "--"]
    return [*private, *set_groups, "setpriv", *ids, "--keep-groups", "--"]


def sandbox_argv(
    plan: Plan,
    fds: InheritedFds,
    *,
    program: str,
    identity_files: Path,
    api_dir: Path,
    sockets_dir: Path,
    prefix: Path,
    read_only: Iterable[Path] = (),
    bwrap: str = "bwrap",
) -> list[str]:
    """Return the argv that runs `program` in a sandbox for this plan.

    Args:
        identity_files: folder with the generated `passwd`, `group` and `nsswitch.conf`.
        api_dir: folder with the socket of the hub's API.
        sockets_dir: folder with the sockets of the addresses that the application may connect to.
        prefix: the Python environment the session's programs come from; mounted read-only at its own path.
        read_only: directories of this machine mounted read-only at the same path.
    """
    account = plan.account
    argv = [
        bwrap, "--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-net",
        "--unshare-cgroup-try", "--hostname", "session", "--new-session", "--cap-drop", "ALL",
        "--info-fd", str(fds.info), "--block-fd", str(fds.start),
    ]  # fmt: skip
    if fds.user_namespace is not None:
        # a hub that is root writes the maps itself, so that the account's groups keep their gids inside
        argv += ["--userns-block-fd", str(fds.user_namespace)]
    else:
        argv += ["--uid", str(account.uid), "--gid", str(account.gid), "--disable-userns"]
    for one in fds.filters:
        argv += ["--add-seccomp-fd", str(one)]
    argv += _system(identity_files, plan.size.memory_bytes)
    for path in dict.fromkeys([prefix, *read_only]):
        if not path.is_relative_to("/usr"):
            argv += ["--ro-bind", str(path), str(path)]
    argv += ["--ro-bind", str(api_dir), API_DIR, "--ro-bind", str(sockets_dir), SOCKETS_DIR]
    if plan.temporary_home:
        argv += _temporary_home(plan, identity_files)
    argv += _mounts(plan)
    # until here the root is a writable tmpfs
    argv += ["--remount-ro", "/", "--chdir", plan.home, "--"]
    if program not in OPEN_PROGRAMS:
        # no module from the user's home or from PYTHONPATH
        argv += [str(prefix / "bin" / "python3"), "-I"]
    return [*argv, str(prefix / "bin" / program)]


def _system(identity_files: Path, memory_bytes: int) -> list[str]:
    argv = ["--ro-bind", "/usr", "/usr"]
    for name in ("bin", "sbin", "lib", "lib64", "lib32"):
        argv += ["--symlink", f"usr/{name}", f"/{name}"]
    argv += ["--proc", "/proc", "--dev", "/dev"]
    # in memory, and without a size each could take half of the machine's
    argv += _tmpfs("/dev/shm", memory_bytes // 4)  # noqa: S108  # inside
    argv += _tmpfs("/tmp", memory_bytes // 2)  # noqa: S108
    argv += _tmpfs("/run", _SMALL_BYTES)
    for name in ETC:
        argv += ["--ro-bind-try", f"/etc/{name}", f"/etc/{name}"]
    for name in ("passwd", "group", "nsswitch.conf", "hosts", "localtime"):
        argv += ["--ro-bind", str(identity_files / name), f"/etc/{name}"]
    argv += ["--perms", "0700", *_tmpfs("/run/session", _SMALL_BYTES)]
    argv += _tmpfs("/var/tmp", memory_bytes // 4)  # noqa: S108
    argv += ["--ro-bind-try", "/var/cache/fontconfig", "/var/cache/fontconfig"]
    # X compiles its keyboard maps into here
    argv += _tmpfs("/var/lib/xkb", _SMALL_BYTES)
    return argv


def _tmpfs(path: str, size_bytes: int) -> list[str]:
    return ["--size", str(size_bytes), "--tmpfs", path]


def _temporary_home(plan: Plan, identity_files: Path) -> list[str]:
    file = identity_files / TEMPORARY_HOME_FILE
    return [
        *("--perms", "0700", *_tmpfs(plan.home, temporary_home_bytes(plan))),
        *("--ro-bind", str(file), f"{plan.home}/{TEMPORARY_HOME_FILE}"),
    ]


def _mounts(plan: Plan) -> list[str]:
    argv: list[str] = []
    several = [mount for mount in plan.mounts if "/" in mount.target]
    for mount in plan.mounts:
        if mount in several:
            continue
        argv += ["--bind" if mount.writable else "--ro-bind", str(mount.source), target_of(plan, mount.target)]
    if several:
        # their parent belongs to this session alone, and is read-only
        folder = f"{plan.home}/{folder_of_several(plan)}"
        argv += ["--tmpfs", folder]
        for mount in several:
            argv += ["--bind" if mount.writable else "--ro-bind", str(mount.source), target_of(plan, mount.target)]
        argv += ["--remount-ro", folder]
    for mount, path in outside_home(plan):
        argv += ["--bind" if mount.writable else "--ro-bind", str(mount.source), path]
    return argv
