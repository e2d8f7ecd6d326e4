"""Several sources become one: proposals of all, each once, and none about which they disagree."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from dataclasses import replace
from typing import Any

from daas_hub.accounts import Account
from daas_hub.proposals.log_once import LogOnce
from daas_hub.proposals.model import NamedProposals, Proposal, ProposalSource, Visit


class ChainedProposals:
    """A provider that asks several, all at once.

    It answers only if all of them do: where one is silent, nobody knows whether it would have disagreed. It makes no
    pages: an order or a number of matches of several sources together is known only by who has seen all.
    """

    def __init__(self, sources: Mapping[str, ProposalSource]) -> None:
        self._sources = dict(sources)
        self._told = LogOnce("proposal left out")

    async def proposals_of(self, account: Account) -> tuple[Proposal, ...]:
        """Return the proposals of all sources (see `ProposalSource`)."""
        return await self._joined([source.proposals_of(account) for source in self._sources.values()])

    async def proposals_called(self, account: Account, proposal_id: str) -> tuple[Proposal, ...]:
        """Return what all sources say of one proposal (see `NamedProposals`): they agree on it, or it is left out."""
        return await self._joined([_called(source, account, proposal_id) for source in self._sources.values()])

    async def _joined(self, questions: list[Coroutine[Any, Any, tuple[Proposal, ...]]]) -> tuple[Proposal, ...]:
        answers = await asyncio.gather(*questions, return_exceptions=True)
        failed = [answer for answer in answers if isinstance(answer, BaseException)]
        if failed:
            raise failed[0]
        told = {name: answer for name, answer in zip(self._sources, answers, strict=True) if isinstance(answer, tuple)}
        proposals, problems = merge(told)
        for problem in problems:
            self._told.tell(problem)
        return proposals


async def _called(source: ProposalSource, account: Account, proposal_id: str) -> tuple[Proposal, ...]:
    if isinstance(source, NamedProposals):
        return await source.proposals_called(account, proposal_id)
    return tuple(one for one in await source.proposals_of(account) if one.id.lower() == proposal_id.lower())


def merge(told: Mapping[str, tuple[Proposal, ...]]) -> tuple[tuple[Proposal, ...], list[str]]:
    """Join what each source told. Pure.

    A proposal that two sources name is joined if they agree on its group and on the directories of its visits. What one
    of them does not know, the other says; in titles and texts the first has the word.

    Returns:
        the proposals, and what was left out and why.
    """
    merged: dict[str, Proposal] = {}
    first_of: dict[str, str] = {}
    left_out: dict[str, str] = {}
    for source, proposals in told.items():
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
    # name and beamline decide about directories, too: they fill in the templates of MountRules.data
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
