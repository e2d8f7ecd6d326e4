"""Each catalogue's contract, line by line, as `daas-hub doctor` prints it: what was asked, what came, which fields."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from traitlets.config import Config

from daas_hub.accounts import Account, Identity
from daas_hub.commands.doctor.contracts import lines_of_exchanges
from daas_hub.errors import SourceUnavailable
from daas_hub.findings import Finding
from daas_hub.proposals import ContractChecks, ProposalFile
from daas_hub.proposals.field_checks import lines_of_fields
from daas_hub.proposals.fields import FieldMap
from daas_hub.proposals.reading import directories_of
from daas_hub.proposals.sources.calipsoplus import CalipsoplusProposals
from daas_hub.proposals.sources.groups import GroupProposals
from daas_hub.proposals.sources.icat import IcatProposals, version_line
from daas_hub.proposals.sources.icatplus import IcatPlusProposals
from daas_hub.proposals.sources.ispyb import IspybProposals
from daas_hub.proposals.sources.scicat import SciCatProposals
from daas_hub.proposals.sources.useroffice import UserOfficeProposals
from daas_hub.services.recording import Exchange, Record, begin, recording, shape_of
from tests.stand_ins.icat import Icat
from tests.stand_ins.running import running

ISSUER = "https://login.example.org"
ANNA = Account(
    "anna",
    25001,
    25001,
    groups=(26005, 26006),
    group_names={26005: "p12345", 26006: "mx12345_7"},
    login=Identity(ISSUER, "anna", access_token="t0ken-of-anna"),
)


async def examined(source: Any, account: Account = ANNA) -> tuple[list[Finding], Record]:
    """Ask as the doctor does; give all lines, and what was kept."""
    with recording() as record:
        await source.proposals_of(account)
    with recording() as more:
        lines = await source.contract_lines(source.source, account, record.records)
    return lines_of_exchanges(source.source, [*record.exchanges, *more.exchanges]) + lines, record


def said(lines: list[Finding], *verdicts: str) -> list[str]:
    return [f"{one.check}: {one.result}" for one in lines if one.verdict in verdicts]


@pytest.fixture
def icat(secret_file: Callable[[str], str]) -> Callable[..., IcatProposals]:
    def make(url: str, **changes: Any) -> IcatProposals:
        c = Config()
        c.IcatProposals.user, c.IcatProposals.password_file = "daas", secret_file("portal-password")
        return IcatProposals(config=c, url=f"{url}/icat", **changes)

    return make


async def test_icat_from_its_version_to_the_end_of_the_session(icat: Callable[..., IcatProposals]) -> None:
    stand_in = Icat()
    async with running(stand_in.app()) as url:
        lines, _ = await examined(icat(url))
    assert said(lines, "warning", "problem", "not checked") == []
    asked = [one.check for one in lines if one.key == "proposals.icat.asked"]
    assert asked == [
        "icat: request a session (POST session)",
        "icat: request the investigations of a person by users (GET entityManager)",
        "icat: request its version (GET version)",
        "icat: request the end of its session (DELETE session/*)",
    ]
    assert "an object (sessionId)" in lines[0].result
    assert "a list of 3" in lines[1].result
    fields = {one.check: one.result for one in lines if one.key == "proposals.icat.fields"}
    assert fields["icat: title is title"] == "in 3 of 3 records"
    assert fields["icat: abstract is summary"] == "in 1 of 3 records"
    assert fields["icat: visit.start is startDate"] == "in 3 of 3 visits"
    assert stand_in.sessions == {}, "nothing of the examination stays open"


class OldIcat(Icat):
    """One that does not end a session, of another version."""

    def __init__(self, version: Any) -> None:
        super().__init__()
        self.said = version

    async def version(self, _: web.Request) -> web.Response:
        return web.json_response({"version": self.said})

    async def close(self, _: web.Request) -> web.Response:
        return web.json_response({"code": "SESSION"}, status=403)


async def test_a_session_that_is_not_ended(icat: Callable[..., IcatProposals]) -> None:
    async with running(OldIcat("6.2.0").app()) as url:
        source = icat(url)
        await source.proposals_of(ANNA)
        with recording() as record, pytest.raises(SourceUnavailable):
            await source.contract_lines("icat", ANNA, [])
    (line,) = [one for one in lines_of_exchanges("icat", record.exchanges) if one.verdict == "problem"]
    assert (line.check, line.result) == (
        "icat: request the end of its session (DELETE session/*)",
        "status 403 with JSON",
    )


@pytest.mark.parametrize(
    ("version", "verdict", "got"),
    [
        ("6.2.0", "ok", "6.2"),
        ("4.7.0-SNAPSHOT", "ok", "4.7"),
        ("4.10.0", "ok", "4.10"),
        ("4.6.1", "warning", "older than 4.7"),
        ("3.4", "warning", "older"),
        ("", "warning", "unknown"),
        (None, "warning", "unknown"),
        (6, "warning", "unknown"),
    ],
)
def test_versions_of_icat(version: Any, verdict: str, got: str) -> None:
    line = version_line("icat", version)
    assert (line.verdict, got in line.result) == (verdict, True), line


async def test_an_old_icat(icat: Callable[..., IcatProposals]) -> None:
    class Old(OldIcat):
        close = Icat.close

    async with running(Old("4.4.0").app()) as url:
        lines, _ = await examined(icat(url))
    (line,) = said(lines, "warning", "problem")
    assert line == "icat: ICAT version: 4.4, older than 4.7"


async def test_a_session_that_cannot_be_opened(icat: Callable[..., IcatProposals]) -> None:
    async with running(Icat(plugin="ldap").app()) as url:
        with recording() as record, pytest.raises(SourceUnavailable):
            await icat(url).proposals_of(ANNA)
    (line,) = lines_of_exchanges("icat", record.exchanges)
    assert line.verdict == "problem"
    assert line.check == "icat: request a session (POST session)"
    assert "login of daas with plugin simple refused" in line.result


def sources(url: str, secret: str) -> dict[str, Any]:
    """Return each source that is asked over HTTP, at its stand-in's address."""
    return {
        "calipsoplus": lambda: CalipsoplusProposals(
            url=f"{url}/services/experiments/$USERNAME/", user="daas", password_file=secret
        ),
        "icatplus": lambda: IcatPlusProposals(url=url, issuer=ISSUER),
        "ispyb": lambda: IspybProposals(url=url, issuer=ISSUER),
        "scicat": lambda: SciCatProposals(url=url, user="daas", password_file=secret),
        "useroffice": lambda: UserOfficeProposals(url=f"{url}/graphql", token_file=secret, issuer=ISSUER),
    }


@pytest.mark.parametrize("name", ["calipsoplus", "icatplus", "ispyb", "scicat", "useroffice"])
async def test_nothing_secret_is_kept(name: str, secret_file: Callable[[str], str]) -> None:
    """Every source says what it asked, and neither password nor token, session, name or text of a proposal."""

    async def everything(request: web.Request) -> web.Response:
        if request.method == "POST" and "graphql" not in request.path:
            secret = "5e55i0n-0f-anna"
            return web.json_response({"sessionId": secret, "access_token": secret, "token": secret})
        return web.json_response([{"title": "5ecret-title"}] if name in ("icatplus", "scicat") else {"results": []})

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", everything)
    secret = secret_file("portal-password")
    async with running(app) as url:
        with recording() as record, suppress(SourceUnavailable):
            await sources(url, secret)[name]().proposals_of(ANNA)
    assert record.exchanges
    lines = str(lines_of_exchanges(name, record.exchanges))
    for word in ("t0ken", "portal-password", "5e55i0n", "anna/", "5ecret"):
        assert word not in lines


def says_otherwise(change: Callable[[dict[str, Any]], None]) -> Any:
    """Return a middleware that changes every object on its way out, as another version of a catalogue would have it."""

    @web.middleware
    async def changed(request: web.Request, handler: Any) -> web.StreamResponse:
        answer: web.Response = await handler(request)
        assert isinstance(answer.body, bytes)
        document = json.loads(answer.body)
        for one in walked(document):
            change(one)
        return web.json_response(document, status=answer.status)

    return changed


def walked(document: Any) -> list[dict[str, Any]]:
    inside = document.values() if isinstance(document, dict) else document if isinstance(document, list) else ()
    own = [document] if isinstance(document, dict) else []
    return own + [one for value in inside for one in walked(value)]


def without(field: str) -> Callable[[dict[str, Any]], None]:
    return lambda record: record.pop(field, None)


def with_field(field: str, value: Any) -> Callable[[dict[str, Any]], None]:
    return lambda record: record.update({field: value}) if field in record else None


@pytest.mark.parametrize(
    ("change", "verdict", "line"),
    [
        (without("title"), "warning", "icat: title is title: in none of 3 records"),
        (without("startDate"), "warning", "icat: visit.start is startDate: in none of 3 visits"),
        (without("visitId"), "ok", "icat: visit.name is visitId: in none of 3 visits; it may be empty"),
        (with_field("title", {"en": "x"}), "warning", "title: in 3 of 3 records: an object instead of a string"),
        (with_field("summary", 1.5), "warning", "summary: in 1 of 3 records: a number instead of a string"),
        (with_field("startDate", "May 2024"), "warning", "startDate: in 3 of 3 visits: 'May 2024' is not a date"),
        (with_field("id", "abc"), "problem", "visit.number is id: in 1 of 1 visits: 'abc' has no number from"),
        (with_field("name", "a b/c"), "problem", "is not a valid proposal id"),
    ],
)
async def test_a_field_that_is_missing_or_another(
    icat: Callable[..., IcatProposals], change: Callable[[dict[str, Any]], None], verdict: str, line: str
) -> None:
    app = Icat().app()
    app.middlewares.append(says_otherwise(change))
    async with running(app) as url:
        with recording() as record:
            source = icat(url)
            await source.proposals_of(ANNA)
    lines = lines_of_fields("icat", record.records, source.field_map, setting="x.fields", data_of=source.data_of)
    assert any(line in one for one in said(lines, verdict)), lines
    assert said(lines, "warning", "problem") == (said(lines, verdict) if verdict != "ok" else [])
    assert all("x.fields" in one.fix for one in lines if one.verdict != "ok")


def test_fields_where_no_record_came() -> None:
    fields = FieldMap.of("x", {"id": "name"}, {})
    (line,) = lines_of_fields("icat", [], fields, setting="x", data_of=directories_of)
    assert line.verdict == "not checked"


async def test_the_names_of_groups() -> None:
    source = GroupProposals(pattern="(?P<proposal>p[0-9]{5})")
    assert isinstance(source, ContractChecks)
    (line,) = await source.contract_lines("groups", ANNA, [])
    assert (line.verdict, line.result) == ("ok", "1 match: p12345")
    (line,) = await GroupProposals(pattern="(?P<proposal>x[0-9]+)").contract_lines("groups", ANNA, [])
    assert (line.verdict, line.result) == ("warning", "no match among p12345, mx12345_7")


async def test_the_file(tmp_path: Path) -> None:
    file = tmp_path / "proposals.yaml"
    file.write_text("proposals: [{id: MA-1, title: x, members: [anna, ben]}, {id: MA-2, title: x, members: [ben]}]")
    source = ProposalFile(file)
    assert isinstance(source, ContractChecks)
    (line,) = await source.contract_lines("static", ANNA, [])
    assert line.result == "2 members of 2 proposals; anna is one"
    (line,) = await source.contract_lines("static", Account("eve", 1, 1), [])
    assert line.result.endswith("eve is not one")


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("https://x/api/session", "GET session"),
        ("https://x/api/catalogue/0d2a-1/investigation", "GET catalogue/*/investigation"),
        ("https://x/api/" + "a" * 40, "GET *"),
        ("https://x/api", "GET"),
        ("https://y/other/session", "GET"),
    ],
)
def test_what_is_kept_of_an_address(url: str, place: str) -> None:
    assert begin("GET", url, "https://x/api", "a session").place == place


@pytest.mark.parametrize(
    ("document", "shape"),
    [
        ([1, 2], "a list of 2"),
        ({"count": 1, "results": []}, "an object (count, results)"),
        ({"anna lindqvist": 1, "7": 2}, "an object"),
        (None, "null"),
        ("text", "a value"),
    ],
)
def test_what_is_kept_of_a_document(document: Any, shape: str) -> None:
    assert shape_of(document) == shape


def test_many_questions_of_one_kind_are_counted() -> None:
    asked = [Exchange(f"page {number % 2}", "GET", status=200, content="JSON") for number in range(20)]
    lines = lines_of_exchanges("x", [*asked, Exchange("x", "GET")])
    assert [one.check for one in lines[6:]] == [
        "x: request page 0 (GET), 7 more times",
        "x: request page 1 (GET), 7 more times",
    ]
