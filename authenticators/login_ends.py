"""What ends a person's logins: a sign-out at the provider, a connection that was removed, rights that are gone."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import Any

from daas_hub.accounts import Identity
from daas_hub.authenticators.account_linking.linking import Linking
from daas_hub.authenticators.oidc.logout_tokens import SignedOut
from daas_hub.authenticators.oidc.method import OIDCMethod
from daas_hub.authenticators.revocation.hub_users import RunningUsers
from daas_hub.authenticators.revocation.logins import end_logins, revoke_tokens, sessions_of, stop_sessions
from daas_hub.authenticators.revocation.logins_signed_out import candidates, is_meant, users_meant
from daas_hub.authenticators.settings import LoginSettings


class LoginEndsMixin(LoginSettings):
    """An authenticator whose logins end on the server."""

    _linking: Linking | None

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        #: Held while a login of this person is verified again.
        self._asking: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        #: The hub, once it has started.
        self._app: Any = None
        self._running: RunningUsers | None = None

    async def signed_out(self, method: OIDCMethod, who: SignedOut) -> int:
        """End the logins of a user who signed out at the provider; return the number of hub users affected."""
        if self._linking is not None:
            self._linking.waiting.drop_if(lambda one: is_meant(method, who, one.login.as_state(one.method.name)))
        users = await users_meant(self.users_of(method, who), method, who)
        for user in users:
            self.log.info("login of %s ended: signed out at %s", user.name, method.name)
            await self.end_logins(user)
            if self.stop_sessions_at_logout:
                await stop_sessions(self._app.proxy, user, sessions_of(user))
        return len(users)

    def users_of(self, method: OIDCMethod, who: SignedOut) -> list[Any]:
        """Return the hub's users whose logins may be meant."""
        return candidates(self._app, method, who, opaque_names=self.has_accounts)

    async def end_logins(self, user: Any) -> None:
        """End every login of this person."""
        # a refresh in progress would store its tokens afterwards
        async with self._asking[user.name]:
            await end_logins(user)

    async def end_everything(self, user: Any) -> None:
        """End every login of this person, and revoke their access tokens; sessions continue."""
        await self.end_logins(user)
        self.log.info("access tokens of %s: %d revoked", user.name, revoke_tokens(user))

    async def link_removed(self, identity: Identity) -> None:
        """End the logins, then the sessions, of an identity that is no longer connected with an account."""
        user = self._app.users.get(identity.hub_name)
        if user is not None:
            await self.end_logins(user)
            await stop_sessions(self._app.proxy, user, sessions_of(user))
            if self._running is not None:
                # a session that is still starting is found then
                self._running.soon()

    async def _end_others(self, name: str) -> None:
        user = self._app.users.get(name) if self._app is not None else None
        if user is not None:
            await self.end_logins(user)
