"""An OpenID provider over real HTTP whose every answer a test chooses, and a clock that a test moves."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from tornado import web
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets

from tests.authenticators.oidc.keys import (
    JWK_EC,
    JWK_ED,
    JWK_RSA,
    signed,
)

CLIENT = "daas-hub"
NONCE = "nonce-of-this-login"


class Provider:
    """An OpenID provider on this machine; each test says what it answers."""

    def __init__(self) -> None:
        self.server = HTTPServer(web.Application([("/.*", self._handler())]))
        sockets = bind_sockets(0, "127.0.0.1")
        self.server.add_sockets(sockets)
        self.issuer = f"http://127.0.0.1:{sockets[0].getsockname()[1]}"
        self.discovery: Any = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "userinfo_endpoint": f"{self.issuer}/userinfo",
            "jwks_uri": f"{self.issuer}/keys",
        }
        self.keys: Any = {"keys": [JWK_RSA, JWK_EC, JWK_ED]}
        #: path -> an answer that replaces the right one
        self.instead: dict[str, Callable[[web.RequestHandler], Any]] = {}
        self.asked: list[str] = []

    def _handler(provider) -> type[web.RequestHandler]:  # noqa: N805  # the handler's own self is another
        class Answer(web.RequestHandler):
            async def get(self) -> None:
                path = self.request.path
                provider.asked.append(path)
                if path in provider.instead:
                    waiting = provider.instead[path](self)
                    if waiting is not None:
                        await waiting
                elif path == "/.well-known/openid-configuration":
                    self.finish(json.dumps(provider.discovery))
                elif path == "/keys":
                    self.finish(json.dumps(provider.keys))
                else:
                    self.set_status(404)

        return Answer

    def claims(self, **changes: Any) -> dict[str, Any]:
        """Return good claims with changes; a change to `...` takes a claim away."""
        now = int(time.time())
        good = {"iss": self.issuer, "sub": "anna", "aud": CLIENT, "iat": now, "exp": now + 300, "nonce": NONCE}
        return {name: value for name, value in (good | changes).items() if value is not ...}

    def token(self, **changes: Any) -> str:
        return signed(self.claims(**changes))


class Clock:
    """A clock that a test moves."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now
