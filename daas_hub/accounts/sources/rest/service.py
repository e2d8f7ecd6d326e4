"""Requests about one person to a web service of the facility."""

from __future__ import annotations

import asyncio
import logging
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from daas_hub.accounts.refusals import TRY_AGAIN
from daas_hub.errors import ConfigurationError, SourceUnavailable
from daas_hub.services.circuit_breaker import CircuitBreaker
from daas_hub.services.http import Reply, basic_auth
from daas_hub.services.http import Service as HttpService
from daas_hub.services.secret_file import read_secret

_log = logging.getLogger("jupyterhub.daas")
MAX_ANSWER_BYTES = 1_000_000
_SOURCE = "account service"


@dataclass(frozen=True)
class Service:
    """A web service with its credentials, which are read from their file for each request.

    After several failures in a row, requests fail at once for a while (see `CircuitBreaker`).

    Attributes:
        tls: the CA certificates to verify the service with; None for the system's.
        settings: the settings class, for errors about the credentials.
    """

    timeout_s: float = 10.0
    tls: ssl.SSLContext | None = None
    user: str = ""
    password_file: str = ""
    token_file: str = ""
    settings: str = ""
    clock: Callable[[], float] = time.monotonic
    #: by host: the URLs of one source may have several
    _breakers: dict[str, CircuitBreaker] = field(default_factory=dict, init=False, repr=False, compare=False)

    async def ask(self, method: str, url: str, body: Any = None) -> tuple[int, Any]:
        """Return the status and the document of the answer: 200 with the document, or 404 with None.

        Raises:
            SourceUnavailable: another answer, or none in time. Redirects are not followed: the data in the request may
                be for this service only.
        """
        reply = await self._reply(method, url, body, lambda status: status in (200, 404))
        return (200, reply.document) if reply.status == 200 else (404, None)

    async def is_accepted(self, url: str, body: Any) -> bool:
        """Send a person's credentials and return whether the answer is 200, with JSON or an empty body.

        Raises:
            SourceUnavailable: a redirect, a failure of the service, or no answer in time.
        """
        refusals = (400, 401, 403, 404)
        reply = await self._reply("POST", url, body, lambda status: status == 200 or status in refusals, needs="")
        return reply.status == 200

    async def _reply(
        self, method: str, url: str, body: Any, is_expected: Callable[[int], bool], *, needs: str = "JSON"
    ) -> Reply:
        # only the host is logged: the URL may contain a person's identifier
        host = urlsplit(url).netloc
        breaker = self._breakers.get(host)
        if breaker is None:
            breaker = CircuitBreaker(f"account service {host}", source=_SOURCE, host=host, clock=self.clock)
            self._breakers[host] = breaker
        service = HttpService(
            _SOURCE,
            "The account service",
            host,
            self.timeout_s,
            MAX_ANSWER_BYTES,
            self.tls,
            breaker,
            tolerates_500=True,
        )
        was_open = breaker.is_open
        try:
            headers = await self._headers()
            async with service.client() as client:
                if method == "GET":
                    reply = await client.get(url, "an account", headers=headers)
                else:
                    reply = await client.post(url, "an account", headers=headers, document=body)
                if not is_expected(reply.status) or (reply.status == 200 and needs and reply.content != needs):
                    client.fail_on_status(reply)
                return reply
        except (SourceUnavailable, ConfigurationError) as problem:
            # the circuit breaker has logged the outage, once
            level = logging.INFO if was_open and isinstance(problem, SourceUnavailable) else logging.ERROR
            _log.log(level, "account service %s: %s", host, problem.detail or problem)
            raise SourceUnavailable(
                "The facility's account service is not available at the moment.", remedy=TRY_AGAIN, kind=problem.kind
            ) from None

    async def _headers(self) -> dict[str, str]:
        if self.token_file:
            token = await asyncio.to_thread(read_secret, f"{self.settings}.token_file", self.token_file)
            return {"Authorization": f"Bearer {token}"}
        if self.user:
            password = await asyncio.to_thread(read_secret, f"{self.settings}.password_file", self.password_file)
            return basic_auth(self.user, password)
        return {}
