"""Proposals from a YAML file, for a demo, a course or a beamline without a catalogue."""

from __future__ import annotations

import asyncio
import datetime
from pathlib import Path
from typing import Any

from pydantic import Field, field_validator

from daas_hub.accounts import Account
from daas_hub.errors import DocumentError, SourceUnavailable
from daas_hub.findings import Finding, ok
from daas_hub.proposals.model import HIGHEST_VISIT, LOWEST_VISIT, PROPOSAL_ID, Proposal, Visit
from daas_hub.proposals.reading import MAX_ABSTRACT, MAX_NAME, MAX_TITLE
from daas_hub.services.outside_text import printable
from daas_hub.services.yaml_document import Document, read_document


class _Visit(Document):
    number: int = Field(ge=LOWEST_VISIT, le=HIGHEST_VISIT)
    #: the facility's name for it, {visit} in templates of directories; "" for its number
    name: str = Field(default="", max_length=64, pattern=r"^[^/\x00-\x1f]*$")
    title: str = ""
    beamline: str = ""
    start: datetime.datetime | None = None
    end: datetime.datetime | None = None
    data: list[str] = []


class _Proposal(Document):
    id: str
    title: str = Field(min_length=1, max_length=1000)
    abstract: str = Field(default="", max_length=20_000)
    beamlines: list[str] = []
    members: list[str] = []
    gid: int | None = None
    visits: list[_Visit] = []

    @field_validator("id")
    @classmethod
    def _plain_id(cls, value: str) -> str:
        if not PROPOSAL_ID.fullmatch(value):
            raise ValueError(
                "a proposal's id is letters, digits, '.', '_' and '-', and starts with a letter or digit; it may have "
                "several such parts with '/' between them"
            )
        return value


class _Proposals(Document):
    proposals: list[_Proposal]
    #: beamline -> accounts of its staff, who see every proposal of the beamline
    beamline_staff: dict[str, list[str]] = {}


class ProposalFile:
    """A source that reads a file, again whenever it changes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen: tuple[int, int] = (0, 0)
        self._by_member: dict[str, tuple[Proposal, ...]] = {}
        self._read_if_changed()

    async def proposals_of(self, account: Account) -> tuple[Proposal, ...]:
        """Return the proposals that name this account as a member (see `ProposalSource`)."""
        try:
            await asyncio.to_thread(self._read_if_changed)
        except DocumentError as error:
            raise SourceUnavailable(
                "The proposals are not available at the moment.",
                remedy="The problem has been logged.",
                detail=f"static: {error}",
                kind=error.kind,
            ) from error
        return self._by_member.get(account.name, ())

    async def contract_lines(self, name: str, account: Account, records: list[Any]) -> list[Finding]:
        """Report what the file contains (see `ContractChecks`); its schema was checked when it was read."""
        ids = {one.id for proposals in self._by_member.values() for one in proposals}
        is_in = account.name in self._by_member
        got = f"{len(self._by_member)} members of {len(ids)} proposals; {account.name} is {'' if is_in else 'not '}one"
        return [ok(f"proposals.{name}.file", f"{name}: read {self.path}", got)]

    def _read_if_changed(self) -> None:
        try:
            status = self.path.stat()
            stamp = (status.st_mtime_ns, status.st_size)
        except OSError:
            stamp = (-1, -1)
        if stamp != self._seen:
            self._by_member = _by_member(self.path, read_document(self.path, _Proposals))
            self._seen = stamp


def _by_member(path: Path, document: _Proposals) -> dict[str, tuple[Proposal, ...]]:
    members: dict[str, list[Proposal]] = {}
    seen: set[str] = set()
    for entry in document.proposals:
        if entry.id.lower() in seen:
            raise DocumentError(
                str(path), 1, f"the proposal {entry.id!r} is there twice (ids are compared ignoring case)"
            )
        seen.add(entry.id.lower())
        numbers = [visit.number for visit in entry.visits]
        if len(set(numbers)) != len(numbers):
            raise DocumentError(str(path), 1, f"the proposal {entry.id!r} has two visits with the same number")
        proposal = Proposal(
            id=entry.id,
            title=printable(entry.title, MAX_TITLE) or entry.id,
            abstract=printable(entry.abstract, MAX_ABSTRACT, lines=True),
            beamlines=tuple(printable(name, MAX_NAME) for name in entry.beamlines),
            gid=entry.gid,
            visits=tuple(map(_visit_of, entry.visits)),
        )
        staff = [name for beamline in entry.beamlines for name in document.beamline_staff.get(beamline, [])]
        for member in dict.fromkeys([*entry.members, *staff]):
            members.setdefault(member, []).append(proposal)
    return {member: tuple(proposals) for member, proposals in members.items()}


def _visit_of(entry: _Visit) -> Visit:
    return Visit(
        entry.number,
        printable(entry.title, MAX_TITLE),
        printable(entry.beamline, MAX_NAME),
        entry.start,
        entry.end,
        tuple(entry.data),
        printable(entry.name, MAX_NAME),
    )
