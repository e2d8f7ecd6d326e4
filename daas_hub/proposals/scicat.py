"""Proposals from SciCat: those whose owner group or access groups are groups of the account.

SciCat decides by the rights of who asks: to an administrator's token it shows everything, to a visitor what is
published. So its answer proves nothing about a person. The question names the account's groups, and each record of the
answer is looked at again: one that names none of them is not theirs, whatever SciCat thinks.
"""

from __future__ import annotations

import json
from typing import Any

from traitlets import List, Unicode
from traitlets.config import Configurable

from daas_hub.errors import ConfigurationError
from daas_hub.identity import Account
from daas_hub.proposals.fields import values_at
from daas_hub.proposals.reading import Reading
from daas_hub.proposals.service import ProposalService
from daas_hub.secretfile import read_secret
from daas_hub.webservice import Conversation, Reply

#: Proposals asked for at a time.
PAGE = 100


class SciCatProposals(ProposalService):
    """Proposals from SciCat, by the account's groups: `Facility.proposals = "scicat"`."""

    source = "scicat"
    FIELDS = {
        "id": "proposalId",
        "title": "title",
        "abstract": "abstract",
        "beamlines": "MeasurementPeriodList.instrument|instrumentIds",
        "group": "ownerGroup",
        "visits": "MeasurementPeriodList",
        # SciCat gives its periods no number: they are counted as they stand there
        "visit.number": "number",
        "visit.title": "comment",
        "visit.beamline": "instrument",
        "visit.start": "start",
        "visit.end": "end",
    }

    url = Unicode(
        config=True,
        help="""
        Address of SciCat's backend, with the prefix and version of its API.
        Example: "https://scicat.facility.org/api/v3". No default. Since 0.1.
        """,
    )
    user = Unicode(
        config=True,
        help="""
        The portal's functional account in SciCat; it must see every proposal. Example: "proposalReader". Default: none,
        and `token_file` is used. Since 0.1.
        """,
    )
    password_file = Unicode(
        config=True,
        help="""
        File with that account's password, readable by the hub's user alone. Example: "/etc/daas/secrets/scicat".
        Needed with `user`. Since 0.1.
        """,
    )
    token_file = Unicode(
        config=True,
        help="""
        File with an access token for SciCat, readable by the hub's user alone, instead of `user`; it is read at every
        question. Example: "/run/secrets/scicat-token". Default: none. Since 0.1.
        """,
    )
    group_fields = List(
        Unicode(),
        default_value=["ownerGroup", "accessGroups"],
        config=True,
        help="""
        Fields of a proposal that name groups whose members see it. Example: ["ownerGroup"]. Default: ["ownerGroup",
        "accessGroups"]. Since 0.1.
        """,
    )

    def __init__(self, facility: Configurable | None = None, **kwargs: Any) -> None:
        super().__init__(facility, **kwargs)
        if bool(self.user) == bool(self.token_file):
            raise ConfigurationError(
                self.setting("user"), self.user, "is set, or not, as token_file is", remedy="Set one of the two."
            )
        name = "password_file" if self.user else "token_file"
        read_secret(self.setting(name), getattr(self, name))
        if not self.group_fields:
            raise ConfigurationError(self.setting("group_fields"), [], "names no field", remedy='Name "ownerGroup".')
        self._token = ""

    async def records_of(self, talk: Conversation, account: Account) -> list[Any]:
        """Ask for the proposals that name a group of this account; without a group nothing is asked."""
        groups = sorted(set(account.group_names.values()))
        if not groups:
            return []
        where = {"$or": [{field: {"$in": groups}} for field in self.group_fields]}
        records: list[Any] = []
        rows: list[Any] = []
        for start in range(0, self.most_records + PAGE + 1, PAGE):
            limits = {"limit": PAGE, "skip": start, "order": "proposalId:asc"}
            rows = await self._rows(talk, {"where": where, "limits": limits})
            records += [row for row in rows if self._is_of(row, groups)]
            self.require_room(talk, records)
            if len(rows) < PAGE:
                return records
        talk.give_up("pages without end")

    def read(self, records: list[Any], account: Account) -> Reading:
        """Number the periods of each proposal; one without any was measured once, or will be."""
        return super().read([numbered(record) for record in records], account)

    def _is_of(self, row: Any, groups: list[str]) -> bool:
        named = {name for field in self.group_fields for name in values_at(row, field) if isinstance(name, str)}
        return not named.isdisjoint(groups)

    async def _rows(self, talk: Conversation, filters: dict[str, Any]) -> list[Any]:
        reply = await self._ask(talk, filters)
        if reply.status == 401 and self._token:
            # over: a functional account logs in again, once
            self._token = ""
            reply = await self._ask(talk, filters)
        rows: list[Any] = talk.require(reply, list)
        return rows

    async def _ask(self, talk: Conversation, filters: dict[str, Any]) -> Reply:
        token = await self.secret("token_file") if self.token_file else self._token or await self._log_in(talk)
        return await talk.get(
            self.address("proposals"),
            "the proposals of an account's groups",
            params={"filters": json.dumps(filters)},
            headers={"Authorization": f"Bearer {token}"},
        )

    async def _log_in(self, talk: Conversation) -> str:
        credentials = {"username": self.user, "password": await self.secret("password_file")}
        reply = await talk.post(self.address("auth", "login"), "a token", document=credentials)
        token = talk.require(reply, dict).get("access_token")
        if not isinstance(token, str) or not token.isprintable() or not token:
            talk.give_up("an object without a token")
        self._token = token
        return token


def numbered(record: Any) -> Any:
    """Give a proposal whose periods have the field `number`; without periods, its own times are one. Pure."""
    if not isinstance(record, dict):
        return record
    periods = record.get("MeasurementPeriodList")
    if not isinstance(periods, list) or not periods:
        periods = [{"start": record.get("startTime"), "end": record.get("endTime")}]
    counted = [
        {"number": index} | period if isinstance(period, dict) else period for index, period in enumerate(periods, 1)
    ]
    return record | {"MeasurementPeriodList": counted}
