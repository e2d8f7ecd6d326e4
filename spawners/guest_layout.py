"""The inside of every session, whatever backend runs it: paths, and generated identity files. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from daas_hub.accounts import Account
from daas_hub.launch import Mount, Plan

#: Path inside of the folder with the hub's API socket.
API_DIR = "/run/daas-hub"
#: Path inside of the folder with the session's own sockets: of the mount handshake, and of its egress.
SOCKETS_DIR = "/run/daas-sockets"

#: A file in a temporary home, among the identity files: a user who looks around in the session finds it.
TEMPORARY_HOME_FILE = "THIS-HOME-IS-TEMPORARY.txt"
_TEMPORARY_HOME_TEXT = """\
This home directory is temporary: it was empty when this session started, and is
deleted when the session ends. Your own home directory is not in this session.

Save results elsewhere: in the directory "processed" where the session has one.
"""


def target_of(plan: Plan, target: str) -> str:
    """Return the absolute path inside for a mount's target, which is relative to the home."""
    return plan.home if target == "." else f"{plan.home}/{target}"


def temporary_home_bytes(plan: Plan) -> int:
    """Return the size of a temporary home, which is in the session's memory."""
    return plan.size.memory_bytes // 2


def folder_of_several(plan: Plan) -> str:
    """Return the directory of the home that holds several mounts: "data", "Proposals"; "" for none."""
    return next((mount.target.split("/")[0] for mount in plan.mounts if "/" in mount.target), "")


def mount_points_below(plan: Plan) -> list[str]:
    """Return the mount points in that directory, relative to it."""
    inside = f"{folder_of_several(plan)}/"
    return [mount.target.removeprefix(inside) for mount in plan.mounts if "/" in mount.target]


def outside_home(plan: Plan) -> list[tuple[Mount, str]]:
    """Return the mounts at the facility's own paths, outer ones first; of two with one path the read-only one."""
    found: dict[str, Mount] = {}
    for mount in sorted(plan.mounts, key=lambda mount: mount.writable):
        for path in plan.real_paths_of(mount):
            found.setdefault(path, mount)
    return [(found[path], path) for path in sorted(found, key=lambda path: (path.count("/"), path))]


def places(plan: Plan) -> list[tuple[Mount, str]]:
    """Return every absolute path inside at which a mount is."""
    return [*((mount, target_of(plan, mount.target)) for mount in plan.mounts), *outside_home(plan)]


def mount_points(plan: Plan) -> tuple[str, ...]:
    """Return the directories of the home on which the others are mounted: they must exist beforehand."""
    return tuple(dict.fromkeys(mount.target.split("/")[0] for mount in plan.mounts if mount.target != "."))


def identity_texts(account: Account, names: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the contents of the identity files: this account and its groups, nobody else.

    Args:
        names: host names with their addresses, for `hosts`.
    """
    home = f"/home/{account.name}"
    gecos = "".join(letter for letter in account.display_name if letter.isprintable() and letter not in ":,")
    groups = [f"{account.name}:x:{account.gid}:"]
    for number in account.groups:
        if number != account.gid:
            groups.append(f"{_group_name(account, number)}:x:{number}:{account.name}")
    return {
        "passwd": f"{account.name}:x:{account.uid}:{account.gid}:{gecos}:{home}:/bin/bash\n"
        "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
        "group": "\n".join(groups) + "\nnogroup:x:65534:\n",
        # a session has no network, and must not learn the names of the facility's servers
        "resolv.conf": "",
        "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
        TEMPORARY_HOME_FILE: _TEMPORARY_HOME_TEXT,
        "hosts": "127.0.0.1 localhost session\n::1 localhost\n"
        + "".join(f"{address} {name}\n" for name, address in (names or {}).items()),
    }


def _group_name(account: Account, number: int) -> str:
    name = account.group_names.get(number, "")
    plain = "".join(letter for letter in name.lower() if letter.isascii() and (letter.isalnum() or letter in "-_."))
    return plain[:32] or f"group{number}"
