"""SciCat as its backend (v4.5) is: tokens that end in silence, short addresses, instruments by id, periods without ids.

Whose proposals are whose is in test_scicat.py; what every source does with a dead login in ../test_logins.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import web
from traitlets.config import Config

from daas_hub.errors import ErrorKind, SourceUnavailable
from daas_hub.findings import Verdict
from daas_hub.proposals import Query
from daas_hub.proposals.sources.scicat import PAGE, SciCatProposals
from daas_hub.proposals.sources.scicat.folders import folder_of
from daas_hub.proposals.sources.scicat.records import numbered
from tests.proposals.scicat_scene import ANNA, account_in, asked, settings
from tests.stand_ins.running import REQUESTS, running
from tests.stand_ins.scicat import PXI, TOMCAT, SciCat, dataset, period, proposal

#: What nginx takes of an address by default.
NGINX_LIMIT = 8192


class Clock:
    """A clock that a test sets."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def config(secret_file: Callable[[str], str]) -> Config:
    return settings(secret_file)


# -- the login -------------------------------------------------------------------------------------------


async def test_a_token_is_renewed_before_it_ends(config: Config) -> None:
    """The real server would answer the last request of an hour with nothing."""
    clock = Clock()
    scicat = SciCat(clock=clock)
    async with running(scicat.app()) as url:
        source = SciCatProposals(config=config, url=f"{url}/api/v3", clock=clock)
        for now, logins in ((1000.0, 1), (1000.0 + 3539, 1), (1000.0 + 3541, 2), (1000.0 + 7000, 2), (1000 + 7090, 3)):
            clock.now = now
            assert len(await source.proposals_of(ANNA)) == 1
            assert scicat.logins == logins


@pytest.mark.parametrize("lifetime", [0, -1, None, "3600", True, 1])
async def test_a_token_of_unknown_lifetime_works(config: Config, lifetime: Any) -> None:
    scicat = SciCat(expires_in=3600)
    app = scicat.app()

    @web.middleware
    async def without(request: web.Request, handler: Any) -> Any:
        response = await handler(request)
        if request.path.endswith("/login"):
            token = scicat.tokens[-1]
            return web.json_response({"access_token": token, "expires_in": lifetime}, status=201)
        return response

    app.middlewares.append(without)
    async with running(app) as url:
        source = SciCatProposals(config=config, url=f"{url}/api/v3")
        for _ in range(2):
            assert len(await source.proposals_of(ANNA)) == 1


@pytest.mark.parametrize(
    "question",
    [
        pytest.param(lambda source: source.proposals_of(ANNA), id="all"),
        pytest.param(lambda source: source.proposals_called(ANNA, "p12345"), id="one"),
        pytest.param(lambda source: source.page_of(ANNA, Query(sort="-id")), id="a page"),
    ],
)
async def test_a_token_that_the_server_forgot_is_noticed(config: Config, question: Any) -> None:
    """It was restarted with another secret: the answer is 200 and an empty list."""
    scicat = SciCat()
    async with running(scicat.app()) as url:
        source = SciCatProposals(config=config, url=f"{url}/api/v3")
        before = await question(source)
        scicat.tokens.clear()
        assert await question(source) == before
    assert scicat.logins == 2


async def test_what_visitors_see_is_not_taken_for_all(config: Config) -> None:
    """A dead token still shows the published proposals of a person: a part must not look like the whole."""
    scicat = SciCat(proposals=[proposal("p1", "p12345", isPublished=True), proposal("p2", "p12345")])
    async with running(scicat.app()) as url:
        source = SciCatProposals(config=config, url=f"{url}/api/v3")
        for _ in range(2):
            assert [one.id for one in await source.proposals_of(ANNA)] == ["p1", "p2"]
            page = await source.page_of(ANNA, Query(sort="id"))
            assert page is not None
            assert page.total == 2
            scicat.tokens.clear()


async def test_an_empty_answer_to_a_known_login_is_believed(config: Config) -> None:
    scicat = SciCat()
    app = scicat.app()
    async with running(app) as url:
        assert await SciCatProposals(config=config, url=f"{url}/api/v3").proposals_of(account_in("users")) == ()
    assert [request.path for request in app[REQUESTS]] == ["/api/v3/proposals", "/api/v3/users/my/self"]


async def test_a_login_that_the_server_never_knows(config: Config) -> None:
    """A password is accepted, its token is not: nothing is believed, and the login is tried twice, not for ever."""
    scicat = SciCat(expires_in=-1)
    with pytest.raises(SourceUnavailable) as raised:
        await asked(scicat, config)
    assert raised.value.kind is ErrorKind.CREDENTIALS_REFUSED
    assert "asked for the owner of the portal's token" in raised.value.detail
    assert scicat.logins == 2


# -- addresses -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [280, 560, 3000])
async def test_a_person_in_hundreds_of_groups(config: Config, count: int) -> None:
    """280 groups end at nginx, 560 at the backend itself."""
    groups = [f"group-{number:05}" for number in range(count)]
    mine = [proposal("p1", groups[0]), proposal("p2", groups[-1]), proposal("p3", groups[7], accessGroups=[groups[-7]])]
    app = SciCat(proposals=[*mine, proposal("p4", "others")]).app()
    async with running(app) as url:
        source = SciCatProposals(config=config, url=f"{url}/api/v3")
        account = account_in(*groups)
        assert [one.id for one in await source.proposals_of(account)] == ["p1", "p3", "p2"]
        assert [one.id for one in await source.proposals_called(account, "P2")] == ["p2"]
        assert await source.page_of(account, Query()) is None, "several requests make no page: all are read"
    lengths = [len(request.path_qs) for request in app[REQUESTS]]
    assert max(lengths) < NGINX_LIMIT
    assert len(lengths) > count // 280


async def test_the_stand_in_refuses_what_the_backend_refuses(config: Config) -> None:
    config.SciCatProposals.max_query_length = 100_000
    with pytest.raises(SourceUnavailable):
        await asked(SciCat(), config, account_in(*(f"group-{number:05}" for number in range(560))))


async def test_the_number_of_matches_is_that_of_the_person(config: Config) -> None:
    """The list reads `filters`, the count `filter`: 3,007 proposals were shown for 58."""
    scicat = SciCat(proposals=[proposal(f"p{number}", "p12345" if number < 58 else "x") for number in range(300)])
    async with running(scicat.app()) as url:
        page = await SciCatProposals(config=config, url=f"{url}/api/v3").page_of(ANNA, Query(sort="id"))
    assert page is not None
    assert (page.total, page.pages, len(page.proposals)) == (58, 3, 20)


# -- groups ----------------------------------------------------------------------------------------------


async def test_a_group_of_digits_is_a_name(config: Config) -> None:
    """The processed directory would go to the team that has this number."""
    (found,) = await asked(SciCat(proposals=[proposal("p1", "20261234")]), config, account_in("20261234"))
    assert found.gid == 26001


async def test_two_proposals_of_one_group(config: Config) -> None:
    records = [
        proposal("20.500.11935/a", "p12345"),
        proposal("20.500.11935/b", "p12345", MeasurementPeriodList=[period("X12SA", "2025-02-01", "2025-02-02")]),
        proposal("20.500.11935/c", "p12345", MeasurementPeriodList=[]),
        proposal("20.500.11935/d", "p12345", MeasurementPeriodList=None),
    ]
    found = await asked(SciCat(proposals=records), config)
    assert [(one.id, one.gid, len(one.visits)) for one in found] == [
        (f"20.500.11935/{letter}", 26001, count) for letter, count in (("a", 2), ("b", 1), ("c", 1), ("d", 1))
    ]
    # with the group's name as the id they are one proposal, with the visits of all
    config.SciCatProposals.fields = {"id": "ownerGroup"}
    (joined,) = await asked(SciCat(proposals=records), config)
    assert (joined.id, len({visit.number for visit in joined.visits})) == ("p12345", 5)


# -- instruments -----------------------------------------------------------------------------------------


async def test_instruments_have_names(config: Config) -> None:
    scicat = SciCat(
        proposals=[
            proposal("p1", "p12345", MeasurementPeriodList=[], instrumentIds=[TOMCAT]),
            proposal("p2", "p12345", MeasurementPeriodList=[], instrumentIds=[TOMCAT, PXI]),
            proposal("p3", "p12345", MeasurementPeriodList=[period(PXI, "2024-05-01", "2024-05-02")]),
            proposal("p4", "p12345", MeasurementPeriodList=[], instrumentIds=["20.500.11935/gone"]),
        ]
    )
    found = {one.id: one for one in await asked(scicat, config)}
    assert {name: one.beamlines for name, one in found.items()} == {
        "p1": ("TOMCAT",),
        "p2": ("TOMCAT", "PX I"),
        "p3": ("PX I",),
        "p4": ("20.500.11935/gone",),
    }
    assert [found[name].visits[0].beamline for name in ("p1", "p2", "p3")] == ["TOMCAT", "", "PX I"]
    config.SciCatProposals.instrument_name = "uniqueName"
    assert (await asked(scicat, config))[0].beamlines == ("PSI-TOMCAT",)


async def test_a_search_finds_instruments_by_name(config: Config) -> None:
    records = [proposal(f"p{number:03}", "p12345", MeasurementPeriodList=[]) for number in range(PAGE)]
    records[7] |= {"instrumentIds": [TOMCAT]}
    async with running(SciCat(proposals=records).app()) as url:
        source = SciCatProposals(config=config, url=f"{url}/api/v3")
        page = await source.page_of(ANNA, Query(search="tomcat", sort="id"))
        by_id = await source.page_of(ANNA, Query(search="1b9f7ef6", sort="id"))
    assert page is not None
    assert [one.id for one in page.proposals] == ["p007"]
    assert by_id is not None
    assert by_id.total == 0, "nobody sees an instrument's id, and nobody is led to it"


async def test_staff_see_the_proposals_of_their_instruments(config: Config) -> None:
    """By the ids of instruments, and by names in periods; without the group of the others' data."""
    config.SciCatProposals.beamline_staff = {"px-staff": ["PX I", "X06DA"]}
    scicat = SciCat(
        proposals=[
            proposal("p1", "g1", MeasurementPeriodList=[], instrumentIds=[PXI]),
            proposal("p2", "g2", accessGroups=["px-staff"]),
            proposal("p3", "g3", MeasurementPeriodList=[], instrumentIds=[TOMCAT]),
            proposal("p4", "px-staff", MeasurementPeriodList=[]),
        ]
    )
    found = await asked(scicat, config, account_in("px-staff"))
    assert sorted((one.id, one.gid) for one in found) == [("p1", None), ("p2", None), ("p4", 26001)]
    assert await asked(scicat, config, account_in("users")) == ()


# -- visits ----------------------------------------------------------------------------------------------


async def test_a_visit_stays_itself_when_a_period_is_put_in_front(config: Config) -> None:
    """The same link mounted another beamline's directory."""
    periods = [period("X12SA", "2024-05-01", "2024-05-02"), period("X06DA", "2024-05-03", "2024-05-04")]
    earlier = period("X01DA", "2024-04-01", "2024-04-02")
    (before,) = await asked(SciCat(proposals=[proposal("p1", "p12345", MeasurementPeriodList=periods)]), config)
    (after,) = await asked(
        SciCat(proposals=[proposal("p1", "p12345", MeasurementPeriodList=[earlier, *periods[::-1]])]), config
    )
    for visit in before.visits:
        assert after.visit(visit.number) == visit
    assert len(after.visits) == 3


def test_periods_of_one_day_are_told_apart() -> None:
    """Their numbers have three digits each: two that would be the same get others, the rest keeps theirs."""
    periods = [period(f"X{number:03}", "2024-05-01", "2024-05-02") for number in range(60)]
    alone = {one["instrument"]: numbered([one])[0]["key"] for one in periods}
    together = numbered(periods)
    assert len(set(alone.values())) < 60, "or this test would show nothing"
    assert len({one["key"] for one in together}) == 60
    kept = [one for one in together if one["key"] == alone[one["instrument"]]]
    assert len(kept) > 50


@pytest.mark.parametrize("start", [None, "", "never", 7, "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_any_start_gives_a_number(start: Any) -> None:
    (one,) = numbered([{"start": start, "instrument": None}])
    assert 1 < one["key"] < 2**31


# -- the doctor ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scicat", "verdict", "words"),
    [
        pytest.param(SciCat(), Verdict.OK, "also those of other groups, and it may change them", id="sees all"),
        pytest.param(
            SciCat(groups=["p12345"]), Verdict.WARNING, "none but those of its own groups", id="sees its own groups'"
        ),
        pytest.param(SciCat(groups=["reader"]), Verdict.PROBLEM, "none at all", id="SciCat's own example account"),
    ],
)
async def test_the_doctor_says_what_the_login_sees(
    config: Config, scicat: SciCat, verdict: Verdict, words: str
) -> None:
    async with running(scicat.app()) as url:
        lines = await SciCatProposals(config=config, url=f"{url}/api/v3").contract_lines("scicat", ANNA, [])
    login, rights = (next(one for one in lines if one.key == f"proposals.scicat.{key}") for key in ("login", "rights"))
    assert (login.verdict, login.result) == (Verdict.OK, "it is known as 'reader'")
    assert rights.verdict is verdict
    assert words in rights.result
    assert bool(rights.fix) is (verdict is not Verdict.OK)


# -- directories ------------------------------------------------------------


async def test_directories_come_from_datasets(config: Config) -> None:
    """Each period has those of its datasets that one of the person's groups may read."""
    config.SciCatProposals.data_from_datasets = True
    root = "/data/p12345"
    scicat = SciCat(
        proposals=[proposal("p1", "p12345"), proposal("p2", "p12345", MeasurementPeriodList=[])],
        datasets=[
            dataset("d1", "p1", "p12345", f"{root}/x12sa"),
            dataset("d2", "p1", "p12345", f"{root}/x12sa/scan1"),
            dataset("d3", "p1", "p12345", f"{root}/x06da", creationTime="2024-05-03T12:00:00.000Z"),
            dataset("d4", "p1", "p12345", "/data/later", creationTime="2024-06-03T12:00:00.000Z"),
            dataset("d5", "p1", "strangers", "/data/strangers"),
            dataset("d6", "p1", "strangers", f"{root}/shared", accessGroups=["users"]),
            dataset("d7", "p2", "p12345", f"{root}/p2", creationTime="2030-01-01T00:00:00.000Z"),
            dataset("d8", "p1", "p12345", "/data/../etc"),
            dataset("d9", "p3", "p12345", "/data/p3"),
        ],
    )
    first, second = await asked(scicat, config)
    assert [one.data for one in first.visits] == [(f"{root}/shared", f"{root}/x12sa"), (f"{root}/x06da",)]
    assert [one.data for one in second.visits] == [(f"{root}/p2",)]
    config.SciCatProposals.source_folder_depth = 2
    assert [one.data for one in (await asked(scicat, config))[0].visits] == [(root,), (root,)]
    config.SciCatProposals.data_from_datasets = False
    assert [one.data for one in (await asked(scicat, config))[0].visits] == [(), ()]


async def test_a_login_that_may_not_read_datasets(config: Config) -> None:
    """A role of PROPOSAL_GROUPS sees all proposals, and the datasets of its own groups only."""
    config.SciCatProposals.data_from_datasets = True
    scicat = SciCat(datasets=[], proposals=[proposal("p1", "p12345")])
    (found,) = await asked(scicat, config)
    assert [one.data for one in found.visits] == [(), ()]


async def test_a_visit_with_hundreds_of_directories_is_reported(config: Config) -> None:
    config.SciCatProposals.data_from_datasets = True
    datasets = [dataset(f"d{number}", "p1", "p12345", f"/data/p1/scan{number:04}") for number in range(1500)]
    scicat = SciCat(datasets=datasets, proposals=[proposal("p1", "p12345", MeasurementPeriodList=[])])
    async with running(scicat.app()) as url:
        source = SciCatProposals(config=config, url=f"{url}/api/v3")
        (found,) = await source.proposals_of(ANNA)
        assert found.visits == ()
        (left_out,) = source.left_out_of(ANNA)
    assert left_out.id == "p1"
    assert "1500 directories" in left_out.reason


async def test_no_more_is_read_than_is_shown_at_once(config: Config) -> None:
    """For an account with many proposals, SciCat's pages are used instead of reading thousands first."""
    config.SciCatProposals.page_above = 150
    many = [proposal(f"p{number:04}", "p12345") for number in range(1000)]
    app = SciCat(proposals=many).app()
    async with running(app) as url:
        source = SciCatProposals(config=config, url=f"{url}/api/v3")
        assert await source.proposals_up_to_many(ANNA) is None
    assert len(app[REQUESTS]) == 2


@pytest.mark.parametrize(
    ("folder", "depth", "expected"),
    [
        ("/data/p1/raw/scan1", 0, "/data/p1/raw/scan1"),
        ("/data/p1/raw/scan1/", 0, "/data/p1/raw/scan1"),
        ("/data/p1/raw/scan1", 2, "/data/p1"),
        ("/data/p1", 2, "/data/p1"),
        ("/data", 2, None),
        ("/", 0, None),
        ("data/p1", 0, None),
        ("/data/../etc", 0, None),
        ("//data/p1", 0, None),
        ("/data/\n", 0, None),
        ("/data/\ud83d", 0, None),
        (None, 0, None),
        (7, 0, None),
    ],
)
def test_folders(folder: Any, depth: int, expected: str | None) -> None:
    assert folder_of({"sourceFolder": folder}, depth) == expected
