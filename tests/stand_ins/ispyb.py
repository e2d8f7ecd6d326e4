"""py-ispyb: a token by password or by an OpenID access token, proposals and sessions as its rights show them.

    python -m tests.stand_ins.ispyb --port 9000
    curl -H 'Content-Type: application/json' -d '{"plugin":"ldap","login":"daas","password":"portal-password"}' \
        http://127.0.0.1:9000/ispyb/api/v1/auth/login

daas sees everything. The access token token-of-anna logs in anna, who is on two visits of mx12345 and one of cm1.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.stand_ins.running import REQUESTS, main

ROOT = "/ispyb/api/v1"


def proposal(number: int, code: str, digits: str, **more: Any) -> dict[str, Any]:
    """Return a proposal as py-ispyb writes it."""
    return {
        "proposalId": number,
        "proposalCode": code,
        "proposalNumber": digits,
        "proposal": f"{code}{digits}",
        "title": f"Title of {code}{digits}",
        "state": "Open",
        "_metadata": {"persons": 2, "sessions": 2, "beamLines": ["i03"], "uiGroups": ["mx"]},
    } | more


def session(number: int, of: dict[str, Any], visit: int, *people: str, beamline: str = "i03") -> dict[str, Any]:
    """Return a session in py-ispyb's format, and who takes part in it, which py-ispyb does not return."""
    return {
        "sessionId": number,
        "proposalId": of["proposalId"],
        "session": f"{of['proposal']}-{visit}",
        "proposal": of["proposal"],
        "visit_number": visit,
        "startDate": f"2024-05-{visit:02}T08:00:00",
        "endDate": f"2024-05-{visit:02}T16:00:00",
        "beamLineName": beamline,
        "beamLineOperator": "Dr. Moretti",
        "scheduled": True,
        "comments": None,
        "_metadata": {"active": False, "active_soon": False, "persons": len(people), "datacollections": 3},
        "people": people,
    }


MX = proposal(1, "mx", "12345")
CM = proposal(2, "cm", "1")
SW = proposal(3, "sw", "9")


@dataclass
class Ispyb:
    """A server; a test changes what it knows and whom it lets in."""

    proposals: list[dict[str, Any]] = field(default_factory=lambda: [MX, CM, SW])
    sessions: list[dict[str, Any]] = field(
        default_factory=lambda: [
            session(11, MX, 7, "anna", "ben"),
            session(12, MX, 8, "anna"),
            session(13, MX, 9, "carla"),
            session(14, CM, 1, "anna", beamline="i24"),
            session(15, SW, 1, "carla"),
        ]
    )
    user: str = "daas"
    password: str = "portal-password"
    plugins: tuple[str, ...] = ("ldap", "keycloak")
    tokens: dict[str, str] = field(default_factory=dict)
    logins: int = 0

    def app(self) -> web.Application:
        """Return the server as an application."""
        app = web.Application()
        app[REQUESTS] = []
        app.add_routes(
            [
                web.post(f"{ROOT}/auth/login", self.log_in),
                web.get(f"{ROOT}/proposals", self.list_proposals),
                web.get(f"{ROOT}/proposals/{{name}}", self.show_proposal),
                web.get(f"{ROOT}/sessions", self.list_sessions),
            ]
        )
        return app

    async def log_in(self, request: web.Request) -> web.Response:
        """Return a token."""
        self.logins += 1
        said = await request.json()
        token = str(said.get("token") or "")
        name = token.removeprefix("token-of-") if token.startswith("token-of-") else ""
        if (said.get("login"), said.get("password")) == (self.user, self.password):
            name = self.user
        if not name or said.get("plugin") not in self.plugins:
            return web.json_response({"detail": "Could not verify"}, status=401)
        issued = f"jwt.{uuid.uuid4()}"
        self.tokens[issued] = name
        permissions = ["all_proposals", "all_sessions"] if name == self.user else []
        return web.json_response({"login": name, "token": issued, "permissions": permissions}, status=201)

    async def list_proposals(self, request: web.Request) -> web.Response:
        """Proposals with a session that the caller is on."""
        request.app[REQUESTS].append(request)
        name = self._name(request)
        if name is None:
            return unauthorised()
        seen = {one["proposalId"] for one in self._sessions_of(name)}
        known = [one for one in self.proposals if name == self.user or one["proposalId"] in seen]
        return _page(request, [one for one in known if self._is_found(one, request.query.get("search", ""))])

    def _is_found(self, one: dict[str, Any], search: str) -> bool:
        """Return whether a proposal has this in its title or number, or a session at a beamline of this name."""
        beamlines = [of["beamLineName"] for of in self.sessions if of["proposalId"] == one["proposalId"]]
        return search in one["title"] or search in one["proposal"] or search in beamlines

    async def show_proposal(self, request: web.Request) -> web.Response:
        """One of them."""
        request.app[REQUESTS].append(request)
        name = self._name(request)
        if name is None:
            return unauthorised()
        wanted = request.match_info["name"]
        seen = {one["proposalId"] for one in self._sessions_of(name)}
        for one in self.proposals:
            if one["proposal"] == wanted and (name == self.user or one["proposalId"] in seen):
                return web.json_response(one)
        return web.json_response({"detail": "Proposal not found"}, status=404)

    async def list_sessions(self, request: web.Request) -> web.Response:
        """Sessions that the caller is on, of one proposal if it is named."""
        request.app[REQUESTS].append(request)
        name = self._name(request)
        if name is None:
            return unauthorised()
        wanted = request.query.get("proposal")
        beamline = request.query.get("beamLineName")
        found = [
            one
            for one in self._sessions_of(name)
            if wanted in (None, one["proposal"]) and beamline in (None, one["beamLineName"])
        ]
        return _page(request, [{key: value for key, value in one.items() if key != "people"} for one in found])

    def _name(self, request: web.Request) -> str | None:
        return self.tokens.get(request.headers.get("Authorization", "").removeprefix("Bearer "))

    def _sessions_of(self, name: str) -> list[dict[str, Any]]:
        return [one for one in self.sessions if name == self.user or name in one["people"]]


def unauthorised() -> web.Response:
    """Refuse as FastAPI words it."""
    return web.json_response({"detail": "Invalid authorization"}, status=401)


def _page(request: web.Request, found: list[dict[str, Any]]) -> web.Response:
    skip, limit = int(request.query.get("skip", 0)), int(request.query.get("limit", 25))
    return web.json_response({"total": len(found), "results": found[skip : skip + limit], "skip": skip, "limit": limit})


if __name__ == "__main__":
    main(lambda: Ispyb().app(), __doc__ or "")
