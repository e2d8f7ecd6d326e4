"""ISPyB: in the person's name, or in the portal's about what the account's groups name; visit by visit (DI16, AL52).

What every source does with a service that misbehaves is in test_faults.py.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import web
from traitlets.config import Config

from daas_hub.accounts import Account, Identity
from daas_hub.errors import ConfigurationError, SourceUnavailable
from daas_hub.proposals import Proposal, Query
from daas_hub.proposals.sources.ispyb import PAGE, IspybProposals
from tests.stand_ins.ispyb import CM, MX, ROOT, Ispyb, proposal, session
from tests.stand_ins.running import REQUESTS, running

ISSUER = "https://keycloak.facility.org/realms/users"
PATTERN = "(?P<proposal>[a-z]{2}[0-9]+)(?:_(?P<visit>[0-9]+))?"


def person(name: str, *, issuer: str = ISSUER, token: str | None = None) -> Account:
    login = Identity(issuer, f"subject-of-{name}", access_token=f"token-of-{name}" if token is None else token)
    return Account(name, 25001, 25001, login=login)


def account_in(*groups: str) -> Account:
    numbers = {26001 + index: name for index, name in enumerate(groups)}
    return Account("anna", 25001, 25001, tuple(numbers), numbers)


@pytest.fixture
def config() -> Config:
    """In the person's name."""
    return Config({"IspybProposals": {"issuer": ISSUER, "timeout_s": 5.0}})


@pytest.fixture
def portals(secret_file: Callable[[str], str]) -> Config:
    """In the portal's name."""
    settings = {"user": "daas", "plugin": "ldap", "group_pattern": PATTERN, "timeout_s": 5.0}
    return Config({"IspybProposals": settings | {"password_file": secret_file("portal-password")}})


async def asked(ispyb: Ispyb, config: Config, account: Account) -> tuple[Proposal, ...]:
    async with running(ispyb.app()) as url:
        return await IspybProposals(config=config, url=f"{url}{ROOT}").proposals_of(account)


def shown(proposals: tuple[Proposal, ...]) -> dict[str, list[str]]:
    return {one.id: sorted(visit.name for visit in one.visits) for one in proposals}


async def test_a_proposal_with_all_it_has(portals: Config) -> None:
    (proposal,) = await asked(Ispyb(), portals, account_in("mx12345_7"))
    assert (proposal.id, proposal.title, proposal.beamlines) == ("mx12345", "Title of mx12345", ("i03",))
    (visit,) = proposal.visits
    assert (visit.number, visit.name, visit.beamline) == (7, "mx12345-7", "i03")
    assert visit.start == datetime.datetime(2024, 5, 7, 8, tzinfo=datetime.UTC)


@pytest.mark.parametrize(
    ("name", "visits"),
    [
        pytest.param("anna", {"mx12345": ["mx12345-7", "mx12345-8"], "cm1": ["cm1-1"]}, id="on three visits"),
        pytest.param("ben", {"mx12345": ["mx12345-7"]}, id="on one visit: not on the others of the proposal"),
        pytest.param("nobody", {}, id="on none"),
    ],
)
async def test_in_the_persons_name(config: Config, name: str, visits: dict[str, list[str]]) -> None:
    assert shown(await asked(Ispyb(), config, person(name))) == visits


@pytest.mark.parametrize(
    ("groups", "visits", "gid"),
    [
        pytest.param(["mx12345_7"], {"mx12345": ["mx12345-7"]}, None, id="the group of a visit"),
        pytest.param(
            ["users", "mx12345"], {"mx12345": ["mx12345-7", "mx12345-8", "mx12345-9"]}, 26002, id="of a whole"
        ),
        pytest.param(["mx12345_77"], {"mx12345": []}, None, id="a visit ISPyB does not know"),
        pytest.param(["zz99"], {}, None, id="a proposal ISPyB does not know"),
        pytest.param(["users"], {}, None, id="D1 no group of a proposal"),
        pytest.param([], {}, None, id="D1 no group"),
    ],
)
async def test_in_the_portals_name(
    portals: Config, groups: list[str], visits: dict[str, list[str]], gid: int | None
) -> None:
    """D1: the portal sees everything, the person what their groups name."""
    proposals = await asked(Ispyb(), portals, account_in(*groups))
    assert shown(proposals) == visits
    assert all(one.gid == gid for one in proposals)


@pytest.mark.parametrize(
    ("groups", "visits"),
    [
        pytest.param(["i24-staff"], {"cm1": ["cm1-1"]}, id="one beamline"),
        pytest.param(
            ["i03-staff", "users"], {"mx12345": ["mx12345-7", "mx12345-8", "mx12345-9"], "sw9": ["sw9-1"]}, id="another"
        ),
        pytest.param(["i03-staff", "mx12345_7"], {"mx12345": ["mx12345-7"], "sw9": ["sw9-1"]}, id="a user there, too"),
        pytest.param(["others"], {}, id="staff of none"),
    ],
)
async def test_beamline_staff(portals: Config, groups: list[str], visits: dict[str, list[str]]) -> None:
    """In the portal's name: the visits at their beamlines, and no others of the same proposals."""
    portals.IspybProposals.beamline_staff = {"i03-staff": ["i03"], "i24-staff": ["i24"]}
    ispyb = Ispyb(sessions=[*Ispyb().sessions, session(16, CM, 2, "carla", beamline="i99")])
    async with running(ispyb.app()) as url:
        source = IspybProposals(config=portals, url=f"{url}{ROOT}")
        account = account_in(*groups)
        assert shown(await source.proposals_of(account)) == visits
        for name, own in visits.items():
            assert shown(await source.proposals_called(account, name)) == {name: own}
        if "i24-staff" in groups:
            assert await source.proposals_called(account, "mx12345") == ()
            assert await source.page_of(account, Query()) is None


async def test_the_facilitys_first_visit_is_a_visit(portals: Config) -> None:
    """Case 16: ISPyB counts from 0."""
    first = proposal(9, "mx", "99999")
    ispyb = Ispyb(proposals=[MX, first], sessions=[session(1, first, 0, "anna") | {"startDate": "2026-05-01T09:00:00"}])
    for groups in (["mx99999"], ["mx99999_0"]):
        (found,) = await asked(ispyb, portals, account_in(*groups))
        assert [(one.number, one.name) for one in found.visits] == [(0, "mx99999-0")]


async def test_a_login_without_rights_is_not_taken_for_unknown_proposals(portals: Config) -> None:
    """py-ispyb answers 404 about what its login may not see."""
    with pytest.raises(SourceUnavailable) as raised:
        await asked(Ispyb(proposals=[]), portals, account_in("mx12345"))
    assert "no proposal at all: its login may see none" in raised.value.detail


async def test_nothing_is_asked_about_nobody(portals: Config) -> None:
    app = Ispyb().app()
    async with running(app) as url:
        source = IspybProposals(config=portals, url=f"{url}{ROOT}")
        assert await source.proposals_of(account_in()) == ()
    assert app[REQUESTS] == []


@pytest.mark.parametrize("count", [PAGE - 1, PAGE, PAGE + 1])
async def test_all_pages_are_read(config: Config, portals: Config, count: int) -> None:
    sessions = [session(100 + number, MX, number, "anna") for number in range(1, 29)]
    many = [
        one | {"visit_number": number, "session": f"mx12345-{number}"}
        for number, one in enumerate((sessions * 10)[:count], 1)
    ]
    for settings, account in ((config, person("anna")), (portals, account_in("mx12345"))):
        (proposal,) = await asked(Ispyb(sessions=many), settings, account)
        assert len(proposal.visits) == count


async def test_a_person_with_more_than_is_sensible(config: Config) -> None:
    config.IspybProposals.max_records = 2
    with pytest.raises(SourceUnavailable) as raised:
        await asked(Ispyb(), config, person("anna"))
    assert "more than 2 records" in raised.value.detail


async def test_the_portals_token_is_used_until_it_expires(portals: Config) -> None:
    """Also where several questions find that out at once."""
    ispyb = Ispyb()
    async with running(ispyb.app()) as url:
        source = IspybProposals(config=portals, url=f"{url}{ROOT}/")
        for over, logins in ((False, 1), (False, 1), (True, 2)):
            if over:
                ispyb.tokens.clear()
            assert len(await source.proposals_of(account_in("mx12345"))) == 1
            assert ispyb.logins == logins
        ispyb.tokens.clear()
        assert len(await source.proposals_of(account_in("mx12345", "cm1", "sw9"))) == 3


async def test_each_person_logs_in_with_their_own_token(config: Config) -> None:
    """D1: two people at the same source; no token is kept."""
    ispyb = Ispyb()
    async with running(ispyb.app()) as url:
        source = IspybProposals(config=config, url=f"{url}{ROOT}")
        for name, count in (("anna", 2), ("ben", 1), ("anna", 2)):
            assert len(await source.proposals_of(person(name))) == count
    assert list(ispyb.tokens.values()) == ["anna", "ben", "anna"]


@pytest.mark.parametrize(
    "account",
    [
        pytest.param(Account("anna", 25001, 25001), id="no login"),
        pytest.param(person("anna", token=""), id="no token"),
        pytest.param(person("anna", issuer="https://other.example.org"), id="F7 a token of another provider"),
    ],
)
async def test_without_a_token_nothing_is_sent(config: Config, account: Account) -> None:
    ispyb = Ispyb()
    with pytest.raises(SourceUnavailable) as raised:
        await asked(ispyb, config, account)
    assert "there is no access token" in raised.value.detail
    assert ispyb.logins == 0


async def test_refused_logins(config: Config, portals: Config) -> None:
    for settings, account in ((config, person("anna", token="OVER")), (portals, account_in("mx12345"))):
        ispyb = Ispyb(password="another")
        with pytest.raises(SourceUnavailable) as raised:
            await asked(ispyb, settings, account)
        assert "asked for a token, got status 401: it does not accept the portal's credentials" in raised.value.detail
        assert "OVER" not in raised.value.detail
        assert ispyb.logins == 1


async def test_sessions_of_another_proposal_are_not_taken(portals: Config) -> None:
    """A server that takes no notice of `proposal=`."""

    class Careless(Ispyb):
        async def list_sessions(self, request: Any) -> Any:
            return await super().list_sessions(request.clone(rel_url=request.rel_url.without_query_params("proposal")))

    assert shown(await asked(Careless(), portals, account_in("cm1"))) == {"cm1": ["cm1-1"]}


async def test_a_name_in_capitals_is_another_name(portals: Config) -> None:
    """C1: MariaDB takes them for the same."""

    class Lax(Ispyb):
        async def show_proposal(self, request: Any) -> Any:
            await super().show_proposal(request)
            return web.json_response(MX | {"proposal": "MX12345"})

    assert await asked(Lax(), portals, account_in("mx12345")) == ()


@pytest.mark.parametrize(
    ("change", "ids", "visits"),
    [
        pytest.param({"proposal": "../x"}, ["cm1"], 1, id="A1 a hostile id"),
        pytest.param({"title": None, "state": 7}, ["mx12345", "cm1"], 2, id="other shapes"),
        pytest.param({"proposalId": None}, ["mx12345", "cm1"], 0, id="no number: no sessions"),
    ],
)
async def test_one_record_harms_no_other(config: Config, change: dict[str, Any], ids: list[str], visits: int) -> None:
    class Changed(Ispyb):
        async def list_proposals(self, request: Any) -> Any:
            document = json.loads((await super().list_proposals(request)).text)
            document["results"][0] |= change
            return web.json_response(document)

    proposals = await asked(Changed(), config, person("anna"))
    assert [one.id for one in proposals] == ids
    assert len(proposals[0].visits) == visits


@pytest.mark.parametrize(
    ("change", "setting", "words"),
    [
        pytest.param({"url": "http://ispyb.example.org"}, "url", "not encrypted", id="plain http"),
        pytest.param({"user": ""}, "user", "Set one of them", id="neither"),
        pytest.param({"issuer": ISSUER}, "user", "Set one of them", id="both"),
        pytest.param({"password_file": ""}, "password_file", "is not set", id="no password"),
        pytest.param({"group_pattern": ""}, "group_pattern", "no group", id="D1 no pattern: everything"),
    ],
)
def test_a_configuration_that_cannot_work_is_refused(
    portals: Config, change: dict[str, Any], setting: str, words: str
) -> None:
    portals.IspybProposals.url = "https://ispyb.example.org/ispyb/api/v1"
    portals.IspybProposals.update(change)
    with pytest.raises(ConfigurationError, match=words) as raised:
        IspybProposals(config=portals)
    assert raised.value.setting == f"IspybProposals.{setting}"
