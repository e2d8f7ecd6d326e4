"""Checks of the paths at which directories appear outside the home: `MountRules.real_paths` and `path_aliases`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from daas_hub.errors import ConfigurationError
from daas_hub.launch import UNCHANGED, Alias, MountPolicy, collides

_EXAMPLE = 'Example: {"/data/visitor": "/gpfs/easy/data/visitor"}.'


def read_aliases(real_paths: bool | None, aliases: Mapping[Any, Any]) -> tuple[Alias, ...]:
    """Return the prefixes under which mounted directories appear.

    Raises:
        ConfigurationError: a path cannot be used.
    """
    if real_paths is False:
        if aliases:
            raise ConfigurationError(
                "MountRules.path_aliases",
                dict(aliases),
                "does not apply with MountRules.real_paths = False",
                remedy="Remove one of them.",
            )
        return ()
    found = [UNCHANGED]
    for session, storage in aliases.items():
        for path in (session, storage):
            if not _is_plain(path):
                raise ConfigurationError(
                    "MountRules.path_aliases", path, "is not an absolute path without '..'", remedy=_EXAMPLE
                )
        alias = Alias(PurePosixPath(storage), PurePosixPath(session))
        if collides(alias.session):
            raise _collision("MountRules.path_aliases", alias.session)
        found.append(alias)
    return tuple(found)


def require_free_paths(policy: MountPolicy) -> None:
    """Check that directories do not lie where sessions have their own.

    Raises:
        ConfigurationError: naming the setting.
    """
    for root in map(PurePosixPath, policy.data_roots):
        if collides(root / "directory"):
            raise _collision("MountRules.data_roots", root)
    shared = [("processed", policy.processed)] if policy.processed else []
    rules = [("home", policy.home), *shared, *(("data", one) for one in policy.data)]
    for setting, rule in [*rules, *(("extra", one) for one in policy.extra)]:
        for template in rule.templates if rule.has_real_path else ():
            # a template that begins with {path} is below a root
            if str(template.fixed_part) != "/" and collides(template.fixed_part / "directory"):
                raise _collision(f"MountRules.{setting}", template.fixed_part)


def _is_plain(path: object) -> bool:
    return isinstance(path, str) and path.startswith("/") and not path.startswith("//") and ".." not in path.split("/")


def _collision(setting: str, path: PurePosixPath) -> ConfigurationError:
    return ConfigurationError(
        setting,
        str(path),
        "is a directory that sessions have themselves, so it cannot appear there at its real path",
        remedy="Mount the storage elsewhere, or leave MountRules.real_paths at its default, which omits such paths.",
    )
