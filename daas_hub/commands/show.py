"""Asks a facility's accounts and proposals about one login, as a launch would, and writes down what came."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from traitlets.config import Config
from traitlets.config.loader import PyFileConfigLoader

from daas_hub.accounts import Account, Identity
from daas_hub.accounts.sources.link_store import LinkStore
from daas_hub.errors import ConfigurationError, DaasError, SourceUnavailable
from daas_hub.facility import Facility
from daas_hub.proposals import Proposal


def read_config(file: Path) -> Config:
    """Read a configuration that is in order (see `check_config`)."""
    return PyFileConfigLoader(file.name, path=str(file.resolve().parent)).load_config()


async def ask_about(config: Config, subject: str, *, issuer: str = "", access_token: str = "") -> list[str]:
    """Ask; give lines for the administrator.

    Args:
        subject: the login's, as in the accounts table.
        issuer: the login's; by default the one that is configured, if there is one.
        access_token: the login's, for sources that are asked in the person's name.

    Raises:
        DaasError: no account, or a source that did not answer; `detail` says what came instead.
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
    """Return the logins that people connected with their accounts, a line each; those of one account, if it is named.

    Raises:
        DaasError: nothing can be connected here, or the list cannot be read.
    """
    links = await _links(config).all_links(account)
    lines = [
        f"{one.account} (uid {one.uid}): {one.subject} of {one.issuer}, "
        f"since {datetime.datetime.fromtimestamp(one.made_at, datetime.UTC):%Y-%m-%d}"
        for one in links
    ]
    return [*lines, f"{len(links)} connected login{'s' * (len(links) != 1)}"]


async def disconnect(config: Config, issuer: str, subject: str) -> bool:
    """Remove the link of a login; False if there is none. Raises what `connected_logins` does."""
    return await _links(config).remove(issuer, subject)


def _links(config: Config) -> LinkStore:
    links = Facility(config=config).links
    if links is None:
        raise ConfigurationError(
            "Facility.accounts",
            config.Facility.get("accounts", ""),
            "has no connected logins",
            remedy='They are there with "links" in it; see docs/how-to/connect-existing-accounts.md.',
        )
    return links.store


def _only_issuer(config: Config) -> str:
    """Return the issuer of the one provider that is configured; "" if its profile names it.

    Raises:
        ConfigurationError: there are several.
    """
    providers = config.UmbrellaAuthenticator.get("providers", {})
    if not providers:
        return str(config.UmbrellaAuthenticator.get("oidc_issuer", ""))
    issuers = [str(one.get("issuer") or f"the issuer of {name}") for name, one in providers.items()]
    if len(issuers) > 1:
        raise ConfigurationError(
            "--issuer", "", "is needed: there are several login providers", remedy=f"One of: {', '.join(issuers)}."
        )
    return str(next(iter(providers.values())).get("issuer") or "")


def words_of(error: DaasError) -> list[str]:
    """Return an error as lines for the administrator, who also reads what users do not."""
    lines = [f"problem: {error.message}"]
    if isinstance(error, SourceUnavailable) and error.detail:
        lines.append(f"  in the log: {error.detail}")
    return [*lines, *([f"  remedy: {error.remedy}"] if error.remedy else [])]


def _account_line(account: Account) -> str:
    groups = ", ".join(f"{account.group_names.get(gid, 'a group without a name')} ({gid})" for gid in account.groups)
    return f"account {account.name} (uid {account.uid}, gid {account.gid}), groups: {groups or 'none'}"


def _proposal_lines(proposal: Proposal) -> Iterator[str]:
    group = "no group" if proposal.gid is None else f"group {proposal.gid}"
    yield f"{proposal.id}  {proposal.title!r:.80}  {group}  {', '.join(proposal.beamlines)}".rstrip()
    for visit in proposal.visits:
        day = f"{visit.start:%Y-%m-%d}" if visit.start else "no date"
        data = ", ".join(visit.data) or "as MountRules.data says"
        yield f"  visit {visit.number} ({visit.label})  {day}  {visit.beamline or 'no beamline'}  data: {data}"
