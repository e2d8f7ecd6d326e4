"""One question to a web service of the facility: JSON out, JSON in, in time, over TLS, and never somewhere else."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import ssl
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import yarl

from daas_hub.errors import SourceUnavailable
from daas_hub.identity.refusals import LATER
from daas_hub.identity.secret import read_password

_log = logging.getLogger("jupyterhub.daas")
MAX_ANSWER_BYTES = 1_000_000


@dataclass(frozen=True)
class Service:
    """How a service is asked. The password or token is read from its file at each question."""

    answer_s: float = 10.0
    ca_file: str = ""
    user: str = ""
    password_file: str = ""
    token_file: str = ""
    tls: ssl.SSLContext = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "tls", ssl.create_default_context(cafile=self.ca_file or None))

    async def ask(self, method: str, url: str, body: Any = None) -> tuple[int, Any]:
        """Give status and document of an answer: 200 with what was told, or 404 with None.

        Raises:
            SourceUnavailable: any other answer, or none in time. A redirection is one: it is not followed, because
                what comes with the question may be for this service only.
        """
        try:
            return await asyncio.wait_for(self._ask(method, url, body), self.answer_s)
        except (aiohttp.ClientError, OSError, ValueError, RecursionError) as problem:  # TimeoutError is an OSError
            # the address may hold a person's identifier: its host is enough
            host = url.split("/")[2]
            _log.error("account service %s: %s: %s", host, type(problem).__name__, str(problem)[:200])
            raise SourceUnavailable(
                "The facility's account service cannot be asked at the moment.", remedy=LATER
            ) from None

    async def _ask(self, method: str, url: str, body: Any) -> tuple[int, Any]:
        headers = {"Accept": "application/json"}
        if self.token_file:
            headers["Authorization"] = f"Bearer {await asyncio.to_thread(read_password, self.token_file)}"
        if self.user:
            password = await asyncio.to_thread(read_password, self.password_file)
            pair = base64.b64encode(f"{self.user}:{password}".encode()).decode()
            headers["Authorization"] = f"Basic {pair}"
        async with (
            aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session,
            session.request(
                method, yarl.URL(url, encoded=True), json=body, headers=headers, ssl=self.tls, allow_redirects=False
            ) as answer,
        ):
            if answer.status == 404:
                return 404, None
            if answer.status != 200:
                raise ValueError(f"answers with status {answer.status}")
            told = bytearray()
            async for piece in answer.content.iter_chunked(65_536):
                told += piece
                if len(told) > MAX_ANSWER_BYTES:
                    raise ValueError(f"answers with more than {MAX_ANSWER_BYTES} bytes")
            return 200, json.loads(told)
