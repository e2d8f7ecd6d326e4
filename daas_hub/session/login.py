"""Logins of a session: an OAuth client of the hub (authorization code, PKCE), with its state in memory only.

A browser gets a random cookie; the hub's token stays here. The hub is queried again every half minute, so that a logout
or a revoked scope ends pages and open screens within that time. While the hub cannot be reached (it restarts), users
who are logged in stay so for a while, and nobody new can log in.

The browser that launched the session brings its code along (`daas_hub.launch_login`). Its first page does not wait for
the hub; everything else does.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from urllib.parse import urlencode

from daas_hub.launch_login import VALID_S, challenge_of
from daas_hub.session.hubclient import HubClient
from daas_hub.session.settings import Settings

ASK_AGAIN_S = 30.0
HUB_AWAY_S = 1800.0
LOGIN_TIME_S = 600.0
#: For so long a launch's login waits for a hub that does not respond, and asks again with these pauses.
RESTART_S = 60.0
PAUSE_S = 0.5
MAX_LOGINS = 200
MAX_USERS = 100


@dataclass
class SessionUser:
    """A user who may use this session."""

    name: str
    token: str
    asked: float
    #: The token, while the hub is asked for it; it will be None if the hub refuses this login.
    redeeming: asyncio.Future[str | None] | None = None


@dataclass(frozen=True)
class _Attempt:
    """A pending login of some browser."""

    verifier: str
    browser: str
    next_path: str
    begun: float


def is_owner(name: str, owner: str) -> bool:
    """Return whether this user of the hub is the one the session belongs to.

    It runs as its owner's account, with what that account may read. The hub's scopes can name others (shares, roles),
    and the hub knows nothing of proposals.
    """
    return bool(owner) and name == owner


_Question = Callable[[], Awaitable[str | None]]


async def _ask_once(question: _Question) -> str | None:
    return await question()


def _is_same(secret: str, given: str) -> bool:
    return secrets.compare_digest(secret.encode(), given.encode(errors="replace"))


class Logins:
    """The users of this session, by cookie."""

    def __init__(self, settings: Settings, hub: HubClient, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._hub = hub
        self._clock = clock
        self._launch, self._started = settings.launch_login, clock()
        self._attempts: dict[str, _Attempt] = {}
        self._users: dict[str, SessionUser] = {}

    def begin(self, next_path: str, browsers: Iterable[str] = ()) -> tuple[str, str]:
        """Begin a login: return the hub's authorize URL, and the secret that binds the login to this browser.

        Args:
            browsers: the secrets that this browser has; one that is pending in another of its tabs is used again.
        """
        state, verifier = (secrets.token_urlsafe(32) for _ in range(2))
        self._drop_old_attempts()
        browser = next(filter(self.is_pending, browsers), "") or secrets.token_urlsafe(32)
        self._attempts[state] = _Attempt(verifier, browser, self._own_path(next_path), self._clock())
        query = urlencode(
            {
                "client_id": self._settings.client_id,
                "redirect_uri": self._redirect_uri,
                "response_type": "code",
                "state": state,
                "code_challenge": challenge_of(verifier),
                "code_challenge_method": "S256",
            }
        )
        return f"{self._settings.hub_host}{self._settings.hub_prefix}api/oauth2/authorize?{query}", browser

    def is_pending(self, browser: str) -> bool:
        """Return whether a login of the browser with this secret has begun and not ended."""
        return any(_is_same(one.browser, browser) for one in self._attempts.values())

    async def finish(self, state: str, code: str, *browsers: str) -> tuple[str, str] | None:
        """Finish a login: return the new cookie and the page to redirect to, or None if the login is not valid.

        Args:
            browsers: the secrets that this browser has; tabs that began at the same moment have one each.

        Raises:
            OSError: the hub did not respond.
        """
        attempt = self._attempts.pop(state, None)
        if attempt is None or not any(_is_same(attempt.browser, one) for one in browsers):
            return None
        if self._clock() - attempt.begun > LOGIN_TIME_S:
            return None
        token = await self._redeem(code, attempt.verifier)
        if token is None:
            return None
        return self._add(SessionUser(self._settings.user, token, self._clock())), attempt.next_path

    def enter_from_launch(self, given: str | None) -> str | None:
        """Log in the browser that launched this session, once: return its new cookie, or None for any other browser.

        This one request does not wait for the hub's answer; `user_of` does, for all others.
        """
        launch = self._launch
        if launch is None or given is None or self._clock() - self._started > VALID_S:
            return None
        if not (code := launch.code_in(given)):
            return None
        self._launch = None
        redeeming = asyncio.ensure_future(self._redeem_or_refuse(code, launch.verifier))
        return self._add(SessionUser(self._settings.user, "", self._clock(), redeeming))

    async def _redeem(
        self, code: str, verifier: str, ask: Callable[[_Question], Awaitable[str | None]] = _ask_once
    ) -> str | None:
        """Return the token for an authorization code; None if it is not one of somebody who may use this session."""
        form = {
            "client_id": self._settings.client_id,
            "client_secret": self._settings.api_token,
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._redirect_uri,
            "code_verifier": verifier,
        }
        token = await ask(lambda: self._hub.exchange(form))
        return token if token and await ask(lambda: self._name_if_allowed(token)) is not None else None

    async def _redeem_or_refuse(self, code: str, verifier: str) -> str | None:
        """Do the same, with patience for a hub that restarts; one that does not respond has not accepted the code."""
        try:
            return await self._redeem(code, verifier, self._ask_until_it_responds)
        except OSError:
            return None

    async def _ask_until_it_responds(self, question: _Question) -> str | None:
        begun = self._clock()
        while True:
            try:
                return await question()
            except OSError:
                if self._clock() - begun > RESTART_S:
                    raise
            await asyncio.sleep(PAUSE_S)

    def _add(self, user: SessionUser) -> str:
        """Add a user, and return their cookie."""
        cookie = secrets.token_urlsafe(32)
        while len(self._users) >= MAX_USERS:
            self._users.pop(next(iter(self._users)))
        self._users[cookie] = user
        return cookie

    async def user_of(self, cookie: str | None) -> SessionUser | None:
        """Return the user of this cookie, if still allowed; query the hub if its last answer is too old."""
        user = self._users.get(cookie) if cookie else None
        if user is None or cookie is None:
            return None
        if user.redeeming is not None and not await self._is_accepted(user):
            self._users.pop(cookie, None)
            return None
        age = self._clock() - user.asked
        if age <= ASK_AGAIN_S:
            return user
        try:
            allowed = await self._name_if_allowed(user.token) is not None
        except OSError:
            allowed = age <= HUB_AWAY_S
        else:
            user.asked = self._clock()
        if not allowed:
            self._users.pop(cookie, None)
            return None
        return user

    async def _is_accepted(self, user: SessionUser) -> bool:
        """Wait for the hub's answer to a launch's login, and return whether it was accepted."""
        assert user.redeeming is not None
        # shielded: others wait for the same answer
        token = await asyncio.shield(user.redeeming)
        if token is None:
            return False
        user.token, user.asked, user.redeeming = token, self._clock(), None
        return True

    async def _name_if_allowed(self, token: str) -> str | None:
        user = await self._hub.user_of(token)
        scopes = user.get("scopes") if user else None
        if (
            user is None
            or not isinstance(scopes, list)
            or not any(one in self._settings.access_scopes for one in scopes)
            or not is_owner(str(user.get("name", "")), self._settings.user)
        ):
            return None
        return str(user.get("name", ""))

    def _drop_old_attempts(self) -> None:
        now = self._clock()
        self._attempts = {state: one for state, one in self._attempts.items() if now - one.begun <= LOGIN_TIME_S}
        while len(self._attempts) >= MAX_LOGINS:
            self._attempts.pop(next(iter(self._attempts)))

    def _own_path(self, path: str) -> str:
        """Return the page to return to: one of this session's, or its first page."""
        inside = path.startswith(self._settings.prefix) and "//" not in path and "\\" not in path
        return path if inside and path.isprintable() else self._settings.prefix

    @property
    def _redirect_uri(self) -> str:
        return self._settings.callback_url or f"{self._settings.prefix}oauth_callback"
