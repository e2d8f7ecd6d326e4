"""The account source "rest": a web service of the user office that answers with JSON."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from daas_hub.accounts.json_values import as_number, as_text, value_at
from daas_hub.accounts.model import Account, AccountFields, Identity
from daas_hub.accounts.refusals import no_account
from daas_hub.accounts.sources.rest.service import Service
from daas_hub.accounts.templates import claims_of, fill, values_of
from daas_hub.accounts.validity import read_end
from daas_hub.errors import AccountRefused, ErrorKind

_log = logging.getLogger("jupyterhub.daas")


@dataclass(frozen=True)
class Question:
    """How the service is asked about a login.

    Attributes:
        by_name: the URL for an account's name; "" if the service cannot be asked by name.
        subject: the path of the login's subject in the answer; "" if it is not compared.
    """

    url: str
    body: Mapping[str, str] | None = None
    by_name: str = ""
    subject: str = ""


class RestSource:
    """An account source that asks a web service of the user office."""

    def __init__(self, service: Service, question: Question, fields: AccountFields, issuers: frozenset[str]) -> None:
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
            raise no_account()
        url = fill(self._question.url, values_of(identity, self._question.url), escape)
        body = None
        if self._question.body is not None:
            body = {key: fill(value, values_of(identity, value)) for key, value in self._question.body.items()}
        _, document = await self._service.ask("GET" if body is None else "POST", url, body)
        found = only_record(document)
        if self._question.subject and value_at(found, self._question.subject) != identity.subject:
            _log.warning("account service: the answer is about another subject than requested")
            raise no_account()
        return account_of_document(found, self._fields)

    async def _account_named(self, name: str) -> Account:
        url = fill(self._question.by_name, {"account": name}, escape)
        _, document = await self._service.ask("GET", url)
        account = account_of_document(only_record(document), self._fields)
        if account.name != name:
            raise no_account()
        return account


def escape(value: str) -> str:
    """Return a value as one segment of a URL's path, which "." and ".." are not."""
    if value in (".", ".."):
        raise no_account()
    return quote(value, safe="")


def only_record(document: object) -> Mapping[str, Any]:
    """Return the only record of an answer: an object, or the single item of a list. Pure.

    Raises:
        AccountRefused: there are several records, or it is not a record.
        NoAccount: there is no record.
    """
    if document is None or document == []:
        raise no_account()
    if isinstance(document, list) and len(document) > 1:
        raise _refused("there is more than one record for your login", ErrorKind.AMBIGUOUS_ACCOUNT)
    if isinstance(document, list):
        document = document[0]
    if not isinstance(document, dict):
        raise _refused("it is not a record")
    return document


def account_of_document(document: Mapping[str, Any], fields: AccountFields) -> Account:
    """Return the account a record describes. Pure.

    Raises:
        AccountRefused: a field is missing, or has the wrong type.
    """

    def read(parse: Any, path: str, value: object) -> Any:
        try:
            return parse(value)
        except ValueError as error:
            raise _refused(f"its {path} {error}") from None

    groups: dict[int, str] = {}
    listed = value_at(document, fields.groups) if fields.groups else []
    if not isinstance(listed, list):
        raise _refused(f"its {fields.groups} is not a list")
    for one in listed:
        gid_of_group = value_at(one, fields.group_gid) if isinstance(one, dict) else one
        label = value_at(one, fields.group_name)
        groups[read(as_number, fields.groups, gid_of_group)] = (
            label if isinstance(label, str) and label.isprintable() else ""
        )
    gid = read(as_number, fields.gid, value_at(document, fields.gid))
    mail = value_at(document, fields.mail) if fields.mail else ""
    end = value_at(document, fields.end) if fields.end else None
    shown = value_at(document, fields.display_name) if fields.display_name else ""
    return Account(
        name=read(as_text, fields.name, value_at(document, fields.name)),
        uid=read(as_number, fields.uid, value_at(document, fields.uid)),
        gid=gid,
        groups=tuple(sorted(group for group in groups if group != gid)),
        group_names={group: label for group, label in groups.items() if label},
        display_name=shown[:200] if isinstance(shown, str) and shown.isprintable() else "",
        memberships=frozenset(label for label in groups.values() if label),
        mail=mail if isinstance(mail, str) else "",
        ends=() if end in (None, "") else (read(read_end, fields.end, end),),
    )


def _refused(why: str, kind: ErrorKind = ErrorKind.ACCOUNT_UNUSABLE) -> AccountRefused:
    _log.error("account service: invalid answer: %s", why)
    return AccountRefused(
        f"The user office's record of your account is invalid: {why}.",
        remedy="Please contact the user office.",
        kind=kind,
    )
