"""The address of a session for the hub's own checks: what does not answer while the hub starts has not ended.

JupyterHub stops a session that it cannot reach when it starts. Its machine, or the way there, may be away at that very
moment: only its backend knows whether a session ended.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from jupyterhub import __version__
from jupyterhub.objects import Server
from jupyterhub.spawner import Spawner
from tornado.httpclient import HTTPRequest, HTTPResponse
from tornado.httputil import HTTPHeaders
from traitlets import HasTraits

_log = logging.getLogger("jupyterhub.daas")


class AddressAtStart(Server):
    """The address of a session that the hub found when it started, and whose backend does not say that it ended."""

    async def wait_up(self, *args: Any, **kwargs: Any) -> HTTPResponse:
        """Wait until it answers; one that does not is kept."""
        try:
            # JupyterHub's client waits up to five minutes for the response to one request
            async with asyncio.timeout(kwargs.get("timeout", 10)):
                response: HTTPResponse = await super().wait_up(*args, **kwargs)
        except Exception as problem:
            _log.error("the session at %s does not answer, and is kept: %s", self.url, problem)
            return as_if_answered(self)
        return response


class UnknownAddress(Server):
    """The address of a session that may be anywhere: it is not waited for."""

    async def wait_up(self, *args: Any, **kwargs: Any) -> HTTPResponse:
        """Return at once, as if it answered."""
        return as_if_answered(self)


class SessionAddressMixin(HasTraits):
    """A session whose address the hub checks."""

    _check_pending: bool

    @property
    def server(self) -> Any:
        """The session's address in the hub's database; while the hub starts, one whose silence ends nothing."""
        found = Spawner.server.fget(self)
        if found is not None and self._check_pending and found.orm_server is not None:
            return AddressAtStart(orm_server=found.orm_server)
        return found

    @server.setter
    def server(self, server: Any) -> None:
        Spawner.server.fset(self, server)


def as_if_answered(server: Server) -> HTTPResponse:
    """Return what a session of this version answers."""
    # the hub compares this version with its own
    headers = HTTPHeaders({"X-JupyterHub-Version": __version__})
    return HTTPResponse(HTTPRequest(server.url), 200, headers=headers)
