"""Shows the account and proposals of one login, as a launch would see them, and the connected logins."""

from __future__ import annotations

import datetime
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from traitlets.config import Config
from traitlets.config.loader import PyFileConfigLoader

from daas_hub.accounts import Account, Identity
from daas_hub.accounts.sources.link_store import LinkStore
from daas_hub.errors import ConfigurationError
from daas_hub.facility import Facility
from daas_hub.proposals import Proposal


def read_config(file: Path) -> Config:
    """Read a valid configuration (see `check_config`)."""
    return PyFileConfigLoader(file.name, path=str(file.resolve().parent)).load_config()


@dataclass(frozen=True)
class Person:
    """What a login becomes: an account with its roles, and proposals."""

    account: Account
    proposals: Sequence[Proposal]
    has_own_resources: bool

    def as_json(self) -> dict[str, Any]:
        """Return it for programs."""
        account = self.account
        return {
            "account": account.name,
            "uid": account.uid,
            "gid": account.gid,
            "groups": {str(gid): account.group_names.get(gid, "") for gid in account.groups},
            "roles": sorted(account.roles),
            "own_resources": self.has_own_resources,
            "proposals": [
                {"id": one.id, "title": one.title, "beamlines": list(one.beamlines), "visits": len(one.visits)}
                for one in self.proposals
            ],
        }

    def lines(self) -> list[str]:
        """Return it as lines of text."""
        roles = ", ".join(sorted(self.account.roles)) or "none"
        lines = [_account_line(self.account), f"roles: {roles}"]
        lines.append(f"own resources: {'yes' if self.has_own_resources else 'no'}")
        for proposal in self.proposals:
            lines += _proposal_lines(proposal)
        return [*lines, _count_line(self.proposals)]


async def find_person(
    config: Config,
    subject: str,
    *,
    issuer: str = "",
    access_token: str = "",
    claims: Mapping[str, Any] = MappingProxyType({}),
) -> Person:
    """Return account, roles and proposals of a login, as the sources answer now.

    Args:
        subject: as in the accounts table.
        issuer: default: the one configured, if there is one.
        access_token: for sources that are queried on behalf of the person.
        claims: what the login provider says of the person.

    Raises:
        DaasError: no account, or a source is unavailable; `detail` says why.
    """
    issuer = issuer or _only_issuer(config)
    facility = Facility(config=config)
    account = await facility.account_of(Identity(issuer, subject, claims=claims, received_at=time.time()))
    if account.login is not None:
        account = replace(account, login=replace(account.login, access_token=access_token))
    proposals = (await facility.proposals_of(account, fresh=True)).proposals
    return Person(account, proposals, facility.may_have_own_resources(account))


async def ask_about(config: Config, subject: str, *, issuer: str = "", access_token: str = "") -> list[str]:
    """Return the account and proposals of a login as lines of text. Raises as `find_person`."""
    person = await find_person(config, subject, issuer=issuer, access_token=access_token)
    lines = [_account_line(person.account)]
    for proposal in person.proposals:
        lines += _proposal_lines(proposal)
    return [*lines, _count_line(person.proposals)]


async def connected_logins(config: Config, account: str = "") -> list[str]:
    """Return the logins that people connected to their accounts, one per line, optionally of one account.

    Raises:
        DaasError: connecting logins is not configured, or the list cannot be read.
    """
    links = await _links(config).all_links(account)
    lines = [
        f"{one.account} (uid {one.uid}): {one.subject} of {one.issuer}, "
        f"since {datetime.datetime.fromtimestamp(one.made_at, datetime.UTC):%Y-%m-%d}"
        for one in links
    ]
    return [*lines, f"{len(links)} connected login{'s' * (len(links) != 1)}"]


async def disconnect(config: Config, issuer: str, subject: str) -> bool:
    """Remove the link of a login; return False if there is none. Raises as `connected_logins`."""
    return await _links(config).remove(issuer, subject)


def _links(config: Config) -> LinkStore:
    links = Facility(config=config).links
    if links is None:
        raise ConfigurationError(
            "Facility.accounts",
            config.Facility.get("accounts", ""),
            "does not include connected logins",
            remedy='Add "links"; see docs/how-to/connect-existing-accounts.md.',
        )
    return links.store


def _only_issuer(config: Config) -> str:
    """Return the issuer of the only provider configured; "" if its profile has it.

    Raises:
        ConfigurationError: there are several providers.
    """
    providers = config.UmbrellaAuthenticator.get("providers", {})
    if not providers:
        return str(config.UmbrellaAuthenticator.get("oidc_issuer", ""))
    issuers = [str(one.get("issuer") or f"the issuer of {name}") for name, one in providers.items()]
    if len(issuers) > 1:
        raise ConfigurationError(
            "--issuer", "", "is required: there are several login providers", remedy=f"One of: {', '.join(issuers)}."
        )
    return str(next(iter(providers.values())).get("issuer") or "")


def _count_line(proposals: Sequence[Proposal]) -> str:
    return f"{len(proposals)} proposal{'s' * (len(proposals) != 1)}"


def _account_line(account: Account) -> str:
    groups = ", ".join(f"{account.group_names.get(gid, 'unnamed group')} ({gid})" for gid in account.groups)
    return f"account {account.name} (uid {account.uid}, gid {account.gid}), groups: {groups or 'none'}"


def _proposal_lines(proposal: Proposal) -> Iterator[str]:
    group = "no group" if proposal.gid is None else f"group {proposal.gid}"
    yield f"{proposal.id}  {proposal.title!r:.80}  {group}  {', '.join(proposal.beamlines)}".rstrip()
    for visit in proposal.visits:
        day = f"{visit.start:%Y-%m-%d}" if visit.start else "no date"
        data = ", ".join(visit.data) or "see MountRules.data"
        yield f"  visit {visit.number} ({visit.label})  {day}  {visit.beamline or 'no beamline'}  data: {data}"
