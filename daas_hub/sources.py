"""Builds the sources that a configuration names, found by entry point; several of a kind are combined into one.

The interfaces of sources are in `accounts/` and `proposals/`; no source is queried here.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from traitlets.config import Configurable

from daas_hub.accounts import AccountSource, AccountTable, DependsOnSources
from daas_hub.accounts.agreement import AgreeingSources
from daas_hub.errors import ConfigurationError
from daas_hub.proposals import ChainedProposals, ProposalFile, ProposalSource

#: The group of entry points for sources of proposals.
PROPOSALS_GROUP = "daas_hub.proposals"

#: The group of entry points for sources of accounts.
ACCOUNTS_GROUP = "daas_hub.accounts"

_GROUPS = {"accounts": ACCOUNTS_GROUP, "proposals": PROPOSALS_GROUP}


def named_sources(setting: str, facility: Configurable) -> dict[str, Any]:
    """Build the sources that `Facility.accounts` or `Facility.proposals` names: one, or a list of several.

    Raises:
        ConfigurationError: there is no such source, it is named twice, or its settings cannot work.
    """
    value = getattr(facility, setting)
    names = [value] if isinstance(value, str) else list(value)
    if not names or len(set(names)) != len(names):
        raise ConfigurationError(
            f"Facility.{setting}", names, "names no source, or the same one twice", remedy="Name each of them once."
        )
    return {name: _source(setting, facility, name) for name in names}


def one_of_accounts(sources: Mapping[str, AccountSource], *, merge_groups: bool) -> AccountSource:
    """Return the source of accounts, or several combined into one, which must agree.

    Raises:
        ConfigurationError: one of them depends on others, and there are no others.
    """
    first = {name: one for name, one in sources.items() if not isinstance(one, DependsOnSources)}
    for name, one in sources.items():
        if isinstance(one, DependsOnSources):
            if not first:
                raise ConfigurationError(
                    "Facility.accounts",
                    list(sources),
                    f"{name!r} cannot be the only source: it depends on others that know the accounts",
                    remedy=f'Like Facility.accounts = ["ldap", "{name}"].',
                )
            one.use_sources(_combined(first, merge_groups=merge_groups))
    return _combined(sources, merge_groups=merge_groups)


def _combined(sources: Mapping[str, AccountSource], *, merge_groups: bool) -> AccountSource:
    return next(iter(sources.values())) if len(sources) == 1 else AgreeingSources(sources, merge_groups=merge_groups)


def one_of_proposals(sources: Mapping[str, ProposalSource]) -> ProposalSource:
    """Return the source of proposals, or several combined into one."""
    return next(iter(sources.values())) if len(sources) == 1 else ChainedProposals(sources)


def open_account_table(facility: Configurable) -> AccountSource:
    """Build the entry point "table" of daas_hub.accounts."""
    return AccountTable(_file_of(facility, "accounts_file"))


def open_proposal_file(facility: Configurable) -> ProposalSource:
    """Build the entry point "static" of daas_hub.proposals."""
    return ProposalFile(_file_of(facility, "proposals_file"))


def _source(setting: str, facility: Configurable, wanted: str) -> Any:
    entry_points = {entry.name: entry for entry in importlib.metadata.entry_points(group=_GROUPS[setting])}
    if wanted not in entry_points:
        known = ", ".join(sorted(entry_points)) or "none is installed"
        raise ConfigurationError(
            f"Facility.{setting}", wanted, "there is no such source", remedy=f"Known here: {known}."
        )
    return entry_points[wanted].load()(facility)


def _file_of(facility: Configurable, setting: str) -> Path:
    value = getattr(facility, setting)
    if not value:
        raise ConfigurationError(f"Facility.{setting}", value, "is not set", remedy="Give the path of the YAML file.")
    try:
        if not Path(value).is_file():
            raise FileNotFoundError
    except OSError as error:
        raise ConfigurationError(
            f"Facility.{setting}", value, "there is no such file", remedy="Give the path of a readable YAML file."
        ) from error
    return Path(value)
