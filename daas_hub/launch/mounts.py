"""Which directories a session sees: from templates or from the catalogue of proposals, under allowed roots. Pure.

Nothing here touches a file system: paths are compared as text, component by component. Whether a path really is what
it says is settled when it is opened (`daas_hub.storage`) and again when it was mounted (the spawners).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath

from daas_hub.errors import StorageProblem
from daas_hub.identity import Account
from daas_hub.launch.choices import Choice

#: A value that may stand in a path. No slash, no dot-dot, no brace, no colon, nothing a shell or a mount would read.
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}|_[a-z0-9_-]{0,31}")
_FIELD = re.compile(r"\{([a-z_]+)\}")
FIELDS = ("proposal", "visit", "beamline", "account", "uid")


@dataclass(frozen=True)
class Mount:
    """One directory of the facility as the session sees it.

    Attributes:
        root: the allowed root `source` lies under; only below it are symbolic links looked for, and refused.
        source: absolute path on the facility's storage.
        target: path in the session, relative to the home ("data"), or "." for the home itself.
        create: made when missing, owned by `owner` (uid, gid) with `mode`; otherwise a missing directory is refused.
    """

    root: PurePosixPath
    source: PurePosixPath
    target: str
    writable: bool = False
    create: bool = False
    owner: tuple[int, int] = (-1, -1)
    mode: int = 0o700


@dataclass(frozen=True)
class MountPolicy:
    """The facility's layout. Templates know {proposal} {visit} {beamline} {account} {uid}."""

    data: tuple[str, ...] = ()
    data_roots: tuple[str, ...] = ()
    processed: str = ""
    home: str = ""


def mounts_of(choice: Choice, account: Account, policy: MountPolicy) -> tuple[Mount, ...]:
    """Give every mount of this launch: home; and with a proposal its data (read-only) and its processed data.

    Raises:
        StorageProblem: a path outside the allowed roots, a value that may not stand in a path, no data configured.
    """
    values = {"account": account.name, "uid": str(account.uid)}
    home = _filled(policy.home, values)
    mounts = [Mount(_fixed_part(policy.home), home, ".", True, True, (account.uid, account.gid), 0o700)]
    if choice.proposal is None or choice.visit is None:
        return tuple(mounts)
    values["proposal"] = choice.proposal.id
    values["visit"] = choice.visit.label
    values["beamline"] = choice.visit.beamline or next(iter(choice.proposal.beamlines), "")
    mounts += _data_mounts(choice, values, policy)
    if policy.processed:
        gid = _shared_group(choice, account)
        processed = _filled(policy.processed, values)
        mounts.append(Mount(_fixed_part(policy.processed), processed, "processed", True, True, (-1, gid), 0o2770))
    return tuple(mounts)


def _data_mounts(choice: Choice, values: dict[str, str], policy: MountPolicy) -> list[Mount]:
    assert choice.visit is not None
    told = [PurePosixPath(path) for path in choice.visit.data]
    paths = told or [_filled(template, values) for template in policy.data]
    if not paths:
        raise StorageProblem(
            "The facility does not say where the data of this visit is.", remedy="Please tell the user office."
        )
    roots = [PurePosixPath(root) for root in policy.data_roots] or [_fixed_part(text) for text in policy.data]
    found = [(_root_of(path, roots), path) for path in paths]
    if len(found) == 1:
        return [Mount(found[0][0], found[0][1], "data")]
    names = _distinct_names([path for _, path in found])
    return [Mount(root, path, f"data/{name}") for (root, path), name in zip(found, names, strict=True)]


def _root_of(path: PurePosixPath, roots: list[PurePosixPath]) -> PurePosixPath:
    """Give the allowed root that `path` lies under. The root itself is refused: it would show every proposal (AL18)."""
    text = str(path)
    clean = path.is_absolute() and ".." not in path.parts and not text.startswith("//") and text.isprintable()
    if clean:
        for root in roots:
            if path != root and path.is_relative_to(root):
                return root
    raise StorageProblem(
        "The data of this visit lies outside the directories this portal may show.",
        remedy="Please tell the portal's administrators; nothing was mounted.",
    )


def _filled(template: str, values: dict[str, str]) -> PurePosixPath:
    def value_of(match: re.Match[str]) -> str:
        value = values.get(match[1], "")
        if not _PLAIN.fullmatch(value) or ".." in value:
            raise StorageProblem(
                f"The {match[1]} of this launch cannot stand in a path.", remedy="Please tell the administrators."
            )
        return value

    return PurePosixPath(_FIELD.sub(value_of, template))


def _fixed_part(template: str) -> PurePosixPath:
    """Give the directories of a template before its first field: what the administrator wrote, and may be trusted."""
    parts: list[str] = []
    for part in PurePosixPath(template).parts:
        if "{" in part:
            break
        parts.append(part)
    return PurePosixPath(*parts)


def _shared_group(choice: Choice, account: Account) -> int:
    """Give the group that shares the processed data; the account must be in it, or its colleagues could not read."""
    assert choice.proposal is not None
    gid = choice.proposal.gid
    if gid is None:
        return -1
    if gid != account.gid and gid not in account.groups:
        raise StorageProblem(
            f"Your account {account.name} is not in the group of proposal {choice.proposal.id}.",
            remedy="Please tell the user office: the proposal and the account disagree.",
        )
    return gid


def _distinct_names(paths: list[PurePosixPath]) -> list[str]:
    """Give each path a short name that no other one has: its last parts, as many as it takes."""
    for length in range(1, 20):
        names = ["_".join(path.parts[-length:]).strip("/") for path in paths]
        if len(set(names)) == len(names):
            return names
    raise StorageProblem("The same data directory is named twice.", remedy="Please tell the administrators.")
