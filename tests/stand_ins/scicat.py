"""SciCat's backend: a functional account's token, and proposals as its rights show them.

    python -m tests.stand_ins.scicat --port 9000
    curl -H 'Content-Type: application/json' -d '{"username":"reader","password":"portal-password"}' \
        http://127.0.0.1:9000/api/v3/auth/login

The account reader sees every proposal; a visitor without a token sees the published one.
"""

from __future__ import annotations

import json
import re
import uuid
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.stand_ins.running import REQUESTS, main


def proposal(name: str, group: str, **more: Any) -> dict[str, Any]:
    """Return a proposal as SciCat writes it."""
    return {
        "_id": name,
        "proposalId": name,
        "title": f"Title of {name}",
        "abstract": f"Abstract of {name}",
        "email": "pi@example.org",
        "startTime": "2024-05-01T06:00:00.000Z",
        "endTime": "2024-05-04T06:00:00.000Z",
        "MeasurementPeriodList": [
            {
                "instrument": "X12SA",
                "start": "2024-05-01T06:00:00.000Z",
                "end": "2024-05-02T06:00:00.000Z",
                "comment": "first",
            },
            {"instrument": "X06DA", "start": "2024-05-03T06:00:00.000Z", "end": "2024-05-04T06:00:00.000Z"},
        ],
        "ownerGroup": group,
        "accessGroups": [],
        "isPublished": False,
        "createdAt": "2024-01-01T00:00:00.000Z",
    } | more


@dataclass
class SciCat:
    """A backend; tests change its data and its misbehaviour."""

    proposals: list[dict[str, Any]] = field(
        default_factory=lambda: [
            proposal("p12345", "p12345"),
            proposal("p12346", "p12346", accessGroups=["x12sa-staff"], MeasurementPeriodList=[]),
            proposal("p12347", "p12347"),
            proposal("p20000", "p20000", isPublished=True),
        ]
    )
    user: str = "reader"
    password: str = "portal-password"
    #: a version that takes no notice of the filter: everything the token may see comes
    filters: bool = True
    #: a version that takes no notice of the order
    sorts: bool = True
    tokens: list[str] = field(default_factory=list)
    logins: int = 0

    def app(self) -> web.Application:
        """Return the backend as an application."""
        app = web.Application()
        app[REQUESTS] = []
        app.add_routes(
            [
                web.post("/api/v3/auth/login", self.log_in),
                web.get("/api/v3/proposals", self.list_proposals),
                web.get("/api/v3/proposals/count", self.count_proposals),
            ]
        )
        return app

    async def log_in(self, request: web.Request) -> web.Response:
        """Return a token to the functional account."""
        self.logins += 1
        said = await request.json()
        if (said.get("username"), said.get("password")) != (self.user, self.password):
            return unauthorised()
        token = f"jwt.{uuid.uuid4()}"
        self.tokens.append(token)
        answer = {"access_token": token, "id": token, "expires_in": 3600, "ttl": 3600, "userId": self.user}
        return web.json_response(answer | {"user": {"username": self.user}}, status=201)

    async def list_proposals(self, request: web.Request) -> web.Response:
        """Return the proposals that the caller's rights and the filter leave."""
        seen = self._seen(request)
        if seen is None:
            return unauthorised()
        limits = json.loads(request.query.get("filters", "{}")).get("limits", {})
        field, _, direction = limits.get("order", "proposalId:asc").partition(":") if self.sorts else ("_id", "", "")
        seen = sorted(seen, key=lambda one: _sort_key(one, field, direction), reverse=direction == "desc")
        start = limits.get("skip", 0)
        return web.json_response(seen[start : start + limits.get("limit", 100)])

    async def count_proposals(self, request: web.Request) -> web.Response:
        """Say how many there are."""
        seen = self._seen(request)
        return unauthorised() if seen is None else web.json_response({"count": len(seen)})

    def _seen(self, request: web.Request) -> list[dict[str, Any]] | None:
        request.app[REQUESTS].append(request)
        said = request.headers.get("Authorization")
        if said is not None and said.removeprefix("Bearer ") not in self.tokens:
            return None
        seen = self.proposals if said else [one for one in self.proposals if one["isPublished"]]
        where = json.loads(request.query.get("filters", "{}")).get("where", {})
        return [one for one in seen if _matches(one, where)] if self.filters else seen


def unauthorised() -> web.Response:
    """Refuse as NestJS words it."""
    return web.json_response({"statusCode": 401, "message": "Unauthorized"}, status=401)


def _matches(one: dict[str, Any], where: dict[str, Any]) -> bool:
    """Return whether a condition in MongoDB's words is true of a proposal, as far as the portal uses them."""
    for name, wanted in where.items():
        if name == "$or":
            if wanted and not any(_matches(one, condition) for condition in wanted):
                return False
        elif name == "$and":
            if not all(_matches(one, condition) for condition in wanted):
                return False
        elif "$in" in wanted:
            if set(wanted["$in"]).isdisjoint(_values(one, name)):
                return False
        elif not any(re.search(wanted["$regex"], value, re.IGNORECASE) for value in _values(one, name)):
            return False
    return True


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
