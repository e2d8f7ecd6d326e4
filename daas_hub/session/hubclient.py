"""A client of the hub's REST API for sessions: over TCP, or over a socket file in a session without a network.

JupyterHub's own HubAuth would cost 50 MB and a second per session, because it imports the hub's database layer.
"""

from __future__ import annotations

import json
import socket
from typing import Any
from urllib.parse import unquote, urlencode, urlsplit

from tornado.httpclient import HTTPRequest, HTTPResponse
from tornado.netutil import Resolver
from tornado.simple_httpclient import SimpleAsyncHTTPClient

TIMEOUT_S = 15.0


class _SocketFile(Resolver):
    """Resolves every name to one socket file."""

    def initialize(self, path: str) -> None:
        self._path = path

    async def resolve(self, host: str, port: int, family: int = 0) -> list[tuple[int, Any]]:
        return [(socket.AF_UNIX, self._path)]


class HubClient:
    """One session's calls to its hub."""

    def __init__(self, api_url: str) -> None:
        parts = urlsplit(api_url)
        self._path = parts.path.rstrip("/")
        if parts.scheme == "http+unix":
            self._base = "http://hub"
            # force_instance: tornado's shared client must not resolve everything to this socket
            self._client = SimpleAsyncHTTPClient(
                force_instance=True, resolver=_SocketFile(path=unquote(parts.netloc)), max_body_size=1_000_000
            )
        else:
            self._base = f"{parts.scheme}://{parts.netloc}"
            self._client = SimpleAsyncHTTPClient(force_instance=True, max_body_size=1_000_000)

    async def user_of(self, token: str) -> dict[str, Any] | None:
        """Return the hub's user model for this token; None if the token is not valid (any more).

        Raises:
            OSError: the hub did not respond.
        """
        answer = await self._fetch("/user", headers={"Authorization": f"token {token}"})
        if answer.code in (401, 403, 404):
            return None
        return self._json(answer)

    async def exchange(self, fields: dict[str, str]) -> str | None:
        """Exchange an authorization code for an access token; return None if the hub refuses the code.

        Raises:
            OSError: the hub did not respond.
        """
        answer = await self._fetch("/oauth2/token", method="POST", body=urlencode(fields))
        if 400 <= answer.code < 500:
            return None
        token = self._json(answer).get("access_token")
        return token if isinstance(token, str) else None

    async def report_activity(
        self, user: str, server: str, when: str, token: str, more: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Report when this session was last used, as an ISO 8601 time in UTC; return what the hub answers.

        Args:
            more: what a hub with the portal's pages reads in addition (`daas_hub.portal.activity`); a stock hub
                ignores it, and answers nothing.

        Raises:
            OSError: the hub did not respond.
        """
        of_server = {"last_activity": when} | (more or {})
        body = json.dumps({"servers": {server: of_server}, "last_activity": when})
        answer = await self._fetch(
            f"/users/{user}/activity", method="POST", body=body, headers={"Authorization": f"token {token}"}
        )
        if answer.code >= 400:
            raise OSError(f"the hub responded with status {answer.code}")
        return self._json(answer) if answer.body else {}

    async def _fetch(self, path: str, **request: Any) -> HTTPResponse:
        try:
            address = self._base + self._path + path
            http_request = HTTPRequest(address, request_timeout=TIMEOUT_S, follow_redirects=False, **request)
            return await self._client.fetch(http_request, raise_error=False)
        except Exception as error:  # whatever the transport raises, the hub cannot be reached
            raise OSError("the hub cannot be reached") from error

    @staticmethod
    def _json(answer: HTTPResponse) -> dict[str, Any]:
        if answer.code >= 300:
            raise OSError(f"the hub responded with status {answer.code}")
        try:
            document = json.loads(answer.body)
        except ValueError as error:
            raise OSError("the hub's response is not JSON") from error
        if not isinstance(document, dict):
            raise OSError("the hub's response is not an object")
        return document
