"""Login through a web server that has signed the user in: Umbrella's classic attributes from Shibboleth.

The web server protects one address of the hub, `/hub/proxy_login`, and sends the person's persistent identifier
(EAAHash) in a header, with a proof (`signature`). Nothing else in the request is trusted: no other name, and no header
at any other address.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote, urlsplit

from jupyterhub.handlers import BaseHandler
from tornado import web
from tornado.httputil import HTTPServerRequest

from daas_hub.authenticators.fixed_lifetime import FixedLifetime
from daas_hub.authenticators.login_methods import Login
from daas_hub.authenticators.no_account import NoAccountMixin
from daas_hub.authenticators.trusted_proxy.settings import ProxySettings
from daas_hub.authenticators.trusted_proxy.signature import NoSubject, Proofs, UnusableSubject
from daas_hub.errors import ConfigurationError, NoAccount, Refused, SourceUnavailable
from daas_hub.log_redaction import redact_header
from daas_hub.portal.hub_requests import public_origin

NAME = "proxy"


class TrustedProxyMethod(FixedLifetime):
    """The web server in front, as a login method."""

    def __init__(self, settings: ProxySettings, clock: Callable[[], float] = time.time) -> None:
        super().__init__(NAME, settings.title, settings.issuer, hours=settings.hours, clock=clock)
        self._settings = settings
        self._proofs = Proofs(settings.rules, clock)
        # the web server may sign the browser out there before it sends it back
        issuer = urlsplit(settings.issuer)
        self.logout_origins = (f"https://{issuer.netloc}",) if issuer.scheme == "https" and issuer.netloc else ()
        # after an error, JupyterHub logs every header of the request
        for name in (settings.rules.proof_header, settings.rules.subject_header):
            redact_header(name)

    def handlers(self) -> list[tuple[Any, ...]]:
        """Return the handler of the one address that the web server protects."""
        return [(r"/proxy_login", ProxyLoginHandler, {"method": self})]

    def login_of(self, handler: BaseHandler) -> Login:
        """Return the login that a request proves.

        Raises:
            Refused: the proof is missing or invalid, or the user has no subject.
            SourceUnavailable: the secret cannot be read.
        """
        request = handler.request
        try:
            subject = self._proofs.subject_of(
                request.headers.get_list, host=request.host, path=request.path, peer=client_of_proxy(request)
            )
        except NoSubject as problem:
            raise self._no_attribute(problem) from None
        except ConfigurationError as problem:
            raise SourceUnavailable(
                "This sign-in is not possible at the moment.",
                remedy="Please tell the administrators.",
                detail=str(problem),
                kind=problem.kind,
            ) from None
        # its classic name, for sources of accounts that read a claim
        return self.signed_in(subject, {"EAAHash": subject})

    def _no_attribute(self, problem: NoSubject) -> NoSubject:
        """Return the refusal of a user without a usable attribute, with its name."""
        attribute = self._settings.attribute
        what = f"no attribute {attribute}"
        if isinstance(problem, UnusableSubject):
            what = f"an attribute {attribute} that has several values, or characters that no identifier has"
        return type(problem)(
            f"{self.title} has signed you in, but sent {what}. The portal knows you by this attribute.",
            remedy=f"Please sign in again with a login that has {attribute}. If yours should have it, tell the "
            f"administrators: {self.title} must release {attribute} to this portal.",
        )

    async def logout_url(self, state: Mapping[str, Any], return_to: str) -> str:
        """Return the address where a browser signs out of the web server as well; "" if there is none."""
        return self._settings.logout_url.replace("{return_to}", quote(return_to, safe=""))


def client_of_proxy(request: HTTPServerRequest) -> str:
    """Return the address of the client of the portal's own proxy: the last one that was appended to the header.

    What a client sent itself is before it. Without the header there was no proxy, and the client is the hub's.
    """
    forwarded = ",".join(request.headers.get_list("X-Forwarded-For")).rpartition(",")[2].strip()
    address = getattr(getattr(request.connection, "context", None), "address", None)
    return forwarded or (str(address[0]) if isinstance(address, tuple) and address else "")


class ProxyLoginHandler(NoAccountMixin):
    """The address that the web server in front protects: users arrive signed in."""

    _refusal: Refused | None = None

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
        except web.HTTPError:
            if self._refusal is None or not self.authenticator.portal:
                raise
            await self._show_refusal(self._refusal)
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
            self._refusal = refusal
            raise

    async def _show_refusal(self, refusal: Refused) -> None:
        """Respond with a page that leads back; the web server would send the same user again at once."""
        login_page = f"{public_origin(self)}{self.hub.base_url}login"
        again = await self.method.logout_url({}, login_page) or self.settings["login_url"]
        self.set_status(403)
        self.finish(
            await self.render_template(
                "message.html",
                title="Not signed in",
                heading="You could not be signed in",
                text=refusal.message,
                advice=[str(refusal.remedy)],
                actions=[{"title": "Sign in again", "url": again}],
            )
        )
