"""Proposals from SciCat: those whose owner group or access groups are groups of the account.

SciCat answers by the permissions of the token: everything to an administrator, published proposals to a visitor. So
its answer proves nothing about a person. The query names the account's groups, and each record of the answer is checked
again: one without any of these groups is left out, whatever SciCat says.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Sequence
from typing import Any

from traitlets import Bool, Dict, Int, List, Unicode
from traitlets.config import Configurable

from daas_hub.accounts import Account
from daas_hub.errors import ConfigurationError, ErrorKind
from daas_hub.findings import Finding
from daas_hub.proposals.http_source import ProposalService, ServicePage
from daas_hub.proposals.model import Query
from daas_hub.proposals.reading import Reading
from daas_hub.proposals.sources.scicat.folders import FIELDS as FOLDER_FIELDS
from daas_hub.proposals.sources.scicat.folders import KEY, readable, with_folders
from daas_hub.proposals.sources.scicat.login import PortalLogin, header_of
from daas_hub.proposals.sources.scicat.queries import ORDERS, PAGE, Whose, called, condition_of, query, with_word
from daas_hub.proposals.sources.scicat.records import instrument_names, prepared, with_periods
from daas_hub.proposals.sources.scicat.rights import lines_of_rights
from daas_hub.services.http import ServiceClient
from daas_hub.services.secret_file import read_secret

#: Names of instruments are asked for again after this long.
_INSTRUMENTS_FOR_S = 600.0
_MAX_INSTRUMENTS = 2000
_DATASETS_PER_PAGE = 1000
_MAX_DATASETS = 50_000


class SciCatProposals(ProposalService):
    """Proposals from SciCat, by the account's groups: `Facility.proposals = "scicat"`."""

    source = "scicat"
    MAKES_PAGES = True
    SORTS = tuple(ORDERS)
    FIELDS = {
        "id": "proposalId",
        "title": "title",
        "abstract": "abstract",
        "beamlines": "MeasurementPeriodList.instrument|instrumentIds",
        "group": "ownerGroup",
        "visits": "MeasurementPeriodList",
        # made of a period's start and instrument: periods have no number in SciCat
        "visit.number": "key",
        "visit.title": "comment",
        "visit.beamline": "instrument",
        "visit.start": "start",
        "visit.end": "end",
        "visit.data": KEY,
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
        The portal's functional account in SciCat, which must see every proposal: one of its groups is in
        PROPOSAL_GROUPS or ADMIN_GROUPS of SciCat, and it may therefore also write there. Set either `user` or
        `token_file`. Default: none. Example: "proposalReader".
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
        File with an access token for SciCat, readable by the hub's user only. It is read again for each query, so that
        another program can replace it before it ends (after an hour, by default). Set either `user` or `token_file`.
        Default: none. Example: "/run/secrets/scicat-token".
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
    beamline_staff = Dict(
        value_trait=List(Unicode()),
        key_trait=Unicode(),
        config=True,
        help="""
        Groups of accounts whose members see all proposals of instruments, which are named as on the portal's pages.
        Their sessions do not have the group of a proposal unless the account is in it. Default: none.
        Example: {"x12sa-staff": ["X12SA"]}.
        """,
    )
    instrument_name = Unicode(
        "name",
        config=True,
        help="""
        Field of SciCat's instruments that pages show and paths use in place of their ids. Example: "uniqueName".
        """,
    )
    data_from_datasets = Bool(
        False,
        config=True,
        help="""
        Take a visit's raw data directories from `sourceFolder` of those of its proposal's datasets that the person's
        groups may read. The portal's login must be allowed to read datasets in SciCat. Default: False, the directories
        are those of `MountRules.data`.
        """,
    )
    source_folder_depth = Int(
        0,
        min=0,
        config=True,
        help="""
        How many components of a `sourceFolder` are the visit's directory, if each dataset has a directory of its own. 0
        for all. Example: 4, for /data/visitor/ma4242/id21 of /data/visitor/ma4242/id21/sample/scan0001.
        """,
    )
    max_query_length = Int(
        5000,
        min=500,
        config=True,
        help="""
        Maximum number of characters that an account's groups may take in an address; a person in more groups is asked
        about in several requests. nginx refuses addresses of more than 8,192 bytes unless it is configured otherwise.
        """,
    )

    def __init__(
        self, facility: Configurable | None = None, *, clock: Callable[[], float] = time.monotonic, **kwargs: Any
    ) -> None:
        super().__init__(facility, **kwargs)
        if bool(self.user) == bool(self.token_file):
            raise ConfigurationError(
                self.setting("user"),
                self.user,
                "is set together with token_file, or neither is",
                remedy="Set one of them.",
            )
        secret = "password_file" if self.user else "token_file"
        read_secret(self.setting(secret), getattr(self, secret))
        if not self.group_fields:
            raise ConfigurationError(self.setting("group_fields"), [], "is empty", remedy='Example: ["ownerGroup"].')
        self._login = PortalLogin(self.address, self.user, lambda: self.secret(secret), clock=clock)
        self._clock = clock
        self._instruments: dict[str, str] = {}
        self._instruments_until = -math.inf

    # -- what a source implements ------------------------------------------------------------------------------------

    async def records_of(self, client: ServiceClient, account: Account, limit: int) -> list[Any]:
        """Ask for the proposals with a group of this account; without groups nothing is asked."""
        if not groups_of(account):
            return []

        async def ask(token: str) -> list[Any]:
            whose = await self._whose(client, token, account)
            found: list[Any] = []
            for part in whose.batches(self.max_query_length):
                rows = await self._rows_of(client, token, part.condition(), whose, limit)
                known = {_id_of(one): one for one in found}
                # one proposal may have groups of several parts
                found += [one for one in rows if known.get(_id_of(one)) != one]
                self.require_within(found, limit)
            return await self._completed(client, token, whose, found)

        return await self._login.believed(client, ask, _is_for_known)

    async def records_called(self, client: ServiceClient, account: Account, proposal_id: str) -> list[Any] | None:
        """Ask for the proposal with this id, ignoring case, and keep it if it has a group of this account."""
        if not self.has_usual("id"):
            return None
        if not groups_of(account):
            return []

        async def ask(token: str) -> list[Any]:
            whose = await self._whose(client, token, account)
            # without the groups: one request, however many there are
            rows = await self._rows_of(client, token, called(proposal_id), whose, self.max_records)
            return await self._completed(client, token, whose, rows)

        return await self._login.believed(client, ask, _is_for_known)

    async def find(self, client: ServiceClient, account: Account, query: Query) -> ServicePage | None:
        """Ask for one page and the number of matches; None if the account has too many groups for one request."""
        if not groups_of(account):
            return ServicePage([], 0, 0)

        async def ask(token: str) -> ServicePage | None:
            whose = await self._whose(client, token, account)
            if len(list(whose.batches(self.max_query_length))) > 1:
                return None
            words = query.search.split()
            instruments = await self._names(client, token) if words else {}
            return await self._page_of(client, token, whose, [with_word(word, instruments) for word in words], query)

        return await self._login.believed(client, ask, lambda page: page is None or _is_for_known(page.records))

    async def verify_login(self, client: ServiceClient) -> str:
        """Ask SciCat whose the portal's token is."""
        owner = await self._login.owner(client)
        return f"it is known as {owner.get('username')!r:.60}"

    async def contract_lines(self, name: str, account: Account, records: list[Any]) -> list[Finding]:
        """Check, too, what the portal's login may see and do."""
        lines = await super().contract_lines(name, account, records)
        async with self.service.client() as client:
            return lines + await lines_of_rights(name, client, self.address, self._login)

    def read(self, records: list[Any], account: Account) -> Reading:
        """Read records with their instruments' names and numbered periods; one without periods has one visit."""
        whose = self._whose_as_known(account)
        owns = Whose(("ownerGroup",), whose.groups)
        is_alone = self.has_usual("id")
        named = [
            prepared(
                one,
                self._instruments,
                keeps_group=owns.has_group_of(one) or not whose.has_instrument_of(one),
                is_alone=is_alone,
            )
            for one in records
        ]
        return super().read(named, account)

    # -- questions ---------------------------------------------------------------------------------------------------

    async def _rows_of(
        self, client: ServiceClient, token: str, where: dict[str, Any], whose: Whose, limit: int
    ) -> list[Any]:
        """Return the person's proposals among all that fulfil a condition."""
        found: list[Any] = []
        for start in range(0, self.max_records + PAGE + 1, PAGE):
            limits = {"limit": PAGE, "skip": start, "order": "proposalId:asc"}
            rows = await self._rows(client, token, {"where": where, "limits": limits})
            found += [one for one in rows if whose.has(one)]
            self.require_within(found, limit)
            if len(rows) < PAGE:
                return found
        client.fail("endless pages")

    async def _page_of(
        self, client: ServiceClient, token: str, whose: Whose, words: Sequence[dict[str, Any]], asked: Query
    ) -> ServicePage | None:
        where = condition_of(whose, words)
        # the count has another parameter than the list, and takes no notice of that one
        parameters, headers = {"filter": query(where)}, header_of(token)
        address = self.address("proposals", "count")
        reply = await client.get(address, "the number of proposals", params=parameters, headers=headers)
        total = reply.document.get("count") if reply.status == 200 and isinstance(reply.document, dict) else None
        if isinstance(total, bool) or not isinstance(total, int):
            return None
        order = f"{ORDERS[asked.sort.removeprefix('-')]}:{'desc' if asked.sort.startswith('-') else 'asc'}"
        limits = {"limit": asked.page_size, "skip": (asked.page - 1) * asked.page_size, "order": order}
        rows = await self._rows(client, token, {"where": where, "limits": limits})
        if not all(whose.has(row) for row in rows):
            # a server that ignores the filter also counts proposals of others
            return None
        return ServicePage(await self._completed(client, token, whose, rows), len(rows), total)

    async def _completed(self, client: ServiceClient, token: str, whose: Whose, records: list[Any]) -> list[Any]:
        """Return records with the directories of their datasets, if wanted; instruments' names are known afterwards."""
        if any(isinstance(one, dict) and one.get("instrumentIds") for one in records):
            await self._names(client, token)
        ids = [_id_of(one) for one in records if _id_of(one)]
        if not self.data_from_datasets or not ids:
            return records
        found: list[Any] = []
        for part in Whose(("proposalId",), tuple(ids)).batches(self.max_query_length):
            where = {"proposalId": {"$in": list(part.groups)}, "type": "raw"}
            found += readable(await self._datasets(client, token, where), whose)
        whole = [with_periods(one) for one in records]
        return await asyncio.to_thread(with_folders, whole, found, self.source_folder_depth)

    async def _datasets(self, client: ServiceClient, token: str, where: dict[str, Any]) -> list[Any]:
        found: list[Any] = []
        while True:
            limits = {"limit": _DATASETS_PER_PAGE, "skip": len(found), "order": "pid:asc"}
            parameters = {"filter": query({"where": where, "fields": list(FOLDER_FIELDS), "limits": limits})}
            address, headers = self.address("datasets"), header_of(token)
            reply = await client.get(address, "the datasets of proposals", params=parameters, headers=headers)
            rows = client.require(reply, list)
            found += rows
            if len(rows) < _DATASETS_PER_PAGE:
                return found
            if len(found) >= _MAX_DATASETS:
                client.fail(f"more than {_MAX_DATASETS} datasets", ErrorKind.TOO_MANY_RECORDS)

    async def _rows(self, client: ServiceClient, token: str, filters: dict[str, Any]) -> list[Any]:
        asked_for = "the proposals of an account's groups"
        parameters, headers = {"filters": query(filters)}, header_of(token)
        reply = await client.get(self.address("proposals"), asked_for, params=parameters, headers=headers)
        rows: list[Any] = client.require(reply, list)
        return rows

    async def _whose(self, client: ServiceClient, token: str, account: Account) -> Whose:
        if any(group in self.beamline_staff for group in groups_of(account)):
            await self._names(client, token)
        return self._whose_as_known(account)

    def _whose_as_known(self, account: Account) -> Whose:
        groups = groups_of(account)
        staffed = {name for group in groups for name in self.beamline_staff.get(group, ())}
        staffed |= {pid for pid, name in self._instruments.items() if name in staffed}
        return Whose(tuple(self.group_fields), tuple(groups), tuple(sorted(staffed)))

    async def _names(self, client: ServiceClient, token: str) -> dict[str, str]:
        """Return the names of SciCat's instruments by id, asked for now and then."""
        if self._clock() >= self._instruments_until:
            parameters = {"filter": query({"limits": {"limit": _MAX_INSTRUMENTS, "skip": 0}})}
            address, headers = self.address("instruments"), header_of(token)
            reply = await client.get(address, "the names of instruments", params=parameters, headers=headers)
            self._instruments = instrument_names(client.require(reply, list), self.instrument_name)
            self._instruments_until = self._clock() + _INSTRUMENTS_FOR_S
        return self._instruments


def groups_of(account: Account) -> list[str]:
    """Return the names of an account's groups. Pure."""
    return sorted(set(account.group_names.values()))


def _is_for_known(records: Sequence[Any]) -> bool:
    """Return whether only a login that SciCat knows gets these records: visitors get what is published."""
    return any(isinstance(one, dict) and one.get("isPublished") is not True for one in records)


def _id_of(record: Any) -> str:
    return str(record.get("proposalId")) if isinstance(record, dict) else ""
