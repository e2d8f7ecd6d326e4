"""Search, order and pages over proposals that are all known. Pure.

The same question may go to a source instead (see `records.PagedProposals`); what it answers is then looked at here,
too: `flaw_of` says whether a page can be an answer to the question at all.
"""

from __future__ import annotations

import datetime
import itertools
from collections.abc import Callable, Sequence
from typing import Any

from daas_hub.proposals.model import Page, Proposal, Query

PAGE_SIZE = 20
_EPOCH = datetime.datetime(1, 1, 1, tzinfo=datetime.UTC)

_KEYS: dict[str, Callable[[Proposal], Any]] = {
    "id": lambda proposal: proposal.id.lower(),
    "title": lambda proposal: proposal.title.casefold(),
    "beamlines": lambda proposal: tuple(beamline.casefold() for beamline in proposal.beamlines),
    "latest": lambda proposal: latest(proposal) or _EPOCH,
}
#: Other orders of the same column that databases have: by letters as they are, and without those that have nothing.
_OTHER_KEYS: dict[str, tuple[Callable[[Proposal], Any], ...]] = {
    "id": (lambda proposal: proposal.id,),
    "title": (lambda proposal: proposal.title,),
    "beamlines": (
        lambda proposal: ", ".join(proposal.beamlines),
        lambda proposal: ", ".join(proposal.beamlines).lower(),
    ),
    "latest": (),
}
COLUMNS = tuple(_KEYS)
DEFAULT_SORT = "-latest"


def question_of(*, search: str, sort: str, page: str) -> Query:
    """Read what a page was asked for; what is not understood falls back to the default, it is only a view."""
    # what cannot be shown cannot be looked for either, and must not reach a source's own language
    shown = "".join(letter if letter.isprintable() else " " for letter in search)
    sort = sort if sort.removeprefix("-") in COLUMNS else DEFAULT_SORT
    number = max(1, int(page)) if page.isdecimal() and len(page) < 7 else 1
    return Query(" ".join(shown.split())[:200].strip(), sort, number, PAGE_SIZE)


class Listing:
    """Proposals that are asked about again and again: what is compared is prepared once, when it is first needed.

    Fifty thousand proposals take some tenths of a second then, so ask in a thread where there are so many.
    """

    def __init__(self, proposals: Sequence[Proposal]) -> None:
        self.proposals = tuple(proposals)
        self._texts: list[str] | None = None
        self._orders: dict[str, list[int]] = {}

    def page(self, query: Query) -> Page:
        """Return the page asked for, or the last one if there are fewer."""
        order = self._order(query.sort)
        if words := query.search.casefold().split():
            texts = self._text()
            order = [index for index in order if all(word in texts[index] for word in words)]
        pages = max(1, -(-len(order) // query.page_size))
        number = min(query.page, pages)
        start = (number - 1) * query.page_size
        shown = tuple(self.proposals[index] for index in order[start : start + query.page_size])
        return Page(shown, len(order), query.search, query.sort, number, pages, COLUMNS, len(self.proposals))

    def _order(self, sort: str) -> list[int]:
        # several threads may ask at once: each works on what it made or found, and whoever is last is remembered
        if (known := self._orders.get(sort)) is not None:
            return known
        column = sort.removeprefix("-")
        keys = [_KEYS[column](proposal) for proposal in self.proposals]
        by_id = sorted(range(len(keys)), key=lambda index: self.proposals[index].id.lower())
        order = sorted(by_id, key=keys.__getitem__, reverse=sort.startswith("-"))
        self._orders = {name: one for name, one in self._orders.items() if name.lstrip("-") != column} | {sort: order}
        return order

    def _text(self) -> list[str]:
        texts = self._texts
        if texts is None:
            self._texts = texts = [text_of(proposal) for proposal in self.proposals]
        return texts


def flaw_of(shown: Sequence[Proposal], query: Query, *, entries: int, total: int, checks_words: bool = True) -> str:
    """Say why a source's page cannot be the answer to a question; "" if it can.

    Args:
        shown: what was read of the page, in the source's order.
        entries: how many the source gave, with those that could not be read.
        total: how many it says match.
        checks_words: whether the words of the search must be in what is shown.
    """
    expected = min(query.page_size, max(total - (query.page - 1) * query.page_size, 0))
    if entries != expected:
        return f"{entries} entries on page {query.page} of {total}, where {expected} were asked for"
    for word in query.search.casefold().split() if checks_words else ():
        if not all(word in text_of(proposal) for proposal in shown):
            return "entries that do not match the search"
    if query.sort and not _is_sorted(shown, query.sort):
        return f"{ORDER_FLAW} by {query.sort.removeprefix('-')}"
    return ""


#: How a flaw begins that only concerns the order.
ORDER_FLAW = "an order that is not"


def _is_sorted(proposals: Sequence[Proposal], sort: str) -> bool:
    column = sort.removeprefix("-")
    if column == "latest":
        # where those without a date stand is each database's own habit
        proposals = [proposal for proposal in proposals if latest(proposal)]
    for key in (_KEYS[column], *_OTHER_KEYS[column]):
        values = [key(proposal) for proposal in proposals]
        pairs = list(itertools.pairwise(values))
        if all((one >= other) if sort.startswith("-") else (one <= other) for one, other in pairs):
            return True
    return False


def latest(proposal: Proposal) -> datetime.datetime | None:
    """Return the start of the latest visit; None if no visit has a date."""
    starts = [_aware(visit.start) for visit in proposal.visits if visit.start is not None]
    return max(starts, default=None)


def _aware(moment: datetime.datetime) -> datetime.datetime:
    """Return a time that can be compared; one without a zone is read as UTC."""
    return moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)


def _joined(proposal: Proposal) -> str:
    return ", ".join(proposal.beamlines)


def text_of(proposal: Proposal) -> str:
    """Return what a search looks through."""
    return " ".join((proposal.id, proposal.title, proposal.abstract, *proposal.beamlines)).casefold()
