"""Who may use a session: the OAuth dance with a real HTTP hub, its refusals, and a hub that is away (D6, D11, F3)."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from tornado.netutil import bind_unix_socket

from daas_hub.session.hubclient import HubClient
from daas_hub.session.login import ASK_AGAIN_S, HUB_AWAY_S, LOGIN_TIME_S, MAX_LOGINS, MAX_USERS, Logins
from tests.session.login_hub import PREFIX, SCOPE, Clock, Hub, running_hub, settings_at


@pytest.fixture
async def hub() -> AsyncIterator[Hub]:
    async with running_hub() as hub:
        yield hub


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def logins(hub: Hub, clock: Clock) -> Logins:
    settings = settings_at(hub.url)
    return Logins(settings, HubClient(settings.api_url), clock=clock)


def state_of(address: str) -> str:
    return parse_qs(urlsplit(address).query)["state"][0]


async def logged_in(logins: Logins) -> str:
    address, browser = logins.begin(PREFIX)
    finished = await logins.finish(state_of(address), "code-anna", browser)
    assert finished is not None
    return finished[0]


async def test_a_login(logins: Logins, hub: Hub) -> None:
    address, browser = logins.begin(f"{PREFIX}?x=1")
    parts, asked = urlsplit(address), parse_qs(urlsplit(address).query)
    assert (parts.netloc, parts.path) == ("", "/portal/hub/api/oauth2/authorize")
    assert asked["redirect_uri"] == [f"{PREFIX}oauth_callback"]
    assert asked["code_challenge_method"] == ["S256"]
    finished = await logins.finish(asked["state"][0], "code-anna", browser)
    assert finished is not None
    cookie, next_path = finished
    assert next_path == f"{PREFIX}?x=1"
    guest = await logins.user_of(cookie)
    assert guest is not None
    assert guest.name == "u1"
    (form,) = hub.forms
    digest = hashlib.sha256(form["code_verifier"].encode()).digest()
    assert base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == asked["code_challenge"][0], "PKCE"
    assert form["client_secret"] == "session-secret"
    assert form["code_verifier"] not in address
    assert "token-anna" not in cookie, "the browser gets a number, not the hub's token"


@pytest.mark.parametrize(
    ("path", "comes_back_to"),
    [
        pytest.param(PREFIX, PREFIX, id="the first page"),
        pytest.param(f"{PREFIX}static/x.js?v=1", f"{PREFIX}static/x.js?v=1", id="a page of ours"),
        pytest.param("/portal/hub/logout", PREFIX, id="E3 a page of the hub"),
        pytest.param("/portal/user/u1/lab-10/", PREFIX, id="A11 a session whose name begins like ours"),
        pytest.param("https://evil.example/", PREFIX, id="E3 elsewhere"),
        pytest.param("//evil.example/", PREFIX, id="E3 elsewhere, short"),
        pytest.param(f"{PREFIX}/evil.example/", PREFIX, id="E3 two slashes"),
        pytest.param(f"{PREFIX}\\evil.example", PREFIX, id="E3 backslash"),
        pytest.param(f"{PREFIX}x\r\nSet-Cookie: a=b", PREFIX, id="E3 a second header"),
        pytest.param(f"{PREFIX}x\0", PREFIX, id="A2 NUL"),
        pytest.param("", PREFIX, id="nothing"),
    ],
)
async def test_a_login_comes_back_to_this_session_only(logins: Logins, path: str, comes_back_to: str) -> None:
    address, browser = logins.begin(path)
    finished = await logins.finish(state_of(address), "code-anna", browser)
    assert finished is not None
    assert finished[1] == comes_back_to


@pytest.mark.parametrize("browser", ["", "another browser's", "é", "\udcff", "x" * 10_000])
async def test_a_callback_in_another_browser_is_refused(logins: Logins, hub: Hub, browser: str) -> None:
    """F3: login CSRF. The code is not even shown to the hub, and the attempt is used up."""
    address, right = logins.begin(PREFIX)
    assert await logins.finish(state_of(address), "code-anna", browser) is None
    assert await logins.finish(state_of(address), "code-anna", right) is None
    assert hub.asked == []


async def test_a_state_holds_once(logins: Logins) -> None:
    """F3: replayed."""
    address, browser = logins.begin(PREFIX)
    assert await logins.finish(state_of(address), "code-anna", browser)
    assert await logins.finish(state_of(address), "code-anna", browser) is None


async def test_a_code_the_hub_does_not_know(logins: Logins) -> None:
    address, browser = logins.begin(PREFIX)
    assert await logins.finish(state_of(address), "code-mallory", browser) is None


@pytest.mark.parametrize("state", ["", "made-up", "é"])
async def test_a_state_nobody_began(logins: Logins, state: str) -> None:
    assert await logins.finish(state, "code-anna", "x") is None


async def test_a_login_takes_ten_minutes_at_most(logins: Logins, clock: Clock) -> None:
    address, browser = logins.begin(PREFIX)
    clock.now += LOGIN_TIME_S + 1
    assert await logins.finish(state_of(address), "code-anna", browser) is None


@pytest.mark.parametrize(
    "user",
    [
        pytest.param({"name": "u2", "scopes": []}, id="D11 no scope at all"),
        pytest.param({"name": "u2", "scopes": ["access:servers!server=u2/lab-1"]}, id="D11 another's session"),
        pytest.param({"name": "u1", "scopes": ["access:servers!server=u1/lab-10"]}, id="A11 another session of mine"),
        pytest.param({"name": "u2", "scopes": [SCOPE]}, id="a share or a role of the hub"),
        pytest.param({"name": "", "scopes": [SCOPE]}, id="nobody"),
        pytest.param({"name": "u1"}, id="no scopes told"),
        pytest.param({"name": "u1", "scopes": None}, id="G2 scopes are null"),
    ],
)
async def test_who_may_not_use_this_session(logins: Logins, hub: Hub, user: dict[str, Any]) -> None:
    hub.users["token-anna"] = user
    address, browser = logins.begin(PREFIX)
    assert await logins.finish(state_of(address), "code-anna", browser) is None


async def test_the_hub_is_asked_again_every_half_minute(logins: Logins, hub: Hub, clock: Clock) -> None:
    """D6: a withdrawn right ends pages and screens within that time."""
    cookie = await logged_in(logins)
    hub.asked.clear()
    clock.now += ASK_AGAIN_S
    assert await logins.user_of(cookie)
    assert hub.asked == []
    del hub.users["token-anna"]
    clock.now += 1
    assert await logins.user_of(cookie) is None
    hub.users["token-anna"] = {"name": "u1", "scopes": [SCOPE]}
    assert await logins.user_of(cookie) is None, "whoever is out stays out until they log in again"


#: What a hub that is being restarted, or something in front of it, answers.
AWAY = [
    pytest.param((503, b"starting"), id="K5 503"),
    pytest.param((500, b"{}"), id="500"),
    pytest.param((200, b"<html>maintenance</html>"), id="K13 a page with status 200"),
    pytest.param((200, b""), id="K13 nothing with status 200"),
    pytest.param((200, b"[]"), id="G1 a list"),
    pytest.param((200, b'{"name": "\xff'), id="G1 half an answer, not UTF-8"),
    pytest.param((302, b""), id="a redirect to a login page"),
]


@pytest.mark.parametrize("answer", AWAY)
async def test_a_hub_that_is_away_keeps_who_is_in(
    logins: Logins, hub: Hub, clock: Clock, answer: tuple[int, bytes]
) -> None:
    """K1, K10: whoever was in stays in for half an hour, and not longer."""
    cookie = await logged_in(logins)
    hub.answer = answer
    clock.now += HUB_AWAY_S
    assert await logins.user_of(cookie)
    clock.now += 1
    assert await logins.user_of(cookie) is None


@pytest.mark.parametrize("answer", AWAY)
async def test_a_hub_that_is_away_lets_nobody_new_in(logins: Logins, hub: Hub, answer: tuple[int, bytes]) -> None:
    """The promise of `finish` for a hub that did not answer is an OSError, which its page turns into words."""
    address, browser = logins.begin(PREFIX)
    hub.answer = answer
    with pytest.raises(OSError, match="hub"):
        await logins.finish(state_of(address), "code-anna", browser)


async def test_a_hub_that_is_gone(clock: Clock) -> None:
    settings = settings_at("http://127.0.0.1:9/hub/api")
    logins = Logins(settings, HubClient(settings.api_url), clock=clock)
    address, browser = logins.begin(PREFIX)
    with pytest.raises(OSError, match="cannot be reached"):
        await logins.finish(state_of(address), "code-anna", browser)


async def test_the_hub_through_a_socket_file(hub: Hub, clock: Clock, tmp_path: Any) -> None:
    """A sandboxed session has no network: the same calls go through a file."""
    path = tmp_path / "api.sock"
    hub.server.add_socket(bind_unix_socket(str(path)))
    client = HubClient("http+unix://" + str(path).replace("/", "%2F") + "/hub/api")
    assert await client.user_of("token-anna") == hub.users["token-anna"]
    assert await client.user_of("token-mallory") is None


@pytest.mark.parametrize("cookie", [None, "", "made-up", "é"])
async def test_a_cookie_nobody_gave_is_nobody(logins: Logins, hub: Hub, cookie: str | None) -> None:
    await logged_in(logins)
    hub.asked.clear()
    assert await logins.user_of(cookie) is None
    assert hub.asked == [], "the hub is not asked for strangers"


async def test_logins_and_guests_are_bounded(logins: Logins, hub: Hub) -> None:
    """E4, J7: whoever opens the page a thousand times fills no memory, and the newest still works."""
    first, browser = logins.begin(PREFIX)
    for _ in range(MAX_LOGINS):
        last, last_browser = logins.begin(PREFIX)
    assert await logins.finish(state_of(first), "code-anna", browser) is None
    assert await logins.finish(state_of(last), "code-anna", last_browser)
    for _ in range(MAX_USERS + 5):
        hub.codes["code-anna"] = "token-anna"
        cookie = await logged_in(logins)
    assert len(logins._users) == MAX_USERS
    assert await logins.user_of(cookie)


async def test_nothing_secret_can_be_guessed(logins: Logins) -> None:
    """Two hundred and fifty-six random bits each, and never the same."""
    made = [logins.begin(PREFIX) for _ in range(50)]
    secrets = {state_of(address) for address, _ in made} | {browser for _, browser in made}
    assert len(secrets) == 100
    assert all(len(secret) >= 43 for secret in secrets)


# -- several tabs of one browser -----------------------------------------------------------------------------------


@pytest.mark.parametrize("see_each_other", [True, False])
@pytest.mark.parametrize("last_first", [True, False])
async def test_tabs_finish_in_any_order(hub: Hub, logins: Logins, see_each_other: bool, last_first: bool) -> None:
    """Tabs that begin at the same moment do not see each other's secret."""
    begun, browsers = [], []
    for number in range(3):
        hub.codes[f"code-{number}"] = "token-anna"
        address, browser = logins.begin(f"{PREFIX}tab-{number}", browsers if see_each_other else ())
        begun.append((number, state_of(address)))
        browsers.append(browser)
    assert len(set(browsers)) == (1 if see_each_other else 3)
    for number, state in reversed(begun) if last_first else begun:
        finished = await logins.finish(state, f"code-{number}", *browsers)
        assert finished is not None
        assert finished[1] == f"{PREFIX}tab-{number}"
    assert not any(map(logins.is_pending, browsers))


async def test_a_secret_that_nobody_waits_for_is_not_used_again(logins: Logins) -> None:
    """Nor one that the browser was given by somebody else."""
    address, browser = logins.begin(PREFIX)
    assert await logins.finish(state_of(address), "code-anna", browser)
    assert logins.begin(PREFIX, [browser, "planted"])[1] not in (browser, "planted")


async def test_secrets_of_other_browsers_finish_nothing(logins: Logins) -> None:
    address, _ = logins.begin(PREFIX)
    _, other = logins.begin(PREFIX)
    assert await logins.finish(state_of(address), "code-anna", other, "") is None
