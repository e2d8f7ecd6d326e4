"""ICAT+: in the person's own name, both shapes of its answers, and whose token is sent where (AL52, L3).

What every source does with a service that misbehaves is in test_faults.py.
"""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from traitlets.config import Config

from daas_hub.accounts import Account, Identity
from daas_hub.errors import ConfigurationError, SourceUnavailable
from daas_hub.proposals import Proposal
from daas_hub.proposals.sources.icatplus import PAGE, IcatPlusProposals
from tests.stand_ins.icatplus import IcatPlus, investigation
from tests.stand_ins.running import REQUESTS, running

ISSUER = "https://keycloak.facility.org/realms/users"


def account_named(name: str, *, issuer: str = ISSUER, token: str | None = None) -> Account:
    login = Identity(issuer, f"subject-of-{name}", access_token=f"token-of-{name}" if token is None else token)
    return Account(name, 25001, 25001, login=login)


ANNA = account_named("anna")


@pytest.fixture
def config() -> Config:
    c = Config()
    c.IcatPlusProposals.issuer = ISSUER
    c.IcatPlusProposals.timeout_s = 5
    return c


async def asked(server: IcatPlus, config: Config, account: Account = ANNA) -> tuple[Proposal, ...]:
    async with running(server.app()) as url:
        return await IcatPlusProposals(config=config, url=url).proposals_of(account)


@pytest.mark.parametrize("boxed", [False, True], ids=["as it is now", "as it was in 2019"])
async def test_investigations_of_one_name_are_one_proposal(config: Config, boxed: bool) -> None:
    glass, foils = await asked(IcatPlus(boxed=boxed, has_pages=not boxed), config)
    assert (glass.id, glass.title, glass.abstract) == ("MA-4242", "Title of MA-4242", "Roman glass")
    assert (glass.beamlines, foils.beamlines) == (("ID21",), ("BM23",))
    assert [(visit.number, visit.name) for visit in glass.visits] == [(101, "1"), (102, "2")]
    assert glass.visits[1].start == datetime.datetime(2024, 6, 1, 6, tzinfo=datetime.UTC), "a visit that was moved"


@pytest.mark.parametrize(
    ("name", "wanted", "ids"),
    [
        pytest.param("anna", "participant", ["MA-4242", "LS-1007"], id="two of hers"),
        pytest.param("ben", "participant", ["MA-4242"], id="one of his"),
        pytest.param("carla", "participant", [], id="D8 staff, where staff sees nothing"),
        pytest.param("carla", "instrumentscientist", ["MA-4242"], id="D8 scientist of the instrument"),
        pytest.param("carla", ["participant", "instrumentscientist"], ["MA-4242"], id="scientist, and nowhere a user"),
        pytest.param("ben", ["participant", "instrumentscientist"], ["MA-4242"], id="a user, and no scientist"),
    ],
)
async def test_whose_proposals(config: Config, name: str, wanted: str | list[str], ids: list[str]) -> None:
    """What is public is nobody's own."""
    config.IcatPlusProposals.filter = wanted
    assert [one.id for one in await asked(IcatPlus(), config, account_named(name))] == ids


@pytest.mark.parametrize("has_pages", [True, False])
@pytest.mark.parametrize("count", [PAGE - 1, PAGE, PAGE + 1])
async def test_all_pages_are_read(config: Config, count: int, has_pages: bool) -> None:
    many = [investigation(number, f"P-{number}", "1") for number in range(1, count + 1)]
    server = IcatPlus(investigations={"participant": {"anna": many}, "instrumentscientist": {}}, has_pages=has_pages)
    assert len(await asked(server, config)) == count


@pytest.mark.parametrize(
    "account",
    [
        pytest.param(Account("anna", 25001, 25001), id="no login"),
        pytest.param(account_named("anna", token=""), id="no token"),
        pytest.param(account_named("anna", issuer="https://other.example.org"), id="F7 a token of another provider"),
    ],
)
async def test_without_a_token_nothing_is_sent(config: Config, account: Account) -> None:
    server = IcatPlus()
    with pytest.raises(SourceUnavailable) as raised:
        await asked(server, config, account)
    assert "there is no access token" in raised.value.detail
    assert server.sessions == {}


async def test_an_expired_token(config: Config) -> None:
    with pytest.raises(SourceUnavailable) as raised:
        await asked(IcatPlus(), config, account_named("anna", token="OVER"))
    assert "asked for a session, got status 403" in raised.value.detail
    assert "OVER" not in raised.value.detail + str(raised.value)


async def test_the_session_id_is_never_logged(config: Config) -> None:
    """It stands in the address."""

    class Broken(IcatPlus):
        async def list_investigations(self, request: Any) -> Any:
            answer = await super().list_investigations(request)
            answer.text = '{"session": "' + request.match_info["session"] + '"}'
            return answer

    server = Broken()
    with pytest.raises(SourceUnavailable) as raised:
        await asked(server, config)
    (session,) = server.sessions
    assert "an object where a list was expected" in raised.value.detail
    assert session not in raised.value.detail + str(raised.value)


async def test_everybody_has_a_session_of_their_own(config: Config) -> None:
    """D1: two people at the same source."""
    server = IcatPlus()
    app = server.app()
    async with running(app) as url:
        source = IcatPlusProposals(config=config, url=url)
        assert len(await source.proposals_of(ANNA)) == 2
        assert len(await source.proposals_of(account_named("ben"))) == 1
    assert list(server.sessions.values()) == ["anna", "ben"]
    assert [request.query["filter"] for request in app[REQUESTS]] == ["participant", "participant"]


@pytest.mark.parametrize(
    ("row", "count"),
    [("text", 1), (None, 1), ({"Investigation": None}, 1), ({"id": 9}, 1), (investigation(9, "../x", "1"), 1)],
)
async def test_one_record_harms_no_other(config: Config, row: Any, count: int) -> None:
    server = IcatPlus()
    server.investigations["participant"]["ben"].append(row)
    assert len(await asked(server, config, account_named("ben"))) == count


@pytest.mark.parametrize(
    ("change", "setting", "words"),
    [
        pytest.param({"url": "http://icatplus.example.org"}, "url", "not encrypted", id="plain http"),
        pytest.param({"issuer": ""}, "issuer", "is not set", id="no issuer: whose tokens?"),
        pytest.param({"filter": ""}, "filter", "is not set", id="D1 no filter: everything that is public"),
    ],
)
def test_a_configuration_that_cannot_work_is_refused(
    config: Config, change: dict[str, Any], setting: str, words: str
) -> None:
    config.IcatPlusProposals.url = "https://icatplus.example.org"
    config.IcatPlusProposals.update(change)
    with pytest.raises(ConfigurationError, match=words) as raised:
        IcatPlusProposals(config=config)
    assert raised.value.setting == f"IcatPlusProposals.{setting}"
