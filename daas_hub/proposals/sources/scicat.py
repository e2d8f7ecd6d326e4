"""Proposals from SciCat: those whose owner group or access groups are groups of the account.

SciCat answers by the permissions of the token: everything to an administrator, published proposals to a visitor. So
its answer proves nothing about a person. The query names the account's groups, and each record of the answer is checked
again: one without any of these groups is left out, whatever SciCat says.
"""

from __future__ import annotations

import json
import re
from typing import Any

from traitlets import List, Unicode
from traitlets.config import Configurable

from daas_hub.accounts import Account
from daas_hub.errors import ConfigurationError
from daas_hub.proposals.fields import values_at
from daas_hub.proposals.http_source import ProposalService, ServicePage
from daas_hub.proposals.model import Query
from daas_hub.proposals.reading import Reading
from daas_hub.services.http import Conversation, Reply
from daas_hub.services.secret_file import read_secret

#: Proposals per request.
PAGE = 100

#: SciCat's names of our columns. MongoDB sorts lists by the latest item descending, by the earliest ascending.
_ORDERS = {"id": "proposalId", "title": "title", "latest": "MeasurementPeriodList.start"}
#: The fields that are searched.
_SEARCHED = ("proposalId", "title", "abstract", "MeasurementPeriodList.instrument", "instrumentIds")


class SciCatProposals(ProposalService):
    """Proposals from SciCat, by the account's groups: `Facility.proposals = "scicat"`."""

    source = "scicat"
    MAKES_PAGES = True
    SORTS = tuple(_ORDERS)
    FIELDS = {
        "id": "proposalId",
        "title": "title",
        "abstract": "abstract",
        "beamlines": "MeasurementPeriodList.instrument|instrumentIds",
        "group": "ownerGroup",
        "visits": "MeasurementPeriodList",
        # periods have no number in SciCat: they are numbered in their order
        "visit.number": "number",
        "visit.title": "comment",
        "visit.beamline": "instrument",
        "visit.start": "start",
        "visit.end": "end",
    }

    url = Unicode(
        config=True,
        help="""
        URL of SciCat's backend, including the prefix and version of its API. No default.
        Example: "https://scicat.facility.org/api/v3".
        """,
    )
    user = Unicode(
        config=True,
        help="""
        The portal's functional account in SciCat, which must see every proposal. Set either `user` or `token_file`.
        Default: none. Example: "proposalReader".
        """,
    )
    password_file = Unicode(
        config=True,
        help="""
        File with the password of `user`, readable by the hub's user only. Required with `user`.
        Example: "/etc/daas-hub/secrets/scicat".
        """,
    )
    token_file = Unicode(
        config=True,
        help="""
        File with an access token for SciCat, readable by the hub's user only. It is read again for each query. Set
        either `user` or `token_file`. Default: none. Example: "/run/secrets/scicat-token".
        """,
    )
    group_fields = List(
        Unicode(),
        default_value=["ownerGroup", "accessGroups"],
        config=True,
        help="""
        Fields of a proposal with the names of groups whose members may see it. Example: ["ownerGroup"].
        """,
    )

    def __init__(self, facility: Configurable | None = None, **kwargs: Any) -> None:
        super().__init__(facility, **kwargs)
        if bool(self.user) == bool(self.token_file):
            raise ConfigurationError(
                self.setting("user"),
                self.user,
                "is set together with token_file, or neither is",
                remedy="Set one of them.",
            )
        name = "password_file" if self.user else "token_file"
        read_secret(self.setting(name), getattr(self, name))
        if not self.group_fields:
            raise ConfigurationError(self.setting("group_fields"), [], "is empty", remedy='Example: ["ownerGroup"].')
        self._token = ""

    async def records_of(self, talk: Conversation, account: Account, limit: int) -> list[Any]:
        """Ask for the proposals with a group of this account; without groups nothing is asked."""
        return await self._all(talk, account, [], limit)

    async def records_called(self, talk: Conversation, account: Account, proposal_id: str) -> list[Any] | None:
        """Ask for the proposal with this id, ignoring case, if it has a group of this account."""
        if not self.has_usual("id"):
            return None
        called = {"proposalId": {"$regex": f"^{re.escape(proposal_id)}$", "$options": "i"}}
        return await self._all(talk, account, [called], self.max_records)

    async def find(self, talk: Conversation, account: Account, query: Query) -> ServicePage | None:
        """Ask for one page and the number of matches."""
        groups = groups_of(account)
        if not groups:
            return ServicePage([], 0, 0)
        where = self._where(groups, [_with_word(word) for word in query.search.split()])
        said = await self._ask(talk, {"where": where}, "proposals", "count", asked_for="the number of proposals")
        total = said.document.get("count") if said.status == 200 and isinstance(said.document, dict) else None
        if isinstance(total, bool) or not isinstance(total, int):
            return None
        order = f"{_ORDERS[query.sort.removeprefix('-')]}:{'desc' if query.sort.startswith('-') else 'asc'}"
        limits = {"limit": query.page_size, "skip": (query.page - 1) * query.page_size, "order": order}
        rows = await self._rows(talk, {"where": where, "limits": limits})
        # a server that ignores the filter also counts proposals of others
        return ServicePage(rows, len(rows), total) if all(self._is_of(row, groups) for row in rows) else None

    async def _all(self, talk: Conversation, account: Account, more: list[dict[str, Any]], limit: int) -> list[Any]:
        groups = groups_of(account)
        if not groups:
            return []
        where = self._where(groups, more)
        records: list[Any] = []
        rows: list[Any] = []
        for start in range(0, self.max_records + PAGE + 1, PAGE):
            limits = {"limit": PAGE, "skip": start, "order": "proposalId:asc"}
            rows = await self._rows(talk, {"where": where, "limits": limits})
            records += [row for row in rows if self._is_of(row, groups)]
            self.require_within(records, limit)
            if len(rows) < PAGE:
                return records
        talk.give_up("endless pages")

    def _where(self, groups: list[str], more: list[dict[str, Any]]) -> dict[str, Any]:
        of_groups = {"$or": [{field: {"$in": groups}} for field in self.group_fields]}
        return {"$and": [of_groups, *more]} if more else of_groups

    def read(self, records: list[Any], account: Account) -> Reading:
        """Read records after numbering their periods; a proposal without periods has one visit."""
        return super().read([numbered(record) for record in records], account)

    def _is_of(self, row: Any, groups: list[str]) -> bool:
        named = {name for field in self.group_fields for name in values_at(row, field) if isinstance(name, str)}
        return not named.isdisjoint(groups)

    async def _rows(self, talk: Conversation, filters: dict[str, Any]) -> list[Any]:
        asked_for = "the proposals of an account's groups"
        rows: list[Any] = talk.require(await self._ask(talk, filters, "proposals", asked_for=asked_for), list)
        return rows

    async def _ask(self, talk: Conversation, filters: dict[str, Any], *path: str, asked_for: str) -> Reply:
        for is_last in (False, True):
            token = await self.secret("token_file") if self.token_file else self._token or await self._log_in(talk)
            reply = await talk.get(
                self.address(*path),
                asked_for,
                params={"filters": json.dumps(filters)},
                headers={"Authorization": f"Bearer {token}"},
            )
            if reply.status != 401 or not self._token or is_last:
                break
            # expired: the functional account logs in again, once
            self._token = ""
        return reply

    async def _log_in(self, talk: Conversation) -> str:
        credentials = {"username": self.user, "password": await self.secret("password_file")}
        reply = await talk.post(self.address("auth", "login"), "a token", document=credentials)
        token = talk.require(reply, dict).get("access_token")
        if not isinstance(token, str) or not token.isprintable() or not token:
            talk.give_up("an object without a token")
        self._token = token
        return token


def groups_of(account: Account) -> list[str]:
    """Return the names of an account's groups. Pure."""
    return sorted(set(account.group_names.values()))


def _with_word(word: str) -> dict[str, Any]:
    """Return the condition that a proposal has this word somewhere. Pure."""
    pattern = {"$regex": re.escape(word), "$options": "i"}
    return {"$or": [{field: pattern} for field in _SEARCHED]}


def numbered(record: Any) -> Any:
    """Return a proposal whose periods have the field `number`; its own times are the period if it has none. Pure."""
    if not isinstance(record, dict):
        return record
    periods = record.get("MeasurementPeriodList")
    if not isinstance(periods, list) or not periods:
        periods = [{"start": record.get("startTime"), "end": record.get("endTime")}]
    counted = [
        {"number": index} | period if isinstance(period, dict) else period for index, period in enumerate(periods, 1)
    ]
    return record | {"MeasurementPeriodList": counted}
