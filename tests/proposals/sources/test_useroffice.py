"""A User Office by GraphQL: by the subject of one provider, with errors that come with status 200 (AL01, F7).

What every source does with a service that misbehaves is in test_faults.py.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import Any

import pytest
from traitlets.config import Config

from daas_hub.accounts import Account, Identity
from daas_hub.errors import ConfigurationError, SourceUnavailable
from daas_hub.proposals import Proposal
from daas_hub.proposals.sources.useroffice import UserOfficeProposals
from tests.stand_ins.running import REQUESTS, running
from tests.stand_ins.useroffice import UserOffice, error, proposal

ISSUER = "https://keycloak.facility.org/realms/users"


def person(name: str, *, issuer: str = ISSUER) -> Account:
    return Account(name, 25001, 25001, login=Identity(issuer, f"subject-of-{name}"))


ANNA = person("anna")


@pytest.fixture
def config(secret_file: Callable[[str], str]) -> Config:
    settings = {"issuer": ISSUER, "token_file": secret_file("portal-token"), "timeout_s": 5.0}
    return Config({"UserOfficeProposals": settings})


async def asked(office: UserOffice, config: Config, account: Account = ANNA) -> tuple[Proposal, ...]:
    async with running(office.app()) as url:
        return await UserOfficeProposals(config=config, url=f"{url}/graphql").proposals_of(account)


async def test_a_proposal_with_all_it_has(config: Config) -> None:
    first, second = await asked(UserOffice(), config)
    assert (first.id, first.title, first.abstract) == ("123456", "Title of 123456", "Abstract of 123456")
    assert first.beamlines == ("LOKI",)
    (visit,) = first.visits
    assert (visit.number, visit.name, visit.beamline) == (1234560, "123456-1", "LOKI")
    assert visit.start == datetime.datetime(2024, 5, 1, 6, tzinfo=datetime.UTC)
    assert second.id == "123457"


@pytest.mark.parametrize(
    ("account", "ids", "questions"),
    [
        pytest.param(ANNA, ["123456", "123457"], 1, id="two of hers"),
        pytest.param(person("ben"), ["123458"], 1, id="one of his"),
        pytest.param(person("nobody"), [], 1, id="whom the office does not know"),
        pytest.param(person("anna", issuer="https://other.example.org"), [], 0, id="F7 the subject elsewhere"),
        pytest.param(Account("subject-of-anna", 25001, 25001), [], 0, id="an account's name is no subject"),
    ],
)
async def test_whose_proposals(config: Config, account: Account, ids: list[str], questions: int) -> None:
    app = UserOffice().app()
    async with running(app) as url:
        found = await UserOfficeProposals(config=config, url=f"{url}/graphql").proposals_of(account)
    assert [one.id for one in found] == ids
    assert len(app[REQUESTS]) == questions


async def test_a_subject_is_a_value_and_never_part_of_the_question(config: Config) -> None:
    hostile = Account("anna", 25001, 25001, login=Identity(ISSUER, 'x") { oidcSub } a: userByOIDCSub(oidcSub: "y'))
    office = UserOffice()
    office.proposals[hostile.login.subject] = [proposal(1)]  # type: ignore[union-attr]
    assert [one.id for one in await asked(office, config, hostile)] == ["000001"]


@pytest.mark.parametrize(
    ("office", "words"),
    [
        pytest.param(UserOffice(token="new"), "the error INSUFFICIENT_PERMISSIONS (status 200)", id="an old token"),
        pytest.param(
            UserOffice(unknown_fields=("experiments",)),
            "the error GRAPHQL_VALIDATION_FAILED (status 400)",
            id="another version",
        ),
        pytest.param(UserOffice(answer=error("X\nY", "m")), "the error without a code", id="a code that is none"),
        pytest.param(UserOffice(answer={"errors": "?"}), "the error without a code", id="errors that are none"),
        pytest.param(
            UserOffice(
                answer=error("SOME", "m") | {"data": {"person": {"oidcSub": "subject-of-anna", "proposals": []}}}
            ),
            "the error SOME",
            id="half an answer is none",
        ),
        pytest.param(UserOffice(answer={}), "without a person", id="no data"),
        pytest.param(UserOffice(answer={"data": None}), "without a person", id="null for data"),
        pytest.param(UserOffice(answer={"data": {"person": []}}), "another person", id="a list for a person"),
        pytest.param(
            UserOffice(answer={"data": {"person": {"oidcSub": "subject-of-ben", "proposals": []}}}),
            "another person",
            id="D1 somebody else's",
        ),
        pytest.param(
            UserOffice(answer={"data": {"person": {"oidcSub": "subject-of-anna", "proposals": None}}}),
            "without a list",
            id="null for proposals",
        ),
    ],
)
async def test_errors_are_reported_by_their_code(config: Config, office: UserOffice, words: str) -> None:
    """GraphQL says no with status 200; that is not "no proposals"."""
    with pytest.raises(SourceUnavailable, match="The user office is not available") as raised:
        await asked(office, config)
    assert words in raised.value.detail
    assert "portal-token" not in raised.value.detail
    assert "subject-of-anna" not in raised.value.detail


async def test_another_question_for_another_version(config: Config) -> None:
    """ES37: the question and the fields by configuration."""
    config.UserOfficeProposals.query = (
        "query ($user: String!) { person: userByOIDCSub(oidcSub: $user) { oidcSub proposals { primaryKey title } } }"
    )
    config.UserOfficeProposals.fields = {"id": "primaryKey"}
    found = await asked(UserOffice(unknown_fields=("experiments", "abstract")), config)
    assert [(one.id, one.abstract) for one in found] == [("123456", ""), ("123457", "")]


async def test_instrument_scientists_see_the_proposals_of_their_instruments(config: Config) -> None:
    """Their own and those of others, each once, on several pages; only if the facility wants it."""
    loki = [proposal(number) for number in range(1, 251)]
    bifrost = [proposal(900, instruments=[{"id": 2, "name": "BIFROST"}])]
    office = UserOffice(
        proposals={"subject-of-anna": [loki[0], bifrost[0]], "subject-of-ben": [*loki, *bifrost]},
        scientists={"subject-of-anna": [1]},
    )
    assert len(await asked(office, config)) == 2
    config.UserOfficeProposals.includes_instruments = True
    assert len(await asked(office, config)) == 251
    office.scientists.clear()
    assert len(await asked(office, config)) == 2


async def test_a_token_without_the_permission_to_read_all(config: Config) -> None:
    config.UserOfficeProposals.includes_instruments = True
    with pytest.raises(SourceUnavailable) as raised:
        await asked(UserOffice(scientists={"subject-of-anna": [1]}, may_read_all=False), config)
    assert "the token lacks the permission ProposalQueries.getAll" in raised.value.detail


async def test_a_person_with_more_than_is_sensible(config: Config) -> None:
    config.UserOfficeProposals.max_records = 1
    with pytest.raises(SourceUnavailable) as raised:
        await asked(UserOffice(), config)
    assert "more than 1 records" in raised.value.detail


@pytest.mark.parametrize(
    ("record", "count"),
    [
        pytest.param(proposal(1, proposalId="../x"), 1, id="A1 a hostile id"),
        pytest.param(None, 1, id="null"),
        pytest.param(proposal(1, experiments=None, instruments=None, abstract=None), 2, id="nulls"),
        pytest.param(proposal(1, experiments=[None, {"experimentPk": "x"}]), 2, id="experiments that are none"),
    ],
)
async def test_one_record_harms_no_other(config: Config, record: Any, count: int) -> None:
    office = UserOffice(proposals={"subject-of-anna": [record, proposal(2)]})
    assert len(await asked(office, config)) == count


@pytest.mark.parametrize(
    ("change", "setting", "words"),
    [
        pytest.param({"url": "http://uo.example.org/graphql"}, "url", "not encrypted", id="plain http"),
        pytest.param({"issuer": ""}, "issuer", "is not set", id="F7 no issuer: whose subjects?"),
        pytest.param({"token_file": ""}, "token_file", "is not set", id="no token"),
        pytest.param({"query": "{ proposals { title } }"}, "query", r"does not contain \$user", id="D1 everybody"),
    ],
)
def test_a_configuration_that_cannot_work_is_refused(
    config: Config, change: dict[str, Any], setting: str, words: str
) -> None:
    config.UserOfficeProposals.url = "https://uo.example.org/graphql"
    config.UserOfficeProposals.update(change)
    with pytest.raises(ConfigurationError, match=words) as raised:
        UserOfficeProposals(config=config)
    assert raised.value.setting == f"UserOfficeProposals.{setting}"
