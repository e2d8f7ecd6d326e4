"""The portal's login at SciCat: its token, renewed before it ends, and the proof that SciCat still knows it.

SciCat answers a token that it does not know, or no longer, like a visitor without one: status 200 and the published
proposals, usually none. So an answer that a visitor would get, too, is believed only after SciCat has said whose the
token is.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from daas_hub.errors import ErrorKind, SourceUnavailable
from daas_hub.services.http import ServiceClient

#: A token is renewed when this much of its lifetime is left, and at most this many seconds before its end.
_RENEW_AT = 0.1
_MAX_EARLIER_S = 60.0

_Answer = TypeVar("_Answer")


class PortalLogin:
    """The token of the functional account, or of a file.

    Args:
        address: returns a URL below SciCat's API.
        user: name of the functional account; "" if the token is in a file.
        secret: reads the account's password, or the token.
    """

    def __init__(
        self,
        address: Callable[..., str],
        user: str,
        secret: Callable[[], Awaitable[str]],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._address = address
        self._user = user
        self._secret = secret
        self._clock = clock
        self._token = ""
        self._renew_at: float | None = None

    async def believed(
        self, client: ServiceClient, ask: Callable[[str], Awaitable[_Answer]], proves: Callable[[_Answer], bool]
    ) -> _Answer:
        """Return an answer that SciCat gave to a login it knows; a token that has ended is replaced once.

        Args:
            ask: asks with a token.
            proves: whether nobody but a known login gets this answer.

        Raises:
            SourceUnavailable: SciCat does not know the portal's login, or did not answer properly.
        """
        for is_last in (False, True):
            token = await self._current(client)
            try:
                answer = await ask(token)
                if not proves(answer):
                    await self.owner_of(client, token)
                return answer
            except SourceUnavailable as problem:
                if problem.kind is not ErrorKind.CREDENTIALS_REFUSED or is_last:
                    raise
            self._forget(token)
        raise AssertionError("the last attempt returns or raises")

    async def owner(self, client: ServiceClient) -> dict[str, Any]:
        """Return whose the portal's token is, as SciCat says now.

        Raises:
            SourceUnavailable: as `believed`.
        """
        return await self.believed(client, lambda token: self.owner_of(client, token), lambda _: True)

    async def owner_of(self, client: ServiceClient, token: str) -> dict[str, Any]:
        """Return whose a token is: the one question that SciCat answers with 401 if it does not know the token.

        Raises:
            SourceUnavailable: it does not, or it did not answer properly.
        """
        reply = await client.get(
            self._address("users", "my", "self"), "the owner of the portal's token", headers=header_of(token)
        )
        owner: dict[str, Any] = client.require(reply, dict)
        return owner

    async def _current(self, client: ServiceClient) -> str:
        if not self._user:
            return await self._secret()
        if self._renew_at is not None and self._clock() >= self._renew_at:
            self._token = ""
        return self._token or await self._log_in(client)

    def _forget(self, token: str) -> None:
        # another request may have renewed it already
        if self._token == token:
            self._token = ""

    async def _log_in(self, client: ServiceClient) -> str:
        began = self._clock()
        credentials = {"username": self._user, "password": await self._secret()}
        reply = await client.post(self._address("auth", "login"), "a token", document=credentials)
        document = client.require(reply, dict)
        token = document.get("access_token")
        if not isinstance(token, str) or not token.isprintable() or not token:
            client.fail("an object without a token")
        lifetime_s = document.get("expires_in")
        self._renew_at = None
        if isinstance(lifetime_s, int) and not isinstance(lifetime_s, bool) and lifetime_s > 0:
            self._renew_at = began + lifetime_s - min(lifetime_s * _RENEW_AT, _MAX_EARLIER_S)
        self._token = token
        return token


def header_of(token: str) -> dict[str, str]:
    """Return the header with a token."""
    return {"Authorization": f"Bearer {token}"}
