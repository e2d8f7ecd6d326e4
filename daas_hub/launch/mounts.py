"""Which directories a session sees: from templates or from the catalogue of proposals, under allowed roots. Pure.

Nothing here accesses a file system: paths are compared as text, component by component. Symbolic links are detected
when a path is opened (`daas_hub.storage`), and again after it was mounted (the spawners).
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from zoneinfo import ZoneInfo

from daas_hub.accounts import Account
from daas_hub.errors import ErrorKind, StorageProblem
from daas_hub.launch.choices import Choice
from daas_hub.launch.folders import VISIT_ALONE, folder_names
from daas_hub.launch.paths import ACCOUNT_FIELDS, PATH_FIELD, Template, directory_name
from daas_hub.launch.real_paths import Alias
from daas_hub.proposals.model import in_zone

#: Directories of one session. Each is passed as an open descriptor, once more for its real path, and the kernel lets
#: one message have 253.
MAX_MOUNTS = 100

_Values = Mapping[str, "str | datetime.datetime | None"]


@dataclass(frozen=True)
class Mount:
    """One directory of the facility as the session sees it.

    Attributes:
        root: the allowed root above `source`; symbolic links below it are refused.
        source: absolute path on the facility's storage.
        target: path in the session, relative to the home ("data"), or "." for the home itself.
        create: create it if missing, owned by `owner` (uid, gid) with `mode`; otherwise a missing directory is refused.
        optional: leave it out if missing, instead of refusing.
        pattern: `source` has a `*`; exactly one directory must match, and is mounted.
        otherwise: the alternatives if `source` is missing, in this order.
        has_real_path: the facility knows it by its path, and it may appear there, too (see `real_paths`).
        is_visit: it is raw data of one of several visits.
    """

    root: PurePosixPath
    source: PurePosixPath
    target: str
    writable: bool = False
    create: bool = False
    owner: tuple[int, int] = (-1, -1)
    mode: int = 0o700
    optional: bool = False
    pattern: bool = False
    otherwise: tuple[Mount, ...] = ()
    has_real_path: bool = False
    is_visit: bool = False

    @property
    def is_data(self) -> bool:
        """Whether it is raw data."""
        return self.is_visit or self.target == "data" or self.target.startswith("data/")


@dataclass(frozen=True)
class DirectoryRule:
    """One directory of the layout.

    Attributes:
        target: its path in a session: ".", "data/raw", "processed". Below "data" alone, names are generated.
        templates: its path on the storage; of several, the first one that exists.
        has_real_path: False for a directory of the portal's own, which nobody knows by its path.
    """

    target: str
    templates: tuple[Template, ...]
    writable: bool = False
    create: bool = False
    optional: bool = False
    has_real_path: bool = True

    @classmethod
    def of(
        cls, target: str, *texts: str, writable: bool = False, create: bool = False, optional: bool = False
    ) -> DirectoryRule:
        """Read the templates.

        Raises:
            ValueError: (problem, remedy), for an administrator.
        """
        return cls(target, tuple(map(Template.read, texts)), writable, create, optional)

    @property
    def names(self) -> frozenset[str]:
        """The fields of all templates."""
        return frozenset[str]().union(*(one.names for one in self.templates))


@dataclass(frozen=True)
class MountPolicy:
    """The facility's layout.

    Attributes:
        extra: further directories: scratch, tools. Those that need a proposal are only in sessions of proposals.
        data_roots: the roots of raw data; by default, the fixed beginnings of the templates.
        proposal_id: the pattern of ids that may be used in paths; None for any valid id.
        time_zone: the facility's, of dates in paths; None for the zone in which the catalogue states them.
        aliases: under which paths of the facility directories also appear; none by default.
    """

    home: DirectoryRule
    data: tuple[DirectoryRule, ...] = ()
    data_roots: tuple[str, ...] = ()
    processed: DirectoryRule | None = None
    extra: tuple[DirectoryRule, ...] = ()
    proposal_id: re.Pattern[str] | None = None
    time_zone: ZoneInfo | None = field(default=None, hash=False)
    aliases: tuple[Alias, ...] = ()


def mounts_of(choice: Choice, account: Account, policy: MountPolicy) -> tuple[Mount, ...]:
    """Return every mount of this launch: home, extra; and with a proposal its data (read-only) and processed data.

    A temporary home is no mount: backends make it in memory.

    Raises:
        StorageProblem: a path is outside the allowed roots, a value is unsafe in a path, no data is configured, or
            there are too many directories for one session.
    """
    mounts = _mounts_of(choice, account, policy)
    if len(mounts) > MAX_MOUNTS:
        raise StorageProblem(
            f"This session would have {len(mounts)} directories, and {MAX_MOUNTS} is the limit of the portal.",
            remedy="Choose fewer visits." if choice.several else "Please tell the administrators.",
            kind=ErrorKind.SEVERAL_DIRECTORIES,
        )
    return mounts


def _mounts_of(choice: Choice, account: Account, policy: MountPolicy) -> tuple[Mount, ...]:
    values: dict[str, str | datetime.datetime | None] = {"account": account.name, "uid": str(account.uid)}
    mounts = [] if choice.temporary_home else [_mount(policy.home, values, (account.uid, account.gid), 0o700)]
    if choice.several:
        return (*mounts, *_mounts_of_several(choice, account, policy))
    if choice.proposal is None or choice.visit is None:
        more = [one for one in policy.extra if one.names <= set(ACCOUNT_FIELDS)]
        return (*mounts, *(_own(one, values, account) for one in more))
    values |= _of_visit(choice, policy)
    _require_proposal_id(choice.proposal.id, policy)
    _require_own_visit(choice.proposal.id, choice.visit.label, policy)
    roots = [PurePosixPath(root) for root in policy.data_roots]
    roots = roots or [one.fixed_part for rule in policy.data for one in rule.templates]
    values[PATH_FIELD] = _catalogue_path(choice.visit.data, roots, policy)
    mounts += _data_mounts(choice.visit.data, values, roots, policy)
    shared = [*([policy.processed] if policy.processed else []), *policy.extra]
    for rule in shared:
        if set(rule.names) & set(ACCOUNT_FIELDS) or not rule.names:
            mounts.append(_own(rule, values, account, roots))
        else:
            owner = (-1, _shared_group(choice, account) if rule.writable else -1)
            mounts.append(_mount(rule, values, owner, 0o2770, roots))
    return tuple(mounts)


def _mounts_of_several(choice: Choice, account: Account, policy: MountPolicy) -> list[Mount]:
    """Return the mounts of several visits: those of each, below ~/Proposals/<id> (see `folders`)."""
    rules = {rule.target: rule for rule in (*([policy.processed] if policy.processed else []), *policy.extra)}
    names = folder_names(choice.several, set(rules))
    found: dict[str, Mount] = {}
    for (proposal, visit), (folder, label) in zip(choice.several, names, strict=True):
        # without the home, which the session has once
        alone = replace(choice, proposal=proposal, visit=visit, several=(), temporary_home=True)
        for mount in mounts_of(alone, account, policy):
            target = _target_among_several(mount, rules, folder, label)
            found.setdefault(target, replace(mount, target=target, is_visit=mount.is_data))
    return list(found.values())


def _target_among_several(mount: Mount, rules: Mapping[str, DirectoryRule], folder: str, label: str) -> str:
    """Return where a directory of one visit is in a session of several."""
    if mount.is_data:
        return f"{folder}/{label}{mount.target.removeprefix('data')}"
    fields = rules[mount.target].names
    if fields <= set(ACCOUNT_FIELDS):
        return mount.target
    return f"{folder}/{mount.target}/{label}" if fields & VISIT_ALONE else f"{folder}/{mount.target}"


def _of_visit(choice: Choice, policy: MountPolicy) -> dict[str, str | datetime.datetime | None]:
    assert choice.proposal is not None
    assert choice.visit is not None
    visit = choice.visit
    return {
        "proposal": directory_name(choice.proposal.id),
        "visit": visit.label,
        "number": str(visit.number),
        "beamline": visit.beamline or next(iter(choice.proposal.beamlines), ""),
        "start": in_zone(visit.start, policy.time_zone),
        "end": in_zone(visit.end, policy.time_zone),
    }


def _require_proposal_id(wanted: str, policy: MountPolicy) -> None:
    if policy.proposal_id is not None and not policy.proposal_id.fullmatch(wanted):
        raise StorageProblem(
            f"The id of proposal {wanted} does not match the directories of this facility.",
            remedy="Please tell the administrators: MountRules.proposal_pattern does not allow it.",
            kind=ErrorKind.INVALID_PROPOSAL_ID,
        )


def _require_own_visit(proposal: str, visit: str, policy: MountPolicy) -> None:
    """Check that a visit's name contains the proposal, where directories are named after visits alone (DIAMOND)."""
    rules = [*policy.data, *([policy.processed] if policy.processed else []), *policy.extra]
    by_visit = any("proposal" not in one.names and "visit" in one.names for rule in rules for one in rule.templates)
    if by_visit and not visit.lower().startswith(f"{proposal.lower()}-"):
        raise StorageProblem(
            "The directory of this visit cannot be distinguished from those of other proposals.",
            remedy="Please tell the administrators: the templates of MountRules need {proposal}.",
            kind=ErrorKind.AMBIGUOUS_VISIT,
        )


def _own(rule: DirectoryRule, values: _Values, account: Account, roots: list[PurePosixPath] | None = None) -> Mount:
    """Return the mount of a directory of the account, or of a shared one."""
    return _mount(rule, values, (account.uid, account.gid), 0o700, roots or [])


def _mount(
    rule: DirectoryRule, values: _Values, owner: tuple[int, int], mode: int, roots: list[PurePosixPath] | None = None
) -> Mount:
    """Return a rule's mount: that of its first template, with the others as alternatives."""
    usable = [one for one in rule.templates if PATH_FIELD not in one.names or values.get(PATH_FIELD)]
    if not usable:
        raise StorageProblem(
            "The facility does not say where the data of this visit is.",
            remedy="Please tell the user office.",
            kind=ErrorKind.NO_DATA_DIRECTORY,
        )
    mounts = []
    for template in usable:
        source = template.fill(values)
        root = _root_of(source, roots or []) if PATH_FIELD in template.names else template.fixed_part
        mounts.append(
            Mount(
                root,
                source,
                rule.target,
                rule.writable,
                rule.create,
                owner,
                mode,
                optional=rule.optional,
                # a path from the catalogue may contain a *, which is not a pattern
                pattern=template.is_pattern,
                has_real_path=rule.has_real_path,
            )
        )
    return replace(mounts[0], otherwise=tuple(mounts[1:]))


def _catalogue_path(named: tuple[str, ...], roots: list[PurePosixPath], policy: MountPolicy) -> str | None:
    """Return the one directory that the catalogue names, for templates with {path}; None if it names none."""
    rules = [*policy.data, *([policy.processed] if policy.processed else []), *policy.extra]
    if not named or not any(PATH_FIELD in rule.names for rule in rules):
        return None
    if len(named) > 1:
        raise StorageProblem(
            "The facility names several directories for this visit, and this portal expects one.",
            remedy="Please tell the administrators.",
            kind=ErrorKind.SEVERAL_DIRECTORIES,
        )
    if "*" in named[0]:
        raise StorageProblem(
            "The facility names a directory with a * in its name.",
            remedy="Please tell the administrators.",
            kind=ErrorKind.UNSAFE_PATH_VALUE,
        )
    _root_of(PurePosixPath(named[0]), roots)
    return named[0]


def _data_mounts(
    named: tuple[str, ...], values: _Values, roots: list[PurePosixPath], policy: MountPolicy
) -> list[Mount]:
    if named and not any(PATH_FIELD in rule.names for rule in policy.data):
        paths = [PurePosixPath(path) for path in named]
        found = [Mount(_root_of(path, roots), path, "data", has_real_path=True) for path in paths]
    elif policy.data:
        found = [_mount(rule, values, (-1, -1), 0o700, roots) for rule in policy.data]
        for mount in found:
            for one in (mount, *mount.otherwise):
                _root_of(one.source, roots)
    else:
        raise StorageProblem(
            "The facility does not say where the data of this visit is.",
            remedy="Please tell the user office.",
            kind=ErrorKind.NO_DATA_DIRECTORY,
        )
    unnamed = [mount for mount in found if mount.target == "data"]
    if len(found) == 1:
        return found
    names = iter(_distinct_names([mount.source for mount in unnamed], {one.target for one in found}))
    return [replace(mount, target=f"data/{next(names)}") if mount.target == "data" else mount for mount in found]


def _root_of(path: PurePosixPath, roots: list[PurePosixPath]) -> PurePosixPath:
    """Return the allowed root above `path`. The root itself is refused: it would show every proposal (AL18)."""
    text = str(path)
    clean = path.is_absolute() and ".." not in path.parts and not text.startswith("//") and text.isprintable()
    if clean:
        for root in roots:
            if path != root and path.is_relative_to(root):
                return root
    raise StorageProblem(
        "The data of this visit lies outside the directories this portal may show.",
        remedy="Please tell the portal's administrators; nothing was mounted.",
        kind=ErrorKind.OUTSIDE_DATA_ROOTS,
    )


def _shared_group(choice: Choice, account: Account) -> int:
    """Return the group that shares the processed data; the account must be in it, so that the others can read."""
    assert choice.proposal is not None
    gid = choice.proposal.gid
    if gid is None:
        return -1
    if gid != account.gid and gid not in account.groups:
        raise StorageProblem(
            f"Your account {account.name} is not in the group of proposal {choice.proposal.id}.",
            remedy="Please tell the user office: the proposal and the account disagree.",
            kind=ErrorKind.NOT_IN_GROUP,
        )
    return gid


def _distinct_names(paths: list[PurePosixPath], taken: set[str]) -> list[str]:
    """Return a short unique name for each path: as many of its last components as needed."""
    for length in range(1, 20):
        names = ["_".join(path.parts[-length:]).replace("*", "").strip("/") for path in paths]
        if len(set(names)) == len(names) and not {f"data/{name}" for name in names} & taken and all(names):
            return names
    raise StorageProblem("The same data directory is named twice.", remedy="Please tell the administrators.")
