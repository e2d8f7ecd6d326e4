"""Several sources joined into one: the proposals of all, without those about which they disagree."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from dataclasses import replace
from typing import Any

from cachetools import LRUCache

from daas_hub.accounts import Account
from daas_hub.proposals.log_once import LogOnce
from daas_hub.proposals.model import LeftOut, NamedProposals, Proposal, ProposalSource, ReportsLeftOut, Visit

#: Accounts for which is remembered what the sources disagreed about.
_MAX_ACCOUNTS = 2000


class ChainedProposals:
    """A source that asks several sources concurrently.

    It answers only if all of them do: one that is down might have disagreed. It makes no pages, because order and
    number of matches of several sources together are known only when all proposals are.
    """

    def __init__(self, sources: Mapping[str, ProposalSource]) -> None:
        self._sources = dict(sources)
        self._problem_log = LogOnce("proposal left out")
        self._disagreements: LRUCache[Account, tuple[LeftOut, ...]] = LRUCache(_MAX_ACCOUNTS)

    async def proposals_of(self, account: Account) -> tuple[Proposal, ...]:
        """Return the proposals of all sources (see `ProposalSource`)."""
        proposals, left_out = await self._joined([source.proposals_of(account) for source in self._sources.values()])
        self._disagreements[account] = left_out
        return proposals

    def left_out_of(self, account: Account) -> tuple[LeftOut, ...]:
        """Return what the sources left out, and what they disagree about (see `ReportsLeftOut`)."""
        by_sources = [one.left_out_of(account) for one in self._sources.values() if isinstance(one, ReportsLeftOut)]
        return (*(one for left_out in by_sources for one in left_out), *self._disagreements.get(account, ()))

    async def proposals_called(self, account: Account, proposal_id: str) -> tuple[Proposal, ...]:
        """Return one proposal as all sources describe it (see `NamedProposals`); left out if they disagree."""
        proposals, _ = await self._joined([_called(one, account, proposal_id) for one in self._sources.values()])
        return proposals

    async def _joined(
        self, questions: list[Coroutine[Any, Any, tuple[Proposal, ...]]]
    ) -> tuple[tuple[Proposal, ...], tuple[LeftOut, ...]]:
        answers = await asyncio.gather(*questions, return_exceptions=True)
        failed = [answer for answer in answers if isinstance(answer, BaseException)]
        if failed:
            raise failed[0]
        by_source = {
            name: answer for name, answer in zip(self._sources, answers, strict=True) if isinstance(answer, tuple)
        }
        proposals, problems = merge(by_source)
        for problem in problems:
            self._problem_log.error(problem)
        left_out = [problem.partition(": ") for problem in problems]
        return proposals, tuple(LeftOut(name, reason) for name, _, reason in left_out)


async def _called(source: ProposalSource, account: Account, proposal_id: str) -> tuple[Proposal, ...]:
    if isinstance(source, NamedProposals):
        return await source.proposals_called(account, proposal_id)
    return tuple(one for one in await source.proposals_of(account) if one.id.lower() == proposal_id.lower())


def merge(by_source: Mapping[str, tuple[Proposal, ...]]) -> tuple[tuple[Proposal, ...], list[str]]:
    """Join the proposals of several sources. Pure.

    A proposal of two sources is joined if they agree on its group and on its visits' directories, beamlines and names.
    What one source lacks is taken from the other; titles and texts are those of the first.

    Returns:
        the proposals, and a sentence for each that was left out.
    """
    merged: dict[str, Proposal] = {}
    first_of: dict[str, str] = {}
    left_out: dict[str, str] = {}
    for source, proposals in by_source.items():
        for proposal in proposals:
            key = proposal.id.lower()
            if key not in merged:
                merged[key], first_of[key] = proposal, source
                continue
            try:
                merged[key] = _joined(merged[key], proposal)
            except ValueError as error:
                left_out[key] = f"{merged[key].id}: {first_of[key]} and {source} disagree about {error}"
    return tuple(one for key, one in merged.items() if key not in left_out), list(left_out.values())


def _joined(one: Proposal, other: Proposal) -> Proposal:
    if one.id != other.id:
        raise ValueError(f"its id ({other.id})")
    if one.gid is not None and other.gid is not None and one.gid != other.gid:
        raise ValueError(f"its group ({one.gid}, {other.gid})")
    visits = {visit.number: visit for visit in one.visits}
    for visit in other.visits:
        visits[visit.number] = _joined_visit(visits[visit.number], visit) if visit.number in visits else visit
    return replace(
        one,
        title=one.title if one.title != one.id else other.title,
        abstract=one.abstract or other.abstract,
        beamlines=one.beamlines or other.beamlines,
        visits=tuple(visits.values()),
        gid=one.gid if one.gid is not None else other.gid,
    )


def _joined_visit(one: Visit, other: Visit) -> Visit:
    # name and beamline decide about directories, too: MountRules.data has templates with them
    for what, mine, theirs in (
        ("data directories", one.data, other.data),
        ("beamline", one.beamline, other.beamline),
        ("name", one.name, other.name),
    ):
        if mine and theirs and mine != theirs:
            raise ValueError(f"the {what} of visit {one.number} ({mine}, {theirs})")
    return replace(
        one,
        title=one.title or other.title,
        beamline=one.beamline or other.beamline,
        start=one.start or other.start,
        end=one.end or other.end,
        data=one.data or other.data,
        name=one.name or other.name,
    )
