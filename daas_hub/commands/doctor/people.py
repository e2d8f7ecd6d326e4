"""Queries the sources of accounts and proposals for one person, or for a login that cannot exist."""

from __future__ import annotations

import secrets
import time
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from daas_hub.accounts import Account, ComparesSettings, Identity, claims_read_by
from daas_hub.commands.doctor.contracts import contract_of, lines_of_exchanges
from daas_hub.commands.doctor.log_capture import captured_log
from daas_hub.commands.doctor.remedies import remedy_for
from daas_hub.errors import DaasError, ErrorKind, NoAccount
from daas_hub.facility import Facility
from daas_hub.findings import Finding, not_checked, ok, problem, warning
from daas_hub.proposals import ContractChecks, Proposal, ProposalSource
from daas_hub.proposals.http_source import ProposalService
from daas_hub.services.recording import recording

#: Proposals that are listed; the rest is counted.
MAX_SHOWN = 20

_Value = TypeVar("_Value")


@dataclass
class Answer(Generic[_Value]):
    """The outcome of one query: a value or an error, what was logged meanwhile, and how long it took."""

    value: _Value | None = None
    error: DaasError | None = None
    log: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def description(self) -> str:
        """What came, for an administrator."""
        parts = [self.error.message, self.error.detail] if self.error else []
        return "; ".join(dict.fromkeys(one for one in [*parts, *self.log] if one))

    @property
    def kind(self) -> ErrorKind | None:
        """The kind of the error; None without one."""
        return self.error.kind if self.error else None


async def ask(query: Awaitable[_Value]) -> Answer[_Value]:
    """Run a query of a source; errors of ours become part of the answer."""
    began = time.monotonic()
    with captured_log() as log:
        try:
            return Answer(await query, log=log, seconds=time.monotonic() - began)
        except DaasError as error:
            return Answer(error=error, log=log, seconds=time.monotonic() - began)


# -- nobody in particular --------------------------------------------------------------------------------------------


async def ask_about_nobody(facility: Facility, issuers: Sequence[str], *, for_person: bool = False) -> list[Finding]:
    """Query every source for a login that cannot exist: it must respond, and find nobody.

    Args:
        for_person: whether a person is checked as well; their answers then show the details.
    """
    word = f"nobody-{secrets.token_hex(4)}"
    findings: list[Finding] = []
    for name, source in facility.account_sources.items():
        for issuer in issuers:
            claims = dict.fromkeys(claims_read_by(source), word)
            identity = Identity(issuer, word, claims=claims, received_at=time.time())
            findings.append(_about_nobody(name, issuer, await ask(source.account_of(identity))))
        if isinstance(source, ComparesSettings):
            findings += await _settings_of(name, source)
    # in a group, or sources that look for groups would have nothing to ask
    account = Account(word, facility.max_id, facility.max_id, (), {facility.max_id: word}, display_name="nobody")
    for name, proposals in facility.proposal_sources.items():
        with recording() as record:
            asked = await ask(proposals.proposals_of(account))
        # the portal's own login is cached, and not repeated when the person is checked
        first = [one for one in record.exchanges if one.place.startswith("POST ") and not one.wrong]
        findings += lines_of_exchanges(name, first if for_person else record.exchanges)
        is_asked = bool(record.exchanges) or not isinstance(proposals, ProposalService)
        findings.append(_proposals_of_nobody(name, asked, is_asked=is_asked))
        if not for_person and asked.error is None and hasattr(proposals, "field_map"):
            findings += await _contract(name, proposals, account, record.records)
    return findings


async def _settings_of(name: str, source: ComparesSettings) -> list[Finding]:
    """Compare the settings of a source with what its service says of itself."""
    key, check = f"accounts.{name}.settings", f"compare the settings of {name} with the kind of its server"
    asked = await ask(source.configuration_warning())
    if asked.value is None:
        return [not_checked(key, check, asked.description)]
    message, fix = asked.value
    return [warning(key, check, message, fix)] if message else [ok(key, check, "they fit")]


def _about_nobody(name: str, issuer: str, asked: Answer[Account]) -> Finding:
    key, check = f"accounts.{name}", f"query {name} for a login of {issuer} that cannot exist"
    if asked.error is None:
        assert asked.value is not None
        return problem(
            key,
            check,
            f"the account {asked.value.name} (uid {asked.value.uid})",
            "Everybody who signs in there gets this account. Make the filter or the fields match one person.",
        )
    if isinstance(asked.error, NoAccount):
        return ok(key, check, f"no such account, in {asked.seconds:.2f} s")
    return problem(key, check, asked.description, remedy_for(asked.kind))


def _proposals_of_nobody(name: str, asked: Answer[tuple[Proposal, ...]], *, is_asked: bool) -> Finding:
    key, check = f"proposals.{name}", f"query {name} for proposals of a person who cannot exist"
    if asked.value:
        return problem(
            key,
            check,
            f"{len(asked.value)} proposals, the first is {asked.value[0].id}",
            "Everybody would see these. Check how this source selects the proposals of a person.",
        )
    if asked.error is None and not is_asked:
        why = "this source has nothing to ask about such a person; check a person with --as"
        return not_checked(key, check, why)
    if asked.error is None:
        return ok(key, check, f"none, in {asked.seconds:.2f} s")
    if asked.kind is ErrorKind.NO_ACCESS_TOKEN:
        return not_checked(key, check, "it is queried on behalf of a person: use --as and --token-file")
    return problem(key, check, asked.description, remedy_for(asked.kind))


# -- one person --------------------------------------------------------------------------------------------------------


@dataclass
class Person:
    """What the sources know of the person to check."""

    account: Account | None = None
    proposals: tuple[Proposal, ...] = ()
    #: the records of each source, as received
    records: dict[str, list[Any]] = field(default_factory=dict)


async def ask_about(facility: Facility, identity: Identity, person: Person) -> list[Finding]:
    """Query every source for this login, and fill in `person` with what a launch would see."""
    findings: list[Finding] = []
    for name, source in facility.account_sources.items():
        with recording() as record:
            asked = await ask(source.account_of(identity))
        findings += lines_of_exchanges(name, record.exchanges, kind="accounts")
        findings.append(_account_found(name, identity, asked))
    asked = await ask(facility.account_of(identity))
    findings.append(_account_used(identity, asked, several=len(facility.account_sources) > 1))
    if asked.value is None:
        return [*findings, not_checked("proposals.asked", "query for proposals", "there is no account to query for")]
    person.account = asked.value
    return findings + await _proposals(facility, person)


def _account_found(name: str, identity: Identity, asked: Answer[Account]) -> Finding:
    key, check = f"accounts.{name}", f"query {name} for {identity.subject!r} of {identity.issuer}"
    if asked.value is not None:
        return ok(key, check, _described(asked.value))
    return problem(key, check, asked.description, remedy_for(asked.kind))


def _account_used(identity: Identity, asked: Answer[Account], *, several: bool) -> Finding:
    key, check = "accounts.used", "determine the account a launch would run as"
    if asked.value is not None:
        roles = ", ".join(sorted(asked.value.roles)) or "none"
        return ok(key, check, f"{_described(asked.value)}; roles: {roles}")
    # the answer of each source is listed above; these two are about all of them, and the rules for ids
    is_of_all = asked.kind in (ErrorKind.DISAGREEMENT, ErrorKind.ID_OUT_OF_RANGE)
    see_above = several and not is_of_all
    return problem(
        key, check, asked.description, "See the answer of each source above." if see_above else remedy_for(asked.kind)
    )


async def _proposals(facility: Facility, person: Person) -> list[Finding]:
    assert person.account is not None
    account = person.account
    findings: list[Finding] = []
    for name, source in facility.proposal_sources.items():
        with recording() as record:
            asked = await ask(source.proposals_of(account))
        findings += lines_of_exchanges(name, record.exchanges)
        key, check = f"proposals.{name}", f"query {name} for proposals of {account.name}"
        if asked.error is not None:
            findings.append(problem(key, check, asked.description, remedy_for(asked.kind)))
            continue
        found = asked.value or ()
        visits = sum(len(one.visits) for one in found)
        result = f"{len(found)} proposals, {visits} visits, in {asked.seconds:.2f} s"
        findings.append(
            ok(key, check, result)
            if found
            else warning(
                key, check, "none", "Check that this person is a member of a proposal, and has this name in the source."
            )
        )
        if asked.log:
            findings.append(
                warning(
                    f"{key}.left_out",
                    f"read the records of {name}",
                    "; ".join(asked.log[:5]),
                    "Correct these records in the source, or map the fields they use in its `fields`.",
                )
            )
        person.records[name] = record.records
        findings += contract_of(
            name,
            found,
            account,
            # a list of group names has neither dates nor beamlines
            has_fields=hasattr(source, "field_map"),
            runs_as_person=not (facility.run_as.template or facility.run_as.names),
        )
    joined = await ask(facility.proposals_of(account, fresh=True))
    if joined.value is not None:
        person.proposals = joined.value.proposals
        if len(facility.proposal_sources) > 1:
            result = f"{len(person.proposals)} proposals" + "".join(f"; {one}" for one in joined.log)
            findings.append(ok("proposals.joined", "join the proposals of all sources", result))
    return findings + _sees(person)


async def check_contracts(facility: Facility, person: Person) -> list[Finding]:
    """Check the records of this person against each source's contract. Done last: it closes the source's session."""
    findings: list[Finding] = []
    for name, records in person.records.items():
        assert person.account is not None
        findings += await _contract(name, facility.proposal_sources[name], person.account, records)
    return findings


async def _contract(name: str, source: ProposalSource, account: Account, records: list[Any]) -> list[Finding]:
    """Let a source check records against its own contract."""
    if not isinstance(source, ContractChecks):
        return []
    with recording() as record:
        asked = await ask(source.contract_lines(name, account, records))
    lines = lines_of_exchanges(name, record.exchanges)
    if asked.error is not None and not any(one.wrong for one in record.exchanges):
        key, check = f"proposals.{name}.contract", f"check {name} against its contract"
        lines.append(problem(key, check, asked.description, remedy_for(asked.kind)))
    return lines + (asked.value or [])


def _sees(person: Person) -> list[Finding]:
    findings = []
    for proposal in person.proposals[:MAX_SHOWN]:
        visits = ", ".join(f"{one.label}{f' ({one.start:%Y-%m-%d})' if one.start else ''}" for one in proposal.visits)
        group = "no group" if proposal.gid is None else f"group {proposal.gid}"
        findings.append(
            ok("sees.proposal", f"{proposal.id} {proposal.title!r:.60}", f"{group}; visits: {visits or 'none'}")
        )
    if len(person.proposals) > MAX_SHOWN:
        findings.append(ok("sees.more", f"and {len(person.proposals) - MAX_SHOWN} more proposals"))
    return findings


def _described(account: Account) -> str:
    groups = ", ".join(f"{account.group_names.get(gid, '?')} ({gid})" for gid in account.groups) or "none"
    return f"account {account.name}, uid {account.uid}, gid {account.gid}; groups: {groups}"
