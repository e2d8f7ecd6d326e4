"""SciCat: by the account's groups, looked at twice, with a token that ends (PS, AL52, D1).

What every source does with a service that misbehaves is in test_faults.py.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import Any

import pytest
from traitlets.config import Config

from daas_hub.errors import ConfigurationError, SourceUnavailable
from daas_hub.proposals.sources.scicat import PAGE, SciCatProposals
from tests.proposals.scicat_scene import ANNA, account_in, asked, settings
from tests.stand_ins.running import REQUESTS, running
from tests.stand_ins.scicat import SciCat, proposal


@pytest.fixture
def config(secret_file: Callable[[str], str]) -> Config:
    c = settings(secret_file)
    c.SciCatProposals.timeout_s = 5
    # the group of the data is the account's own affair in most of these cases
    c.SciCatProposals.fields = {"group": ""}
    return c


async def test_a_proposal_with_all_it_has(config: Config) -> None:
    del config.SciCatProposals.fields
    (found,) = await asked(SciCat(), config)
    assert (found.id, found.title, found.abstract, found.gid) == (
        "p12345",
        "Title of p12345",
        "Abstract of p12345",
        26001,
    )
    assert found.beamlines == ("X12SA", "X06DA")
    assert [(one.beamline, one.title) for one in found.visits] == [("X12SA", "first"), ("X06DA", "")]
    assert [one.number // 1000 for one in found.visits] == [240501, 240503], "a visit is named after its first day"
    assert found.visits[0].start == datetime.datetime(2024, 5, 1, 6, tzinfo=datetime.UTC)


async def test_a_proposal_without_periods_has_one_visit(config: Config) -> None:
    (found,) = await asked(SciCat(), config, account_in("x12sa-staff"))
    (visit,) = found.visits
    assert (visit.number, visit.start) == (1, datetime.datetime(2024, 5, 1, 6, tzinfo=datetime.UTC))


@pytest.mark.parametrize("filters", [True, False], ids=["SciCat filters", "SciCat shows all it may"])
@pytest.mark.parametrize(
    ("groups", "ids"),
    [
        pytest.param(["p12345"], ["p12345"], id="owner"),
        pytest.param(["p12345", "p12347"], ["p12345", "p12347"], id="owner of two"),
        pytest.param(["x12sa-staff"], ["p12346"], id="D8 access group"),
        pytest.param(["users"], [], id="a group without proposals"),
        pytest.param(["p1234"], [], id="A11 a prefix"),
        pytest.param(["P12345"], [], id="C1 capitals"),
        pytest.param([], [], id="D1 no group: nothing, not everything"),
    ],
)
async def test_whose_proposals(config: Config, filters: bool, groups: list[str], ids: list[str]) -> None:
    """D1: what the portal's own token may see is not what the person may; and what is published is nobody's own."""
    assert [one.id for one in await asked(SciCat(filters=filters), config, account_in(*groups))] == ids


async def test_nothing_is_asked_about_an_account_without_groups(config: Config) -> None:
    """D1: a filter without groups would be no filter."""
    scicat = SciCat()
    app = scicat.app()
    async with running(app) as url:
        assert await SciCatProposals(config=config, url=f"{url}/api/v3").proposals_of(account_in()) == ()
    assert (app[REQUESTS], scicat.logins) == ([], 0)


async def test_the_group_that_shares_the_data_is_the_owners(config: Config) -> None:
    """B6: staff sees the proposal by an access group, but is not in the group of the data: it is left out, and told."""
    del config.SciCatProposals.fields
    assert await asked(SciCat(), config, account_in("x12sa-staff")) == ()


@pytest.mark.parametrize("count", [PAGE - 1, PAGE, PAGE + 1])
async def test_all_pages_are_read(config: Config, count: int) -> None:
    many = [proposal(f"p{number:05}", "p12345") for number in range(count)]
    assert len(await asked(SciCat(proposals=many), config)) == count


async def test_a_person_with_more_than_is_sensible(config: Config) -> None:
    config.SciCatProposals.max_records = 5
    with pytest.raises(SourceUnavailable) as raised:
        await asked(SciCat(proposals=[proposal(f"p{number}", "p12345") for number in range(6)]), config)
    assert "more than 5 records" in raised.value.detail


async def test_a_token_is_used_until_it_expires(config: Config) -> None:
    scicat = SciCat()
    async with running(scicat.app()) as url:
        source = SciCatProposals(config=config, url=f"{url}/api/v3/")
        for over, logins in ((False, 1), (False, 1), (True, 2)):
            if over:
                scicat.tokens.clear()
            assert len(await source.proposals_of(ANNA)) == 1
            assert scicat.logins == logins


async def test_a_token_from_a_file_is_read_anew(config: Config, secret_file: Callable[[str], str]) -> None:
    """Whoever exchanges it needs no restart."""
    del config.SciCatProposals.user
    config.SciCatProposals.token_file = secret_file("first")
    scicat = SciCat(tokens=["first"])
    app = scicat.app()
    async with running(app) as url:
        source = SciCatProposals(config=config, url=f"{url}/api/v3")
        assert len(await source.proposals_of(ANNA)) == 1
        scicat.tokens = ["second"]
        with pytest.raises(SourceUnavailable) as raised:
            await source.proposals_of(ANNA)
        assert "does not accept the portal's credentials" in raised.value.detail
        secret_file("second")
        assert len(await source.proposals_of(ANNA)) == 1
    assert scicat.logins == 0
    assert all("token" not in request.path_qs for request in app[REQUESTS])


async def test_an_unusable_token_file_is_reported(config: Config, secret_file: Callable[[str], str]) -> None:
    del config.SciCatProposals.user
    config.SciCatProposals.token_file = secret_file("first")
    async with running(SciCat(tokens=["first"]).app()) as url:
        source = SciCatProposals(config=config, url=f"{url}/api/v3")
        secret_file("")
        with pytest.raises(SourceUnavailable, match="is not available") as raised:
            await source.proposals_of(ANNA)
    assert "SciCatProposals.token_file" in raised.value.detail


async def test_a_wrong_password(config: Config) -> None:
    scicat = SciCat(password="another")
    with pytest.raises(SourceUnavailable) as raised:
        await asked(scicat, config)
    assert "asked for a token, got status 401: it does not accept the portal's credentials" in raised.value.detail
    assert scicat.logins == 1


@pytest.mark.parametrize(
    ("change", "count"),
    [
        pytest.param({"proposalId": "../x"}, 1, id="A1 a hostile id"),
        pytest.param({"proposalId": "20.500.11935/x"}, 2, id="an id with a slash"),
        pytest.param({"MeasurementPeriodList": "never", "title": None, "abstract": 7}, 2, id="other shapes"),
        pytest.param({"MeasurementPeriodList": [None, "x", {}]}, 2, id="periods that are none"),
    ],
)
async def test_one_record_harms_no_other(config: Config, change: dict[str, Any], count: int) -> None:
    scicat = SciCat(proposals=[proposal("p1", "p12345", **change), proposal("p2", "p12345")])
    assert len(await asked(scicat, config)) == count


async def test_fields_by_other_names(config: Config) -> None:
    """ES37: at PSI the id has a prefix and a slash, and the group's name is what everybody uses."""
    config.SciCatProposals.fields = {"id": "ownerGroup", "group": "", "visit.data": "/sls/{instrument}/{number}"}
    (found,) = await asked(SciCat(proposals=[proposal("20.500.11935/x", "p12345")]), config)
    assert found.id == "p12345"
    assert [one.data for one in found.visits] == [("/sls/X12SA/1",), ("/sls/X06DA/2",)]


@pytest.mark.parametrize(
    ("change", "setting", "words"),
    [
        pytest.param({"url": "http://scicat.example.org"}, "url", "not encrypted", id="plain http"),
        pytest.param({"user": ""}, "user", "Set one of them", id="neither"),
        pytest.param({"token_file": "/x"}, "user", "Set one of them", id="both"),
        pytest.param({"password_file": ""}, "password_file", "is not set", id="no password"),
        pytest.param({"group_fields": []}, "group_fields", "is empty", id="D1 no groups: whose?"),
    ],
)
def test_a_configuration_that_cannot_work_is_refused(
    config: Config, change: dict[str, Any], setting: str, words: str
) -> None:
    config.SciCatProposals.url = "https://scicat.example.org/api/v3"
    config.SciCatProposals.update(change)
    with pytest.raises(ConfigurationError, match=words) as raised:
        SciCatProposals(config=config)
    assert raised.value.setting == f"SciCatProposals.{setting}"
