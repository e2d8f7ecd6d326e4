"""The one way to a facility's services: what is refused before anything is asked, and what becomes of every bad answer.

Every source is tried with every fault in test_faults.py; here are the rules of the way itself (D7, L3, F11).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from daas_hub.errors import ConfigurationError, SourceUnavailable
from daas_hub.services.http import Service, basic_auth
from daas_hub.services.urls import require_url, tls_context
from tests.stand_ins.certificates import certificate
from tests.stand_ins.faults import FAULTS, SECRET, make_faulty, patience_s
from tests.stand_ins.running import running


@pytest.mark.parametrize(
    "url",
    [
        "https://icat.facility.org:8181/icat",
        "https://useroffice.facility.org/experiments/$USERNAME/",
        "http://127.0.0.1:9000",
        "http://localhost/x",
        "http://[::1]:9000/",
    ],
)
def test_addresses_that_may_be_asked(url: str) -> None:
    assert require_url("X.url", url) == url, "letter by letter: a slash at the end matters to many servers"


@pytest.mark.parametrize(
    ("url", "words"),
    [
        pytest.param("", "not the URL", id="none"),
        pytest.param("icat.facility.org/icat", "not the URL", id="no scheme"),
        pytest.param("file:///etc/passwd", "not the URL", id="a file"),
        pytest.param("ftp://icat.facility.org", "not the URL", id="another protocol"),
        pytest.param("https://", "not the URL", id="no host"),
        pytest.param("https://icat.facility.org/a b", "not the URL", id="a blank"),
        pytest.param("https://icat.facility.org/\r\nHost: x", "not the URL", id="a second line"),
        pytest.param("https://[::1", "not the URL", id="half an address"),
        pytest.param("https://x.org:99999/", "not the URL", id="no port"),
        pytest.param("https://{claim.host}/x", "not the URL", id="F7 a host that is chosen"),
        pytest.param("https://icat.facility.org/#x", "not the URL", id="a part that is not sent"),
        pytest.param(f"https://portal:{SECRET}@icat.facility.org/", "password", id="L3 a password"),
        pytest.param("https://portal@icat.facility.org/", "password", id="a name"),
        pytest.param("http://icat.facility.org/icat", "not encrypted", id="not encrypted"),
        pytest.param("http://127.0.0.1.example.org/", "not encrypted", id="looks like this machine"),
        pytest.param("http://localhost.example.org/", "not encrypted", id="looks like localhost"),
        pytest.param("http://192.168.0.1/", "not encrypted", id="in the house is not this machine"),
    ],
)
def test_addresses_that_are_refused(url: str, words: str) -> None:
    """At the start, naming the setting; a password in it is not repeated."""
    with pytest.raises(ConfigurationError, match=words) as told:
        require_url("IcatProposals.url", url)
    assert told.value.setting == "IcatProposals.url"
    assert told.value.remedy
    assert SECRET not in str(told.value)


def test_plain_http_needs_a_reason() -> None:
    url = "http://icat.facility.org/icat"
    assert require_url("X.url", url, plain_http_reason="the server room's own network") == url
    with pytest.raises(ConfigurationError, match="plain_http_reason"):
        require_url("X.url", url, plain_http_reason="  ")
    with pytest.raises(ConfigurationError, match="on this machine only"):
        require_url("X.url", url)


def test_authorities_come_from_a_file_that_holds_some() -> None:
    assert tls_context("X.ca_file", "") is None
    for name in ("/nowhere/ca.pem", __file__):
        with pytest.raises(ConfigurationError, match=r"X\.ca_file"):
            tls_context("X.ca_file", name)


# -- questions -----------------------------------------------------------------------------------------------------


class Echo:
    """A service that says what it was asked, and counts."""

    def __init__(self) -> None:
        self.requests: list[web.BaseRequest] = []
        self.busy = 0

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self.answer)
        return app

    async def answer(self, request: web.Request) -> web.Response:
        self.requests.append(request)
        if self.busy:
            self.busy -= 1
            return web.Response(status=503)
        said = {
            "path": request.raw_path,
            "headers": dict(request.headers),
            "body": (await request.read()).decode(),
        }
        response = web.json_response(said)
        response.set_cookie("session", "of-one-person")
        return response


@pytest.fixture
def echo() -> Echo:
    return Echo()


@pytest.fixture
async def service(echo: Echo) -> AsyncIterator[Service]:
    async with running(echo.app()) as url:
        yield Service("echo", "The data catalogue", url, timeout_s=30, max_bytes=100_000)


async def test_a_question_and_its_answer(service: Service) -> None:
    async with service.client() as client:
        reply = await client.get(
            f"{service.url}/a%2Fb/", "a list", params={"q": "it's 100% & more"}, headers=basic_auth("ü", "pä:ß")
        )
        said = client.require(reply, dict)
    assert said["path"] == "/a%2Fb/?q=it's+100%25+%26+more"
    assert said["headers"]["Authorization"] == "Basic w7w6cMOkOsOf"
    assert said["headers"]["Accept"] == "application/json"


async def test_what_is_sent(service: Service) -> None:
    async with service.client() as client:
        form = client.require(await client.post(f"{service.url}/x", "a form", form={"json": '{"a": 1}'}), dict)
        document = client.require(await client.post(f"{service.url}/x", "a document", document={"a": "ü"}), dict)
    assert form["body"] == "json=%7B%22a%22%3A+1%7D"
    assert document["headers"]["Content-Type"] == "application/json"


async def test_no_cookie_goes_from_one_person_to_the_next(service: Service) -> None:
    """D1."""
    for _ in range(2):
        async with service.client() as client:
            said = client.require(await client.get(f"{service.url}/x", "a list"), dict)
        assert "Cookie" not in said["headers"]


@pytest.mark.parametrize(("busy", "answers"), [(0, True), (1, True), (2, False)])
async def test_a_question_is_asked_once_more(service: Service, echo: Echo, busy: int, answers: bool) -> None:
    echo.busy = busy
    async with service.client() as client:
        if answers:
            assert (await client.get(f"{service.url}/x", "a list")).status == 200
        else:
            with pytest.raises(SourceUnavailable):
                await client.get(f"{service.url}/x", "a list")
    assert len(echo.requests) == min(busy + 1, 2)


async def test_what_changes_something_is_sent_once(service: Service, echo: Echo) -> None:
    echo.busy = 1
    async with service.client() as client:
        with pytest.raises(SourceUnavailable, match="is not available") as told:
            await client.post(f"{service.url}/x", "a session")
    assert len(echo.requests) == 1
    assert told.value.detail.endswith("asked for a session, got status 503 (application/octet-stream)")


@pytest.mark.parametrize("name", FAULTS)
async def test_every_fault_has_its_words(name: str) -> None:
    """What came instead is in the log, what it means is on the page, and no secret is in either."""
    fault, words, kind = FAULTS[name]
    async with running(make_faulty(Echo().app(), fault)) as url:
        service = Service("echo", "The data catalogue", url, timeout_s=patience_s(words), max_bytes=100_000)
        with pytest.raises(SourceUnavailable) as told:
            async with service.client() as client:
                client.require(await client.get(f"{url}/{SECRET}?session={SECRET}", "a list"), list)
    assert told.value.detail.startswith(f"echo at {url}: asked for a list, got ")
    assert words in told.value.detail
    assert told.value.kind == kind
    assert str(told.value).startswith("The data catalogue is not available at the moment. Please")
    assert SECRET not in told.value.detail + str(told.value)
    assert told.value.__cause__ is None, "a traceback in the log would show the address that was asked"
    assert told.value.__suppress_context__


@pytest.mark.parametrize(
    ("address", "known", "answers"),
    [
        pytest.param("127.0.0.1", True, True, id="an authority of the facility's own"),
        pytest.param("127.0.0.1", False, False, id="an authority nobody knows"),
        pytest.param("192.0.2.1", True, False, id="a certificate of another service"),
    ],
)
async def test_certificates_are_checked(echo: Echo, tmp_path: Path, address: str, known: bool, answers: bool) -> None:
    context, file = certificate(tmp_path, address)
    async with running(echo.app(), context) as url:
        tls = tls_context("X.ca_file", file if known else "")
        async with Service("echo", "The data catalogue", url, timeout_s=30, tls=tls).client() as client:
            if answers:
                assert (await client.get(url, "a list")).status == 200
                return
            with pytest.raises(SourceUnavailable) as told:
                await client.get(url, "a list", headers={"Authorization": SECRET})
    assert "an invalid certificate" in told.value.detail
    assert echo.requests == [], "nothing was said to who is somebody else"


async def test_nobody_there() -> None:
    service = Service("echo", "The data catalogue", "http://127.0.0.1:1", timeout_s=30)
    with pytest.raises(SourceUnavailable) as told:
        async with service.client() as client:
            await client.get(service.url, "a list")
    assert "no connection (Connect call failed" in told.value.detail or "refused" in told.value.detail


async def test_all_requests_of_a_client_share_one_deadline(service: Service) -> None:
    """Ten pages that take a second each are ten seconds, not one."""
    slow = Service("echo", "The data catalogue", service.url, timeout_s=1)
    read = 0

    async def question() -> None:
        nonlocal read
        async with slow.client() as client:
            for _ in range(100):
                await client.get(f"{slow.url}/x", "a page")
                read += 1
                await asyncio.sleep(0.1)

    with pytest.raises(SourceUnavailable, match="is not available") as told:
        await question()
    assert read < 20, "a hundred pages take ten seconds"
    assert "no answer within 1 s" in told.value.detail


async def test_a_caller_that_gave_up_gets_no_failure(service: Service) -> None:
    """A page that is left cancels its question: no outage, no alarm."""

    async def question() -> None:
        async with service.client():
            await asyncio.sleep(10)

    task = asyncio.ensure_future(question())
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
