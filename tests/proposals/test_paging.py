"""One proposal and one page of somebody's many, asked of every source that can: the same proposals as all of them give,
and never a wrong page without a word (A13, R19, D1, D7; decision 12).

What is on a page that is known whole is in test_listing.py; how answers are remembered in test_cache.py.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest
from aiohttp import web
from traitlets.config import Config

from daas_hub.accounts import Account, Identity
from daas_hub.errors import SourceUnavailable
from daas_hub.proposals import (
    CachedProposals,
    ChainedProposals,
    NamedProposals,
    PagedProposals,
    Query,
    TooManyProposals,
)
from daas_hub.proposals.http_source import ProposalService
from daas_hub.proposals.listing import Listing
from daas_hub.proposals.sources.calipsoplus import CalipsoplusProposals
from daas_hub.proposals.sources.icat import IcatProposals, names_of
from daas_hub.proposals.sources.icatplus import IcatPlusProposals
from daas_hub.proposals.sources.ispyb import IspybProposals
from daas_hub.proposals.sources.scicat import SciCatProposals
from daas_hub.proposals.sources.useroffice import UserOfficeProposals
from tests.stand_ins import calipsoplus, icat, ispyb, scicat
from tests.stand_ins.running import REQUESTS, running

ISSUER = "https://keycloak.facility.org/realms/users"
MANY = 57
#: In every source Anna has MANY proposals; those with an even number are of glass.
ANNA = Account(
    "anna",
    25001,
    25001,
    (26000, *range(27000, 27000 + MANY)),
    {26000: "members"} | {27000 + number: f"mx{number:03}" for number in range(MANY)},
    login=Identity(ISSUER, "subject-of-anna", access_token="token-of-anna"),
)
BEN = Account(
    "ben", 25002, 25002, (26009,), {26009: "others"}, login=Identity(ISSUER, "b", access_token="token-of-ben")
)


def title_of(number: int) -> str:
    return f"{'Glass' if number % 2 == 0 else 'Foils'} {number}"


def office(**more: Any) -> calipsoplus.UserOffice:
    many = [
        calipsoplus.experiment(7, proposal_id=f"MA-{number:03}", subject=title_of(number), gid=None)
        for number in range(MANY)
    ]
    return calipsoplus.UserOffice(experiments={"anna": many, "ben": many[:1]}, **more)


def icat_with_many(**more: Any) -> icat.Icat:
    many = [
        icat.investigation(
            1000 + number, f"MA-{number:03}", "1", startDate=f"2024-0{1 + number % 9}-01T08:00:00.000+02:00"
        )
        | {"title": title_of(number)}
        for number in range(MANY)
    ]
    second = icat.investigation(2000, "MA-004", "2", startDate="2025-01-01T08:00:00.000+02:00")
    ids = [one["id"] for one in [*many, second]]
    return icat.Icat([*many, second], {"users": {"anna": ids, "ben": ids[:1]}, "groups": {}, "scientists": {}}, **more)


def scicat_with_many(**more: Any) -> scicat.SciCat:
    many = [
        scicat.proposal(
            f"p{number:03}",
            "members",
            title=title_of(number),
            MeasurementPeriodList=[{"instrument": "X12SA", "start": f"2024-0{1 + number % 9}-01T06:00:00.000Z"}],
        )
        for number in range(MANY)
    ]
    return scicat.SciCat([*many, scicat.proposal("p900", "others", title="Glass of others")], **more)


def ispyb_with_many() -> ispyb.Ispyb:
    many = [ispyb.proposal(number + 1, "mx", f"{number:03}", title=title_of(number)) for number in range(MANY)]
    sessions = [ispyb.session(100 + number, one, 1, "anna") for number, one in enumerate(many)]
    foreign = ispyb.proposal(900, "sw", "900")
    return ispyb.Ispyb([*many, foreign], [*sessions, ispyb.session(999, foreign, 1, "carla")])


@dataclass(frozen=True)
class Case:
    """A source with many proposals of Anna's."""

    source: type[ProposalService]
    stand_in: Callable[[], Any]
    path: str
    settings: dict[str, Any]
    secret: str = ""
    #: the id of her proposal 4, of somebody else's, and the orders it has
    own: str = "MA-004"
    foreign: str = "MA-900"
    sorts: tuple[str, ...] = ()
    usual: str = "-id"
    searches: bool = True


CASES = {
    "calipsoplus": Case(
        CalipsoplusProposals,
        office,
        "/services/experiments/$USERNAME/",
        {"user": "portal"},
        "password_file",
        sorts=("id", "title", "beamlines"),
    ),
    "icat": Case(IcatProposals, icat_with_many, "/icat", {"user": "daas"}, "password_file", sorts=("id", "latest")),
    "scicat": Case(
        SciCatProposals,
        scicat_with_many,
        "/api/v3",
        {"user": "reader", "fields": {"group": ""}},
        "password_file",
        own="p004",
        foreign="p900",
        sorts=("id", "title", "latest"),
    ),
    "ispyb in the person's name": Case(
        IspybProposals, ispyb_with_many, ispyb.ROOT, {"issuer": ISSUER}, own="mx004", foreign="sw900", usual="",
        searches=False,
    ),
    "ispyb": Case(
        IspybProposals,
        ispyb_with_many,
        ispyb.ROOT,
        {"user": "daas", "plugin": "ldap", "group_pattern": "(?P<proposal>mx[0-9]+)"},
        "password_file",
        own="mx004",
        foreign="sw900",
        sorts=("id",),
        searches=False,
    ),
}  # fmt: skip
EACH = pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())


@dataclass
class Running:
    """A source and what is asked of its service."""

    source: Any
    requests: list[web.BaseRequest]


@pytest.fixture
def opened(secret_file: Callable[[str], str]) -> Callable[..., Any]:
    @asynccontextmanager
    async def open_case(case: Case, stand_in: Any = None, **more: Any) -> AsyncIterator[Running]:
        app = (stand_in or case.stand_in()).app()
        settings = case.settings | {"timeout_s": 20.0, "page_above": 20} | more
        if case.secret:
            settings[case.secret] = secret_file("portal-password")
        async with running(app) as url:
            source = case.source(config=Config({case.source.__name__: settings}), url=f"{url}{case.path}")
            yield Running(source, app[REQUESTS])

    return open_case


# -- one proposal --------------------------------------------------------------------------------------------------


@EACH
async def test_one_proposal_is_the_one_that_all_of_them_give(case: Case, opened: Callable[..., Any]) -> None:
    async with opened(case) as it:
        assert isinstance(it.source, NamedProposals)
        (wanted,) = [one for one in await it.source.proposals_of(ANNA) if one.id == case.own]
        it.requests.clear()
        assert await it.source.proposals_called(ANNA, case.own) == (wanted,)
        assert len(it.requests) <= 3, "and not all of them were asked for"


@EACH
@pytest.mark.parametrize(
    "name",
    ["", "../x", "x' OR 'x' = 'x", "%", "MA-", "MA-0", ".*", "p0", "mx", "a\nb", "MA-004 ", "ＭA-004", "x" * 500],
)
async def test_nothing_else_is_anybodys(case: Case, name: str, opened: Callable[..., Any]) -> None:
    """D1, A1: whatever stands in a link, it is no query, no pattern and no beginning of an id."""
    async with opened(case) as it:
        memory = CachedProposals(it.source)
        assert (await memory.proposal_of(ANNA, name, fresh=True)).value is None
        assert it.requests == [] or name in ("MA-", "MA-0", "p0", "mx")


@EACH
async def test_somebody_elses_is_not_there(case: Case, opened: Callable[..., Any]) -> None:
    """D1: whether it exists or not."""
    async with opened(case) as it:
        for name in (case.foreign, "ZZ-1234"):
            assert await it.source.proposals_called(ANNA, name) == ()
        if case.source is not IspybProposals:
            assert [one.id for one in await it.source.proposals_called(BEN, case.own)] == []


@EACH
async def test_an_id_is_case_sensitive(case: Case, opened: Callable[..., Any]) -> None:
    """C1: a source that takes capitals for the same grants nothing by it."""
    async with opened(case) as it:
        memory = CachedProposals(it.source)
        assert (await memory.proposal_of(ANNA, case.own.swapcase(), fresh=True)).value is None
        assert (await memory.proposal_of(ANNA, case.own, fresh=True)).value is not None


@pytest.mark.parametrize(
    "case", [CASES["calipsoplus"], CASES["icat"], CASES["scicat"]], ids=["office", "icat", "scicat"]
)
async def test_ids_that_differ_only_in_case_are_left_out(case: Case, opened: Callable[..., Any]) -> None:
    """The same checks as for all of them: nobody can say which of the two is meant."""
    stand_in = case.stand_in()
    if isinstance(stand_in, calipsoplus.UserOffice):
        stand_in.experiments["anna"].append(calipsoplus.experiment(0, proposal_id="ma-004"))
    elif isinstance(stand_in, icat.Icat):
        stand_in.investigations.append(icat.investigation(3000, "ma-004", "1"))
        stand_in.people["users"]["anna"].append(3000)
    else:
        stand_in.proposals.append(scicat.proposal("P004", "members"))
    async with opened(case, stand_in) as it:
        assert case.own not in [one.id for one in await it.source.proposals_of(ANNA)]
        assert await it.source.proposals_called(ANNA, case.own) == ()


@EACH
async def test_a_source_that_is_down_grants_nothing(case: Case, opened: Callable[..., Any]) -> None:
    """D7: not by its answer of a moment ago either."""
    async with opened(case) as it:
        memory = CachedProposals(it.source, cache_s=60, stale_cache_s=3600)
        assert (await memory.proposal_of(ANNA, case.own, fresh=True)).value
    with pytest.raises(SourceUnavailable):
        await memory.proposal_of(ANNA, case.own, fresh=True)


async def test_an_office_whose_search_looks_elsewhere(opened: Callable[..., Any]) -> None:
    """A launch that was possible with all of them stays possible: who is not found is looked for among all."""

    class RemoteFiles(calipsoplus.UserOffice):
        async def list_experiments(self, request: web.Request) -> web.Response:
            if request.query.get("search"):
                request.app[REQUESTS].append(request)
                return web.json_response({"count": 0, "next": None, "previous": None, "results": []})
            return await super().list_experiments(request)

    async with opened(CASES["calipsoplus"], RemoteFiles(office().experiments)) as it:
        assert [one.id for one in await it.source.proposals_called(ANNA, "MA-004")] == ["MA-004"]


@pytest.mark.parametrize("name", ["MA-004", "MA-900", "XX-1", "zz"])
async def test_accounts_with_too_many_proposals_still_get_pages(name: str, opened: Callable[..., Any]) -> None:
    async with opened(CASES["calipsoplus"], max_records=30) as it:
        found = [one.id for one in await it.source.proposals_called(ANNA, name)]
        assert found == ([name] if name == "MA-004" else [])


async def test_an_id_by_another_name_is_looked_for_among_all(opened: Callable[..., Any]) -> None:
    """ES37: the service would search its own field."""
    for name in ("icat", "scicat", "calipsoplus"):
        case = CASES[name]
        async with opened(replace(case, settings=case.settings | {"fields": {"id": "title", "title": ""}})) as it:
            assert await it.source.proposals_called(ANNA, case.own) == ()
            assert not isinstance(it.source, PagedProposals) or await it.source.page_of(ANNA, Query()) is None


# -- pages -----------------------------------------------------------------------------------------------------------


@EACH
async def test_few_are_read_whole_and_many_are_not(case: Case, opened: Callable[..., Any]) -> None:
    async with opened(case) as it:
        assert await it.source.proposals_up_to_many(ANNA) is None
    async with opened(case, page_above=MANY + 1) as it:
        assert len(await it.source.proposals_up_to_many(ANNA) or ()) == MANY


@EACH
async def test_pages_together_are_all_of_them(case: Case, opened: Callable[..., Any]) -> None:
    """In every order the source has: each proposal once, as the whole list has it."""
    async with opened(case) as it:
        everything = Listing(await it.source.proposals_of(ANNA))
        for sort in [f"{sign}{column}" for column in case.sorts for sign in ("", "-")] or [""]:
            pages = [await it.source.page_of(ANNA, Query("", sort, number, 20)) for number in (1, 2, 3)]
            assert [(page.total, page.pages, page.sort) for page in pages] == [(MANY, 3, sort)] * 3, sort
            shown = [one for page in pages for one in page.proposals]
            assert sorted(one.id for one in shown) == sorted(one.id for one in everything.proposals)
            assert set(shown) == set(everything.proposals)
            if sort in ("id", "-id"):
                wanted = [everything.page(Query("", sort, number, 20)).proposals for number in (1, 2, 3)]
                assert [page.proposals for page in pages] == wanted


@EACH
async def test_an_unsupported_order_is_reported(case: Case, opened: Callable[..., Any]) -> None:
    missing = next(column for column in ("latest", "title", "beamlines") if column not in case.sorts)
    async with opened(case) as it:
        page = await it.source.page_of(ANNA, Query("", f"-{missing}", 1, 20))
        assert (page.sort, page.total, len(page.proposals)) == (case.usual, MANY, 20)
        assert missing not in page.sorts


@EACH
async def test_a_page_after_the_last_is_the_last(case: Case, opened: Callable[..., Any]) -> None:
    async with opened(case) as it:
        page = await it.source.page_of(ANNA, Query("", case.usual, 99, 20))
        assert (page.page, page.pages, len(page.proposals)) == (3, 3, MANY - 40)


SEARCHING = pytest.mark.parametrize(
    "case",
    [pytest.param(case, id=name) for name, case in CASES.items() if case.searches],
)


@SEARCHING
@pytest.mark.parametrize(
    "search",
    [
        *("Glass", "Foils", "glass" * 9, "zzz", "Glass 4", "4 Glass", "Foils 9 Foils", "%", "_", "a_b", "100%", "!"),
        *("' OR '1' = '1", "'", "\\", ".*", "^", "$where", "{", "(", "[a", "Straße"),
    ],
)
async def test_a_search_finds_what_it_finds_among_all(case: Case, search: str, opened: Callable[..., Any]) -> None:
    """G4: words, in any order, and never a language; the source's capitals are its own affair."""
    async with opened(case) as it:
        wanted = Listing(await it.source.proposals_of(ANNA)).page(Query(search, "id", 1, 20))
        page = await it.source.page_of(ANNA, Query(search, "id", 1, 20))
        if page.is_phrase:
            # words that are each in many: the office looks for them as they stand, and the page says so
            assert set(page.proposals) <= set(await it.source.proposals_of(ANNA))
        else:
            assert (page.total, page.proposals) == (wanted.total, wanted.proposals)


@SEARCHING
async def test_a_page_asks_for_a_page(case: Case, opened: Callable[..., Any]) -> None:
    async with opened(case) as it:
        await it.source.page_of(ANNA, Query("", "id", 1, 20))
        assert len(it.requests) <= 3


@pytest.mark.parametrize("size", [2, 7, 20, 30])
@pytest.mark.parametrize("number", [1, 2, 3, 99])
async def test_an_office_with_its_own_page_size(size: int, number: int, opened: Callable[..., Any]) -> None:
    """Fewer than were asked for: several of its pages are one of ours. More: its answer is not used."""
    async with opened(CASES["calipsoplus"], office(own_page_size=size)) as it:
        wanted = Listing(await it.source.proposals_of(ANNA)).page(Query("", "id", number, 20))
        page = await it.source.page_of(ANNA, Query("", "id", number, 20))
        assert page is None or page.proposals == wanted.proposals
        assert page is not None or size == 30


@pytest.mark.parametrize("broken", ["search", "ordering", "count"])
async def test_an_office_that_ignores_query_parameters(broken: str, opened: Callable[..., Any]) -> None:
    class Deaf(calipsoplus.UserOffice):
        async def list_experiments(self, request: web.Request) -> web.Response:
            said = {key: value for key, value in request.query.items() if key != broken}
            deaf = request.clone(rel_url=request.rel_url.with_query(said))
            deaf._match_info = request._match_info
            answer = await super().list_experiments(deaf)
            return web.json_response(text=answer.text.replace('"count"', '"sum"')) if broken == "count" else answer

    deaf = Deaf(office().experiments)
    deaf.experiments["anna"].sort(key=lambda one: one["proposal_id"][::-1])
    async with opened(CASES["calipsoplus"], deaf, page_above=40) as it:
        page = await it.source.page_of(ANNA, Query("Glass" if broken == "search" else "", "title", 1, 20))
        assert page is None, "all of them are looked at instead"


async def test_scicat_that_ignores_the_filter(opened: Callable[..., Any]) -> None:
    """D1: what its token may see is nobody's business, its number neither."""
    async with opened(CASES["scicat"], scicat_with_many(filters=False)) as it:
        assert await it.source.page_of(ANNA, Query("", "-id", 1, 20)) is None
        assert await it.source.proposals_called(ANNA, "p900") == ()
    async with opened(CASES["scicat"], scicat_with_many(sorts=False)) as it:
        assert await it.source.page_of(ANNA, Query("", "-id", 1, 20)) is None


async def test_icat_of_an_older_grammar(opened: Callable[..., Any], caplog: pytest.LogCaptureFixture) -> None:
    async with opened(CASES["icat"], icat_with_many(groups=False)) as it:
        page = await it.source.page_of(ANNA, Query("", "-latest", 1, 20))
        assert (page.sort, len(page.proposals)) == ("-id", 20)
    assert "ICAT cannot sort by the latest visit" in caplog.text


async def test_icat_with_several_memberships_reads_all_proposals(opened: Callable[..., Any]) -> None:
    async with opened(CASES["icat"], membership=["users", "groups"]) as it:
        assert await it.source.page_of(ANNA, Query()) is None
        assert [one.id for one in await it.source.proposals_called(ANNA, "MA-004")] == ["MA-004"]


def test_a_quote_in_a_query_is_no_end_of_a_text() -> None:
    """A10: the query language has no parameters."""
    query = names_of("o'neill", "users", Query("x' OR 1=1 -- 50%_!", "id", 2, 20))
    assert "u.name = 'o''neill'" in query
    assert "LIKE '%x''%'" in query
    assert "LIKE '%50!%!_!!%' ESCAPE '!'" in query
    assert query.endswith("ORDER BY i.name ASC LIMIT 20, 20")
    with pytest.raises(ValueError, match="unprintable"):
        names_of("a\nb", "users", Query())


def test_who_makes_no_pages() -> None:
    assert not IcatPlusProposals.MAKES_PAGES
    assert not UserOfficeProposals.MAKES_PAGES


# -- what the portal sees --------------------------------------------------------------------------------------------


@EACH
async def test_pages_are_cached(case: Case, opened: Callable[..., Any]) -> None:
    """A page is remembered as a whole list is, shown when the source is down, and marked."""
    now = [0.0]
    async with opened(case) as it:
        memory = CachedProposals(it.source, cache_s=60, stale_cache_s=3600, clock=lambda: now[0])
        first = await memory.page_of(ANNA, Query("", case.usual, 1, 20))
        asked = len(it.requests)
        assert (await memory.page_of(ANNA, Query("", case.usual, 1, 20))).value == first.value
        assert len(it.requests) == asked
        assert first.value.of == MANY
        now[0] = 61
        await memory.page_of(ANNA, Query("", case.usual, 1, 20))
        assert len(it.requests) > asked
    now[0] = 700
    old = await memory.page_of(ANNA, Query("", case.usual, 1, 20))
    assert old.is_stale
    assert old.value.proposals == first.value.proposals
    with pytest.raises(SourceUnavailable):
        await memory.page_of(ANNA, Query("", case.usual, 3, 20))


@pytest.mark.parametrize(("search", "number"), [("Description BL11", 0), ("Description 7 BL11", MANY)])
async def test_common_words_are_searched_for_as_a_phrase(search: str, number: int, opened: Callable[..., Any]) -> None:
    """The contract's search knows no words, so the page says that it was one text."""

    office_ = office()
    for one in office_.experiments["anna"]:
        one["body"] = "Description 7 BL11"
    async with opened(CASES["calipsoplus"], office_) as it:
        page = await it.source.page_of(ANNA, Query(search, "-id", 1, 20))
        assert (page.is_phrase, page.total) == (True, number)


async def test_a_question_no_page_answers_is_answered_from_all(opened: Callable[..., Any]) -> None:
    """Or with a sentence that says why not: never with a part that looks like all."""
    query = Query("", "-latest", 1, 20)
    async with opened(CASES["calipsoplus"], office(own_page_size=30)) as it:
        answer = await CachedProposals(it.source).page_of(ANNA, query)
        assert answer.value == Listing(await it.source.proposals_of(ANNA)).page(query)
    async with opened(CASES["calipsoplus"], office(own_page_size=30), max_records=40) as it:
        memory = CachedProposals(it.source)
        for _ in range(2):
            with pytest.raises(TooManyProposals, match="more of your proposals than can be listed"):
                await memory.page_of(ANNA, query)
        asked = len(it.requests)
        with pytest.raises(TooManyProposals):
            await memory.page_of(ANNA, query)
        assert len(it.requests) == asked, "it is not asked again and again"


async def test_sources_that_are_joined_answer_about_one(opened: Callable[..., Any]) -> None:
    """They make no pages; but one proposal is asked of each, and about one they must agree, too."""
    async with opened(CASES["icat"]) as one, opened(CASES["calipsoplus"]) as other:
        chain = ChainedProposals({"icat": one.source, "office": other.source})
        assert not isinstance(chain, PagedProposals)
        (joined,) = await chain.proposals_called(ANNA, "MA-004")
        (whole,) = [one for one in await chain.proposals_of(ANNA) if one.id == "MA-004"]
        assert joined == whole
        memory = CachedProposals(chain)
        assert (await memory.page_of(ANNA, Query())).value.total == MANY
