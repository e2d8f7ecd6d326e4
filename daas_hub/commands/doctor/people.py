"""Asks the sources of accounts and proposals about one person, or about one that cannot exist."""

from __future__ import annotations

import secrets
import time
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from daas_hub.accounts import Account, Identity, claims_read_by
from daas_hub.commands.doctor.contracts import contract_of, lines_of_exchanges
from daas_hub.commands.doctor.log_capture import listening
from daas_hub.commands.doctor.remedies import remedy_for
from daas_hub.errors import DaasError, ErrorKind, NoAccount
from daas_hub.facility import Facility
from daas_hub.findings import Finding, not_checked, ok, problem, warning
from daas_hub.proposals import ContractChecks, Proposal, ProposalSource
from daas_hub.services.recording import recording

#: Proposals that are written out; the rest is counted.
MAX_SHOWN = 20

_Value = TypeVar("_Value")


@dataclass
class Asked(Generic[_Value]):
    """What one question came to: a value or an error, what was logged meanwhile, and how long it took."""

    value: _Value | None = None
    error: DaasError | None = None
    words: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def said(self) -> str:
        """What came, in the administrator's words."""
        parts = [self.error.message, self.error.detail] if self.error else []
        return "; ".join(dict.fromkeys(one for one in [*parts, *self.words] if one))

    @property
    def kind(self) -> ErrorKind | None:
        """What kind of error came; None for none."""
        return self.error.kind if self.error else None


async def ask(question: Awaitable[_Value]) -> Asked[_Value]:
    """Put a question to a source."""
    began = time.monotonic()
    with listening() as words:
        try:
            return Asked(await question, words=words, seconds=time.monotonic() - began)
        except DaasError as error:
            return Asked(error=error, words=words, seconds=time.monotonic() - began)


# -- nobody in particular --------------------------------------------------------------------------------------------


async def ask_about_nobody(facility: Facility, issuers: Sequence[str], *, for_person: bool = False) -> list[Finding]:
    """Ask every source about a login that cannot exist: it must answer, and know nobody.

    Args:
        for_person: whether a person is asked about as well, whose answers then show each line of a contract.
    """
    word = f"nobody-{secrets.token_hex(4)}"
    findings: list[Finding] = []
    for name, source in facility.account_sources.items():
        for issuer in issuers:
            claims = dict.fromkeys(claims_read_by(source), word)
            identity = Identity(issuer, word, claims=claims, told_at=time.time())
            findings.append(_about_nobody(name, issuer, await ask(source.account_of(identity))))
    account = Account(word, facility.max_id, facility.max_id, display_name="nobody")
    for name, proposals in facility.proposal_sources.items():
        with recording() as record:
            asked = await ask(proposals.proposals_of(account))
        # what lets the portal in is remembered, and not asked for again when the person is asked about
        first = [one for one in record.exchanges if one.place.startswith("POST ") and not one.wrong]
        findings += lines_of_exchanges(name, first if for_person else record.exchanges)
        findings.append(_proposals_of_nobody(name, asked))
        if not for_person and asked.error is None and hasattr(proposals, "field_map"):
            findings += await _contract(name, proposals, account, record.records)
    return findings


def _about_nobody(name: str, issuer: str, asked: Asked[Account]) -> Finding:
    key, did = f"accounts.{name}", f"asked {name} about a login of {issuer} that cannot exist"
    if asked.error is None:
        assert asked.value is not None
        return problem(
            key,
            did,
            f"the account {asked.value.name} (uid {asked.value.uid})",
            "Whoever can log in there has this account. Correct the filter or the fields: they must name one person.",
        )
    if isinstance(asked.error, NoAccount):
        return ok(key, did, f"no such account, after {asked.seconds:.2f} s")
    return problem(key, did, asked.said, remedy_for(asked.kind))


def _proposals_of_nobody(name: str, asked: Asked[tuple[Proposal, ...]]) -> Finding:
    key, did = f"proposals.{name}", f"asked {name} for the proposals of somebody who cannot exist"
    if asked.value:
        return problem(
            key,
            did,
            f"{len(asked.value)} proposals, {asked.value[0].id} first",
            "They would be everybody's. Check how this source is told whose proposals are wanted.",
        )
    if asked.error is None:
        return ok(key, did, f"none, after {asked.seconds:.2f} s")
    if asked.kind is ErrorKind.NO_ACCESS_TOKEN:
        return not_checked(key, did, "it is asked in a person's name: give --as and --token-file")
    return problem(key, did, asked.said, remedy_for(asked.kind))


# -- one person --------------------------------------------------------------------------------------------------------


@dataclass
class Person:
    """What is known of the person an examination is about, once the sources were asked."""

    account: Account | None = None
    proposals: tuple[Proposal, ...] = ()
    #: the records of each source, as it gave them
    came: dict[str, list[Any]] = field(default_factory=dict)


async def ask_about(facility: Facility, identity: Identity, person: Person) -> list[Finding]:
    """Ask every source about this login, and put into `person` what a launch would see."""
    findings: list[Finding] = []
    for name, source in facility.account_sources.items():
        with recording() as record:
            told = await ask(source.account_of(identity))
        findings += lines_of_exchanges(name, record.exchanges, kind="accounts")
        findings.append(_account_told(name, identity, told))
    asked = await ask(facility.account_of(identity))
    findings.append(_account_used(identity, asked, several=len(facility.account_sources) > 1))
    if asked.value is None:
        return [*findings, not_checked("proposals.asked", "asked for proposals", "there is no account to ask for")]
    person.account = asked.value
    return findings + await _proposals(facility, person)


def _account_told(name: str, identity: Identity, asked: Asked[Account]) -> Finding:
    key, did = f"accounts.{name}", f"asked {name} about {identity.subject!r} of {identity.issuer}"
    if asked.value is not None:
        return ok(key, did, _described(asked.value))
    return problem(key, did, asked.said, remedy_for(asked.kind))


def _account_used(identity: Identity, asked: Asked[Account], *, several: bool) -> Finding:
    key, did = "accounts.used", "took the account a launch would run under"
    if asked.value is not None:
        roles = ", ".join(sorted(asked.value.roles)) or "none"
        return ok(key, did, f"{_described(asked.value)}; roles: {roles}")
    # what a single source said is above; these two come of all of them together, and of the rules for ids
    is_of_all = asked.kind in (ErrorKind.DISAGREEMENT, ErrorKind.ID_OUT_OF_RANGE)
    see_above = several and not is_of_all
    return problem(key, did, asked.said, "See what each source said above." if see_above else remedy_for(asked.kind))


async def _proposals(facility: Facility, person: Person) -> list[Finding]:
    assert person.account is not None
    account = person.account
    findings: list[Finding] = []
    for name, source in facility.proposal_sources.items():
        with recording() as record:
            asked = await ask(source.proposals_of(account))
        findings += lines_of_exchanges(name, record.exchanges)
        key, did = f"proposals.{name}", f"asked {name} for the proposals of {account.name}"
        if asked.error is not None:
            findings.append(problem(key, did, asked.said, remedy_for(asked.kind)))
            continue
        told = asked.value or ()
        visits = sum(len(one.visits) for one in told)
        got = f"{len(told)} proposals, {visits} visits, after {asked.seconds:.2f} s"
        findings.append(
            ok(key, did, got)
            if told
            else warning(key, did, "none", "Is this person a member of any, and known there by this name?")
        )
        if asked.words:
            findings.append(
                warning(
                    f"{key}.left_out",
                    f"read what {name} said",
                    "; ".join(asked.words[:5]),
                    "Mend these records at the source, or say in its `fields` where the value stands.",
                )
            )
        person.came[name] = record.records
        findings += contract_of(
            name,
            told,
            account,
            # a list of names of groups has neither dates nor beamlines, and need not
            has_fields=hasattr(source, "field_map"),
            runs_as_person=not (facility.run_as.template or facility.run_as.names),
        )
    joined = await ask(facility.proposals_of(account, fresh=True))
    if joined.value is not None:
        person.proposals = joined.value.proposals
        if len(facility.proposal_sources) > 1:
            got = f"{len(person.proposals)} proposals" + "".join(f"; {one}" for one in joined.words)
            findings.append(ok("proposals.joined", "joined what the sources said", got))
    return findings + _sees(person)


async def hold_against_contracts(facility: Facility, person: Person) -> list[Finding]:
    """Hold what came for this person against each source's own contract. Done last: it closes what was opened."""
    findings: list[Finding] = []
    for name, records in person.came.items():
        assert person.account is not None
        findings += await _contract(name, facility.proposal_sources[name], person.account, records)
    return findings


async def _contract(name: str, source: ProposalSource, account: Account, records: list[Any]) -> list[Finding]:
    """Have a source hold what came against its own contract."""
    if not isinstance(source, ContractChecks):
        return []
    with recording() as record:
        asked = await ask(source.contract_lines(name, account, records))
    return lines_of_exchanges(name, record.exchanges) + (asked.value or [])


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
