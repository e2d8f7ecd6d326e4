"""A dead login, a dead server and an empty answer are told apart, for every source of proposals.

An answer of nothing is believed only while the login behind it is known to be good. For each source: what the page
says, what the log says, what the doctor says. Groups of a directory, with or without a bind, are in
tests/accounts/sources/ldap/test_lost_rights.py.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from traitlets.config import Config

from daas_hub.accounts import Account, Identity
from daas_hub.commands.doctor.people import Person, ask_about, ask_about_nobody, check_contracts
from daas_hub.errors import SourceUnavailable
from daas_hub.findings import Finding, Verdict
from daas_hub.portal.views import listing_view, source_notice
from daas_hub.proposals import CachedProposals, Page, Query
from daas_hub.proposals.listing import COLUMNS
from daas_hub.proposals.sources.static import ProposalFile
from daas_hub.proposals.sources.useroffice import UserOfficeProposals
from tests.proposal_sources import ANNA, CASES, ISSUER, PASSWORD, TOKEN, Case
from tests.stand_ins.running import running
from tests.stand_ins.useroffice import UserOffice

ALL = pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())


@dataclass
class Asked:
    """A source that answered once, and what became of its service afterwards."""

    source: Any
    cache: CachedProposals
    service: Any
    #: a proposal that Anna had
    known: str = ""

    async def page(self) -> tuple[str, int]:
        """Return the notice of the home page, and the number of proposals on it."""
        query = Query()
        try:
            answer = await self.cache.page_of(ANNA, query)
        except SourceUnavailable as problem:
            shown = Page((), 0, "", "", 1, 1, COLUMNS)
            return source_notice(problem, None)["words"], listing_view("/hub/", shown, query)["total"]
        return source_notice(answer.problem, answer.age_s)["words"], listing_view("/hub/", answer.value, query)["total"]

    async def doctor(self) -> list[Finding]:
        """Return what the doctor finds about Anna, in a process of its own: nothing is cached there."""

        async def account_of(_: Identity) -> Account:
            return ANNA

        facility: Any = SimpleNamespace(
            account_sources={},
            account_of=account_of,
            proposal_sources={"x": self.source},
            proposals_of=self.cache.proposals_of,
            run_as=SimpleNamespace(template="", names={}),
            max_id=60_000_000,
        )
        assert ANNA.login is not None
        person = Person()
        nobody = await ask_about_nobody(facility, [], for_person=True)
        return [*nobody, *await ask_about(facility, ANNA.login, person), *await check_contracts(facility, person)]


@pytest.fixture
def answered(secret_file: Callable[[str], str]) -> Callable[[Case], Any]:
    """Return a function that gives a source that has just answered a question about Anna."""

    @asynccontextmanager
    async def answered(case: Case) -> AsyncIterator[Asked]:
        service = case.service()
        settings = case.settings_with(secret_file) | {"timeout_s": 5.0}
        async with running(service.app()) as url:
            source = case.source(config=Config({case.source.__name__: settings}), url=f"{url}{case.path}")
            asked = Asked(source, CachedProposals(source, cache_s=0), service)
            words, count = await asked.page()
            assert (words, count > 0) == ("", True), "or the rest would prove nothing"
            asked.known = (await source.proposals_of(ANNA))[0].id
            yield asked

    return answered


def problems(findings: list[Finding]) -> list[Finding]:
    return [one for one in findings if one.verdict is Verdict.PROBLEM]


def require_nothing_secret(texts: list[str]) -> None:
    for secret in (PASSWORD, TOKEN, "portal-token", "token-of-a-file"):
        assert not [text for text in texts if secret in text]


@ALL
async def test_a_login_that_is_worth_nothing_any_more(
    case: Case, answered: Callable[[Case], Any], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "jupyterhub.daas")
    async with answered(case) as asked:
        assert case.ends_login is not None
        case.ends_login(asked.service)
        words, count = await asked.page()
        assert words.startswith(f"{case.source.called} is not available at the moment.")
        assert count == 0
        assert not (await outcome(asked)), "a launch is refused as well"
        findings = await asked.doctor()
    (down,) = [one.message for one in caplog.records if "the source of proposals is down" in one.message]
    assert "credentials" in down or "token was deleted" in down or "SESSION" in down
    wrong = problems(findings)
    assert wrong
    assert any("credentials" in one.fix for one in wrong), "the doctor names the portal's login"
    assert not [one for one in findings if one.verdict is Verdict.OK and one.key == "proposals.x"]
    require_nothing_secret([words, *caplog.messages, *(one.result for one in findings)])


@ALL
async def test_a_server_that_is_gone(
    case: Case, answered: Callable[[Case], Any], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "jupyterhub.daas")
    async with answered(case) as asked:
        pass
    words, count = await asked.page()
    assert words.startswith(f"{case.source.called} is not available at the moment.")
    assert count == 0
    findings = await asked.doctor()
    (down,) = [one.message for one in caplog.records if "the source of proposals is down" in one.message]
    assert "got no connection" in down
    assert any("the service runs" in one.fix for one in problems(findings))
    assert not [one for one in findings if one.verdict is Verdict.OK and one.key == "proposals.x"]


@ALL
async def test_a_service_that_knows_nothing_of_the_person(
    case: Case, answered: Callable[[Case], Any], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "jupyterhub.daas")
    async with answered(case) as asked:
        assert case.empties is not None
        case.empties(asked.service)
        if isinstance(asked.source, UserOfficeProposals) and not asked.source.known_subject:
            asked.source.known_subject = "subject-of-ben"
        assert await asked.page() == ("", 0)
        assert await outcome(asked)
        findings = await asked.doctor()
    assert not [one for one in caplog.records if "is down" in one.message]
    found = [one for one in findings if one.check == "query x for proposals of anna"]
    assert [(one.verdict, one.result) for one in found] == [(Verdict.WARNING, "none")]


async def outcome(asked: Asked) -> bool:
    """Return whether a launch gets an answer."""
    try:
        await asked.cache.proposals_called(ANNA, asked.known, fresh=True)
    except SourceUnavailable:
        return False
    return True


@ALL
async def test_the_doctor_says_ok_only_of_what_it_asked(case: Case, answered: Callable[[Case], Any]) -> None:
    """Some sources have nothing to ask about a person who does not exist."""
    async with answered(case) as asked:
        facility: Any = SimpleNamespace(account_sources={}, proposal_sources={"x": asked.source}, max_id=60_000_000)
        findings = await ask_about_nobody(facility, [])
    (about,) = [one for one in findings if one.key == "proposals.x"]
    is_asked = [one for one in findings if one.key == "proposals.x.asked" and "login" not in one.check]
    if about.verdict is Verdict.OK:
        assert is_asked
    else:
        assert about.verdict is Verdict.NOT_CHECKED


PROPOSALS = "proposals:\n  - {id: p1, title: Glass, members: [anna], visits: [{number: 1, data: [/data/p1]}]}\n"
#: What becomes of a file of proposals; none of it is a file without proposals.
LOST_FILES: dict[str, Callable[[Path], object]] = {
    "gone": Path.unlink,
    "emptied": lambda path: path.write_text(""),
    "cut off": lambda path: path.write_text(PROPOSALS[:40]),
    "another document": lambda path: path.write_text("accounts: []\n"),
    "a folder": lambda path: (path.unlink(), path.mkdir()),
}


@pytest.fixture
def file_of_proposals(tmp_path: Path) -> tuple[Path, Asked]:
    """Return a file with a proposal of Anna, and its source."""
    path = tmp_path / "proposals.yaml"
    path.write_text(PROPOSALS)
    source = ProposalFile(path)
    return path, Asked(source, CachedProposals(source, cache_s=0), None, "p1")


@pytest.mark.parametrize("lose", LOST_FILES.values(), ids=LOST_FILES.keys())
async def test_a_file_that_is_not_one_any_more(
    file_of_proposals: tuple[Path, Asked], lose: Callable[[Path], object], caplog: pytest.LogCaptureFixture
) -> None:
    path, asked = file_of_proposals
    assert await asked.page() == ("", 1)
    lose(path)
    words, count = await asked.page()
    assert words.startswith("The proposals are not available at the moment.")
    assert count == 0
    assert not await outcome(asked)
    assert "the source of proposals is down" in caplog.text
    assert str(path) in caplog.text
    assert problems(await asked.doctor())


async def test_a_file_without_proposals(
    file_of_proposals: tuple[Path, Asked], caplog: pytest.LogCaptureFixture
) -> None:
    path, asked = file_of_proposals
    path.write_text("proposals: []\n")
    assert await asked.page() == ("", 0)
    assert await outcome(asked)
    assert "is down" not in caplog.text
    assert not problems(await asked.doctor())


async def test_a_token_of_the_user_office_that_was_deleted_before_the_start(secret_file: Callable[[str], str]) -> None:
    """Nobody has been found yet: with a known subject it is noticed, without one the log says what is not known."""
    settings: dict[str, Any] = {"issuer": ISSUER, "token_file": secret_file("portal-token")}
    async with running(UserOffice(token_is="deleted").app()) as url:
        config = Config({"UserOfficeProposals": settings | {"known_subject": "subject-of-ben"}})
        with pytest.raises(SourceUnavailable) as raised:
            await UserOfficeProposals(config=config, url=f"{url}/graphql").proposals_of(ANNA)
        assert "the token was deleted, or lacks the permission UserQueries.getByOidcSub" in raised.value.detail
        source = UserOfficeProposals(config=Config({"UserOfficeProposals": settings}), url=f"{url}/graphql")
        assert await source.proposals_of(ANNA) == ()


async def test_a_token_without_a_known_subject_is_reported(
    secret_file: Callable[[str], str], caplog: pytest.LogCaptureFixture
) -> None:
    settings: dict[str, Any] = {"issuer": ISSUER, "token_file": secret_file("portal-token")}
    async with running(UserOffice(token_is="deleted").app()) as url:
        source = UserOfficeProposals(config=Config({"UserOfficeProposals": settings}), url=f"{url}/graphql")
        for _ in range(2):
            await source.proposals_of(ANNA)
    (line,) = [one for one in caplog.messages if "known_subject" in one]
    assert line.startswith("useroffice: it cannot be verified that the token is valid")
