"""Proposal and visit, and the contract of a provider."""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass
from typing import Protocol

from daas_hub.identity import Account

#: What an id of a proposal may look like anywhere. A facility may be stricter, never laxer: these characters are
#: safe in a path, a URL, a mount option and a log line, and `..` is none of them.
PROPOSAL_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")

#: The highest number of a visit: some catalogues count all visits of a facility in one row.
HIGHEST_VISIT = 2**31 - 1


@dataclass(frozen=True)
class Visit:
    """One beamtime of a proposal.

    Attributes:
        number: what links and stored sessions say; no other visit of the proposal has it.
        data: the raw data's directories on the facility's storage, absolute paths.
        name: what the facility calls it, where that is not its number; paths have it so. "S0011", "mx12345-7".
    """

    number: int
    title: str = ""
    beamline: str = ""
    start: datetime.datetime | None = None
    end: datetime.datetime | None = None
    data: tuple[str, ...] = ()
    name: str = ""

    @property
    def label(self) -> str:
        """What the facility calls this visit."""
        return self.name or str(self.number)


@dataclass(frozen=True)
class Proposal:
    """An experiment as the facility tells it. `gid` is the group that shares its processed data, if it has one."""

    id: str
    title: str
    abstract: str = ""
    beamlines: tuple[str, ...] = ()
    visits: tuple[Visit, ...] = ()
    gid: int | None = None

    def visit(self, number: int) -> Visit | None:
        """Give the visit of this number; None if there is none."""
        return next((visit for visit in self.visits if visit.number == number), None)


class ProposalSource(Protocol):
    """What every provider of proposals owes. That is all."""

    async def proposals_of(self, account: Account) -> tuple[Proposal, ...]:
        """Give the proposals this account may see, asked for now.

        Raises:
            SourceUnavailable: the source did not answer as it should; nothing may be granted.
        """
        ...
