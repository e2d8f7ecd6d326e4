"""A User Office's GraphQL interface, as far as a person's proposals go: its answers, and its errors in their place.

    python -m tests.stand_ins.useroffice --port 9000
    curl -H 'Content-Type: application/json' -H 'Authorization: Bearer portal-token' http://127.0.0.1:9000/graphql \
        -d '{"query":"query ($user: String!) { person: userByOIDCSub(oidcSub: $user) { oidcSub proposals { title } } }",
             "variables":{"user":"subject-of-anna"}}'

subject-of-anna has two proposals, subject-of-ben one without experiments.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.stand_ins.running import REQUESTS, main


def proposal(number: int, **more: Any) -> dict[str, Any]:
    """Return a proposal as the office has it."""
    return {
        "primaryKey": number,
        "proposalId": f"{number:06}",
        "title": f"Title of {number}",
        "abstract": f"Abstract of {number}",
        "submitted": True,
        "instruments": [{"id": 1, "name": "LOKI"}],
        "experiments": [
            {
                "experimentPk": number * 10,
                "experimentId": f"{number:06}-1",
                "startsAt": "2024-05-01T06:00:00.000Z",
                "endsAt": "2024-05-04T06:00:00.000Z",
                "status": "ACTIVE",
                "instrument": {"id": 1, "name": "LOKI"},
            }
        ],
    } | more


@dataclass
class UserOffice:
    """An office; a test changes what it knows and whom it answers."""

    proposals: dict[str, list[Any]] = field(
        default_factory=lambda: {
            "subject-of-anna": [proposal(123456), proposal(123457)],
            "subject-of-ben": [proposal(123458, experiments=[])],
        }
    )
    token: str = "portal-token"
    #: what became of the token: "deleted" (everybody is null, with 200), or "expired" (401)
    token_is: str = ""
    #: fields that this version does not have
    unknown_fields: tuple[str, ...] = ()
    #: an answer instead of the right one
    answer: Any = None

    #: instruments by id of those who are their scientists
    scientists: dict[str, list[int]] = field(default_factory=dict)
    #: whether the token has the permission to read all proposals
    may_read_all: bool = True

    def app(self) -> web.Application:
        """Return the office as an application."""
        app = web.Application()
        app[REQUESTS] = []
        app.router.add_post("/graphql", self.ask)
        return app

    async def ask(self, request: web.Request) -> web.Response:
        """Answer the one question the portal has."""
        request.app[REQUESTS].append(request)
        said = await request.json()
        query, variables = str(said.get("query")), said.get("variables") or {}
        if request.headers.get("Authorization") != f"Bearer {self.token}":
            return web.json_response(error("INSUFFICIENT_PERMISSIONS", "Not authorized") | {"data": {"person": None}})
        if self.token_is == "expired":
            return web.Response(status=401, text="jwt expired")
        if self.token_is == "deleted":
            return web.json_response({"data": {"person": None}})
        if "instrument" in variables:
            return web.json_response(self._of_instrument(query, variables))
        fields = set(re.findall(r"[A-Za-z_]\w*", query))
        for unknown in self.unknown_fields:
            if unknown in fields:
                message = f'Cannot query field "{unknown}" on type "Proposal".'
                return web.json_response(error("GRAPHQL_VALIDATION_FAILED", message), status=400)
        if "userByOIDCSub" not in fields or not isinstance(variables.get("user"), str):
            return web.json_response(error("BAD_USER_INPUT", 'Variable "$user" is required.'), status=400)
        if self.answer is not None:
            return web.json_response(self.answer)
        subject = variables["user"]
        if subject not in self.proposals:
            return web.json_response({"data": {"person": None}})
        if "instruments" in fields and "proposals" not in fields:
            instruments = [{"id": number} for number in self.scientists.get(subject, ())]
            return web.json_response({"data": {"person": {"oidcSub": subject, "instruments": instruments}}})
        person = {"oidcSub": subject, "proposals": [_chosen(one, fields) for one in self.proposals[subject]]}
        return web.json_response({"data": {"person": person}})

    def _of_instrument(self, query: str, variables: dict[str, Any]) -> dict[str, Any]:
        if not self.may_read_all:
            return {"data": {"found": None}}
        known = {one["proposalId"]: one for listed in self.proposals.values() for one in listed}
        found = [one for one in known.values() if variables["instrument"] in [it["id"] for it in one["instruments"]]]
        start, fields = variables["offset"], set(re.findall(r"[A-Za-z_]\w*", query))
        rows = [_chosen(one, fields) for one in found[start : start + variables["first"]]]
        return {"data": {"found": {"proposals": rows}}}


def error(code: str, message: str) -> dict[str, Any]:
    """Return an error as Apollo words it."""
    return {"errors": [{"message": message, "extensions": {"code": code}}]}


def _chosen(value: Any, fields: set[str]) -> Any:
    """Return only the fields that were asked for."""
    if isinstance(value, list):
        return [_chosen(one, fields) for one in value]
    if isinstance(value, dict):
        return {key: _chosen(one, fields) for key, one in value.items() if key in fields}
    return value


if __name__ == "__main__":
    main(lambda: UserOffice().app(), __doc__ or "")
