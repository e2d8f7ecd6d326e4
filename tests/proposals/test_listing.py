"""Search, order and pages over proposals: any question gives a page, and the pages together are the list (A13, R19)."""

from __future__ import annotations

import datetime
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daas_hub.proposals import Page, Proposal, Query, Visit
from daas_hub.proposals.listing import (
    COLUMNS,
    DEFAULT_SORT,
    ORDER_FLAW,
    PAGE_SIZE,
    Listing,
    VisitOrder,
    flaw_of,
    latest,
    question_of,
)
from daas_hub.proposals.model import WALL_CLOCK

UTC = datetime.UTC
MARCH = datetime.datetime(2026, 3, 9, 8, tzinfo=UTC)

GLASS = Proposal("MA-4242", "Roman glass", "X-ray fluorescence", ("ID21",), (Visit(1, start=MARCH),))
FOILS = Proposal("LS-1007", "thin FOILS", "Attenuation", ("BM23",), (Visit(1, start=MARCH.replace(month=6)),))
OLD = Proposal("ma-0001", "Ancient bread", "", ("ID21", "BM02"), (Visit(1, start=MARCH.replace(year=2001)),))
PLANNED = Proposal("ZZ-9", "Straße nach Süden")
ALL = (GLASS, FOILS, OLD, PLANNED)


def list_proposals(known: Sequence[Proposal], *, search: str, sort: str, page: str) -> Page:
    return Listing(known).page(question_of(search=search, sort=sort, page=page))


def ids(*, search: str = "", sort: str = "id", page: str = "1") -> list[str]:
    return [proposal.id for proposal in list_proposals(ALL, search=search, sort=sort, page=page).proposals]


@pytest.mark.parametrize(
    ("search", "found"),
    [
        pytest.param("", ["LS-1007", "ma-0001", "MA-4242", "ZZ-9"], id="nothing: all"),
        pytest.param("   ", ["LS-1007", "ma-0001", "MA-4242", "ZZ-9"], id="blanks: all"),
        pytest.param("ma-", ["ma-0001", "MA-4242"], id="id, capitals do not matter"),
        pytest.param("foils", ["LS-1007"], id="title"),
        pytest.param("FLUORESCENCE", ["MA-4242"], id="abstract"),
        pytest.param("bm02", ["ma-0001"], id="beamline"),
        pytest.param("id21 glass", ["MA-4242"], id="every word must be found"),
        pytest.param("glass id21", ["MA-4242"], id="in any order"),
        pytest.param("glass foils", [], id="words of two proposals"),
        pytest.param("STRASSE", ["ZZ-9"], id="casefold, not lower"),
        pytest.param("' or 1=1 --", [], id="G4 not a language"),
        pytest.param(".*", [], id="not a pattern"),
        pytest.param("%", [], id="not a wildcard"),
    ],
)
def test_search(search: str, found: list[str]) -> None:
    assert ids(search=search) == found


@pytest.mark.parametrize(
    ("sort", "order"),
    [
        pytest.param("id", ["LS-1007", "ma-0001", "MA-4242", "ZZ-9"], id="id"),
        pytest.param("-id", ["ZZ-9", "MA-4242", "ma-0001", "LS-1007"], id="id descending"),
        pytest.param("title", ["ma-0001", "MA-4242", "ZZ-9", "LS-1007"], id="title, capitals do not matter"),
        pytest.param("beamlines", ["ZZ-9", "LS-1007", "MA-4242", "ma-0001"], id="beamlines"),
        pytest.param("latest", ["ZZ-9", "ma-0001", "MA-4242", "LS-1007"], id="latest, none first"),
        pytest.param("-latest", ["LS-1007", "MA-4242", "ma-0001", "ZZ-9"], id="latest descending, none last"),
        pytest.param("abstract", ["LS-1007", "MA-4242", "ma-0001", "ZZ-9"], id="unknown column: the default"),
        pytest.param("--id", ["LS-1007", "MA-4242", "ma-0001", "ZZ-9"], id="two dashes: the default"),
        pytest.param("__class__", ["LS-1007", "MA-4242", "ma-0001", "ZZ-9"], id="D2 not an attribute"),
        pytest.param("", ["LS-1007", "MA-4242", "ma-0001", "ZZ-9"], id="not said: the default"),
    ],
)
def test_sort(sort: str, order: list[str]) -> None:
    assert ids(sort=sort) == order


@pytest.mark.parametrize(
    ("page", "number"),
    [
        pytest.param("1", 1, id="first"),
        pytest.param("3", 3, id="last"),
        pytest.param("4", 3, id="beyond the last"),
        pytest.param("0", 1, id="zero"),
        pytest.param("-1", 1, id="negative"),
        pytest.param("", 1, id="not said"),
        pytest.param("two", 1, id="words"),
        pytest.param("2.0", 1, id="not whole"),
        pytest.param("1e3", 1, id="scientific"),
        pytest.param("²", 1, id="superscript"),
        pytest.param("999999999999999999999999", 1, id="huge"),
        pytest.param("9" * 5000, 1, id="longer than Python reads"),
    ],
)
def test_page(page: str, number: int) -> None:
    many = [Proposal(f"P-{index:03}", "title") for index in range(2 * PAGE_SIZE + 1)]
    listing = list_proposals(many, search="", sort="id", page=page)
    assert (listing.page, listing.pages, listing.total) == (number, 3, len(many))
    assert len(listing.proposals) == (1 if number == 3 else PAGE_SIZE)


def test_no_proposals_is_one_empty_page() -> None:
    listing = list_proposals([], search="x", sort=DEFAULT_SORT, page="7")
    assert (listing.proposals, listing.total, listing.page, listing.pages) == ((), 0, 1, 1)


def test_fifty_thousand_proposals_are_one_short_page() -> None:
    """A13."""
    many = [Proposal(f"P-{index}", f"title {index}") for index in range(50_000)]
    assert len(list_proposals(many, search="title", sort="-id", page="2").proposals) == PAGE_SIZE


def test_latest_compares_dates_with_and_without_a_zone() -> None:
    visits = (Visit(1, start=datetime.datetime(2026, 1, 1)), Visit(2, start=MARCH), Visit(3))  # noqa: DTZ001
    assert latest(Proposal("P", "t", visits=visits)) == MARCH
    assert latest(Proposal("P", "t", visits=(Visit(1),))) is None


moments = st.none() | st.datetimes() | st.datetimes(timezones=st.just(UTC))
proposals = st.builds(
    Proposal,
    id=st.text("aB1.-", min_size=1, max_size=6),
    title=st.text(max_size=8),
    abstract=st.text(max_size=8),
    beamlines=st.lists(st.text(max_size=4), max_size=2).map(tuple),
    visits=st.lists(st.builds(Visit, number=st.integers(1, 9), start=moments), max_size=2).map(tuple),
)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(proposals, max_size=45),
    st.text(max_size=6),
    st.sampled_from([*COLUMNS, *(f"-{column}" for column in COLUMNS)]) | st.text(max_size=6),
    st.text(max_size=8) | st.integers(-3, 9).map(str),
)
def test_any_question_gives_a_page_and_the_pages_are_the_list(
    known: list[Proposal], search: str, sort: str, page: str
) -> None:
    listing = list_proposals(known, search=search, sort=sort, page=page)
    assert 1 <= listing.page <= listing.pages
    assert len(listing.proposals) <= PAGE_SIZE
    together = [
        proposal
        for number in range(1, listing.pages + 1)
        for proposal in list_proposals(known, search=search, sort=sort, page=str(number)).proposals
    ]
    assert len(together) == listing.total
    assert all(proposal in known for proposal in together)
    if not question_of(search=search, sort=sort, page=page).search:
        assert sorted(map(id, together)) == sorted(map(id, known))


def test_one_listing_answers_every_question() -> None:
    """What is prepared once serves other orders, searches and pages."""
    listing = Listing(ALL)
    for _ in range(2):
        for sort in ("id", "-id", "title", "-latest", "latest"):
            for search in ("", "id21"):
                query = question_of(search=search, sort=sort, page="1")
                assert listing.page(query) == Listing(ALL).page(query)
    assert listing.page(Query("id21", "id")).of == len(ALL)


BY_ID = tuple(sorted(ALL, key=lambda proposal: proposal.id.lower()))


@pytest.mark.parametrize(
    ("shown", "query", "entries", "total", "flaw"),
    [
        pytest.param(BY_ID, Query("", "id"), 4, 4, "", id="all of them"),
        pytest.param(BY_ID[:2], Query("", "id", 1, 2), 2, 50_000, "", id="a page of many"),
        pytest.param(BY_ID[:1], Query("", "id", 3, 2), 1, 5, "", id="the last page"),
        pytest.param(BY_ID[:3], Query("", "id", 1, 4), 4, 4, "", id="one that could not be read"),
        pytest.param(BY_ID, Query("", "id", 1, 2), 4, 4, "4 entries on page 1", id="page_size taken no notice of"),
        pytest.param(BY_ID[:2], Query("", "id", 1, 4), 2, 4, "2 entries on page 1", id="a page of its own size"),
        pytest.param(BY_ID, Query("glass", "id"), 4, 4, "do not match", id="search taken no notice of"),
        pytest.param((GLASS,), Query("GLASS id21", "id"), 1, 1, "", id="words in any order"),
        pytest.param(ALL, Query("", "id"), 4, 4, ORDER_FLAW, id="order taken no notice of"),
        pytest.param(BY_ID, Query("", "-id"), 4, 4, ORDER_FLAW, id="the other way round"),
        pytest.param(ALL, Query("", ""), 4, 4, "", id="the source's own order"),
        pytest.param((FOILS, GLASS, OLD), Query("", "id"), 3, 3, "", id="capitals before small letters"),
        pytest.param((PLANNED, FOILS, GLASS, OLD), Query("", "-latest"), 4, 4, "", id="without a date first"),
        pytest.param((FOILS, GLASS, OLD, PLANNED), Query("", "-latest"), 4, 4, "", id="without a date last"),
    ],
)
def test_a_page_of_a_source_is_checked(
    shown: tuple[Proposal, ...], query: Query, entries: int, total: int, flaw: str
) -> None:
    """A source that takes no notice of a question is never believed."""
    found = flaw_of(shown, query, entries=entries, total=total)
    assert flaw in found
    assert bool(flaw) == bool(found)


NOW = MARCH.replace(month=7)
NAIVE = datetime.datetime(2026, 5, 1, 8)  # noqa: DTZ001  # as some sources send it
PARIS = datetime.timezone(datetime.timedelta(hours=2))


@pytest.mark.parametrize(
    ("starts", "order", "words"),
    [
        pytest.param({1: None, 2: None}, [2, 1], ["latest", ""], id="no dates: by number"),
        pytest.param({9: MARCH, 2: NAIVE}, [2, 9], ["latest", ""], id="by date, one without a time zone"),
        pytest.param({1: MARCH, 2: None}, [1, 2], ["latest", ""], id="undated ones after dated ones"),
        pytest.param(
            {1: MARCH, 2: NOW.replace(month=9), 3: NOW.replace(month=8)},
            [1, 2, 3],
            ["latest", "upcoming", "upcoming"],
            id="a future one is not the newest",
        ),
        pytest.param(
            {1: NOW.replace(month=9), 2: NOW.replace(month=8)}, [2, 1], ["upcoming"] * 2, id="all in the future"
        ),
        pytest.param({1: NOW, 2: MARCH}, [1, 2], ["latest", ""], id="one that begins now is running"),
        pytest.param(
            {1: (NOW - datetime.timedelta(minutes=1)).astimezone(PARIS)}, [1], [""], id="another time zone, and alone"
        ),
    ],
)
def test_the_newest_visit_is_the_last_that_has_begun(
    starts: dict[int, datetime.datetime | None], order: list[int], words: list[str]
) -> None:
    visits = [Visit(number, start=start) for number, start in starts.items()]
    by_date = VisitOrder(visits, NOW)
    found = by_date.newest_first()
    assert [visit.number for visit in found] == order
    assert [by_date.words(visit) for visit in found] == words


@pytest.mark.parametrize("zone", [None, WALL_CLOCK])
def test_a_visit_begins_by_the_clock_of_the_facility(zone: datetime.tzinfo | None) -> None:
    """In Melbourne the morning of a beamtime is the evening before in UTC."""
    melbourne = datetime.timezone(datetime.timedelta(hours=10))
    visits = [Visit(1, start=MARCH), Visit(2, start=NOW.replace(hour=8, tzinfo=zone))]
    evening_before = NOW.replace(hour=22) - datetime.timedelta(days=1)
    assert VisitOrder(visits, evening_before, melbourne).newest_first()[0].number == 2
    assert VisitOrder(visits, evening_before - datetime.timedelta(minutes=1), melbourne).words(visits[1]) == "upcoming"
