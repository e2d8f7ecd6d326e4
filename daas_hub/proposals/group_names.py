"""Proposals in the names of groups: the facility's naming scheme as one regular expression. Pure.

(?P<proposal>p[0-9]{5})                              p12345       the whole proposal p12345
(?P<proposal>[a-z]{2}[0-9]+)_(?P<visit>[0-9]+)       mx12345_7    visit 7 of mx12345 only
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from daas_hub.accounts import Account
from daas_hub.errors import ConfigurationError
from daas_hub.proposals.model import HIGHEST_VISIT, ID_IN_A_NAME, LOWEST_VISIT
from daas_hub.services.outside_text import printable

#: Length of a beamline's name.
MAX_NAME = 64
_KNOWN = {"proposal", "visit", "beamline"}


@dataclass
class GroupProposal:
    """A proposal found in the names of an account's groups.

    Attributes:
        is_whole: whether a group belongs to the whole proposal (its `gid`), not only to `visits`.
        visits: number and beamline of each visit with a group of its own.
    """

    id: str
    is_whole: bool = False
    gid: int | None = None
    beamline: str = ""
    visits: dict[int, str] = field(default_factory=dict)


def pattern_of(setting: str, text: str) -> re.Pattern[str]:
    """Compile the pattern of a setting.

    Raises:
        ConfigurationError: it is invalid, or has no group "proposal".
    """
    example = "Example: (?P<proposal>p[0-9]{5})."
    try:
        pattern = re.compile(text, re.ASCII)
    except re.error as error:
        raise ConfigurationError(setting, text, f"is not a regular expression: {error}", remedy=example) from None
    if "proposal" not in pattern.groupindex:
        raise ConfigurationError(setting, text, 'has no group "proposal"', remedy=example)
    unknown = set(pattern.groupindex) - _KNOWN
    if unknown:
        raise ConfigurationError(
            setting, text, f"has the unknown group {sorted(unknown)[0]}", remedy=f"Known: {', '.join(sorted(_KNOWN))}."
        )
    return pattern


def proposals_in(pattern: re.Pattern[str], names: Iterable[tuple[int, str]]) -> list[GroupProposal]:
    """Return the proposals in the names of groups (gid, name), each once. The pattern must match the whole name."""
    found: dict[str, GroupProposal] = {}
    for gid, name in names:
        match = pattern.fullmatch(name)
        parts = match.groupdict() if match else {}
        identifier = parts.get("proposal") or ""
        visit, beamline = parts.get("visit"), printable(parts.get("beamline") or "", MAX_NAME)
        if not ID_IN_A_NAME.fullmatch(identifier) or (visit is not None and not _is_visit(visit)):
            continue
        named = found.setdefault(identifier, GroupProposal(identifier))
        named.beamline = named.beamline or beamline
        if visit is not None:
            named.visits[int(visit)] = beamline
        elif not named.is_whole:
            named.is_whole, named.gid = True, gid
    return list(found.values())


def _is_visit(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 10 and LOWEST_VISIT <= int(text) <= HIGHEST_VISIT


def named_groups_of(account: Account) -> list[tuple[int, str]]:
    """Return gid and name of the account's groups whose names are known."""
    return [(gid, name) for gid, name in sorted(account.group_names.items()) if gid in (account.gid, *account.groups)]
