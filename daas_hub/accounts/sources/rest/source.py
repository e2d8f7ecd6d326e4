"""Accounts from a user office that answers with a JSON document; which field means what is configuration."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from daas_hub.accounts.json_values import at, number, text
from daas_hub.accounts.model import Account, Identity
from daas_hub.accounts.refusals import unknown
from daas_hub.accounts.sources.rest.service import Service
from daas_hub.accounts.templates import claims_of, fill, values_of
from daas_hub.errors import AccountRefused, ErrorKind

_log = logging.getLogger("jupyterhub.daas")


@dataclass(frozen=True)
class Fields:
    """Paths into the document, "account.unix.uid"; "" for what it does not tell."""

    name: str = "name"
    uid: str = "uid"
    gid: str = "gid"
    groups: str = ""
    group_gid: str = "gid"
    group_name: str = "name"
    display_name: str = ""
    subject: str = ""


@dataclass(frozen=True)
class Question:
    """What is asked about a login; `by_name` is the address for an account's name, "" if there is none."""

    url: str
    body: Mapping[str, str] | None = None
    by_name: str = ""


class OfficeAccounts:
    """An account source that asks a web service of the user office."""

    def __init__(self, service: Service, question: Question, fields: Fields, issuers: frozenset[str]) -> None:
        self._service = service
        self._question = question
        self._fields = fields
        self.issuers = issuers
        templates = [question.url, *(question.body or {}).values()]
        self.claims = frozenset[str]().union(*map(claims_of, templates))
        self.account_named = self._account_named if question.by_name else None

    async def account_of(self, identity: Identity) -> Account:
        """Return the account of this identity (see `AccountSource`)."""
        if self.issuers and identity.issuer not in self.issuers:
            raise unknown()
        url = fill(self._question.url, values_of(identity, self._question.url), escaped)
        body = None
        if self._question.body is not None:
            body = {key: fill(value, values_of(identity, value)) for key, value in self._question.body.items()}
        _, document = await self._service.ask("GET" if body is None else "POST", url, body)
        found = the_one(document)
        if self._fields.subject and at(found, self._fields.subject) != identity.subject:
            _log.warning("account service: the answer is about another subject than was asked for")
            raise unknown()
        return account_of_document(found, self._fields)

    async def _account_named(self, name: str) -> Account:
        url = fill(self._question.by_name, {"account": name}, escaped)
        _, document = await self._service.ask("GET", url)
        account = account_of_document(the_one(document), self._fields)
        if account.name != name:
            raise unknown()
        return account


def escaped(value: str) -> str:
    """Return a value as one part of an address; "." and ".." would be none."""
    if value in (".", ".."):
        raise unknown()
    return quote(value, safe="")


def the_one(document: object) -> Mapping[str, Any]:
    """Return the only record of an answer: the object itself, or the one in a list. Pure.

    Raises:
        AccountRefused: there are several, or it is something else.
        NoAccount: there is none.
    """
    if document is None or document == []:
        raise unknown()
    if isinstance(document, list) and len(document) > 1:
        raise _refused("it has more than one record for your login", ErrorKind.AMBIGUOUS_ACCOUNT)
    if isinstance(document, list):
        document = document[0]
    if not isinstance(document, dict):
        raise _refused("it is no record")
    return document


def account_of_document(document: Mapping[str, Any], fields: Fields) -> Account:
    """Return the account a record describes. Pure.

    Raises:
        AccountRefused: a field is missing, or has the wrong type.
    """

    def read(kind: Any, path: str, told: object) -> Any:
        try:
            return kind(told)
        except ValueError as error:
            raise _refused(f"its {path} {error}") from None

    groups: dict[int, str] = {}
    listed = at(document, fields.groups) if fields.groups else []
    if not isinstance(listed, list):
        raise _refused(f"its {fields.groups} is not a list")
    for one in listed:
        told = at(one, fields.group_gid) if isinstance(one, dict) else one
        label = at(one, fields.group_name)
        groups[read(number, fields.groups, told)] = label if isinstance(label, str) and label.isprintable() else ""
    gid = read(number, fields.gid, at(document, fields.gid))
    shown = at(document, fields.display_name) if fields.display_name else ""
    return Account(
        name=read(text, fields.name, at(document, fields.name)),
        uid=read(number, fields.uid, at(document, fields.uid)),
        gid=gid,
        groups=tuple(sorted(group for group in groups if group != gid)),
        group_names={group: label for group, label in groups.items() if label},
        display_name=shown[:200] if isinstance(shown, str) and shown.isprintable() else "",
        memberships=frozenset(label for label in groups.values() if label),
    )


def _refused(why: str, kind: ErrorKind = ErrorKind.ACCOUNT_UNUSABLE) -> AccountRefused:
    _log.error("account service: the answer cannot be used: %s", why)
    return AccountRefused(
        f"What the user office says of your account cannot be used: {why}.",
        remedy="Please tell the user office.",
        kind=kind,
    )
