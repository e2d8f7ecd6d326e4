"""Asks a real directory through the settings of `LdapAccounts`, from a test that is not asynchronous."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from traitlets.config import Config

from daas_hub.accounts import Account, Identity
from daas_hub.accounts.sources.ldap.settings import LdapAccounts
from daas_hub.accounts.sources.ldap.source import LdapSource

ISSUER = "https://login.example.org"
_Answer = TypeVar("_Answer")


def with_source(settings: dict[str, Any], ask: Callable[[LdapSource], Awaitable[_Answer]]) -> _Answer:
    """Build a source, ask it, close it, and return its answer."""

    async def run() -> _Answer:
        source = LdapAccounts(config=Config({"LdapAccounts": {"issuers": [ISSUER]} | settings})).source()
        assert isinstance(source, LdapSource)
        try:
            return await ask(source)
        finally:
            source.close()

    return asyncio.run(run())


def account_of(settings: dict[str, Any], subject: str) -> Account:
    """Return the account of a login."""
    return with_source(settings, lambda source: source.account_of(Identity(ISSUER, subject)))


def name_if_password(settings: dict[str, Any], name: str, password: str) -> str:
    """Return the name if the password is correct."""
    return with_source(settings, lambda source: source.name_if_password(name, password))
