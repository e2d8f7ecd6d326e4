"""The login of a launch: the browser that started a session is signed in there without a redirect to the hub.

The hub gives the session the hash of a secret, and the browser the secret with an authorization code, in one cookie of
the session's path. The session that receives the cookie knows its browser, and redeems the code as in every other
login. The cookie is useless elsewhere: the code needs the session's own token and PKCE verifier.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from dataclasses import dataclass

#: The environment variable of a session with what it has to expect.
VARIABLE = "DAAS_LAUNCH_LOGIN"
COOKIE = "daas-session-launch"
#: Seconds for which it is valid. A browser that comes later signs in at the hub.
VALID_S = 30
#: The script whose contents a page of the portal and the session must have in common: two releases may differ.
PAGE_SCRIPT = "desktop.js"

_BETWEEN = "."


@dataclass(frozen=True)
class LaunchLogin:
    """What the hub knows of it while the session starts."""

    secret: str
    verifier: str

    @classmethod
    def new(cls) -> LaunchLogin:
        """Return a new one."""
        return cls(*(secrets.token_urlsafe(32) for _ in range(2)))

    def for_session(self) -> str:
        """Return what the session has to expect; the secret cannot be computed from it."""
        return json.dumps({"sha256": _digest(self.secret), "verifier": self.verifier})

    def for_browser(self, code: str) -> str:
        """Return the value of the browser's cookie."""
        return f"{self.secret}{_BETWEEN}{code}"


@dataclass(frozen=True)
class ExpectedLogin:
    """What the session knows of it."""

    digest: str
    verifier: str

    @classmethod
    def read(cls, text: str) -> ExpectedLogin | None:
        """Read what `LaunchLogin.for_session` returned; None for an empty text."""
        if not text:
            return None
        document = json.loads(text)
        return cls(str(document["sha256"]), str(document["verifier"]))

    def code_in(self, cookie: str) -> str:
        """Return the authorization code in a browser's cookie; "" unless it is the browser that launched."""
        secret, _, code = cookie.partition(_BETWEEN)
        return code if secrets.compare_digest(_digest(secret), self.digest) else ""


def challenge_of(verifier: str) -> str:
    """Return the PKCE challenge of a verifier, by the method S256 (RFC 7636, 4.2)."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode(errors="replace")).hexdigest()
