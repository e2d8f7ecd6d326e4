"""The contract of the CALIPSOplus portal with a facility's services, every line of its list as tests over real HTTP.

The list stands in the dossier of the predecessor (2.11); each test quotes its line. The services are those of
tests/stand_ins/calipsoplus.py: login, Umbrella hash, is_staff, experiments (R16, PS04, PS07, AL01, AL05, AL11, ES37).
"""

from __future__ import annotations

import datetime
import json
import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from traitlets.config import Config

from daas_hub.accounts import Account, Identity
from daas_hub.accounts.refusals import no_account
from daas_hub.accounts.sources.rest.calipsoplus import CalipsoplusSource, PasswordCheck
from daas_hub.accounts.sources.rest.service import Service
from daas_hub.errors import AccountRefused, ConfigurationError, NoAccount, Refused, SourceUnavailable
from daas_hub.facility import Facility
from daas_hub.launch import LaunchRequest
from daas_hub.proposals import CachedProposals, Proposal
from daas_hub.proposals.sources.calipsoplus import CalipsoplusProposals
from daas_hub.services.circuit_breaker import CircuitBreaker
from tests.stand_ins.calipsoplus import UserOffice, experiment
from tests.stand_ins.faults import FAULTS, make_faulty, says
from tests.stand_ins.running import REQUESTS, running

HASH = "b0744680-2aa3-4b12-8627-95d23e5e4af9"
ISSUER = "https://umbrella.example.org"
ONE = Account("calipso1", 25001, 25001, (26001,), {26001: "users"})
PATH = "/services/experiments/$USERNAME/"


@pytest.fixture
def password_file(secret_file: Callable[[str], str]) -> str:
    return secret_file("portal-password")


@pytest.fixture
def config(password_file: str) -> Config:
    c = Config()
    c.CalipsoplusProposals.user = "portal"
    c.CalipsoplusProposals.password_file = password_file
    c.CalipsoplusProposals.timeout_s = 5
    return c


class Watched(UserOffice):
    """An office that keeps what was posted to it, byte by byte."""

    posted: list[tuple[str, dict[str, str], bytes]]

    def app(self) -> web.Application:
        """Return the office."""
        self.posted = []
        app = super().app()

        @web.middleware
        async def keep(request: web.Request, handler: Any) -> Any:
            if request.method == "POST":
                self.posted.append((request.path, dict(request.headers), await request.read()))
            return await handler(request)

        app.middlewares.append(keep)
        return app


class Named:
    """Accounts by name."""

    async def account_of(self, identity: Identity) -> Account:
        """Not asked here."""
        raise no_account()

    async def account_named(self, name: str) -> Account:
        """Return everybody's account."""
        return Account(name, 25001, 25001)


def linked(url: str, *, closed: Service | None = None) -> CalipsoplusSource:
    return CalipsoplusSource(
        Named(),
        f"{url}/services/login/umbrella/",
        "{subject}",
        frozenset({ISSUER}),
        f"{url}/services/is_staff/",
        open_service=Service(5),
        closed_service=closed or Service(5),
    )


async def asked(office: UserOffice, config: Config, account: Account = ONE, path: str = PATH) -> tuple[Proposal, ...]:
    async with running(office.app()) as url:
        return await CalipsoplusProposals(config=config, url=f"{url}{path}").proposals_of(account)


async def only(record: dict[str, Any], config: Config) -> Proposal:
    (proposal,) = await asked(UserOffice(experiments={"calipso1": [record]}), config)
    return proposal


def with_session(**more: Any) -> dict[str, Any]:
    return experiment(1, sessions=[experiment(1)["sessions"][0] | more])


# -- 2.1, 2.2, 2.3 -----------------------------------------------------------------------------------------------------


async def test_the_login_request_is_that_of_the_old_portal() -> None:
    """[ ] exact body/headers of 2.1: {"username", "password"}, no Basic auth."""
    office = Watched()
    async with running(office.app()) as url:
        assert await PasswordCheck(f"{url}/services/login/", Service(5)).check_password("calipso1", "calipso1")
    ((path, headers, body),) = office.posted
    assert (path, json.loads(body)) == ("/services/login/", {"username": "calipso1", "password": "calipso1"})
    assert headers["Content-Type"].partition(";")[0] == "application/json"
    assert "Authorization" not in headers


async def test_the_hash_request_is_that_of_the_old_portal(password_file: str) -> None:
    """[ ] exact body/headers of 2.2 and 2.3: {"eaa_hash"} without Basic auth, {"login"} with it."""
    office = Watched()
    async with running(office.app()) as url:
        source = linked(url, closed=Service(5, user="portal", password_file=password_file))
        account = await source.account_of(Identity(ISSUER, HASH))
    assert (account.name, account.roles) == ("calipso1", frozenset({"own_resources"}))
    (hash_path, hash_headers, hash_body), (staff_path, staff_headers, staff_body) = office.posted
    assert (hash_path, json.loads(hash_body)) == ("/services/login/umbrella/", {"eaa_hash": HASH})
    assert "Authorization" not in hash_headers
    assert (staff_path, json.loads(staff_body)) == ("/services/is_staff/", {"login": "calipso1"})
    assert staff_headers["Authorization"].startswith("Basic ")


@pytest.mark.parametrize(
    ("name", "password", "accepted"),
    [
        pytest.param("calipso1", "calipso1", True, id="200"),
        pytest.param("calipso1", "calipso2", False, id="401 wrong"),
        pytest.param("nobody", "nobody", False, id="401 unknown"),
        pytest.param("", "", False, id="nothing is not asked"),
        pytest.param("calipso1", "", False, id="no password is not asked"),
        pytest.param("calipso1\n", "calipso1", False, id="A1 a second line"),
        pytest.param("x" * 300, "x" * 300, False, id="a very long name"),
    ],
)
async def test_only_200_is_accepted(name: str, password: str, accepted: bool) -> None:
    """[ ] only 200 accepted."""
    async with running(UserOffice().app()) as url:
        assert await PasswordCheck(f"{url}/services/login/", Service(5)).check_password(name, password) is accepted


@pytest.mark.parametrize("status", [400, 401, 403, 404])
async def test_a_refusal_is_no_whatever_it_says(status: int) -> None:
    """[ ] only 200 accepted."""
    app = make_faulty(UserOffice().app(), says('"Login OK"', status=status))
    async with running(app) as url:
        assert not await PasswordCheck(f"{url}/services/login/", Service(5)).check_password("calipso1", "calipso1")


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(says('"Login OK"', status=201), id="201"),
        pytest.param(says("", status=204), id="204"),
        pytest.param(says("", status=302, Location="/accounts/"), id="a redirect"),
        pytest.param(says('"Login OK"', status=418), id="418"),
        pytest.param(says("<html>Welcome", kind="text/html"), id="a page with 200: the address is wrong"),
        pytest.param(says("<html>", status=500, kind="text/html"), id="500"),
    ],
)
async def test_anything_else_is_an_outage_and_lets_nobody_in(answer: Any, caplog: pytest.LogCaptureFixture) -> None:
    """[ ] only 200 accepted; L3: the password is in no log."""
    async with running(make_faulty(UserOffice().app(), answer)) as url:
        with pytest.raises(SourceUnavailable) as raised:
            await PasswordCheck(f"{url}/services/login/", Service(5)).check_password("calipso1", "pass-of-one")
    assert "pass-of-one" not in caplog.text + str(raised.value) + raised.value.detail


def test_the_login_service_receives_no_credentials_of_the_portal(password_file: str) -> None:
    """[ ] exact body/headers of 2.1: no Basic auth."""
    with pytest.raises(ValueError, match="only the person's credentials"):
        PasswordCheck("https://x.org/login/", Service(user="portal", password_file=password_file))


@pytest.mark.parametrize(
    ("answer", "name"),
    [
        pytest.param({"login": "calipso1"}, "calipso1", id="login"),
        pytest.param({"username": "calipso1"}, "calipso1", id="username"),
        pytest.param("calipso1", "calipso1", id="a bare text"),
        pytest.param({"login": "calipso1", "more": 1}, "calipso1", id="unknown fields"),
    ],
)
async def test_the_answer_to_a_hash_may_have_three_forms(answer: Any, name: str) -> None:
    """2.2: "Be liberal: accept {"login": x}, {"username": x} or a bare JSON string"."""
    async with running(make_faulty(UserOffice().app(), says(json.dumps(answer)), but_not=("/is_staff/",))) as url:
        assert (await linked(url).account_of(Identity(ISSUER, HASH))).name == name


@pytest.mark.parametrize(
    "answer", [None, 7, [], {}, {"login": None}, {"login": ""}, {"login": "a\nb"}, True, "x" * 300]
)
async def test_an_answer_without_a_name_is_nobody(answer: Any) -> None:
    """2.2, S1: only the service's answer says who it is, never what the browser posts."""
    async with running(make_faulty(UserOffice().app(), says(json.dumps(answer)))) as url:
        with pytest.raises((AccountRefused, SourceUnavailable)):
            await linked(url).account_of(Identity(ISSUER, HASH))


async def test_a_hash_without_an_account() -> None:
    """2.2: 404 no linked account."""
    async with running(UserOffice().app()) as url:
        with pytest.raises(NoAccount):
            await linked(url).account_of(Identity(ISSUER, "another-hash"))


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(says('{"result": false}'), id="false"),
        pytest.param(says('{"result": "true"}'), id="a text"),
        pytest.param(says('{"result": 1}'), id="one"),
        pytest.param(says("true"), id="not an object"),
        pytest.param(says('"Not found"', status=404), id="404"),
        pytest.param(says('"Forbidden"', status=403), id="403"),
        pytest.param(says("<html>", status=500, kind="text/html"), id="500"),
    ],
)
async def test_authorised_is_only_who_is_called_so(answer: Any) -> None:
    """2.3: not 200 or an exception is {"result": false}."""
    app = make_faulty(UserOffice().app(), answer, but_not=("/umbrella/",))
    async with running(app) as url:
        assert "own_resources" not in (await linked(url).account_of(Identity(ISSUER, HASH))).roles


@pytest.mark.parametrize(
    ("umbrella_hash", "may"),
    [
        pytest.param(HASH, True, id="authorised"),
        pytest.param("5d3c1a9e-0f1b-4f7e-9a53-6b8f0a1c2d3e", False, id="not authorised"),
    ],
)
async def test_own_resources_are_for_whom_the_office_authorises(
    tmp_path: Path, password_file: str, umbrella_hash: str, may: bool
) -> None:
    """2.3, S4: naming the service restricts own resources, in the launch itself."""
    (tmp_path / "lab.yaml").write_text("name: lab\ntitle: JupyterLab\nkind: notebook\n")
    (tmp_path / "proposals.yaml").write_text("proposals: []\n")
    people = "".join(
        f"  - {{name: calipso{n}, uid: 2500{n}, gid: 2500{n}, logins: [{{issuer: 'https://x', subject: '{n}'}}]}}\n"
        for n in (1, 2)
    )
    (tmp_path / "accounts.yaml").write_text(f"accounts:\n{people}")
    c = Config()
    c.Facility = Config(
        accounts="calipsoplus",
        accounts_file=str(tmp_path / "accounts.yaml"),
        proposals_file=str(tmp_path / "proposals.yaml"),
        catalogue=[str(tmp_path)],
    )
    who = Identity(ISSUER, umbrella_hash)
    async with running(UserOffice().app()) as url:
        c.CalipsoplusAccounts = Config(
            hash_url=f"{url}/services/login/umbrella/",
            is_authorized_url=f"{url}/services/is_staff/",
            account_source="table",
            issuers=[ISSUER],
            user="portal",
            password_file=password_file,
        )
        facility = Facility(config=c)
        assert facility.may_have_own_resources(await facility.account_of(who)) is may
        if may:
            assert (await facility.authorise(who, LaunchRequest("lab"))).account.name == "calipso1"
        else:
            with pytest.raises(Refused, match="on proposals only"):
                await facility.authorise(who, LaunchRequest("lab"))


# -- 2.4: who asks -----------------------------------------------------------------------------------------------------


async def test_basic_auth_is_optional(config: Config) -> None:
    """[ ] Basic auth optional: DIAMOND had an endpoint that could not take it."""
    assert len(await asked(UserOffice(), config)) == 5
    del config.CalipsoplusProposals.user
    office = UserOffice(user="")
    app = office.app()
    async with running(app) as url:
        assert len(await CalipsoplusProposals(config=config, url=f"{url}{PATH}").proposals_of(ONE)) == 5
    assert "Authorization" not in app[REQUESTS][0].headers


@pytest.mark.parametrize("name", ["a/../calipso1", "a b", "a?x=1#y", "%2e%2e", "jürgen", "a&search=x", "$USERNAME"])
async def test_a_name_is_url_encoded(name: str, config: Config) -> None:
    """[ ] user name url-encoded in $USERNAME."""
    office = UserOffice(experiments={name: [experiment(1)], "calipso1": []})
    app = office.app()
    async with running(app) as url:
        found = await CalipsoplusProposals(config=config, url=f"{url}{PATH}").proposals_of(replace(ONE, name=name))
    assert [one.id for one in found] == ["20180001"]
    assert app[REQUESTS][0].match_info["name"] == name


@pytest.mark.parametrize("path", [PATH, "/services/experiments/$USERNAME"])
async def test_the_url_is_used_exactly_as_configured(path: str, config: Config) -> None:
    """2.: "Trailing slash matters ... keep the configured URL verbatim" (PS04)."""
    office = UserOffice(wants_slash=False)
    app = office.app()
    app.router.add_get("/services/experiments/{name}", office.list_experiments)
    async with running(app) as url:
        await CalipsoplusProposals(config=config, url=f"{url}{path}").proposals_of(ONE)
    assert app[REQUESTS][0].path == path.replace("$USERNAME", "calipso1")


async def test_a_missing_trailing_slash_is_explained(config: Config) -> None:
    """PS04: the administrator reads what to write."""
    with pytest.raises(SourceUnavailable) as raised:
        await asked(UserOffice(), config, path="/services/experiments/$USERNAME")
    assert "a redirect (301) to the same path with a trailing slash: write the URL" in raised.value.detail


@pytest.mark.parametrize(
    ("url", "because", "refused"),
    [
        pytest.param("http://useroffice.facility.org/$USERNAME/", "", True, id="http"),
        pytest.param("http://useroffice.facility.org/$USERNAME/", "the server room's own network", False, id="excused"),
        pytest.param("https://useroffice.facility.org/$USERNAME/", "", False, id="https"),
        pytest.param("http://127.0.0.1:9000/$USERNAME/", "", False, id="this machine"),
    ],
)
def test_plain_http_must_be_allowed(url: str, because: str, refused: bool, config: Config) -> None:
    """[ ] http:// refused unless explicitly allowed."""
    config.CalipsoplusProposals.plain_http_reason = because
    if refused:
        with pytest.raises(ConfigurationError, match="not encrypted"):
            CalipsoplusProposals(config=config, url=url)
    else:
        assert CalipsoplusProposals(config=config, url=url).service.url == url


# -- 2.4: what comes ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("spelling", ["session_number", "sesion_number"])
async def test_both_spellings_of_a_session(spelling: str, config: Config) -> None:
    """[ ] both session_number/sesion_number."""
    record = experiment(1)
    record["sessions"][0][spelling] = record["sessions"][0].pop("session_number")
    (visit,) = (await only(record, config)).visits
    assert (visit.number, visit.label) == (1, "S0001")


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        pytest.param("2018-10-10T10:30:00Z", (2018, 10, 10, 10, 30), id="the usual"),
        pytest.param({"year": 2018, "month": 10, "day": 10}, (2018, 10, 10), id="the fallback object"),
        pytest.param("2018-10-10 10:30", (2018, 10, 10, 10, 30), id="naive, as in the CSV import: UTC"),
        pytest.param("2018-10-10T12:30:00+02:00", (2018, 10, 10, 10, 30), id="an offset, which the old portal refused"),
        pytest.param(None, None, id="null"),
        pytest.param("", None, id="nothing"),
    ],
)
async def test_dates(value: Any, moment: tuple[int, ...] | None, config: Config) -> None:
    """[ ] both date forms + naive + null dates."""
    (visit,) = (await only(with_session(start_date=value, end_date=None), config)).visits
    wanted = datetime.datetime(*moment, tzinfo=datetime.UTC) if moment else None  # type: ignore[misc,arg-type]
    assert (visit.start, visit.end) == (wanted, None)


@pytest.mark.parametrize("value", ["yesterday", "2018-13-40", {"year": 2018}, 20181010, ["2018"]])
async def test_an_invalid_date_is_dropped(value: Any, config: Config, caplog: pytest.LogCaptureFixture) -> None:
    """[ ] both date forms: what is none is told, and the session stays."""
    (visit,) = (await only(with_session(start_date=value), config)).visits
    assert visit.start is None
    assert "is not a date" in caplog.text


@pytest.mark.parametrize(
    ("value", "directories"),
    [
        pytest.param('{"/data/a/": {"bind": "", "mode": "ro"}}', ("/data/a",), id='a text with "'),
        pytest.param("{'/data/a/': {'bind': '', 'mode': 'ro'}}", ("/data/a",), id="a text with '"),
        pytest.param({"/data/a": {"bind": "x", "mode": "ro"}}, ("/data/a",), id="an object"),
        pytest.param({"/data/a": {"bind": "", "mode": "rw"}}, (), id="for writing: the portal's own affair"),
        pytest.param(None, (), id="null"),
        pytest.param("", (), id="nothing"),
        pytest.param("[]", (), id="an empty list"),
    ],
)
async def test_directories(value: Any, directories: tuple[str, ...], config: Config) -> None:
    """[ ] data_set_path string with ' or ", object, null, "[]"."""
    (visit,) = (await only(with_session(data_set_path=value), config)).visits
    assert visit.data == directories


@pytest.mark.parametrize(
    "value", ["garbage", "[1]", 7, {"/data/a": "ro"}, {"data": {"mode": "ro"}}, "{'/a': {'mode': 1}}"]
)
async def test_invalid_directories(value: Any, config: Config, caplog: pytest.LogCaptureFixture) -> None:
    """[ ] data_set_path garbage -> clear error, NOT silently default volumes."""
    assert (await only(with_session(data_set_path=value), config)).visits == ()
    assert "20180001: a visit was left out: its data_set_path" in caplog.text


@pytest.mark.parametrize(
    ("gid", "read"),
    [
        pytest.param(None, None, id="null"),
        pytest.param(26001, 26001, id="int"),
        pytest.param("26001", 26001, id="string"),
        pytest.param("users", 26001, id="name"),
        pytest.param(".", None, id="missing, as the old portal wrote it"),
    ],
)
async def test_groups(gid: Any, read: int | None, config: Config) -> None:
    """[ ] uid/gid null/int/string/name: the uid decides nothing, whatever it is."""
    for uid in (None, 25001, "25001", "calipso1", 0, "0"):
        assert (await only(experiment(1, uid=uid, gid=gid), config)).gid == read


@pytest.mark.parametrize("gid", [0, "0", "root", -1, 2**32, True, 1.5, "²6001"])
async def test_invalid_groups(gid: Any, config: Config, caplog: pytest.LogCaptureFixture) -> None:
    """[ ] uid/gid: S13, root's group is nobody's, and a doubtful one leaves the proposal out."""
    assert await asked(UserOffice(experiments={"calipso1": [experiment(1, gid=gid)]}), config) == ()
    assert "20180001 was left out: its group" in caplog.text


@pytest.mark.parametrize(
    ("value", "beamlines"),
    [
        pytest.param("BL11", ("BL11",), id="string"),
        pytest.param("BL11, BL13", ("BL11", "BL13"), id="string of several"),
        pytest.param(["BL11", "BL13"], ("BL11", "BL13"), id="list"),
        pytest.param(None, (), id="null"),
        pytest.param([], (), id="empty"),
    ],
)
async def test_beamlines(value: Any, beamlines: tuple[str, ...], config: Config) -> None:
    """[ ] beam_line list or string."""
    assert (await only(experiment(1, beam_line=value), config)).beamlines == beamlines


async def test_unknown_fields_are_ignored(config: Config) -> None:
    """[ ] unknown fields ignored, in the page, the experiment and the session; so are the portal's own."""
    record = with_session(favorite=1, extra={"a": [1]}) | {"id": 7, "favorite": 0, "extra": None}
    assert (await only(record, config)).id == "20180001"


# -- 2.4: pages ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("following", ["absolute", "relative", "http://internal.example.org:8000"])
@pytest.mark.parametrize("own_page_size", [0, 2])
async def test_all_pages_are_followed(following: str, own_page_size: int, config: Config) -> None:
    """[ ] next/previous relative or absolute, following all pages; servers ignoring page_size."""
    config.CalipsoplusProposals.page_size = 3
    office = UserOffice(following=following, own_page_size=own_page_size)
    assert [one.id for one in await asked(office, config)] == [f"2018000{number}" for number in range(1, 6)]


async def test_pages_have_a_cap(config: Config) -> None:
    """[ ] following all pages with a cap: and half of somebody's proposals is never shown as all."""
    config.CalipsoplusProposals.max_records = 4
    with pytest.raises(SourceUnavailable) as raised:
        await asked(UserOffice(own_page_size=1), config)
    assert "more than 4 records (see CalipsoplusProposals.max_records)" in raised.value.detail


# -- 2.4: what goes wrong ----------------------------------------------------------------------------------------------


async def test_an_unknown_account_is_not_an_outage(config: Config) -> None:
    """[ ] 404 -> "no account"."""
    assert await asked(UserOffice(), config, replace(ONE, name="nobody")) == ()


async def test_wrong_credentials_are_reported_to_administrators(
    config: Config, secret_file: Callable[[str], str], caplog: pytest.LogCaptureFixture
) -> None:
    """[ ] 403 -> "portal credentials wrong" shown to the admin: in the log, and by `daas-hub show-proposals`."""
    config.CalipsoplusProposals.password_file = secret_file("wrong-password")
    async with running(UserOffice().app()) as url:
        memory = CachedProposals(CalipsoplusProposals(config=config, url=f"{url}{PATH}"))
        with pytest.raises(SourceUnavailable) as raised:
            await memory.proposals_of(ONE)
    assert "status 403: it does not accept the portal's credentials" in raised.value.detail
    assert "it does not accept the portal's credentials" in caplog.text
    assert "credentials" not in str(raised.value), "the user can do nothing about it"
    assert "wrong-password" not in caplog.text


async def test_a_silent_service_has_a_deadline(config: Config) -> None:
    """[ ] timeout."""
    config.CalipsoplusProposals.timeout_s = 0.3
    async with running(make_faulty(UserOffice().app(), FAULTS["silence"][0])) as url:
        with pytest.raises(SourceUnavailable) as raised:
            await CalipsoplusProposals(config=config, url=f"{url}{PATH}").proposals_of(ONE)
    assert "no answer within 0.3 s" in raised.value.detail


@pytest.mark.parametrize(
    ("fault", "failures", "works"),
    [
        ("too busy", 1, True),
        ("too busy", 2, False),
        ("the line cut", 1, True),
        # the library below sends a GET on a cut line again by itself, at once
        ("the line cut", 4, False),
    ],
)
async def test_a_question_is_asked_once_more(fault: str, failures: int, works: bool, config: Config) -> None:
    """[ ] retry: once after a pause, of a GET, on a broken connection, 502, 503 or 504."""
    app, left = UserOffice().app(), [failures]

    @web.middleware
    async def fail(request: web.Request, handler: Any) -> Any:
        if left[0]:
            left[0] -= 1
            return await FAULTS[fault][0](request)
        return await handler(request)

    app.middlewares.append(fail)
    async with running(app) as url:
        source = CalipsoplusProposals(config=config, url=f"{url}{PATH}")
        if works:
            assert len(await source.proposals_of(ONE)) == 5
        else:
            with pytest.raises(SourceUnavailable):
                await source.proposals_of(ONE)


async def test_a_login_is_never_sent_twice() -> None:
    """[ ] retry: not of a POST, whose first copy may have counted as a wrong password."""
    app, asked_for = UserOffice().app(), []

    @web.middleware
    async def fail(request: web.Request, handler: Any) -> Any:
        asked_for.append(request.path)
        return await FAULTS["the line cut"][0](request)

    app.middlewares.append(fail)
    async with running(app) as url:
        with pytest.raises(SourceUnavailable):
            await PasswordCheck(f"{url}/services/login/", Service(5)).check_password("calipso1", "calipso1")
    assert len(asked_for) == 1


class Clock:
    """A clock that the test moves."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


async def test_a_service_that_keeps_failing_is_not_asked_for_a_while(
    config: Config, caplog: pytest.LogCaptureFixture
) -> None:
    """[ ] circuit breaker: after five failures in a row it is not asked for ten seconds, and then by one; one alarm."""
    office, broken, clock, asked_for = UserOffice(), [True], Clock(), [0]
    app = office.app()

    @web.middleware
    async def sometimes(request: web.Request, handler: Any) -> Any:
        asked_for[0] += 1
        return await (FAULTS["an error page"][0](request) if broken[0] else handler(request))

    app.middlewares.append(sometimes)
    async with running(app) as url:
        source = CalipsoplusProposals(config=config, url=f"{url}{PATH}")
        source.service = replace(source.service, breaker=CircuitBreaker("calipsoplus", clock=clock))

        async def fails() -> str:
            with pytest.raises(SourceUnavailable) as raised:
                await source.proposals_of(ONE)
            return raised.value.detail

        for _ in range(5):
            assert "status 500" in await fails()
        assert asked_for == [5]
        for _ in range(3):
            assert "it was not asked, because it failed several times in a row" in await fails()
        assert asked_for == [5]
        clock.now += 10
        assert "status 500" in await fails()
        assert "it was not asked" in await fails()
        clock.now += 10
        broken[0] = False
        assert len(await source.proposals_of(ONE)) == 5
        assert len(await source.proposals_of(ONE)) == 5
    assert [record.levelno for record in caplog.records] == [logging.ERROR, logging.WARNING]


@pytest.mark.parametrize(
    "fault", ["forbidden by a page", "a page that is not there", "null", "a redirect to sign in", "a flood"]
)
async def test_an_answer_that_is_wrong_is_an_answer(fault: str, config: Config) -> None:
    """[ ] circuit breaker: one person's broken record, or wrong credentials, hide the service from nobody else."""
    async with running(make_faulty(UserOffice().app(), FAULTS[fault][0])) as url:
        source = CalipsoplusProposals(config=config, url=f"{url}{PATH}", max_bytes=100_000)
        for _ in range(7):
            with pytest.raises(SourceUnavailable) as raised:
                await source.proposals_of(ONE)
            assert "it was not asked" not in raised.value.detail


async def test_an_old_answer_is_marked_and_grants_nothing(config: Config) -> None:
    """[ ] stale cache marked as such."""
    clock = Clock()
    async with running(UserOffice().app()) as url:
        source = CalipsoplusProposals(config=config, url=f"{url}{PATH}")
        memory = CachedProposals(source, cache_s=60, stale_cache_s=3600, clock=clock)
        assert not (await memory.proposals_of(ONE)).is_stale
    clock.now += 61
    old = await memory.proposals_of(ONE)
    assert (old.is_stale, old.age_s, len(old.proposals)) == (True, 61, 5)
    with pytest.raises(SourceUnavailable):
        await memory.proposal_of(ONE, "20180001", fresh=True)
