"""The account services of a CALIPSOplus portal: an Umbrella hash gives a local name, a name whether it is authorised.

The name is the service's answer and nothing else; its numbers come from a source that knows accounts by name. A third
service tells whether a name and a password belong together.
"""

from __future__ import annotations

import logging
from dataclasses import replace

from daas_hub.accounts.model import Account, Identity, NamedAccounts
from daas_hub.accounts.refusals import unknown
from daas_hub.accounts.roles import OWN_RESOURCES
from daas_hub.accounts.sources.rest.service import Service
from daas_hub.accounts.templates import claims_of, fill, values_of
from daas_hub.errors import AccountRefused, SourceUnavailable

_log = logging.getLogger("jupyterhub.daas")


class LinkedAccounts:
    """An account source of two steps: hash to name at the user office, name to account at `accounts`."""

    def __init__(
        self,
        accounts: NamedAccounts,
        hash_url: str,
        hash_template: str,
        issuers: frozenset[str],
        is_authorized_url: str = "",
        *,
        open_service: Service,
        closed_service: Service,
    ) -> None:
        self._accounts = accounts
        self._hash_url = hash_url
        self._hash = hash_template
        self.issuers = issuers
        self._is_authorized_url = is_authorized_url
        #: whether this source says who may launch applications without a proposal
        self.restricts_own_resources = bool(is_authorized_url)
        # the hash service takes no credentials in these portals, and must not be shown any
        self._open, self._closed = open_service, closed_service
        self.claims = claims_of(hash_template)

    async def account_of(self, identity: Identity) -> Account:
        """Return the account of this identity (see `AccountSource`)."""
        if identity.issuer not in self.issuers:
            raise unknown()
        eaa_hash = fill(self._hash, values_of(identity, self._hash))
        status, document = await self._open.ask("POST", self._hash_url, {"eaa_hash": eaa_hash})
        if status == 404:
            raise unknown()
        account = await self.account_named(name_of(document))
        if await self._is_authorized(account.name):
            account = replace(account, roles=account.roles | {OWN_RESOURCES})
        return account

    async def account_named(self, name: str) -> Account:
        """Return the account of exactly this name (see `NamedAccounts`)."""
        return await self._accounts.account_named(name)

    async def _is_authorized(self, name: str) -> bool:
        """Return whether the user office authorises this account for own resources. No answer means no."""
        if not self._is_authorized_url:
            return False
        try:
            _, document = await self._closed.ask("POST", self._is_authorized_url, {"login": name})
        except SourceUnavailable as problem:
            _log.warning("own resources of %s: not authorised, because %s", name, problem.detail or problem.message)
            return False
        return isinstance(document, dict) and document.get("result") is True


class PasswordCheck:
    """Asks the login of a CALIPSOplus portal (there: BACKEND_UO_LOGIN) whether a name and a password belong together.

    It says yes or no and nothing about whose account that is: the name that was typed is looked up elsewhere, and the
    service may take it in other capitals than the account has.
    """

    def __init__(self, login_url: str, service: Service) -> None:
        """Keep where to ask; the service must have no credentials of its own, for this address takes none."""
        if service.user or service.token_file:
            raise ValueError("the login takes no credentials but the person's, and must be shown no others")
        self._url = login_url
        self._service = service

    async def check_password(self, name: str, password: str) -> bool:
        """Return whether the user office accepts them. Only its status 200 is yes; 400, 401, 403 and 404 are no.

        Raises:
            SourceUnavailable: it did not answer, failed, or led elsewhere. The password is in no message and no log.
        """
        if not name or not password or not name.isprintable() or len(name) > 255 or len(password) > 1024:
            return False
        return await self._service.is_accepted(self._url, {"username": name, "password": password})


def name_of(document: object) -> str:
    """Return the local name of an answer: {"login": x}, {"username": x}, or x alone. Pure.

    Raises:
        AccountRefused: it is none of these.
    """
    if isinstance(document, dict):
        document = document.get("login", document.get("username"))
    if not isinstance(document, str) or not 1 <= len(document) <= 255 or not document.isprintable():
        raise AccountRefused("The user office linked your login to no proper account.", remedy="Please tell them.")
    return document
