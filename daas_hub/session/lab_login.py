"""Logins of a notebook session: JupyterHub's own, as strict as those of a desktop session (`login`).

A session is its owner's; the hub is asked again every half minute, for open WebSockets as well; and while the hub
cannot be reached, users who are logged in stay so for a while.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import time
from collections import OrderedDict
from collections.abc import Iterable
from typing import Any
from weakref import WeakKeyDictionary

from jupyterhub.services.auth import HubOAuth
from jupyterhub.singleuser.extension import JupyterHubIdentityProvider
from tornado.web import HTTPError
from tornado.websocket import WebSocketHandler
from traitlets import default

from daas_hub.origins import is_origin_of
from daas_hub.session.login import ASK_AGAIN_S, HUB_AWAY_S, MAX_USERS, is_owner

#: WebSocket close code of a login that has ended, as in a desktop session.
SIGNED_OUT = 4403


class OwnerHubAuth(HubOAuth):
    """The hub's login, for the person the session belongs to: a scope of the hub's (a share) is not enough."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        #: The hub's last answer about each token, by its hash, and when that was.
        self._answers: OrderedDict[str, tuple[float, dict[str, Any]]] = OrderedDict()

    @default("cache_max_age")
    def _default_cache_max_age(self) -> int:
        return int(ASK_AGAIN_S)

    def check_scopes(self, required_scopes: Iterable[str], user: dict[str, Any]) -> set[str]:
        """Return which of these scopes the owner of the session has; nobody else has any."""
        if not is_owner(str(user.get("name", "")), os.environ.get("JUPYTERHUB_USER", "")):
            return set()
        return set(super().check_scopes(required_scopes, user))

    async def _check_hub_authorization(
        self, url: str, api_token: str, cache_key: str | None = None, use_cache: bool = True
    ) -> dict[str, Any] | None:
        """Return the hub's user model of a token; its last one while the hub does not respond."""
        key = hashlib.sha256(api_token.encode(errors="replace")).hexdigest()
        try:
            user: dict[str, Any] | None = await super()._check_hub_authorization(url, api_token, cache_key, use_cache)
        except HTTPError:
            asked, known = self._answers.get(key, (0.0, None))
            if known is None or time.monotonic() - asked > HUB_AWAY_S:
                raise
            return known
        self._answers.pop(key, None)
        if user is not None:
            while len(self._answers) >= MAX_USERS:
                self._answers.popitem(last=False)
            self._answers[key] = (time.monotonic(), user)
        return user

    async def may_use(self, token: str) -> bool:
        """Ask the hub whether the user of a token may use this session now."""
        user = await self.user_for_token(token, use_cache=False, sync=False)
        return user is not None and bool(self.check_scopes(self.access_scopes, user))


class OwnerIdentityProvider(JupyterHubIdentityProvider):
    """JupyterHub's identity provider with this login; it closes the WebSockets of logins that have ended."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._sockets: WeakKeyDictionary[WebSocketHandler, str] = WeakKeyDictionary()
        self._watching: asyncio.Future[None] | None = None

    @default("hub_auth")
    def _default_hub_auth(self) -> OwnerHubAuth:
        return OwnerHubAuth(parent=self)

    def should_check_origin(self, handler: Any) -> bool:
        """Return whether the notebook server compares the origin of a request, as text, with its host."""
        headers = handler.request.headers
        # a referrer counts as in JupyterHandler.check_referer: for requests without an origin
        origin = headers.get("Origin") or headers.get("Referer", "")
        return super().should_check_origin(handler) and not is_origin_of(origin, headers.get("Host", ""))

    async def get_user(self, handler: Any) -> Any:
        """Return the user of a request, and note its WebSocket: every one asks here before it opens."""
        user = await super().get_user(handler)
        if user is not None and isinstance(handler, WebSocketHandler) and "Upgrade" in handler.request.headers:
            self._sockets[handler] = self.hub_auth.get_token(handler) or ""
            if self._watching is None or self._watching.done():
                self._watching = asyncio.ensure_future(self._watch())
        return user

    async def _watch(self) -> None:
        """Close WebSockets whose login has ended, while there are any."""
        while self._sockets:
            await asyncio.sleep(max(self.hub_auth.cache_max_age, 1))
            for token in set(self._sockets.values()):
                try:
                    if await self.hub_auth.may_use(token):
                        continue
                except HTTPError:
                    self.log.warning("the hub has not responded for %d s; open pages are closed", HUB_AWAY_S)
                for handler in [one for one, its in self._sockets.items() if its == token]:
                    self.log.info("the login of an open page has ended: its connection is closed")
                    handler.close(SIGNED_OUT, "signed out")
