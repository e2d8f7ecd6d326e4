"""Login through a web server that has signed the user in: Umbrella's classic attributes from Shibboleth.

The web server protects one address of the hub, `/hub/proxy_login`, and sends the person's persistent identifier
(EAAHash) in a header, with a proof (`signature`). Nothing else in the request is trusted: no name, no address, and no
header at any other address.
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
#: Shorter secrets can be guessed.
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
        hours: lifetime of a login; it cannot be verified again.
    """

    title: str
    issuer: str
    rules: ProofRules
    hours: float = 12.0


def read_proxy(setting: str, options: Mapping[str, Any]) -> ProxySettings:
    """Return the settings of a web server in front.

    Raises:
        ConfigurationError: naming the key that cannot work; the secret is never shown.
    """

    def wrong(key: str, message: str, remedy: str) -> ConfigurationError:
        return ConfigurationError(f"{setting}[{key!r}]", options.get(key), message, remedy=remedy)

    for key, value in options.items():
        if key not in _KEYS:
            near = get_close_matches(str(key), _KEYS, n=1)
            known = ", ".join(_KEYS)
            raise wrong(key, "there is no such key", f"Did you mean {near[0]!r}?" if near else f"Known: {known}.")
        if not isinstance(value, _KEYS[key]) or isinstance(value, bool):
            raise wrong(key, "has the wrong type", "See docs/how-to/login-umbrella-through-a-web-server.md.")
    for key in ("issuer", "secret_file"):
        if not options.get(key):
            raise wrong(key, "is not set", "See docs/how-to/login-umbrella-through-a-web-server.md.")
    if options.get("proof", "signature") not in ("signature", "secret"):
        raise wrong("proof", "is not a kind of proof", 'Use "signature" or "secret".')
    for key in ("max_age_s", "hours"):
        if options.get(key, 1) <= 0:
            raise wrong(key, "is not a positive number", "Use a number above 0.")
    where, file = f"{setting}['secret_file']", str(options["secret_file"])
    if len(read_secret(where, file)) < LEAST_SECRET:
        raise ConfigurationError(
            where,
            file,
            f"holds fewer than {LEAST_SECRET} characters",
            remedy="Write the output of openssl rand -hex 32.",
        )
    rules = ProofRules(
        secret=lambda: read_secret(where, file),
        signed=options.get("proof", "signature") == "signature",
        subject_header=options.get("subject_header", "X-Daas-Subject"),
        proof_header=options.get("proof_header", "X-Daas-Proof"),
        max_age_s=float(options.get("max_age_s", 60.0)),
    )
    return ProxySettings(
        options.get("title", "UmbrellaID"), options["issuer"], rules, float(options.get("hours", 12.0))
    )


class TrustedProxyMethod(FixedLifetime):
    """The web server in front, as a login method."""

    def __init__(self, settings: ProxySettings, clock: Callable[[], float] = time.time) -> None:
        super().__init__(NAME, settings.title, settings.issuer, hours=settings.hours, clock=clock)
        self._proofs = Proofs(settings.rules, clock)

    def handlers(self) -> list[tuple[Any, ...]]:
        """Return the handler of the one address that the web server protects."""
        return [(r"/proxy_login", ProxyLoginHandler, {"method": self})]

    def login_of(self, handler: BaseHandler) -> Login:
        """Return the login that a request proves.

        Raises:
            Refused: the proof is missing or invalid.
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
        # its classic name, for sources of accounts that read a claim
        return self.signed_in(subject, {"EAAHash": subject})


class ProxyLoginHandler(NoAccountMixin):
    """The address that the web server in front protects: users arrive signed in."""

    def initialize(self, method: TrustedProxyMethod) -> None:
        """Take the login method."""
        self.method = method

    async def get(self) -> None:
        """Sign in the user whom the web server names, if the proof is valid."""
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
        """Return the login that this request proves; called by the authenticator.

        Raises:
            Refused, SourceUnavailable: with a message for the user.
        """
        try:
            return self.method.login_of(self)
        except Refused as refusal:
            self.log.warning("sign-in through the web server in front, from %s: %s", self.request.remote_ip, refusal)
            raise
