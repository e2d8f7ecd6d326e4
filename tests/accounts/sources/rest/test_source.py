"""Accounts from web services, over real HTTP: what is asked, what is believed, and a service that breaks or lies.

AL05, R06, ES20; B1, B2, B4, C1. The CALIPSOplus contracts (umbrella hash, is_staff) are in the second half.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import datetime
import gzip
import logging
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from traitlets.config import Config

from daas_hub.accounts import Account, AccountSource, Identity
from daas_hub.accounts.model import AccountFields, NamedAccounts
from daas_hub.accounts.refusals import no_account
from daas_hub.accounts.sources.rest.calipsoplus import CalipsoplusSource, PasswordCheck, name_of
from daas_hub.accounts.sources.rest.service import MAX_ANSWER_BYTES, Service
from daas_hub.accounts.sources.rest.settings import CalipsoplusAccounts, RestAccounts
from daas_hub.accounts.sources.rest.source import Question, RestSource
from daas_hub.errors import AccountRefused, ConfigurationError, NoAccount, SourceUnavailable
from tests.stand_ins.directory import make_certificates
from tests.stand_ins.office import Office, open_office

ISSUER = "https://login.example.org"
ANNA = Identity(ISSUER, "anna", "Chosen")
FIELDS = AccountFields("name", "uid", "gid")
GOOD: dict[str, Any] = {"name": "anna", "uid": 25001, "gid": "25001", "groups": []}


@pytest.fixture
async def office() -> AsyncIterator[Office]:
    async with open_office() as one:
        yield one


def source(office: Office, **settings: Any) -> AccountSource:
    config = Config()
    config.RestAccounts = Config({"url": office.url + "/accounts/{subject}", "issuers": [ISSUER]} | settings)
    return RestAccounts(config=config).source()


async def test_an_account_with_all_it_has(office: Office) -> None:
    office.answers["/accounts/anna"] = {
        "account": {"login": "anna", "unix": {"uid": 25001, "gid": 25001}},
        "groups": [{"gid": 26002, "name": "ls-1007"}, {"gid": "26001", "name": "ma-4242"}, 26003],
        "full": "Anna L.",
    }
    account = await source(
        office,
        name_field="account.login",
        uid_field="account.unix.uid",
        gid_field="account.unix.gid",
        groups_field="groups",
        display_name_field="full",
    ).account_of(ANNA)
    assert (account.name, account.uid, account.gid, account.groups) == ("anna", 25001, 25001, (26001, 26002, 26003))
    assert account.group_names == {26001: "ma-4242", 26002: "ls-1007"}
    assert account.memberships == {"ma-4242", "ls-1007"}
    assert account.display_name == "Anna L."


@pytest.mark.parametrize(
    ("stated", "ends"),
    [
        ({}, ()),
        ({"until": None}, ()),
        ({"until": ""}, ()),
        ({"until": "2026-12-31"}, (datetime.date(2026, 12, 31),)),
        ({"until": "2026-12-31T12:00:00Z"}, (datetime.datetime(2026, 12, 31, 12, tzinfo=datetime.UTC),)),
        ({"until": 1798718400}, (datetime.datetime(2026, 12, 31, 12, tzinfo=datetime.UTC),)),
    ],
)
async def test_an_end_date(office: Office, stated: dict[str, Any], ends: tuple[datetime.date, ...]) -> None:
    office.answers["/accounts/anna"] = GOOD | {"guest": stated}
    assert (await source(office, end_field="guest.until").account_of(ANNA)).ends == ends
    assert (await source(office).account_of(ANNA)).ends == ()


@pytest.mark.parametrize("stated", ["soon", 0, False, ["2026-12-31"], "31.12.2026"])
async def test_an_end_date_that_cannot_be_read(office: Office, stated: object) -> None:
    office.answers["/accounts/anna"] = GOOD | {"until": stated}
    with pytest.raises(AccountRefused, match="its until is not a date"):
        await source(office, end_field="until").account_of(ANNA)


async def test_what_is_asked_by_get(office: Office, tmp_path: Path) -> None:
    """The token is read at each question, so that a new one needs no restart."""
    token = tmp_path / "token"
    token.write_text("first")
    token.chmod(0o600)
    asking = source(office, token_file=str(token))
    for expected in ("first", "second"):
        token.write_text(expected)
        with pytest.raises(NoAccount):
            await asking.account_of(ANNA)
        assert office.asked[-1].headers["Authorization"] == f"Bearer {expected}"
    assert (office.asked[-1].method, office.asked[-1].path, office.asked[-1].body) == ("GET", "/accounts/anna", None)


async def test_what_is_asked_by_post(office: Office, tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text("secret")
    password.chmod(0o600)
    office.answers["/look-up"] = GOOD
    asking = source(
        office,
        url=office.url + "/look-up",
        body={"issuer": "{issuer}", "id": "x:{subject}", "orcid": "{claim.orcid}"},
        user="daas",
        password_file=str(password),
    )
    assert asking.claims == {"orcid"}  # type: ignore[attr-defined]
    await asking.account_of(Identity(ISSUER, 'an"na', claims={"orcid": "0000-1"}))
    (asked,) = office.asked
    assert (asked.method, asked.body) == ("POST", {"issuer": ISSUER, "id": 'x:an"na', "orcid": "0000-1"})
    assert asked.headers["Authorization"] == "Basic " + base64.b64encode(b"daas:secret").decode()


@pytest.mark.parametrize(
    ("subject", "path"),
    [
        pytest.param("../admin", "/accounts/..%2Fadmin", id="a path"),
        pytest.param("a/b", "/accounts/a%2Fb", id="a slash"),
        pytest.param("a?x=1", "/accounts/a%3Fx%3D1", id="a query"),
        pytest.param("a#b", "/accounts/a%23b", id="a fragment"),
        pytest.param("a%2fb", "/accounts/a%252fb", id="an escaped slash"),
        pytest.param("a b", "/accounts/a%20b", id="a blank"),
        pytest.param("аnna", "/accounts/%D0%B0nna", id="C1 a Cyrillic letter"),
        pytest.param("Anna", "/accounts/Anna", id="C1 capitals"),
        pytest.param("{issuer}", "/accounts/%7Bissuer%7D", id="a field"),
    ],
)
async def test_a_subject_stays_one_part_of_the_address(office: Office, subject: str, path: str) -> None:
    with pytest.raises(NoAccount):
        await source(office).account_of(Identity(ISSUER, subject))
    assert [asked.path for asked in office.asked] == [path]


@pytest.mark.parametrize("subject", [".", "..", "a\0", "a\n", "", "x" * 1001])
async def test_a_subject_that_is_not_even_asked(office: Office, subject: str) -> None:
    with pytest.raises(NoAccount):
        await source(office).account_of(Identity(ISSUER, subject))
    assert office.asked == []


async def test_another_issuers_subject_is_not_asked(office: Office) -> None:
    """F7."""
    office.answers["/accounts/anna"] = GOOD
    assert (await source(office).account_of(ANNA)).name == "anna"
    with pytest.raises(NoAccount):
        await source(office).account_of(Identity("https://evil.example.org", "anna"))
    assert len(office.asked) == 1


@pytest.mark.parametrize("answer", [None, []], ids=["null", "an empty list"])
async def test_an_answer_that_means_nobody(office: Office, answer: Any) -> None:
    """B2."""
    office.answers["/accounts/anna"] = answer
    with pytest.raises(NoAccount) as raised:
        await source(office).account_of(ANNA)
    assert not isinstance(raised.value, AccountRefused)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        pytest.param([GOOD, GOOD], "more than one record", id="B4 two records"),
        pytest.param("anna", "not a record", id="a text"),
        pytest.param([["anna"]], "not a record", id="a list in a list"),
        pytest.param({}, "groups is not a list", id="nothing in it"),
        *(
            pytest.param(GOOD | {"uid": uid}, "uid is not a number", id=f"B1 {uid!r}")
            for uid in (None, True, 25001.0, "x", "", " 25001", "0x1", "1e5", [25001], {"value": 25001}, "-5")
        ),
        pytest.param(GOOD | {"name": 7}, "name is not a string", id="a number for a name"),
        pytest.param(GOOD | {"name": "an\nna"}, "name is not a string", id="a name of two lines"),
        pytest.param(GOOD | {"groups": "ma"}, "groups is not a list", id="B6 a text for groups"),
        pytest.param(GOOD | {"groups": None}, "groups is not a list", id="B6 null for groups"),
        pytest.param(GOOD | {"groups": [{"name": "ma"}]}, "groups is not a number", id="B6 a group without a number"),
        pytest.param(GOOD | {"groups": [True]}, "groups is not a number", id="B6 true for a group"),
    ],
)
async def test_answers_that_cannot_be_used(office: Office, answer: Any, words: str) -> None:
    office.answers["/accounts/anna"] = answer
    with pytest.raises(AccountRefused, match=words):
        await source(office, groups_field="groups").account_of(ANNA)


async def test_a_service_that_ignores_case(office: Office) -> None:
    """C1: it answers for Anna with anna's account, and says so."""
    office.answers["/accounts/anna"] = office.answers["/accounts/Anna"] = GOOD | {"subject": "anna"}
    asking = source(office, subject_field="subject")
    assert (await asking.account_of(ANNA)).name == "anna"
    with pytest.raises(NoAccount):
        await asking.account_of(Identity(ISSUER, "Anna"))


async def test_an_account_by_its_name(office: Office) -> None:
    """AL51."""
    office.answers["/by-name/anna"] = office.answers["/by-name/ANNA"] = GOOD
    asking = source(office, account_url=office.url + "/by-name/{account}")
    assert isinstance(asking, NamedAccounts)
    assert (await asking.account_named("anna")).uid == 25001
    for name in ("ANNA", "ben"):
        with pytest.raises(NoAccount):
            await asking.account_named(name)
    assert not isinstance(source(office), NamedAccounts), "without an address nobody is known by name"


# -- services that break -------------------------------------------------------------------------------------------


def _status(code: int) -> Any:
    async def answer(_: web.Request) -> web.StreamResponse:
        return web.json_response(GOOD, status=code)

    return answer


async def _redirected(_: web.Request) -> web.StreamResponse:
    return web.Response(status=302, headers={"Location": "/accounts/good"})


async def _no_json(_: web.Request) -> web.StreamResponse:
    return web.Response(text="<html>Sign in</html>", content_type="text/html")


async def _endless(_: web.Request) -> web.StreamResponse:
    return web.Response(body=b'"' + b"x" * MAX_ANSWER_BYTES + b'"', content_type="application/json")


async def _bomb(_: web.Request) -> web.StreamResponse:
    packed = gzip.compress(b'"' + b"x" * 50_000_000 + b'"')
    return web.Response(body=packed, headers={"Content-Encoding": "gzip"}, content_type="application/json")


async def _deep(_: web.Request) -> web.StreamResponse:
    return web.Response(body=b"[" * 400_000, content_type="application/json")


async def _silent(_: web.Request) -> web.StreamResponse:
    await asyncio.sleep(60)
    return web.json_response(GOOD)


@pytest.mark.parametrize(
    "answer",
    [
        *(pytest.param(_status(code), id=str(code)) for code in (201, 204, 400, 401, 403, 429, 500, 503)),
        pytest.param(_redirected, id="a redirection"),
        pytest.param(_no_json, id="a login page"),
        pytest.param(_endless, id="an endless answer"),
        pytest.param(_bomb, id="an answer that unpacks without end"),
        pytest.param(_deep, id="brackets without end"),
        pytest.param(_silent, id="silence"),
    ],
)
async def test_a_service_that_breaks_says_nothing(
    office: Office, answer: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """D7: nothing is concluded; no identifier of a person in the log."""
    office.answers["/accounts/anna-4711"] = answer
    office.answers["/accounts/good"] = GOOD
    started = time.monotonic()
    with pytest.raises(SourceUnavailable):
        await source(office, timeout_s=1.0).account_of(Identity(ISSUER, "anna-4711"))
    assert time.monotonic() - started < 30
    assert "account service" in caplog.text
    assert "4711" not in caplog.text
    # one that is being restarted is asked once more
    assert {asked.path for asked in office.asked} == {"/accounts/anna-4711"}
    assert len(office.asked) <= 2
    assert (await source(office).account_of(Identity(ISSUER, "good"))).uid == 25001


class Clock:
    """A clock that the test moves."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


async def _cut(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.abort()
    raise ConnectionResetError


def by_rest(url: str, service: Service) -> Callable[[], Awaitable[Any]]:
    asking = RestSource(service, Question(f"{url}/{{subject}}"), FIELDS, frozenset({ISSUER}))
    return lambda: asking.account_of(ANNA)


def by_hash(url: str, service: Service) -> Callable[[], Awaitable[Any]]:
    asking = CalipsoplusSource(
        Known(), f"{url}/anna", "{subject}", frozenset({ISSUER}), open_service=service, closed_service=service
    )
    return lambda: asking.account_of(ANNA)


def by_password(url: str, service: Service) -> Callable[[], Awaitable[Any]]:
    asking = PasswordCheck(f"{url}/anna", service)
    return lambda: asking.check_password("anna", "wrong")


WAYS = pytest.mark.parametrize("way", [by_rest, by_hash, by_password])


@WAYS
@pytest.mark.parametrize("status", [400, 429, 500, 501])
async def test_an_answer_to_one_request_does_not_open_the_circuit(office: Office, way: Any, status: int) -> None:
    """A name that makes the service stumble is anybody's to type: the next person is asked about all the same."""
    asks = way(office.url, Service())
    office.answers["/anna"] = _status(status)
    for _ in range(12):
        with contextlib.suppress(SourceUnavailable):
            await asks()
    assert len(office.asked) == 12


@WAYS
@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(_status(503), id="503"),
        pytest.param(_status(502), id="502"),
        pytest.param(_silent, id="silence"),
        pytest.param(_cut, id="the line cut"),
    ],
)
async def test_a_service_that_keeps_failing_is_not_asked_for_a_while(
    office: Office, way: Any, answer: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """D7: after five failures it is not asked for ten seconds, and then by one; one alarm, and one end."""
    clock = Clock()
    # short for what never comes; long enough on a busy machine for the answer at the end
    asks = way(office.url, Service(1.0 if answer is _silent else 10.0, clock=clock))
    office.answers["/anna"] = answer

    async def fails() -> bool:
        before = len(office.asked)
        with pytest.raises(SourceUnavailable, match="account service is not available"):
            await asks()
        return len(office.asked) > before

    assert [await fails() for _ in range(8)] == [True] * 5 + [False] * 3
    clock.now += 10
    assert [await fails() for _ in range(2)] == [True, False]
    office.answers["/anna"] = GOOD | {"login": "anna"}
    assert not await fails(), "nobody knows yet that it is back"
    clock.now += 10
    assert await asks()
    assert await asks()
    alarms = [one.levelno for one in caplog.records if "in a row:" in one.getMessage() or "again, " in one.getMessage()]
    assert alarms == [logging.ERROR, logging.WARNING]
    errors = [one for one in caplog.records if one.levelno == logging.ERROR and one.name == "jupyterhub.daas"]
    assert len(errors) == 6, "each failure, and the alarm; whoever was told at once alarms nobody"


@WAYS
@pytest.mark.parametrize(
    "answer",
    [
        *(pytest.param(_status(code), id=str(code)) for code in (400, 401, 403, 404, 429)),
        pytest.param(_redirected, id="a redirection"),
        pytest.param(_no_json, id="a login page"),
        pytest.param([], id="nobody"),
        pytest.param([GOOD, GOOD], id="B4 two records"),
        pytest.param({"login": 7}, id="no name"),
    ],
)
async def test_an_answer_is_no_failure(office: Office, way: Any, answer: Any) -> None:
    """One person's record, a wrong password, or the portal's own, shuts out nobody else."""
    asks = way(office.url, Service(2.0, clock=Clock()))
    office.answers["/anna"] = answer
    for _ in range(7):
        with contextlib.suppress(NoAccount, SourceUnavailable):
            await asks()
    assert len(office.asked) == 7


async def test_one_host_that_is_down_leaves_the_others(office: Office) -> None:
    """A source may ask several: who is left alone is the one that failed."""
    office.answers["/by-name/anna"] = GOOD
    async with open_office() as other:
        pass
    asking = RestSource(
        Service(1.0, clock=Clock()),
        Question(f"{other.url}/{{subject}}", by_name=f"{office.url}/by-name/{{account}}"),
        FIELDS,
        frozenset({ISSUER}),
    )
    assert asking.account_named is not None
    for _ in range(7):
        with pytest.raises(SourceUnavailable):
            await asking.account_of(ANNA)
    assert (await asking.account_named("anna")).uid == 25001


async def test_a_service_that_is_gone() -> None:
    async with open_office() as office:
        pass
    with pytest.raises(SourceUnavailable):
        await source(office).account_of(ANNA)


@pytest.mark.parametrize(
    ("host", "expired", "trusted", "good"),
    [
        pytest.param("127.0.0.1", False, True, True, id="good"),
        pytest.param("127.0.0.1", True, True, False, id="expired"),
        pytest.param("useroffice.facility.org", False, True, False, id="another host's"),
        pytest.param("127.0.0.1", False, False, False, id="a stranger's"),
    ],
)
async def test_certificates(tmp_path: Path, host: str, expired: bool, trusted: bool, good: bool) -> None:
    make_certificates(tmp_path, host, expired=expired)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(tmp_path / "server.pem", tmp_path / "server.key")
    async with open_office(tls) as office:
        office.answers["/accounts/anna"] = GOOD
        asking = source(office, ca_file=str(tmp_path / "ca.pem") if trusted else "")
        if good:
            assert (await asking.account_of(ANNA)).uid == 25001
        else:
            with pytest.raises(SourceUnavailable):
                await asking.account_of(ANNA)
            assert office.asked == []


@pytest.mark.parametrize(
    ("setting", "value", "words"),
    [
        pytest.param("url", "", "not the URL", id="not the URL"),
        pytest.param("url", "http://useroffice.facility.org/{subject}", "not encrypted", id="unencrypted"),
        pytest.param("url", "https://{claim.host}/x", "not the URL", id="a host that is chosen"),
        pytest.param("url", "https://me:secret@host/{subject}", "a password", id="a password in the address"),
        pytest.param("url", "https://host/accounts", "everybody", id="unknown field"),
        pytest.param("url", "https://host/{sub}", "unknown field", id="an unknown field"),
        pytest.param("body", {"login": "{sub}"}, "unknown field", id="an unknown field in the body"),
        pytest.param("account_url", "https://host/{subject}", "unknown field", id="a login where a name is"),
        pytest.param("issuers", [], "any issuer", id="F7 no issuer"),
        pytest.param("uid_field", "", "is empty", id="no number"),
        pytest.param("user", "daas", "is not set", id="no password"),
        pytest.param("token_file", "/nowhere", "cannot be read", id="no token"),
    ],
)
def test_a_configuration_that_cannot_work_is_refused(setting: str, value: Any, words: str) -> None:
    config = Config()
    good = {"url": "https://useroffice.facility.org/{subject}", "issuers": [ISSUER]}
    config.RestAccounts = Config(good)
    assert RestAccounts(config=config).source()
    config.RestAccounts = Config(good | {setting: value})
    with pytest.raises(ConfigurationError, match=words) as raised:
        RestAccounts(config=config).source()
    assert "me:secret" not in str(raised.value)


# -- CALIPSOplus ---------------------------------------------------------------------------------------------------

HASH = "b0744680-2aa3-4b12-8627-95d23e5e4af9"
LINKED = Identity(ISSUER, HASH, "calipso1")


class Known:
    """Accounts by name."""

    async def account_named(self, name: str) -> Account:
        if name not in ("anna", "ben"):
            raise no_account()
        return Account(name, 25001, 25001)


def linked(office: Office, *, authorized: bool = False, **more: Any) -> CalipsoplusSource:
    return CalipsoplusSource(
        Known(),
        office.url + "/login/umbrella/",
        "{subject}",
        frozenset({ISSUER}),
        office.url + "/is_staff/" if authorized else "",
        open_service=Service(1.0),
        closed_service=Service(1.0, **more),
    )


@pytest.mark.parametrize("answer", [{"login": "anna"}, {"username": "anna"}, "anna"], ids=["login", "username", "text"])
async def test_an_umbrella_hash_gives_the_linked_account(office: Office, answer: Any) -> None:
    """ES09: the contract of BACKEND_UO_HASH."""
    office.answers["/login/umbrella/"] = answer
    assert (await linked(office).account_of(LINKED)).name == "anna"
    (asked,) = office.asked
    assert (asked.method, asked.body) == ("POST", {"eaa_hash": HASH})
    assert "Authorization" not in asked.headers


async def test_a_hash_that_is_not_linked(office: Office) -> None:
    """AL60: 404 leads to the page that says where to link it."""
    with pytest.raises(NoAccount, match="no account"):
        await linked(office).account_of(LINKED)
    with pytest.raises(NoAccount):
        await linked(office).account_of(Identity("https://evil.example.org", HASH))
    assert len(office.asked) == 1


@pytest.mark.parametrize(
    "answer", [None, "", {}, [], {"login": ""}, {"login": 7}, {"login": ["anna"]}, "an\nna"], ids=repr
)
async def test_an_invalid_linked_name(office: Office, answer: Any) -> None:
    office.answers["/login/umbrella/"] = answer
    with pytest.raises(AccountRefused):
        await linked(office).account_of(LINKED)
    with pytest.raises(AccountRefused):
        name_of(answer)


@pytest.mark.parametrize(
    ("answer", "authorized"),
    [
        ({"result": True}, True),
        ({"result": False}, False),
        ({"result": "true"}, False),
        ({"result": 1}, False),
        ({}, False),
        (True, False),
        (None, False),
        pytest.param(_status(403), False, id="403"),
        pytest.param(_status(500), False, id="500"),
        pytest.param(_silent, False, id="no response"),
        (..., False),
    ],
    ids=repr,
)
async def test_own_resources_are_for_whom_the_office_authorises_clearly(
    office: Office, tmp_path: Path, answer: Any, authorized: bool
) -> None:
    """ES10: the contract of BACKEND_UO_IS_AUTHORIZED; anything but a clear yes is no."""
    password = tmp_path / "password"
    password.write_text("secret")
    password.chmod(0o600)
    office.answers["/login/umbrella/"] = {"login": "anna"}
    if answer is not ...:
        office.answers["/is_staff/"] = answer
    account = await linked(office, authorized=True, user="local", password_file=str(password)).account_of(LINKED)
    assert account.roles == ({"own_resources"} if authorized else set())
    first, second = office.asked
    assert "Authorization" not in first.headers
    assert second.headers["Authorization"] == "Basic " + base64.b64encode(b"local:secret").decode()
    assert second.body == {"login": "anna"}


def test_calipsoplus_is_built_from_settings() -> None:
    config = Config()
    good = {"hash_url": "https://host/login/umbrella/", "issuers": [ISSUER], "hash": "{claim.eaahash}"}
    config.NssAccounts.issuers = [ISSUER]
    for changes, words in (
        ({}, ""),
        ({"account_source": "claims"}, "by name"),
        ({"account_source": "calipsoplus"}, "by name"),
        ({"account_source": "nowhere"}, "by name"),
        ({"hash": "x"}, "everybody"),
        ({"hash_url": "http://host/"}, "on this machine only"),
        ({"is_authorized_url": "http://host/"}, "on this machine only"),
        ({"issuers": []}, "any issuer"),
    ):
        config.CalipsoplusAccounts = Config(good | changes)
        config.ClaimsAccounts.issuers = [ISSUER]
        if words:
            with pytest.raises(ConfigurationError, match=words):
                CalipsoplusAccounts(config=config, parent=RestAccounts(config=config)).source()
        else:
            built = CalipsoplusAccounts(config=config, parent=RestAccounts(config=config)).source()
            assert isinstance(built, CalipsoplusSource)
            assert built.claims == {"eaahash"}


def test_a_web_source_has_no_secret_in_its_words() -> None:
    assert "secret" not in repr(Service(user="daas", password_file="/etc/daas-hub/p"))
