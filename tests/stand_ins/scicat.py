"""SciCat's backend (v4): tokens that end, and proposals, instruments and users as its rights show them.

    python -m tests.stand_ins.scicat --port 9000
    curl -H 'Content-Type: application/json' -d '{"username":"reader","password":"portal-password"}' \
        http://127.0.0.1:9000/api/v3/auth/login

The account reader has a role of PROPOSAL_GROUPS and sees every proposal. As the real server does, this one takes a
token that it does not know for no token: the answer is that for visitors, with status 200.
"""

from __future__ import annotations

import datetime
import json
import re
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.stand_ins.running import REQUESTS, main

#: What the backend's HTTP server (node) takes of a request's first line and headers together.
MAX_HEADERS = 16_384
#: Instruments have ids and names; proposals refer to them by id.
TOMCAT, PXI = "20.500.11935/1b9f7ef6-tomcat", "20.500.11935/7c0de111-px1"


def instrument(pid: str, name: str) -> dict[str, Any]:
    """Return an instrument as SciCat writes it."""
    return {
        "pid": pid,
        "_id": pid,
        "uniqueName": f"PSI-{name}",
        "name": name,
        "customMetadata": {},
        "createdBy": "admin",
        "updatedBy": "admin",
        "createdAt": "2024-01-01T00:00:00.000Z",
        "updatedAt": "2024-01-01T00:00:00.000Z",
    }


def period(instrument: str, start: str, end: str, comment: str = "") -> dict[str, Any]:
    """Return a measurement period as SciCat writes it: it has no id."""
    return {
        "_id": None,
        "id": None,
        "instrument": instrument,
        "start": f"{start}T06:00:00.000Z",
        "end": f"{end}T06:00:00.000Z",
        "comment": comment,
    }


def proposal(name: str, group: str, **more: Any) -> dict[str, Any]:
    """Return a proposal as SciCat writes it."""
    return {
        "_id": name,
        "proposalId": name,
        "pi_email": "pi@example.org",
        "pi_firstname": "Anna",
        "pi_lastname": "Lindqvist",
        "email": "pi@example.org",
        "firstname": "Anna",
        "lastname": "Lindqvist",
        "title": f"Title of {name}",
        "abstract": f"Abstract of {name}",
        "startTime": "2024-05-01T06:00:00.000Z",
        "endTime": "2024-05-04T06:00:00.000Z",
        "MeasurementPeriodList": [
            period("X12SA", "2024-05-01", "2024-05-02", "first"),
            period("X06DA", "2024-05-03", "2024-05-04"),
        ],
        "metadata": {},
        "parentProposalId": None,
        "type": "Default Proposal",
        "instrumentIds": [],
        "numberOfDatasets": 0,
        "ownerGroup": group,
        "accessGroups": [],
        "isPublished": False,
        "createdBy": "proposalIngestor",
        "updatedBy": "proposalIngestor",
        "createdAt": "2024-01-01T00:00:00.000Z",
        "updatedAt": "2024-01-01T00:00:00.000Z",
    } | more


def dataset(pid: str, of: str, group: str, folder: str, **more: Any) -> dict[str, Any]:
    """Return a raw dataset as SciCat writes it, as far as the portal asks for it."""
    return {
        "pid": pid,
        "type": "raw",
        "proposalId": of,
        "sourceFolder": folder,
        "creationTime": "2024-05-01T12:00:00.000Z",
        "ownerGroup": group,
        "accessGroups": [],
        "isPublished": False,
    } | more


@dataclass
class SciCat:
    """A backend; tests change its data and its misbehaviour."""

    proposals: list[dict[str, Any]] = field(
        default_factory=lambda: [
            proposal("p12345", "p12345"),
            proposal("p12346", "p12346", accessGroups=["x12sa-staff"], MeasurementPeriodList=[]),
            proposal("p12347", "p12347", MeasurementPeriodList=[], instrumentIds=[TOMCAT]),
            proposal("p20000", "p20000", isPublished=True),
        ]
    )
    instruments: list[dict[str, Any]] = field(
        default_factory=lambda: [instrument(TOMCAT, "TOMCAT"), instrument(PXI, "PX I")]
    )
    datasets: list[dict[str, Any]] = field(default_factory=list)
    user: str = "reader"
    password: str = "portal-password"
    #: the account's roles and groups; it sees all proposals if one of them is listed in PROPOSAL_GROUPS
    groups: list[str] = field(default_factory=lambda: ["proposalingestor"])
    proposal_groups: tuple[str, ...] = ("proposalingestor",)
    #: a version that takes no notice of the filter: everything the token may see comes
    filters: bool = True
    #: a version that takes no notice of the order
    sorts: bool = True
    #: the tokens that are known, and when they end; a test may remove them
    tokens: list[str] = field(default_factory=list)
    ends: dict[str, float] = field(default_factory=dict)
    expires_in: int = 3600
    clock: Callable[[], float] = time.monotonic
    logins: int = 0

    def app(self) -> web.Application:
        """Return the backend as an application."""
        app = web.Application(handler_args={"max_line_size": MAX_HEADERS, "max_field_size": MAX_HEADERS})
        app[REQUESTS] = []
        app.add_routes(
            [
                web.post("/api/v3/auth/login", self.log_in),
                web.get("/api/v3/auth/whoami", self.who_am_i),
                web.get("/api/v3/users/my/self", self.show_self),
                web.get("/api/v3/instruments", self.list_instruments),
                web.get("/api/v3/datasets", self.list_datasets),
                web.get("/api/v3/proposals", self.list_proposals),
                web.get("/api/v3/proposals/count", self.count_proposals),
            ]
        )
        return app

    def owner(self) -> dict[str, Any]:
        """Return the functional account as SciCat writes it."""
        return {
            "id": "65f1c0ffee",
            "_id": "65f1c0ffee",
            "username": self.user,
            "email": "reader@example.org",
            "authStrategy": "local",
        }

    async def log_in(self, request: web.Request) -> web.Response:
        """Return a token to the functional account."""
        self.logins += 1
        said = await request.json()
        if (said.get("username"), said.get("password")) != (self.user, self.password):
            return unauthorised()
        token = f"jwt.{uuid.uuid4()}"
        self.tokens.append(token)
        self.ends[token] = self.clock() + self.expires_in
        answer = {
            "access_token": token,
            "id": token,
            "expires_in": self.expires_in,
            "ttl": self.expires_in,
            "created": datetime.datetime.now(datetime.UTC).isoformat(),
            "userId": self.owner()["_id"],
            "user": self.owner(),
        }
        return web.json_response(answer, status=201)

    async def who_am_i(self, request: web.Request) -> web.Response:
        """Return who asks; an empty body to a visitor."""
        request.app[REQUESTS].append(request)
        if not self._is_known(request):
            return web.Response(body=b"")
        return web.json_response(self.owner() | {"currentGroups": self.groups})

    async def show_self(self, request: web.Request) -> web.Response:
        """Return who asks: the one address that refuses visitors."""
        request.app[REQUESTS].append(request)
        return web.json_response(self.owner()) if self._is_known(request) else unauthorised()

    async def list_instruments(self, request: web.Request) -> web.Response:
        """Return the instruments, which everybody may see."""
        request.app[REQUESTS].append(request)
        limits = json.loads(request.query.get("filter", "{}")).get("limits", {})
        return web.json_response(self.instruments[limits.get("skip", 0) :][: limits.get("limit", 100)])

    async def list_datasets(self, request: web.Request) -> web.Response:
        """Return the datasets that the caller's rights and the filter leave."""
        request.app[REQUESTS].append(request)
        asked = json.loads(request.query.get("filter", "{}"))
        seen = [one for one in self._visible(request, self.datasets) if _matches(one, asked.get("where", {}))]
        limits = asked.get("limits", {})
        found = seen[limits.get("skip", 0) :][: limits.get("limit", 100)]
        wanted = asked.get("fields") or []
        return web.json_response([{key: one[key] for key in one if not wanted or key in wanted} for one in found])

    async def list_proposals(self, request: web.Request) -> web.Response:
        """Return the proposals that the caller's rights and the filter leave."""
        request.app[REQUESTS].append(request)
        filters = json.loads(request.query.get("filters", "{}"))
        seen = self._visible(request, self.proposals)
        seen = [one for one in seen if not self.filters or _matches(one, filters.get("where", {}))]
        limits = filters.get("limits", {})
        field, _, direction = limits.get("order", "proposalId:asc").partition(":") if self.sorts else ("_id", "", "")
        seen = sorted(seen, key=lambda one: _sort_key(one, field, direction), reverse=direction == "desc")
        start = limits.get("skip", 0)
        return web.json_response(seen[start : start + limits.get("limit", 100)])

    async def count_proposals(self, request: web.Request) -> web.Response:
        """Say how many there are: this address reads `filter` and `fields`, and ignores `filters`."""
        request.app[REQUESTS].append(request)
        where = json.loads(request.query.get("filter", "{}"))
        seen = self._visible(request, self.proposals)
        return web.json_response({"count": len([one for one in seen if not self.filters or _matches(one, where)])})

    def _is_known(self, request: web.Request) -> bool:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        return token in self.tokens and self.ends.get(token, self.clock() + 1) > self.clock()

    def _visible(self, request: web.Request, records: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return what the caller may see: visitors what is published, others what is their groups', some all."""
        if not self._is_known(request):
            return [one for one in records if one["isPublished"]]
        if not set(self.groups).isdisjoint(self.proposal_groups):
            return records
        return [one for one in records if not set(self.groups).isdisjoint([one["ownerGroup"], *one["accessGroups"]])]


def unauthorised() -> web.Response:
    """Refuse as NestJS words it."""
    return web.json_response({"message": "Unauthenticated", "error": "Unauthorized", "statusCode": 401}, status=401)


def _matches(one: dict[str, Any], where: dict[str, Any]) -> bool:
    """Return whether a condition in MongoDB's words is true of a record, as far as the portal uses them."""
    return all(_fulfils(one, name, wanted) for name, wanted in where.items())


def _fulfils(one: dict[str, Any], name: str, wanted: Any) -> bool:
    if name == "$or":
        return not wanted or any(_matches(one, condition) for condition in wanted)
    if name == "$and":
        return all(_matches(one, condition) for condition in wanted)
    if not isinstance(wanted, dict):
        return wanted in _values(one, name)
    if "$in" in wanted:
        return not set(wanted["$in"]).isdisjoint(_values(one, name))
    if "$nin" in wanted:
        return set(wanted["$nin"]).isdisjoint(_values(one, name))
    if "$ne" in wanted:
        return str(wanted["$ne"]) not in _values(one, name)
    return any(re.search(wanted["$regex"], value, re.IGNORECASE) for value in _values(one, name))


def _values(one: Any, name: str) -> list[str]:
    first, _, rest = name.partition(".")
    found = one.get(first) if isinstance(one, dict) else None
    listed = found if isinstance(found, list) else [] if found is None else [found]
    return [value for item in listed for value in _values(item, rest)] if rest else [str(value) for value in listed]


def _sort_key(one: dict[str, Any], field: str, direction: str) -> str:
    values = _values(one, field)
    return (max(values) if direction == "desc" else min(values)) if values else ""


if __name__ == "__main__":
    main(lambda: SciCat().app(), __doc__ or "")
