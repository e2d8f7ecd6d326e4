"""Search, sort and pages over proposals. Pure."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from daas_hub.proposals import Proposal

PAGE_SIZE = 20
_EPOCH = datetime.datetime(1, 1, 1, tzinfo=datetime.UTC)

_KEYS: dict[str, Callable[[Proposal], Any]] = {
    "id": lambda proposal: proposal.id.lower(),
    "title": lambda proposal: proposal.title.casefold(),
    "beamlines": lambda proposal: tuple(beamline.casefold() for beamline in proposal.beamlines),
    "latest": lambda proposal: latest(proposal) or _EPOCH,
}
COLUMNS = tuple(_KEYS)
DEFAULT_SORT = "-latest"


@dataclass(frozen=True)
class Listing:
    """One page of proposals. `sort` is a column, with "-" before it for descending."""

    proposals: tuple[Proposal, ...]
    total: int
    search: str
    sort: str
    page: int
    pages: int


def list_proposals(proposals: Sequence[Proposal], *, search: str, sort: str, page: str) -> Listing:
    """Give the page asked for; what is not understood in the question falls back to the default, it is only a view."""
    search = search.strip()[:200]
    sort = sort if sort.removeprefix("-") in COLUMNS else DEFAULT_SORT
    words = search.casefold().split()
    found = [proposal for proposal in proposals if all(word in _text(proposal) for word in words)]
    found.sort(key=lambda proposal: proposal.id.lower())
    found.sort(key=_KEYS[sort.removeprefix("-")], reverse=sort.startswith("-"))
    pages = max(1, -(-len(found) // PAGE_SIZE))
    number = min(max(1, int(page)), pages) if page.isdecimal() and len(page) < 7 else 1
    start = (number - 1) * PAGE_SIZE
    return Listing(tuple(found[start : start + PAGE_SIZE]), len(found), search, sort, number, pages)


def latest(proposal: Proposal) -> datetime.datetime | None:
    """Give the start of the latest visit; None if no visit has a date."""
    starts = [_aware(visit.start) for visit in proposal.visits if visit.start is not None]
    return max(starts, default=None)


def _aware(moment: datetime.datetime) -> datetime.datetime:
    """Give a time that can be compared; one without a zone is read as UTC."""
    return moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)


def _text(proposal: Proposal) -> str:
    return " ".join((proposal.id, proposal.title, proposal.abstract, *proposal.beamlines)).casefold()
