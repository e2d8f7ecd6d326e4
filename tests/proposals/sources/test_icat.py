"""ICAT: the queries, the session that ends, the codes of its errors, and what becomes of investigations (AL52, ES37).

What every source does with a service that misbehaves is in test_faults.py.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import Any

import pytest
from traitlets.config import Config

from daas_hub.accounts import Account
from daas_hub.errors import ConfigurationError, SourceUnavailable
from daas_hub.proposals.sources.icat import PAGE, IcatProposals, query_of
from tests.stand_ins.icat import Icat, investigation
from tests.stand_ins.running import running


def account_named(name: str) -> Account:
    return Account(name, 25001, 25001)


ANNA = account_named("anna")


@pytest.fixture
def config(secret_file: Callable[[str], str]) -> Config:
    c = Config()
    c.IcatProposals.user = "daas"
    c.IcatProposals.password_file = secret_file("portal-password")
    c.IcatProposals.timeout_s = 5
    return c


async def ids_of(icat: Icat, config: Config, name: str = "anna") -> list[str]:
    async with running(icat.app()) as url:
        found = await IcatProposals(config=config, url=f"{url}/icat").proposals_of(account_named(name))
    return [one.id for one in found]


async def test_investigations_of_one_name_are_one_proposal(config: Config) -> None:
    async with running(Icat().app()) as url:
        glass, foils = await IcatProposals(config=config, url=f"{url}/icat/").proposals_of(ANNA)
    assert (glass.id, glass.title, glass.abstract) == ("MA-4242", "Title of MA-4242", "Roman glass")
    assert (glass.beamlines, foils.beamlines) == (("ID21",), ("BM23",))
    assert [(visit.number, visit.label) for visit in glass.visits] == [(101, "1"), (102, "1.1-P")]
    first = glass.visits[0]
    assert first.beamline == "ID21"
    assert first.start == datetime.datetime(2024, 5, 1, 6, tzinfo=datetime.UTC), "not createTime"


@pytest.mark.parametrize(
    ("name", "membership", "ids"),
    [
        pytest.param("anna", ["users"], ["MA-4242", "LS-1007"], id="named in it"),
        pytest.param("ben", ["users"], ["MA-4242"], id="named in one visit of it"),
        pytest.param("carla", ["users"], [], id="D8 staff, where staff sees nothing"),
        pytest.param("carla", ["users", "instruments"], ["MA-4242"], id="D8 scientist of its instrument"),
        pytest.param("dora", ["groups"], ["LS-1007"], id="in a group"),
        pytest.param("anna", ["users", "instruments", "groups"], ["MA-4242", "LS-1007"], id="each once"),
        pytest.param("Anna", ["users"], [], id="C1 capitals"),
        pytest.param("nobody", ["users", "groups", "instruments"], [], id="nobody"),
        pytest.param("x' OR 'x' = 'x", ["users"], [], id="a name that is a query"),
    ],
)
async def test_whose_proposals(config: Config, name: str, membership: list[str], ids: list[str]) -> None:
    config.IcatProposals.membership = membership
    assert await ids_of(Icat(), config, name) == ids


async def test_only_the_visits_a_person_takes_part_in(config: Config) -> None:
    async with running(Icat().app()) as url:
        (glass,) = await IcatProposals(config=config, url=f"{url}/icat").proposals_of(account_named("ben"))
    assert [visit.number for visit in glass.visits] == [101]


async def test_names_with_the_plugin_before_them(config: Config) -> None:
    config.IcatProposals.user_name = "db/{account}"
    assert await ids_of(Icat(people={"users": {"db/anna": [103], "anna": [101]}}), config) == ["LS-1007"]


def test_a_quote_stays_in_its_text() -> None:
    """There are no parameters in ICAT's REST interface."""
    assert "u.name = 'x'' OR ''x'' = ''x' ORDER" in query_of("x' OR 'x' = 'x", "users", 0)
    with pytest.raises(ValueError, match="unprintable"):
        query_of("x\n", "users", 0)


@pytest.mark.parametrize("count", [PAGE - 1, PAGE, PAGE + 1, 2 * PAGE])
async def test_all_pages_are_read(config: Config, count: int) -> None:
    icat = Icat(
        investigations=[investigation(number, f"P-{number}", "1") for number in range(1, count + 1)],
        people={"users": {"anna": list(range(1, count + 1))}},
    )
    assert len(await ids_of(icat, config)) == count


async def test_a_person_with_more_than_is_sensible(config: Config) -> None:
    config.IcatProposals.max_records = 2
    with pytest.raises(SourceUnavailable) as raised:
        await ids_of(Icat(), config)
    assert "more than 2 records (see IcatProposals.max_records)" in raised.value.detail


async def test_one_session_serves_until_it_ends(config: Config) -> None:
    """An ended session is opened anew, once, and nobody notices."""
    icat = Icat()
    async with running(icat.app()) as url:
        source = IcatProposals(config=config, url=f"{url}/icat")
        for end, logins in (("", 1), ("", 1), ("forgotten", 2), ("expired", 3)):
            if end == "forgotten":
                icat.sessions.clear()
            if end == "expired":
                icat.sessions = dict.fromkeys(icat.sessions, 0.0)
            assert len(await source.proposals_of(ANNA)) == 2
            assert icat.logins == logins


@pytest.mark.parametrize(
    ("icat", "words"),
    [
        pytest.param(Icat(password="another"), "login of daas with plugin simple refused", id="a wrong password"),
        pytest.param(Icat(plugin="ldap"), "login of daas with plugin simple refused", id="an unknown plugin"),
        pytest.param(Icat(may_read=False), "INSUFFICIENT_PRIVILEGES (status 403)", id="no rule for the portal"),
        pytest.param(Icat(max_entities=1), "VALIDATION (status 412)", id="too many at a time"),
    ],
)
async def test_errors_are_reported_by_their_code(config: Config, icat: Icat, words: str) -> None:
    """403 is a session that is over, a wrong password and a missing rule: none is "no proposals"."""
    with pytest.raises(SourceUnavailable) as raised:
        await ids_of(icat, config)
    assert words in raised.value.detail
    assert icat.logins == 1, "a refusal is no reason to try the password again"
    assert "portal-password" not in raised.value.detail
    assert not any(session in raised.value.detail for session in icat.sessions)


async def test_a_session_that_ends_at_once_is_not_opened_for_ever(config: Config) -> None:
    class Forgetful(Icat):
        async def open(self, request: Any) -> Any:
            answer = await super().open(request)
            self.sessions.clear()
            return answer

    icat = Forgetful()
    with pytest.raises(SourceUnavailable) as raised:
        await ids_of(icat, config)
    assert "SESSION" in raised.value.detail
    assert icat.logins == 2


async def test_one_record_harms_no_other(config: Config) -> None:
    icat = Icat(
        investigations=[
            investigation(101, "../x", "1"),
            investigation(102, "MA-4242", "1", investigationInstruments=[], endDate=None),
        ]
    )
    async with running(icat.app()) as url:
        (glass,) = await IcatProposals(config=config, url=f"{url}/icat").proposals_of(ANNA)
    assert (glass.id, glass.visits[0].beamline, glass.visits[0].end) == ("MA-4242", "", None)


async def test_fields_by_other_names(config: Config) -> None:
    """ES37: at the ESRF the visit's name is the beamline, and the storage knows the beginning's day."""
    config.IcatProposals.fields = {
        "id": "doi|name",
        "visit.beamline": "visitId",
        "visit.data": "/data/visitor/{name}/{visitId}",
    }
    icat = Icat(investigations=[investigation(103, "LS-1007", "BM23")])
    async with running(icat.app()) as url:
        (foils,) = await IcatProposals(config=config, url=f"{url}/icat").proposals_of(ANNA)
    assert foils.visits[0].beamline == "BM23"
    assert foils.visits[0].data == ("/data/visitor/LS-1007/BM23",)


@pytest.mark.parametrize(
    ("change", "setting", "words"),
    [
        pytest.param({"url": "http://icat.example.org"}, "url", "not encrypted", id="plain http"),
        pytest.param({"user": ""}, "user", "is not set", id="no account"),
        pytest.param({"password_file": ""}, "password_file", "is not set", id="no password"),
        pytest.param({"user_name": "db/anna"}, "user_name", "does not contain", id="D1 everybody is anna"),
        pytest.param({"membership": ["user"]}, "membership", "Known: users, groups", id="a misspelt one"),
        pytest.param({"membership": []}, "membership", "is not a known membership", id="none"),
    ],
)
def test_a_configuration_that_cannot_work_is_refused(
    config: Config, change: dict[str, Any], setting: str, words: str
) -> None:
    config.IcatProposals.url = "https://icat.example.org/icat"
    config.IcatProposals.update(change)
    with pytest.raises(ConfigurationError, match=words) as raised:
        IcatProposals(config=config)
    assert raised.value.setting == f"IcatProposals.{setting}"
