"""The CALIPSOplus contract, line by line, against a user office that speaks it (R16, AL01, PS: drop-in).

What every source does with a service that misbehaves is in test_faults.py.
"""

from __future__ import annotations

import datetime
import logging
from collections.abc import Callable
from typing import Any

import pytest
from traitlets.config import Config

from daas_hub.accounts import Account
from daas_hub.errors import ConfigurationError, SourceUnavailable
from daas_hub.proposals import Proposal
from daas_hub.proposals.sources.calipsoplus import CalipsoplusProposals, volumes_of
from tests.stand_ins.calipsoplus import UserOffice, experiment
from tests.stand_ins.running import REQUESTS, running

ONE = Account("calipso1", 25001, 25001, (26001,), {26001: "users"})
TWO = Account("calipso2", 25002, 25002)


@pytest.fixture
def config(secret_file: Callable[[str], str]) -> Config:
    c = Config()
    c.CalipsoplusProposals.user = "portal"
    c.CalipsoplusProposals.password_file = secret_file("portal-password")
    c.CalipsoplusProposals.timeout_s = 5
    return c


async def asked(
    office: UserOffice, config: Config, account: Account = ONE, *, path: str = "/services/experiments/$USERNAME/"
) -> tuple[tuple[Proposal, ...], list[Any]]:
    """Return the answer, and the requests it took."""
    app = office.app()
    async with running(app) as url:
        source = CalipsoplusProposals(config=config, url=f"{url}{path}")
        return await source.proposals_of(account), app[REQUESTS]


async def test_a_proposal_with_all_it_has(config: Config) -> None:
    (proposal,), (request,) = await asked(UserOffice(), config, TWO)
    assert (proposal.id, proposal.title, proposal.abstract) == ("20180009", "Subject 9", "Description 9")
    assert (proposal.beamlines, proposal.gid) == (("BL11", "BL13"), 26001)
    (visit,) = proposal.visits
    assert (visit.number, visit.name, visit.title) == (9, "S0009", "Session of 9")
    assert visit.start == datetime.datetime(2018, 10, 10, 10, 30, tzinfo=datetime.UTC)
    assert visit.end == datetime.datetime(2018, 10, 11, 18, tzinfo=datetime.UTC)
    assert visit.data == ("/data/visitor/S11",), "what is bound rw is the portal's own affair"
    assert request.path_qs == "/services/experiments/calipso2/?page_size=100&page=1"


@pytest.mark.parametrize("following", ["absolute", "relative", "http://internal.example.org:8000"])
@pytest.mark.parametrize(
    ("wanted", "given", "pages"),
    [
        pytest.param(100, 0, 1, id="all at once"),
        pytest.param(2, 0, 3, id="two at a time"),
        pytest.param(100, 2, 3, id="a server that ignores page_size"),
        pytest.param(5, 0, 1, id="just as many as there are"),
    ],
)
async def test_all_pages_are_read(config: Config, following: str, wanted: int, given: int, pages: int) -> None:
    """Whatever host `next` names, the credentials go to the configured one alone (SSRF)."""
    config.CalipsoplusProposals.page_size = wanted
    office = UserOffice(following=following, own_page_size=given)
    proposals, requests = await asked(office, config)
    assert [one.id for one in proposals] == [f"2018000{number}" for number in range(1, 6)]
    assert len(requests) == pages


async def test_a_server_whose_pages_never_end(config: Config) -> None:
    class Circle(UserOffice):
        def _address(self, request: Any, page: int) -> str:
            return super()._address(request, 1)

    with pytest.raises(SourceUnavailable) as raised:
        await asked(Circle(own_page_size=1), config)
    assert "the same page again as the next one" in raised.value.detail


async def test_a_person_with_more_than_is_sensible(config: Config) -> None:
    """Half of them would look like all of them."""
    config.CalipsoplusProposals.max_records = 4
    with pytest.raises(SourceUnavailable) as raised:
        await asked(UserOffice(own_page_size=2), config)
    assert "more than 4 records (see CalipsoplusProposals.max_records)" in raised.value.detail


async def test_nobody_has_proposals_by_not_being_known(config: Config) -> None:
    for name in ("calipso3", "nobody"):
        proposals, requests = await asked(UserOffice(), config, Account(name, 25003, 25003))
        assert (proposals, len(requests)) == ((), 1)


async def test_a_user_office_without_credentials(config: Config) -> None:
    """DIAMOND had one that could not take Basic."""
    del config.CalipsoplusProposals.user
    proposals, (request,) = await asked(UserOffice(user=""), config)
    assert len(proposals) == 5
    assert "Authorization" not in request.headers


async def test_wrong_credentials_are_an_error_for_administrators(
    config: Config, secret_file: Callable[[str], str]
) -> None:
    """403 is not 404: nobody is told that they have no proposals."""
    config.CalipsoplusProposals.password_file = secret_file("wrong-password")
    with pytest.raises(SourceUnavailable, match="The user office is not available") as raised:
        await asked(UserOffice(), config)
    assert "status 403: it does not accept the portal's credentials" in raised.value.detail
    assert "wrong-password" not in raised.value.detail


async def test_an_address_without_its_slash(config: Config) -> None:
    """PSI: the address is kept letter by letter, and the redirect that Django answers with is told."""
    with pytest.raises(SourceUnavailable) as raised:
        await asked(UserOffice(), config, path="/services/experiments/$USERNAME")
    assert "a redirect (301)" in raised.value.detail


async def test_a_wrong_address_is_not_an_unknown_account(config: Config) -> None:
    with pytest.raises(SourceUnavailable) as raised:
        await asked(UserOffice(), config, path="/services/experiment/$USERNAME/")
    assert "status 404" in raised.value.detail


async def test_a_name_is_one_part_of_the_address(config: Config) -> None:
    office = UserOffice()
    office.experiments["a/../calipso1?x=#"] = []
    _, (request,) = await asked(office, config, Account("a/../calipso1?x=#", 1000, 1000))
    assert request.raw_path.startswith("/services/experiments/a%2F..%2Fcalipso1%3Fx%3D%23/?")


@pytest.mark.parametrize(
    ("change", "ids"),
    [
        pytest.param({"proposal_id": "../x"}, ["20180002"], id="A1 a hostile id"),
        pytest.param({"proposal_id": None}, ["20180002"], id="no id"),
        pytest.param({"gid": 0}, ["20180002"], id="S13 root's group"),
        pytest.param({"gid": "somebody"}, ["20180002"], id="B6 a group the account is not in"),
        pytest.param({"gid": "users"}, ["20180001", "20180002"], id="a group by its name"),
        pytest.param({"gid": None, "uid": None}, ["20180001", "20180002"], id="no group"),
        pytest.param({"gid": 26001, "uid": 0}, ["20180001", "20180002"], id="the experiment's uid decides nothing"),
        pytest.param({"body": None, "sessions": None}, ["20180001", "20180002"], id="nulls"),
        pytest.param({"beam_line": ["BL11"], "new": {"field": 1}}, ["20180001", "20180002"], id="unknown fields"),
    ],
)
async def test_one_record_harms_no_other(config: Config, change: dict[str, Any], ids: list[str]) -> None:
    office = UserOffice(experiments={"calipso1": [experiment(1, **change), experiment(2)]})
    proposals, _ = await asked(office, config)
    assert [one.id for one in proposals] == ids


async def test_an_old_deployment(config: Config) -> None:
    """Before 2019 the id was `serial_number`; and API.md itself spells `sesion_number` so."""
    old = experiment(1)
    old["serial_number"] = old.pop("proposal_id")
    old["sessions"][0]["sesion_number"] = old["sessions"][0].pop("session_number")
    (proposal,), _ = await asked(UserOffice(experiments={"calipso1": [old]}), config)
    assert (proposal.id, proposal.visits[0].name) == ("20180001", "S0001")


async def test_invalid_directories_are_logged_once(config: Config, caplog: pytest.LogCaptureFixture) -> None:
    """S13: no silent default directories. The proposal stays, its session is left out."""
    bad = experiment(1)
    bad["sessions"][0]["data_set_path"] = "rm -rf /"
    office = UserOffice(experiments={"calipso1": [bad]})
    async with running(office.app()) as url:
        source = CalipsoplusProposals(config=config, url=f"{url}/services/experiments/$USERNAME/")
        for _ in range(2):
            (proposal,) = await source.proposals_of(ONE)
    assert proposal.visits == ()
    (record,) = [one for one in caplog.records if one.name == "jupyterhub.daas"]
    assert record.levelno == logging.ERROR
    assert record.getMessage() == ("calipsoplus: 20180001: a visit was left out: its data_set_path is 'rm -rf /'")


async def test_fields_by_other_names(config: Config) -> None:
    """ES37."""
    config.CalipsoplusProposals.fields = {"title": "body", "beamlines": "station.name", "visit.data": ""}
    office = UserOffice(experiments={"calipso1": [experiment(1, station={"name": "P06"})]})
    (proposal,), _ = await asked(office, config)
    assert (proposal.title, proposal.beamlines, proposal.visits[0].data) == ("Description 1", ("P06",), ())


@pytest.mark.parametrize(
    ("value", "directories"),
    [
        pytest.param('{"/data/a": {"bind": "", "mode": "ro"}}', ("/data/a",), id="a text"),
        pytest.param("{'/data/a': {'bind': 'x', 'mode': 'ro'}}", ("/data/a",), id="a text with the other quotes"),
        pytest.param({"/data/a/": {"bind": "", "mode": "ro"}}, ("/data/a",), id="an object, a slash at the end"),
        pytest.param({"/data/a": {"mode": "ro"}, "/data/b": {"mode": "ro"}}, ("/data/a", "/data/b"), id="two"),
        pytest.param({"/data/a": {"bind": "", "mode": "rw"}}, (), id="rw only"),
        pytest.param("[]", (), id="an empty list"),
        pytest.param("{}", (), id="an empty object"),
        pytest.param("null", (), id="null in a text"),
    ],
)
def test_volumes(value: Any, directories: tuple[str, ...]) -> None:
    assert volumes_of([value]) == directories


@pytest.mark.parametrize(
    "value",
    [
        *("garbage", "7", '"/data/a"', "[1]", "{'/data/a': 'ro'}", "{'/data/a': {}}", "[" * 5000),
        *({"/data/a": {"mode": "rwx"}}, {"data/a": {"mode": "ro"}}, {"": {"mode": "ro"}}, {"/a\n": {"mode": "ro"}}, 7),
    ],
)
def test_invalid_volumes(value: Any) -> None:
    with pytest.raises(ValueError, match="data_set_path"):
        volumes_of([value])


@pytest.mark.parametrize(
    ("change", "setting", "words"),
    [
        pytest.param({"url": ""}, "url", "not the URL", id="not the URL"),
        pytest.param({"url": "https://x.org/experiments/"}, "url", r"\$USERNAME", id="D1 the same for everybody"),
        pytest.param({"url": "http://x.org/$USERNAME/"}, "url", "not encrypted", id="plain http"),
        pytest.param({"password_file": ""}, "password_file", "is not set", id="a name without a password"),
        pytest.param({"password_file": "/nowhere"}, "password_file", "cannot be read", id="a missing password"),
        pytest.param({"user": "a:b"}, "user", "colon", id="a name that Basic cannot say"),
        pytest.param({"timeout_s": 0.0}, "timeout_s", "is not positive", id="no time"),
        pytest.param({"ca_file": "/nowhere"}, "ca_file", "no certificates", id="no authorities"),
        pytest.param({"fields": {"titel": "x"}}, "fields", "Did you mean", id="a misspelt word"),
    ],
)
def test_a_configuration_that_cannot_work_is_refused(
    config: Config, change: dict[str, Any], setting: str, words: str
) -> None:
    config.CalipsoplusProposals.url = "https://x.org/$USERNAME/"
    config.CalipsoplusProposals.update(change)
    with pytest.raises(ConfigurationError, match=words) as raised:
        CalipsoplusProposals(config=config)
    assert raised.value.setting == f"CalipsoplusProposals.{setting}"
    assert raised.value.remedy
