"""The settings of directories: where the data is, and where sessions see it. No file system is accessed."""

from __future__ import annotations

import re
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from traitlets import Bool, Dict, List, Unicode, Union
from traitlets.config import Configurable

from daas_hub.errors import ConfigurationError
from daas_hub.launch import DirectoryRule, MountPolicy
from daas_hub.launch.paths import ACCOUNT_FIELDS, PATH_FIELD
from daas_hub.policy.path_aliases import read_aliases, require_free_paths
from daas_hub.policy.time_zone import read_zone

#: Valid names of a directory in a session.
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,31}")

_RESERVED = ("data", "processed")
_DATA_KEYS = ("path", "name", "optional")
_EXTRA_KEYS = ("name", "path", "writable", "optional", "create")


class MountRules(Configurable):
    """Where the facility's directories are, and where sessions see them.

    Directory templates have these fields: {proposal}, {visit}, {number}, {beamline}, {account}, {uid}, the visit's
    {start} and {end}, and {path}, the directory returned by the proposal source. A field can be sliced, {proposal[1:]},
    and filtered, {beamline|lower|nodash}. Filters of strings: lower, upper, nodash, digits, letters, last (what
    follows the last slash); of times: year, month, day, date (20260131), cycle (I or II), date:%Y-%m-%d. A slash in a
    proposal's id is written as +. A * matches one part of a directory's name; exactly one directory must match.
    """

    data = List(
        Union([Unicode(), Dict()]),
        config=True,
        help="""
        Directories of raw data, mounted read-only as ~/data. Used if the proposal source does not return paths, or if a
        template begins with {path}. Each is a template or a dictionary with `path` (a template, or a list of which the
        first existing directory is used), `name` (mounts it as ~/data/<name>) and `optional` (skip it if it is
        missing). Example: ["/data/visitor/{proposal}/{beamline}/{visit}"], or
        [{"name": "raw", "path": "/asap3/petra3/gpfs/{beamline|lower}/{start|year}/data/{proposal}/raw"}].
        Default: none.
        """,
    )
    data_roots = List(
        Unicode(),
        config=True,
        help="""
        Absolute directories below which raw data is allowed. Other paths, and these directories themselves, are
        refused. Example: ["/data/visitor"]. Default: the fixed part of each template in `data`.
        """,
    )
    processed = Unicode(
        config=True,
        help="""
        Template of the directory shared by all members of a proposal, mounted read-write as ~/processed.
        Example: "/data/processed/{proposal}". Default: "processed/{proposal}" below Facility.state.
        """,
    )
    create_processed = Bool(
        True,
        config=True,
        help="""
        Create ~/processed if it is missing, with the proposal's group and mode 2770. Set to False if the facility
        creates it, and its template has a * or {path}. Default: True.
        """,
    )
    home = Unicode(
        config=True,
        help="""
        Template of the home directory, created with mode 0700 if it is missing. Example: "/home/{account}".
        Default: "homes/{account}" below Facility.state.
        """,
    )
    extra = List(
        Dict(),
        config=True,
        help="""
        Additional directories. Each is a dictionary with `name` (mounts it as ~/<name>) and `path` (a template, or a
        list of which the first existing directory is used), and the flags `writable`, `optional` (skip it if it is
        missing) and `create` (create it if it is missing: for the account if the template contains it, otherwise for
        the proposal's group), all False by default.
        Example: [{"name": "scratch", "path": "/scratch/{proposal}", "writable": True, "create": True},
        {"name": "tools", "path": "/opt/tools"}]. Default: none.
        """,
    )
    proposal_pattern = Unicode(
        config=True,
        help="""
        Regular expression that matches a whole proposal id. Required if a template uses only a part of the id, which
        two ids might share. Example: "p[0-9]{5}" for "/sls/e{proposal[1:]}".
        """,
    )
    time_zone = Unicode(
        config=True,
        help="""
        Time zone of days and years in templates, if it is not the facility's. Example: "Europe/Paris".
        Default: `Facility.timezone`.
        """,
    )

    real_paths = Bool(
        None,
        allow_none=True,
        config=True,
        help="""
        Mount each directory also at its own path on the storage, so that absolute paths in files (external links,
        virtual datasets, symbolic links) work in sessions. Its parents appear as empty directories. None leaves out
        paths that sessions have themselves (/usr, /run, the home, ...); True refuses a configuration with such a path;
        False disables it. Example: True. Default: None.
        """,
    )
    path_aliases = Dict(
        config=True,
        help="""
        Other absolute paths by which files and people know directories of the storage: a dictionary of that path and
        the real one. What is mounted appears there, too. Example: {"/data/visitor": "/gpfs/easy/data/visitor"}.
        Default: none.
        """,
    )

    def zone(self) -> ZoneInfo | None:
        """Return the time zone of the templates, if one is set.

        Raises:
            ConfigurationError: this machine does not know it.
        """
        return read_zone("MountRules.time_zone", self.time_zone) if self.time_zone else None

    def policy(self, state_dir: str, zone: ZoneInfo | None = None) -> MountPolicy:
        """Return the checked rules.

        Args:
            state_dir: `Facility.state`, for directories the facility does not provide.
            zone: the facility's time zone.

        Raises:
            ConfigurationError: naming the setting that cannot work.
        """
        _require_absolute("Facility.state", state_dir)
        state = Path(state_dir)
        for root in self.data_roots:
            _require_root(root)
        home = _rule("home", self.home or str(state / "homes" / "{account}"), ".", writable=True, create=True)
        # nobody refers to a directory that only the portal knows
        home = replace(home, has_real_path=bool(self.home))
        processed = _rule(
            "processed",
            self.processed or str(state / "processed" / "{proposal}"),
            "processed",
            writable=True,
            create=self.create_processed,
        )
        processed = replace(processed, has_real_path=bool(self.processed))
        policy = MountPolicy(
            home=home,
            data=tuple(self._data_rule(one) for one in self.data),
            data_roots=tuple(self.data_roots),
            processed=processed,
            extra=tuple(self._extra_rule(one) for one in self.extra),
            proposal_id=self._proposal_pattern(),
            time_zone=self.zone() or zone,
            aliases=read_aliases(self.real_paths, self.path_aliases),
        )
        _require_personal(self.home, home)
        _require_shared_by_members(policy.processed, "processed", self.processed)
        self._require_distinct_names(policy)
        self._require_roots(policy)
        self._require_whole_ids(policy)
        if self.real_paths:
            require_free_paths(policy)
        return policy

    def _data_rule(self, value: str | dict[str, Any]) -> DirectoryRule:
        if isinstance(value, str):
            rule = _rule("data", value, "data")
        else:
            _require_keys("data", value, _DATA_KEYS, needed=("path",))
            name = value.get("name", "")
            if name != "" and not (isinstance(name, str) and _NAME.fullmatch(name)):
                raise _wrong("data", value, "has an invalid name", "Use lower-case letters and digits: raw.")
            target = f"data/{name}" if name else "data"
            rule = _rule("data", value["path"], target, optional=_flag("data", value, "optional"))
        for template in rule.templates:
            if not {"proposal", "visit", PATH_FIELD} & template.names:
                raise _wrong("data", value, "would show a session the data of other proposals", "Add {proposal}.")
        return rule

    def _extra_rule(self, value: dict[str, Any]) -> DirectoryRule:
        _require_keys("extra", value, _EXTRA_KEYS, needed=("name", "path"))
        name = value["name"]
        if not isinstance(name, str) or not _NAME.fullmatch(name) or name in _RESERVED:
            raise _wrong(
                "extra", value, "has an invalid name", "Use lower-case letters; the names data and processed are taken."
            )
        writable, optional, create = (_flag("extra", value, key) for key in ("writable", "optional", "create"))
        if create and not writable:
            raise _wrong("extra", value, "would create what nobody can fill", "Remove create, or say writable.")
        rule = _rule("extra", value["path"], name, writable=writable, optional=optional, create=create)
        for template in rule.templates:
            if not {"proposal", "visit", PATH_FIELD, *ACCOUNT_FIELDS} & template.names and writable:
                raise _wrong(
                    "extra", value, "would be written by everybody", "Add {proposal} or {account}, or remove writable."
                )
            if not {"proposal", "visit", PATH_FIELD} & template.names and {"number", "start", "end"} & template.names:
                raise _wrong("extra", value, "would show a session what is other proposals'", "Add {proposal}.")
        return rule

    def _proposal_pattern(self) -> re.Pattern[str] | None:
        try:
            return re.compile(self.proposal_pattern) if self.proposal_pattern else None
        except re.error as error:
            raise _wrong(
                "proposal_pattern", self.proposal_pattern, f"is no regular expression: {error}", 'Like "p[0-9]{5}".'
            ) from None

    def _require_distinct_names(self, policy: MountPolicy) -> None:
        targets = [rule.target for rule in (*policy.data, *policy.extra) if rule.target != "data"]
        twice = {one for one in targets if targets.count(one) > 1}
        if twice:
            raise _wrong("extra", sorted(twice), "is a name that stands twice", "Give each directory its own.")

    def _require_roots(self, policy: MountPolicy) -> None:
        """Check that paths from the catalogue are limited by a root."""
        rules = [*policy.data, *([policy.processed] if policy.processed else []), *policy.extra]
        if any(PATH_FIELD in rule.names for rule in rules) and not policy.data_roots:
            raise _wrong(
                "data_roots",
                [],
                "is empty, and {path} may then be any directory",
                'Name the storage: ["/data/visitor"].',
            )

    def _require_whole_ids(self, policy: MountPolicy) -> None:
        rules = [*policy.data, *([policy.processed] if policy.processed else []), *policy.extra]
        for rule in rules:
            for template in rule.templates:
                if template.loses and policy.proposal_id is None:
                    raise _wrong(
                        "proposal_pattern",
                        "",
                        f"is not set, and {template.text!r} shows a part of the id only, which two ids may share",
                        'Say what ids look like: "p[0-9]{5}".',
                    )


def _rule(
    setting: str, path: object, target: str, *, writable: bool = False, create: bool = False, optional: bool = False
) -> DirectoryRule:
    texts = path if isinstance(path, list | tuple) else [path]
    if not texts or not all(isinstance(one, str) and one for one in texts):
        raise _wrong(setting, path, "is no template", 'A text, or several in a list: "/data/{proposal}".')
    try:
        rule = DirectoryRule.of(target, *texts, writable=writable, create=create, optional=optional)
    except ValueError as error:
        raise _wrong(setting, path, *error.args) from None
    for template in rule.templates:
        if str(template.fixed_part) == "/" and PATH_FIELD not in template.names:
            raise _wrong(setting, path, "could be anywhere on the machine", "Begin with a directory: /data/{proposal}.")
        if create and (template.is_pattern or PATH_FIELD in template.names):
            raise _wrong(
                setting,
                path,
                "is created when missing, and one with a * or {path} cannot be",
                "Set MountRules.create_processed = False." if setting == "processed" else "Leave them out.",
            )
    return rule


def _require_keys(setting: str, value: dict[str, Any], known: tuple[str, ...], *, needed: tuple[str, ...]) -> None:
    for key in value:
        if key not in known:
            near = get_close_matches(str(key), known, n=1)
            remedy = f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(known)}."
            raise _wrong(setting, value, f"has a key nobody knows: {key!r}", remedy)
    for key in needed:
        if key not in value:
            raise _wrong(setting, value, f"does not say its {key}", f"Add {key!r}.")


def _flag(setting: str, entry: dict[str, Any], key: str) -> bool:
    value = entry.get(key, False)
    if not isinstance(value, bool):
        raise _wrong(setting, entry, f"has a {key} that is neither True nor False", "Write one of them.")
    return value


def _require_personal(value: str, home: DirectoryRule) -> None:
    for template in home.templates:
        if not any(field.name in ACCOUNT_FIELDS and not field.loses for field in template.fields):
            raise _wrong("home", value or template.text, "every person needs a home of their own", "Add {account}.")
        if set(template.names) - set(ACCOUNT_FIELDS):
            raise _wrong(
                "home", value or template.text, "depends on a visit, and own resources have none", "Use {account} only."
            )


def _require_shared_by_members(rule: DirectoryRule | None, setting: str, value: str) -> None:
    for template in rule.templates if rule else ():
        if not {"proposal", "visit", PATH_FIELD} & template.names:
            raise _wrong(setting, value, "would be shared by all proposals", "Add {proposal}.")


def _require_absolute(setting: str, path: str) -> None:
    if not path.startswith("/") or ".." in Path(path).parts:
        raise ConfigurationError(
            setting, path, "is not an absolute path without '..'", remedy="Write it from the root: /data/{proposal}."
        )


def _require_root(path: str) -> None:
    _require_absolute("MountRules.data_roots", path)
    if Path(path) == Path("/") or set("{}*") & set(path):
        raise _wrong(
            "data_roots",
            path,
            "is not one directory of the facility's storage",
            "Name the directory all raw data lie below, without fields: /data/visitor.",
        )


def _wrong(setting: str, value: object, message: str, remedy: str) -> ConfigurationError:
    return ConfigurationError(f"MountRules.{setting}", value, message, remedy=remedy)
