"""Count which changed logins the stock GenericOAuthenticator accepts: `python -m scripts.stock_oidc`.

The changes are those of `tests/authenticators/oidc/mutations.py`, one at a time, at a provider on this machine. Ours
refuses each of them (`test_mutations`). The stock authenticator is configured with the same endpoints, in its two ways:
the person is read from userinfo, or from the id_token. See docs/explanations/decisions/0014-own-oidc-checks.md.
"""

from __future__ import annotations

import asyncio
import logging
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlencode

from oauthenticator.generic import GenericOAuthenticator
from oauthenticator.oauth2 import STATE_COOKIE_NAME, OAuthCallbackHandler, _serialize_state
from tornado import web
from tornado.httpclient import AsyncHTTPClient
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import create_signed_value
from traitlets.config import Config

import conftest  # noqa: F401  # makes the checkout's folders rooms of the package
from tests.authenticators.oidc.mutations import (
    CLIENT,
    CODE,
    COOKIE_SECRET,
    GROUPS,
    SECRET,
    TOKEN,
    USERINFO,
    VERIFIER,
    Case,
)


class Stock:
    """The provider, and the stock authenticator's own handler, in one web server."""

    def __init__(self, *, from_id_token: bool) -> None:
        sockets = bind_sockets(0, "127.0.0.1")
        self.issuer = f"http://127.0.0.1:{sockets[0].getsockname()[1]}"
        self.case = Case(self.issuer)
        self.names: list[str] = []
        read = {"userdata_from_id_token": True} if from_id_token else {"userdata_url": self.issuer + USERINFO}
        settings = {
            "authorize_url": f"{self.issuer}/authorize",
            "token_url": self.issuer + TOKEN,
            "client_id": CLIENT,
            "client_secret": SECRET,
            "username_claim": "sub",
            "oauth_callback_url": "http://127.0.0.1/hub/oauth_callback",
            "scope": ["openid", "profile"],
            "enable_auth_state": True,
            "allow_all": True,
            **read,
        }
        self.authenticator = GenericOAuthenticator(config=Config({"GenericOAuthenticator": settings}))
        application = web.Application(
            [("/hub/oauth_callback", _callback(self)), ("/.*", _provider(self))], cookie_secret=COOKIE_SECRET
        )
        self.server = HTTPServer(application)
        self.server.add_sockets(sockets)

    async def login(self) -> str:
        """Return the name of the user that this case signs in; "" for nobody."""
        self.names.clear()
        headers = {}
        if self.case.cookie is not None:
            value = "forged" if self.case.cookie == "forged" else create_signed_value(
                COOKIE_SECRET, STATE_COOKIE_NAME, _serialize_state(self.case.cookie)
            ).decode()  # fmt: skip
            headers["Cookie"] = f"{STATE_COOKIE_NAME}={value}"
        # the stock handler wraps the state in an object
        answer = [
            (name, _serialize_state({"state_id": value}) if name == "state" else value)
            for name, value in self.case.callback
        ]
        client = AsyncHTTPClient(force_instance=True)
        try:
            url = f"{self.issuer}/hub/oauth_callback?{urlencode(answer)}"
            await client.fetch(url, headers=headers, follow_redirects=False, raise_error=False)
        finally:
            client.close()
        return self.names[0] if self.names else ""


def _callback(stock: Stock) -> type[web.RequestHandler]:
    class Callback(OAuthCallbackHandler):  # type: ignore[misc]  # JupyterHub has no types
        """The stock handler, without the hub's database."""

        log = logging.getLogger("stock")
        authenticator = stock.authenticator

        async def prepare(self) -> None:
            pass

        def set_default_headers(self) -> None:
            pass

        def finish(self, *args: Any) -> Any:
            return web.RequestHandler.finish(self, *args)

        def write_error(self, status_code: int, **kwargs: Any) -> None:
            web.RequestHandler.finish(self, {"status": status_code})

        async def login_user(self, data: Any = None) -> Any:
            model = await stock.authenticator.get_authenticated_user(self, data)
            if model is not None:
                stock.names.append(model["name"])
            return model and SimpleNamespace(name=model["name"])

        def get_next_url(self, user: Any = None) -> str:
            return "/hub/home"

    return Callback


def _provider(stock: Stock) -> type[web.RequestHandler]:
    class Provider(web.RequestHandler):
        """Answers as the case says."""

        def check_xsrf_cookie(self) -> None:
            pass

        async def get(self) -> None:
            await self.post()

        async def post(self) -> None:
            path = self.request.path
            status, headers, body = stock.case.answer(path)
            if path == TOKEN and TOKEN not in stock.case.instead:
                fields = parse_qs(self.request.body.decode())
                expected = {"code": [CODE], "code_verifier": [VERIFIER], "client_secret": [SECRET]}
                if any(fields.get(name) != value for name, value in expected.items()):
                    status, body = 400, b'{"error": "invalid_grant"}'
            self.set_status(status)
            for name, value in headers.items():
                self.set_header(name, value)
            self.finish(body if status != 204 else None)

    return Provider


async def accepted_by(stock: Stock) -> dict[str, dict[str, str]]:
    """Return, for each group, the changes with which somebody was signed in, and who."""
    found: dict[str, dict[str, str]] = {}
    assert await stock.login() == "anna", "the login without a change"
    for group, changes in GROUPS.items():
        found[group] = {}
        for name, change in changes.items():
            stock.case = Case(stock.issuer)
            change(stock.case)
            if who := await stock.login():
                found[group][name] = who
    return found


async def main() -> None:
    """Print how many of each group are accepted, and which."""
    logging.disable(logging.CRITICAL)
    by_mode = {
        "from userinfo": await accepted_by(Stock(from_id_token=False)),
        "from the id_token": await accepted_by(Stock(from_id_token=True)),
    }
    print(f"{'changed':20}{'cases':>6}" + "".join(f"{mode:>20}" for mode in by_mode))
    for group, changes in GROUPS.items():
        print(f"{group:20}{len(changes):6}" + "".join(f"{len(found[group]):20}" for found in by_mode.values()))
    total = sum(map(len, GROUPS.values()))
    print(f"{'all':20}{total:6}" + "".join(f"{sum(map(len, one.values())):20}" for one in by_mode.values()))
    for mode, found in by_mode.items():
        print(f"\naccepted, {mode}:")
        for group, names in found.items():
            for name, who in names.items():
                print(f"  {group}: {name}" + (f" (as {who!r})" if who != "anna" else ""))


if __name__ == "__main__":
    asyncio.run(main())
