"""Every answer a provider could give wrongly, one at a time, through the whole code of a login, over HTTP.

A provider on this machine answers as it should but for one thing: `mutations` says which. The control, the same without
the change, is a login. S5 of the threat model: at least 150 changed answers, none accepted, each refused in a sentence.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlencode

import pytest
from jupyterhub.crypto import CryptKeeper
from oauthenticator.oauth2 import _serialize_state
from tornado import web
from tornado.httpclient import AsyncHTTPClient
from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPHeaders
from tornado.netutil import bind_sockets
from tornado.web import create_signed_value
from traitlets.config import Config

from daas_hub.accounts import Account, Identity
from daas_hub.accounts.elevation import ElevationRules
from daas_hub.authenticators.oidc.backchannel_logout import BackchannelHandler
from daas_hub.authenticators.oidc.begun_logins import cookie_name
from daas_hub.authenticators.oidc.handlers import CallbackHandler
from daas_hub.authenticators.umbrella import UmbrellaAuthenticator
from tests.authenticators.oidc.keys import signed
from tests.authenticators.oidc.mutations import (
    CLIENT,
    CODE,
    COOKIE_SECRET,
    DISCOVERY,
    KEYS,
    LOGINS,
    LOGOUTS,
    SECRET,
    TOKEN,
    USERINFO,
    VERIFIER,
    Case,
    without,
)

# -- the house they come to ----------------------------------------------------------------------------------------


class FakeFacility:
    """A facility where everybody has an account: a login that is wrongly accepted is a login."""

    claims: frozenset[str] = frozenset()
    elevation = ElevationRules()
    user_office_url = ""

    async def account_of(self, identity: Identity) -> Account:
        return Account(identity.subject, 25001, 25001)


class House:
    """The provider, and the portal's own handlers in a web server: only the hub around them is not there."""

    def __init__(self) -> None:
        self.accepted: list[Any] = []
        self.ended: list[Any] = []
        ended = self.ended

        class Authenticator(UmbrellaAuthenticator):
            async def signed_out(self, method: Any, who: Any) -> int:
                ended.append(who)
                return 1

        self.sockets = bind_sockets(0, "127.0.0.1")
        self.issuer = f"http://127.0.0.1:{self.sockets[0].getsockname()[1]}"
        self.case = Case(self.issuer)
        keys_ = {"issuer": self.issuer, "client_id": CLIENT, "client_secret": SECRET}
        settings = {
            "portal": True,
            "providers": {"one": keys_, "other": keys_ | {"issuer": "https://other.example", "title": "Other"}},
            "oauth_callback_url": "http://127.0.0.1/hub/oauth_callback",
        }
        config = Config({"UmbrellaAuthenticator": settings})
        self.authenticator = Authenticator(config=config, facility=FakeFacility())
        house = self
        self.asked: list[str] = []

        class Answer(web.RequestHandler):
            def check_xsrf_cookie(self) -> None:
                pass

            async def get(self) -> None:
                await self.post()

            async def post(self) -> None:
                path = self.request.path
                house.asked.append(path)
                status, headers, body = house.case.answer(path)
                if path == TOKEN and TOKEN not in house.case.instead:
                    fields = parse_qs(self.request.body.decode())
                    expected = {"code": [CODE], "code_verifier": [VERIFIER], "client_secret": [SECRET]}
                    if any(fields.get(name) != value for name, value in expected.items()):
                        status, body = 400, b'{"error": "invalid_grant"}'
                self.set_status(status)
                for name, value in headers.items():
                    self.set_header(name, value)
                self.finish(body if status != 204 else None)

        class Plain:
            """What the hub's handler has, without its database."""

            log = self.authenticator.log

            @property
            def authenticator(self) -> Any:
                return house.authenticator

            async def prepare(self) -> None:
                pass

            def set_default_headers(self) -> None:
                pass

            def finish(self, *args: Any) -> Any:
                return web.RequestHandler.finish(self, *args)  # type: ignore[arg-type]

            def write_error(self, status_code: int, **kwargs: Any) -> None:
                problem = kwargs["exc_info"][1]
                words = problem.log_message if isinstance(problem, web.HTTPError) else f"UNEXPECTED {problem!r}"
                web.RequestHandler.finish(self, {"status": status_code, "words": words or ""})  # type: ignore[arg-type]

        class Callback(Plain, CallbackHandler):
            async def login_user(self, data: Any = None) -> Any:
                model = await house.authenticator.authenticate(self, data)
                house.accepted.append(model)
                return SimpleNamespace(name="x")

            hub = SimpleNamespace(base_url="/hub/")
            current_user = None

            def get_next_url(self, user: Any = None) -> str:
                return "/hub/home"

        class Backchannel(Plain, BackchannelHandler):
            pass

        method = {"method": self.authenticator.methods["one"]}
        self.server = HTTPServer(
            web.Application(
                [("/hub/oauth_callback/one", Callback, method), ("/hub/back", Backchannel, method), ("/.*", Answer)],
                cookie_secret=COOKIE_SECRET,
            )
        )
        self.server.add_sockets(self.sockets)

    async def login(self) -> Any:
        """Come back from the provider as a browser does."""
        headers = HTTPHeaders()
        if self.case.cookie is not None:
            # of the state that the response names, even if the cookie holds another one
            name = cookie_name(dict(self.case.callback).get("state", ""))
            value = self.case.cookie if self.case.cookie == "forged" else create_signed_value(
                COOKIE_SECRET, name, _serialize_state(self.case.cookie)
            ).decode()  # fmt: skip
            headers["Cookie"] = f"{name}={value}"
        url = f"{self.issuer}/hub/oauth_callback/one?{urlencode(self.case.callback)}"
        return await self._fetch(url, headers=headers, follow_redirects=False)

    async def logout(self) -> Any:
        """Tell of a logout as the provider does."""
        token_ = self.case.logout_token or signed(without(self.case.logout), **self.case.logout_header)
        form = [("logout_token", token_)] if self.case.form is None else self.case.form
        return await self._fetch(
            f"{self.issuer}/hub/back",
            method="POST",
            body=urlencode(form),
            headers={"Content-Type": self.case.form_type},
        )

    async def _fetch(self, url: str, **request: Any) -> Any:
        client = AsyncHTTPClient(force_instance=True)
        try:
            return await client.fetch(url, raise_error=False, **request)
        finally:
            client.close()


@pytest.fixture
async def house(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[House]:
    monkeypatch.setenv("JUPYTERHUB_CRYPT_KEY", "0123456789abcdef" * 4)
    CryptKeeper.clear_instance()
    house = House()
    yield house
    house.server.stop()
    await house.server.close_all_connections()
    CryptKeeper.clear_instance()


def parts_of_secrets(case: Case) -> Iterator[str]:
    yield from (SECRET, VERIFIER, "the-access-token")
    if isinstance(case.id_token, str):
        yield from (part for part in case.id_token.split(".") if len(part) > 12)


# -- the tests -----------------------------------------------------------------------------------------------------


def test_the_table_is_long_enough() -> None:
    """S5."""
    assert len(LOGINS) + len(LOGOUTS) >= 150
    assert len(LOGINS) >= 150


async def test_the_same_without_a_change_is_a_login(house: House) -> None:
    """The control: what the table changes is what is refused."""
    answer = await house.login()
    assert answer.code == 302, answer.body
    assert [model["auth_state"]["identity"]["subject"] for model in house.accepted] == ["anna"]


async def test_the_same_without_a_change_is_a_logout(house: House, caplog: pytest.LogCaptureFixture) -> None:
    """F9: once; the same token again is a replay."""
    answer = await house.logout()
    assert answer.code == 200, answer.body
    assert answer.headers["Cache-Control"] == "no-store"
    assert [(who.subject, who.session) for who in house.ended] == [("anna", "s")]
    assert (await house.logout()).code == 400
    assert len(house.ended) == 1
    # or by one of the two, with another number
    for number, missing in enumerate(("sub", "sid")):
        house.case.logout |= {"sub": "anna", "sid": "s", "jti": f"n{number}", missing: ...}
        assert (await house.logout()).code == 200


@pytest.mark.parametrize("name", LOGINS)
async def test_a_changed_answer_is_no_login(house: House, name: str, caplog: pytest.LogCaptureFixture) -> None:
    """F1 to F5, F8, F10, S5: refused in a sentence, with no secret in it, and nothing that was led elsewhere."""
    LOGINS[name](house.case)
    answer = await house.login()
    assert house.accepted == []
    assert answer.code in (400, 403, 503), answer.body
    words = json.loads(answer.body)["words"]
    assert "UNEXPECTED" not in words
    assert 20 < len(words) < 300, words
    assert words.isprintable()
    assert "<" not in words
    for secret in parts_of_secrets(house.case):
        assert secret not in words
        assert secret not in caplog.text
    assert set(house.asked) <= {DISCOVERY, KEYS, TOKEN, USERINFO}


@pytest.mark.parametrize("name", LOGOUTS)
async def test_a_changed_logout_ends_nothing(house: House, name: str) -> None:
    """F9, S5: the provider gets 400 and a reason, and nobody is signed out."""
    LOGOUTS[name](house.case)
    answer = await house.logout()
    assert house.ended == []
    assert answer.code == 400, answer.body
    assert answer.headers["Cache-Control"] == "no-store"
    assert 20 < len(json.loads(answer.body)["error_description"]) < 300
