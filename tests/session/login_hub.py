"""The hub as a session's logins see it: its three calls over real HTTP, and a clock."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from tornado import web
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets

from daas_hub.session.settings import Settings, read_settings

PREFIX = "/portal/user/u1/lab-1/"
SCOPE = "access:servers!server=u1/lab-1"


class Clock:
    """A clock that goes when it is told to."""

    now = 50_000.0

    def __call__(self) -> float:
        return self.now


class Hub:
    """Each test says what it answers, to which method if not to all, and when."""

    def __init__(self) -> None:
        self.users: dict[str, Any] = {"token-anna": {"name": "u1", "scopes": [SCOPE]}}
        self.codes = {"code-anna": "token-anna"}
        self.asked: list[tuple[str, str]] = []
        self.forms: list[dict[str, str]] = []
        self.answer: tuple[int, bytes] | None = None
        self.answered = {"GET", "POST"}
        self.answering = asyncio.Event()
        self.answering.set()
        hub = self

        class Calls(web.RequestHandler):
            async def prepare(self) -> None:
                hub.asked.append((self.request.method or "", self.request.path))
                await hub.answering.wait()
                if hub.answer is not None and self.request.method in hub.answered:
                    self.set_status(hub.answer[0])
                    self.finish(hub.answer[1])

            def get(self, call: str) -> None:
                user = hub.users.get(self.request.headers["Authorization"].removeprefix("token "))
                self.set_status(200 if user else 403)
                self.finish(user or {})

            def post(self, call: str) -> None:
                if call == "oauth2/token":
                    hub.forms.append({key: self.get_body_argument(key) for key in self.request.body_arguments})
                    token = hub.codes.pop(hub.forms[-1]["code"], None)
                    self.set_status(200 if token else 400)
                    self.finish({"access_token": token} if token else {})

        self.server = HTTPServer(web.Application([("/hub/api/(.*)", Calls)]))
        sockets = bind_sockets(0, "127.0.0.1")
        self.server.add_sockets(sockets)
        self.url = f"http://127.0.0.1:{sockets[0].getsockname()[1]}/hub/api"


@asynccontextmanager
async def running_hub() -> AsyncIterator[Hub]:
    """Start a hub, and end it."""
    hub = Hub()
    yield hub
    hub.server.stop()
    await hub.server.close_all_connections()


def settings_at(api_url: str, **more: str) -> Settings:
    """Return the settings of a session whose hub is there."""
    return read_settings(
        {
            "DAAS_SESSION": json.dumps({"title": "Lab", "application": "lab", "applications": []}),
            "JUPYTERHUB_BASE_URL": "/portal/",
            "JUPYTERHUB_SERVICE_PREFIX": PREFIX,
            "JUPYTERHUB_API_URL": api_url,
            "JUPYTERHUB_API_TOKEN": "session-secret",
            "JUPYTERHUB_CLIENT_ID": "jupyterhub-user-u1-lab-1",
            "JUPYTERHUB_OAUTH_ACCESS_SCOPES": json.dumps([SCOPE]),
            "JUPYTERHUB_USER": "u1",
            **more,
        }
    )
