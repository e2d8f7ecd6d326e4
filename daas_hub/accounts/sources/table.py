"""Accounts from a YAML table, for a demo, a small facility, or people that no directory has."""

from __future__ import annotations

import asyncio
import datetime
from pathlib import Path

from pydantic import Field

from daas_hub.accounts.model import Account, Identity
from daas_hub.accounts.refusals import no_account
from daas_hub.accounts.validity import End, read_end
from daas_hub.errors import DocumentError, SourceUnavailable
from daas_hub.services.yaml_document import Document, read_document


class _Login(Document):
    issuer: str = Field(min_length=1, max_length=500)
    subject: str = Field(min_length=1, max_length=255)


class _Person(Document):
    name: str
    uid: int
    gid: int
    groups: dict[str, int] = {}
    display_name: str = ""
    roles: list[str] = []
    mail: str = ""
    valid_until: str | datetime.date | None = None
    logins: list[_Login] = Field(min_length=1)


class _Table(Document):
    accounts: list[_Person]


class AccountTable:
    """An account source that reads a file, again whenever it changes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen: tuple[int, int] = (0, 0)
        self._accounts: dict[tuple[str, str], Account] = {}
        self._read_if_changed()

    async def account_of(self, identity: Identity) -> Account:
        """Return the account of this identity (see `AccountSource`)."""
        await self._read()
        account = self._accounts.get((identity.issuer, identity.subject))
        if account is None:
            raise no_account()
        return account

    async def account_named(self, name: str) -> Account:
        """Return the account of this name (see `NamedAccounts`)."""
        await self._read()
        account = next((one for one in self._accounts.values() if one.name == name), None)
        if account is None:
            raise no_account()
        return account

    @property
    def names(self) -> frozenset[str]:
        """The names of the accounts when the file was last read."""
        return frozenset(account.name for account in self._accounts.values())

    async def _read(self) -> None:
        try:
            await asyncio.to_thread(self._read_if_changed)
        except DocumentError as error:
            raise SourceUnavailable(
                "The accounts are not available at the moment.",
                remedy="The problem has been logged.",
                kind=error.kind,
                detail=f"table: {error}",
            ) from error

    def _read_if_changed(self) -> None:
        try:
            status = self.path.stat()
            stamp = (status.st_mtime_ns, status.st_size)
        except OSError:
            stamp = (-1, -1)
        if stamp == self._seen:
            return
        self._accounts = _accounts_of(self.path, read_document(self.path, _Table))
        self._seen = stamp


def _accounts_of(path: Path, table: _Table) -> dict[tuple[str, str], Account]:
    """Index the table by login. A duplicate login or uid is an error."""
    found: dict[tuple[str, str], Account] = {}
    uids: dict[int, str] = {}
    names: dict[str, int] = {}
    for person in table.accounts:
        if names.setdefault(person.name, person.uid) != person.uid:
            raise DocumentError(
                str(path), 1, f"the account {person.name} has the uids {names[person.name]}, {person.uid}"
            )
        if uids.setdefault(person.uid, person.name) != person.name:
            raise DocumentError(str(path), 1, f"uid {person.uid} belongs to both {uids[person.uid]} and {person.name}")
        account = Account(
            name=person.name,
            uid=person.uid,
            gid=person.gid,
            groups=tuple(person.groups.values()),
            group_names={number: name for name, number in person.groups.items()},
            display_name=person.display_name,
            roles=frozenset(person.roles),
            memberships=frozenset(person.groups),
            ends=_ends_of(path, person),
            mail=person.mail,
        )
        for login in person.logins:
            key = (login.issuer, login.subject)
            if key in found:
                raise DocumentError(str(path), 1, f"the login {login.subject!r} of {login.issuer} is there twice")
            found[key] = account
    return found


def _ends_of(path: Path, person: _Person) -> tuple[End, ...]:
    if person.valid_until is None:
        return ()
    try:
        return (read_end(person.valid_until),)
    except ValueError as error:
        raise DocumentError(str(path), 1, f"valid_until of {person.name} {error}") from None
