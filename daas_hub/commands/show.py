"""Shows the account and proposals of one login, as a launch would see them, and the connected logins."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from traitlets.config import Config
from traitlets.config.loader import PyFileConfigLoader

from daas_hub.accounts import Account, Identity
from daas_hub.accounts.sources.link_store import LinkStore
from daas_hub.errors import ConfigurationError, DaasError
from daas_hub.facility import Facility
from daas_hub.proposals import Proposal


def read_config(file: Path) -> Config:
    """Read a valid configuration (see `check_config`)."""
    return PyFileConfigLoader(file.name, path=str(file.resolve().parent)).load_config()


async def ask_about(config: Config, subject: str, *, issuer: str = "", access_token: str = "") -> list[str]:
    """Return the account and proposals of a login as lines of text.

    Args:
        subject: as in the accounts table.
        issuer: default: the one configured, if there is one.
        access_token: for sources that are queried on behalf of the person.

    Raises:
        DaasError: no account, or a source is unavailable; `detail` says why.
    """
    issuer = issuer or _only_issuer(config)
    facility = Facility(config=config)
    account = await facility.account_of(Identity(issuer, subject))
    if account.login is not None:
        account = replace(account, login=replace(account.login, access_token=access_token))
    proposals = (await facility.proposals_of(account, fresh=True)).proposals
    lines = [_account_line(account)]
    for proposal in proposals:
        lines += _proposal_lines(proposal)
    return [*lines, f"{len(proposals)} proposal{'s' * (len(proposals) != 1)}"]


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


def lines_of_error(error: DaasError) -> list[str]:
    """Return an error as lines of text, with the detail that users do not see."""
    lines = [f"problem: {error.message}"]
    if error.detail:
        lines.append(f"  detail: {error.detail}")
    return [*lines, *([f"  fix: {error.remedy}"] if error.remedy else [])]


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
