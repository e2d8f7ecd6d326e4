"""Login through a web server that has signed the user in: Umbrella's classic attributes from Shibboleth.

The web server protects one address of the hub, `/hub/proxy_login`, and passes the person's persistent identifier
(EAAHash) on in a header, with a proof (`proxyproof`). Nothing else of the request is believed: no name, no address, and
no header anywhere else.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from jupyterhub.handlers import BaseHandler
from tornado import web

from daas_hub.authenticators.fixed_lifetime import FixedLifetime
from daas_hub.authenticators.login_methods import Login
from daas_hub.authenticators.no_account import NoAccountMixin
from daas_hub.authenticators.trusted_proxy.signature import ProofRules, Proofs
from daas_hub.errors import ConfigurationError, NoAccount, Refused, SourceUnavailable
from daas_hub.services.secret_file import read_secret

NAME = "proxy"
#: A secret that can be guessed is none.
LEAST_SECRET = 32

_KEYS: dict[str, type | tuple[type, ...]] = {
    "title": str,
    "issuer": str,
    "secret_file": str,
    "proof": str,
    "subject_header": str,
    "proof_header": str,
    "max_age_s": (int, float),
    "hours": (int, float),
}


@dataclass(frozen=True)
class ProxySettings:
    """A web server in front, complete and checked.

    Attributes:
        issuer: who vouches for the subject; with it the key of the identity.
        hours: a login is good for so long: nobody can be asked again.
    """

    title: str
    issuer: str
    rules: ProofRules
    hours: float = 12.0


def read_proxy(setting: str, told: Mapping[str, Any]) -> ProxySettings:
    """Return the settings of a web server in front.

    Raises:
        ConfigurationError: naming the key that cannot work; the secret is never shown.
    """

    def wrong(key: str, message: str, remedy: str) -> ConfigurationError:
        return ConfigurationError(f"{setting}[{key!r}]", told.get(key), message, remedy=remedy)

    for key, value in told.items():
        if key not in _KEYS:
            near = get_close_matches(str(key), _KEYS, n=1)
            known = ", ".join(_KEYS)
            raise wrong(key, "there is no such key", f"Did you mean {near[0]!r}?" if near else f"Known: {known}.")
        if not isinstance(value, _KEYS[key]) or isinstance(value, bool):
            raise wrong(key, "has the wrong type", "See docs/how-to/login-umbrella-through-a-web-server.md.")
    for key in ("issuer", "secret_file"):
        if not told.get(key):
            raise wrong(key, "is not set", "See docs/how-to/login-umbrella-through-a-web-server.md.")
    if told.get("proof", "signature") not in ("signature", "secret"):
        raise wrong("proof", "is no proof", 'Write "signature", or "secret".')
    for key in ("max_age_s", "hours"):
        if told.get(key, 1) <= 0:
            raise wrong(key, "is no time", "Write a number above 0.")
    where, file = f"{setting}['secret_file']", str(told["secret_file"])
    if len(read_secret(where, file)) < LEAST_SECRET:
        raise ConfigurationError(
            where,
            file,
            f"holds fewer than {LEAST_SECRET} characters",
            remedy="Write the output of openssl rand -hex 32.",
        )
    rules = ProofRules(
        secret=lambda: read_secret(where, file),
        signed=told.get("proof", "signature") == "signature",
        subject_header=told.get("subject_header", "X-Daas-Subject"),
        proof_header=told.get("proof_header", "X-Daas-Proof"),
        max_age_s=float(told.get("max_age_s", 60.0)),
    )
    return ProxySettings(told.get("title", "UmbrellaID"), told["issuer"], rules, float(told.get("hours", 12.0)))


class TrustedProxyMethod(FixedLifetime):
    """The web server in front, as a login method."""

    name = NAME

    def __init__(self, settings: ProxySettings, clock: Callable[[], float] = time.time) -> None:
        super().__init__(settings.hours, clock)
        self.settings = settings
        self._proofs = Proofs(settings.rules, clock)

    @property
    def issuer(self) -> str:
        """Who vouches for the subject."""
        return self.settings.issuer

    @property
    def title(self) -> str:
        """Its name on the button."""
        return self.settings.title

    def handlers(self) -> list[tuple[Any, ...]]:
        """The one address that the web server protects."""
        return [(r"/proxy_login", ProxyLoginHandler, {"method": self})]

    def login_of(self, handler: BaseHandler) -> Login:
        """Return the login that a request proves.

        Raises:
            Refused: it proves nothing.
            SourceUnavailable: the secret cannot be read.
        """
        request = handler.request
        try:
            subject = self._proofs.subject_of(request.headers.get_list, host=request.host, path=request.path)
        except ConfigurationError as problem:
            raise SourceUnavailable(
                "This sign-in is not possible at the moment.",
                remedy="Please tell the administrators.",
                detail=str(problem),
                kind=problem.kind,
            ) from None
        # the classic name of it, for look-ups that read a claim
        return self.signed_in(subject, {"EAAHash": subject})


class ProxyLoginHandler(NoAccountMixin):
    """Where the web server in front brings somebody it has signed in."""

    def initialize(self, method: TrustedProxyMethod) -> None:
        """Take the login method."""
        self.method = method

    async def get(self) -> None:
        """Sign in whom the web server proves, and nobody else."""
        self.set_header("Cache-Control", "no-store")
        try:
            user = await self.login_user()
        except NoAccount as refusal:
            await self.show_no_account(refusal)
            return
        if user is None:
            raise web.HTTPError(403, "You could not be signed in.")
        self.redirect(self.get_next_url(user))

    async def finish_login(self) -> Login:
        """Return the login that this request proves; the authenticator asks.

        Raises:
            Refused, SourceUnavailable: with the sentence for the user.
        """
        try:
            return self.method.login_of(self)
        except Refused as refusal:
            self.log.warning("sign-in through the web server in front, from %s: %s", self.request.remote_ip, refusal)
            raise
