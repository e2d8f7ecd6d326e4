"""The account services of a CALIPSOplus portal: an Umbrella hash gives a local name, a name gives whether it is staff.

The name is the service's answer and nothing else; its numbers come from a source that knows accounts by name.
"""

from __future__ import annotations

import logging
from dataclasses import replace

from daas_hub.errors import AccountRefused, SourceUnavailable
from daas_hub.identity.records import Account, Identity, NamedAccounts
from daas_hub.identity.refusals import unknown
from daas_hub.identity.service import Service
from daas_hub.identity.templates import claims_of, fill, values_of

_log = logging.getLogger("jupyterhub.daas")


class LinkedAccounts:
    """An account source of two steps: hash to name at the user office, name to account at `accounts`."""

    def __init__(
        self,
        accounts: NamedAccounts,
        hash_url: str,
        hash_template: str,
        issuers: frozenset[str],
        is_staff_url: str = "",
        *,
        open_service: Service,
        closed_service: Service,
    ) -> None:
        self._accounts = accounts
        self._hash_url = hash_url
        self._hash = hash_template
        self.issuers = issuers
        self._is_staff_url = is_staff_url
        # the hash service takes no credentials in these portals, and must not be shown any
        self._open, self._closed = open_service, closed_service
        self.claims = claims_of(hash_template)

    async def account_of(self, identity: Identity) -> Account:
        """Give the account of this identity (see `AccountSource`)."""
        if identity.issuer not in self.issuers:
            raise unknown()
        eaa_hash = fill(self._hash, values_of(identity, self._hash))
        status, document = await self._open.ask("POST", self._hash_url, {"eaa_hash": eaa_hash})
        if status == 404:
            raise unknown()
        account = await self.account_named(name_of(document))
        if await self._is_staff(account.name):
            account = replace(account, roles=account.roles | {"staff"})
        return account

    async def account_named(self, name: str) -> Account:
        """Give the account of exactly this name (see `NamedAccounts`)."""
        return await self._accounts.account_named(name)

    async def _is_staff(self, name: str) -> bool:
        """Tell whether the user office calls this account staff. No answer is no."""
        if not self._is_staff_url:
            return False
        try:
            _, document = await self._closed.ask("POST", self._is_staff_url, {"login": name})
        except SourceUnavailable:
            return False
        return isinstance(document, dict) and document.get("result") is True


def name_of(document: object) -> str:
    """Give the local name of an answer: {"login": x}, {"username": x}, or x alone. Pure.

    Raises:
        AccountRefused: it is none of these.
    """
    if isinstance(document, dict):
        document = document.get("login", document.get("username"))
    if not isinstance(document, str) or not 1 <= len(document) <= 255 or not document.isprintable():
        raise AccountRefused("The user office linked your login to no proper account.", remedy="Please tell them.")
    return document
