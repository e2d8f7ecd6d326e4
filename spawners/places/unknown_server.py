"""The address of a session of which nothing is known: the hub neither waits for it nor ends it when it starts."""

from __future__ import annotations

from typing import Any

from jupyterhub import __version__
from jupyterhub.objects import Server
from tornado.httpclient import HTTPRequest, HTTPResponse
from tornado.httputil import HTTPHeaders


class UnknownServer(Server):
    """A server that may be anywhere. The hub stops one that it cannot reach when it starts; this one is left alone."""

    async def wait_up(self, *args: Any, **kwargs: Any) -> HTTPResponse:
        """Return at once, as if it answered."""
        # the hub compares this version with its own
        headers = HTTPHeaders({"X-JupyterHub-Version": __version__})
        return HTTPResponse(HTTPRequest(self.url), 200, headers=headers)
