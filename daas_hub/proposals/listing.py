"""Search, sort and page over a complete list of proposals. Pure.

Sources may answer the same queries (see `model.PagedProposals`); `flaw_of` checks whether a page of theirs can be
correct.
"""

from __future__ import annotations

import datetime
import itertools
from collections.abc import Callable, Sequence
from typing import Any

from daas_hub.proposals.model import WALL_CLOCK, Page, Proposal, Query, Visit

PAGE_SIZE = 20
_EPOCH = datetime.datetime(1, 1, 1, tzinfo=datetime.UTC)

_KEYS: dict[str, Callable[[Proposal], Any]] = {
    "id": lambda proposal: proposal.id.lower(),
    "title": lambda proposal: proposal.title.casefold(),
    "beamlines": lambda proposal: tuple(beamline.casefold() for beamline in proposal.beamlines),
    "latest": lambda proposal: latest(proposal) or _EPOCH,
}
#: Other collations that databases use for the same column.
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
    """Return the query in a page's URL; invalid parts fall back to the defaults."""
    # unprintable characters match nothing, and must not reach the query language of a source
    shown = "".join(letter if letter.isprintable() else " " for letter in search)
    sort = sort if sort.removeprefix("-") in COLUMNS else DEFAULT_SORT
    number = max(1, int(page)) if page.isdecimal() and len(page) < 7 else 1
    return Query(" ".join(shown.split())[:200].strip(), sort, number, PAGE_SIZE)


class Listing:
    """Proposals with sort orders and search texts that are prepared once, when first needed.

    For fifty thousand proposals this takes some tenths of a second: call `page` in a thread then.
    """

    def __init__(self, proposals: Sequence[Proposal]) -> None:
        self.proposals = tuple(proposals)
        self._texts: list[str] | None = None
        self._orders: dict[str, list[int]] = {}

    def page(self, query: Query) -> Page:
        """Return the requested page, or the last one if there are fewer."""
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
        # called by several threads: each uses its own result, and the last one is kept
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
    """Return why a source's page cannot be the answer to a query; "" if it can.

    Args:
        shown: the readable proposals of the page, in the source's order.
        entries: number of proposals on the page, including unreadable ones.
        total: number of matches according to the source.
        checks_words: whether the words of the search must be in the proposals.
    """
    expected = min(query.page_size, max(total - (query.page - 1) * query.page_size, 0))
    if entries != expected:
        return f"{entries} entries on page {query.page} of {total} matches instead of {expected}"
    for word in query.search.casefold().split() if checks_words else ():
        if not all(word in text_of(proposal) for proposal in shown):
            return "entries that do not match the search"
    if query.sort and not _is_sorted(shown, query.sort):
        return f"{ORDER_FLAW} by {query.sort.removeprefix('-')}"
    return ""


#: The beginning of a flaw that only concerns the order.
ORDER_FLAW = "an order other than"


def _is_sorted(proposals: Sequence[Proposal], sort: str) -> bool:
    column = sort.removeprefix("-")
    if column == "latest":
        # databases differ in where they put rows without a date
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


class VisitOrder:
    """The order of a proposal's visits by date.

    Args:
        zone: the facility's, for visits whose source states no time zone.
    """

    def __init__(self, visits: Sequence[Visit], now: datetime.datetime, zone: datetime.tzinfo = datetime.UTC) -> None:
        self._now = now
        self._zone = zone
        ordered = sorted(visits, key=lambda visit: (self._start(visit), visit.number), reverse=True)
        begun = [visit for visit in ordered if not self.is_upcoming(visit)]
        self._newest = begun[0] if len(visits) > 1 and begun else None
        # where nothing has begun, the next one matters more than the last
        self._visits = sorted(ordered, key=lambda visit: visit is not begun[0]) if begun else ordered[::-1]

    def newest_first(self) -> list[Visit]:
        """Return the visits: the last that has begun, then upcoming ones, then earlier ones.

        Visits without a date are ordered by their numbers, after those with one.
        """
        return list(self._visits)

    def words(self, visit: Visit) -> str:
        """Return "upcoming" for a visit that has not begun, "latest" for the newest one of several, else ""."""
        if self.is_upcoming(visit):
            return "upcoming"
        return "latest" if visit is self._newest else ""

    def is_upcoming(self, visit: Visit) -> bool:
        """Return whether a visit has not begun; one without a date counts as begun."""
        return visit.start is not None and self._start(visit) > self._now

    def _start(self, visit: Visit) -> datetime.datetime:
        if visit.start is None:
            return _EPOCH
        has_zone = visit.start.tzinfo is not None and visit.start.tzinfo is not WALL_CLOCK
        return visit.start if has_zone else visit.start.replace(tzinfo=self._zone)


def _aware(moment: datetime.datetime) -> datetime.datetime:
    """Return a comparable time; without a time zone it counts as UTC."""
    return moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)


def text_of(proposal: Proposal) -> str:
    """Return the text that is searched."""
    return " ".join((proposal.id, proposal.title, proposal.abstract, *proposal.beamlines)).casefold()
