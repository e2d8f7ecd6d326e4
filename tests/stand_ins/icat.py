"""ICAT's REST interface: sessions, and the queries about a person's investigations, with ICAT's shapes and errors.

    python -m tests.stand_ins.icat --port 9000
    curl http://127.0.0.1:9000/icat/version

The portal's account is daas of the plugin simple, with the password portal-password.
anna takes part in MA-4242 (two visits) and LS-1007; ben in MA-4242's first visit; carla is scientist of ID21.
"""

from __future__ import annotations

import json
import re
import time
import uuid
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.stand_ins.running import REQUESTS, main

#: What the portal asks, and nothing else: a server's own grammar is larger, ours is not.
QUERY = re.compile(
    r"SELECT DISTINCT i FROM Investigation i (?P<joins>(?:JOIN [a-z]+\.\w+ [a-z]+ ?)+) "
    r"WHERE u\.name = '(?P<name>(?:[^']|'')*)' ORDER BY i\.id "
    r"INCLUDE i\.investigationInstruments ii, ii\.instrument LIMIT (?P<start>\d+), ?(?P<count>\d+)"
)
#: Ways from an investigation to a user, by the relations of ICAT's schema.
RELATIONS = {
    ("investigationUsers", "user"): "users",
    ("investigationGroups", "grouping", "userGroups", "user"): "groups",
    ("investigationInstruments", "instrument", "instrumentScientists", "user"): "scientists",
}


def investigation(number: int, name: str, visit: str, instrument: str = "ID21", **more: Any) -> dict[str, Any]:
    """Give an investigation as ICAT writes it: nulls left out, to-one relations bare objects, lists never null."""
    return {
        "id": number,
        "createId": "db/root",
        "createTime": "2020-01-01T00:00:00.000+01:00",
        "modId": "db/root",
        "modTime": "2020-01-01T00:00:00.000+01:00",
        "name": name,
        "visitId": visit,
        "title": f"Title of {name}",
        "startDate": "2024-05-01T08:00:00.000+02:00",
        "endDate": "2024-05-04T08:00:00.000+02:00",
        "datasets": [],
        "investigationUsers": [],
        "investigationInstruments": [
            {"id": number * 10, "instrument": {"id": 1, "name": instrument, "instrumentScientists": []}}
        ],
        "shifts": [],
    } | more


@dataclass
class Icat:
    """A server; a test changes what it knows, whom it lets in and when its sessions end."""

    investigations: list[dict[str, Any]] = field(
        default_factory=lambda: [
            investigation(101, "MA-4242", "1", summary="Roman glass"),
            investigation(102, "MA-4242", "1.1-P"),
            investigation(103, "LS-1007", "BM23", "BM23"),
        ]
    )
    #: way -> user's name -> ids of investigations
    people: dict[str, dict[str, list[int]]] = field(
        default_factory=lambda: {
            "users": {"anna": [101, 102, 103], "ben": [101]},
            "groups": {"dora": [103]},
            "scientists": {"carla": [101, 102]},
        }
    )
    user: str = "daas"
    password: str = "portal-password"
    plugin: str = "simple"
    most_entities: int = 10_000
    #: an account without any rule may log in and sees nothing it asks for
    may_read: bool = True
    sessions: dict[str, float] = field(default_factory=dict)
    logins: int = 0

    def app(self) -> web.Application:
        """Give the server as an application."""
        app = web.Application()
        app[REQUESTS] = []
        app.add_routes(
            [
                web.post("/icat/session", self.open),
                web.get("/icat/session/{session}", self.show_session),
                web.put("/icat/session/{session}", self.refresh),
                web.delete("/icat/session/{session}", self.close),
                web.get("/icat/entityManager", self.search),
                web.get("/icat/version", self.version),
                web.route("*", "/icat/{path:.*}", self.unknown),
            ]
        )
        return app

    async def version(self, _: web.Request) -> web.Response:
        """The version, which needs no session."""
        return web.json_response({"version": "6.2.0"})

    async def unknown(self, _: web.Request) -> web.Response:
        """ICAT answers so to every path it does not have."""
        return error("NOT_IMPLEMENTED", "not implemented", 501)

    async def open(self, request: web.Request) -> web.Response:
        """Log in."""
        self.logins += 1
        said = (await request.post()).get("json")
        if not isinstance(said, str):
            return error("BAD_PARAMETER", "json must not be null", 400)
        asked = json.loads(said)
        if asked.get("plugin") != self.plugin:
            return error("SESSION", f"Authenticator mnemonic {asked.get('plugin')} not recognised", 403)
        credentials: dict[str, str] = {}
        for one in asked.get("credentials", []):
            credentials |= one
        if credentials != {"username": self.user, "password": self.password}:
            return error("SESSION", "The username and password do not match", 403)
        session = str(uuid.uuid4())
        self.sessions[session] = time.monotonic() + 7200
        return web.json_response({"sessionId": session})

    async def show_session(self, request: web.Request) -> web.Response:
        """Whose session, and how long it lasts."""
        session = request.match_info["session"]
        if (refusal := self._refusal(session)) is not None:
            return refusal
        minutes = (self.sessions[session] - time.monotonic()) / 60
        return web.json_response({"userName": f"{self.plugin}/{self.user}", "remainingMinutes": minutes})

    async def refresh(self, request: web.Request) -> web.Response:
        """Let it last."""
        session = request.match_info["session"]
        if (refusal := self._refusal(session)) is not None:
            return refusal
        self.sessions[session] = time.monotonic() + 7200
        return web.Response(status=204)

    async def close(self, request: web.Request) -> web.Response:
        """Log out."""
        self.sessions.pop(request.match_info["session"], None)
        return web.Response(status=204)

    async def search(self, request: web.Request) -> web.Response:
        """Answer a query."""
        request.app[REQUESTS].append(request)
        if (refusal := self._refusal(request.query.get("sessionId", ""))) is not None:
            return refusal
        if "query" not in request.query:
            return error("BAD_PARAMETER", "query is not set", 400)
        match = QUERY.fullmatch(request.query["query"])
        steps = tuple(re.findall(r"JOIN [a-z]+\.(\w+)", match["joins"])) if match else ()
        if match is None or steps not in RELATIONS:
            return error("BAD_PARAMETER", "An error occurred while parsing the query", 400, offset=0)
        if not self.may_read:
            return error("INSUFFICIENT_PRIVILEGES", "READ access to this Investigation is not allowed.", 403)
        ids = self.people[RELATIONS[steps]].get(match["name"].replace("''", "'"), [])
        found = sorted((one for one in self.investigations if one["id"] in ids), key=lambda one: int(one["id"]))
        start, count = int(match["start"]), int(match["count"])
        page = found[start : start + count]
        if len(page) > self.most_entities:
            return error("VALIDATION", f"attempt to return more than {self.most_entities} entities", 412)
        return web.json_response([{"Investigation": one} for one in page])

    def _refusal(self, session: str) -> web.Response | None:
        if not session:
            return error("SESSION", "Session Id cannot be null or empty.", 403)
        if session not in self.sessions:
            return error("SESSION", f"Unable to find user by sessionid: {session}", 403)
        if self.sessions[session] < time.monotonic():
            return error("SESSION", f"Session id:{session} has expired", 403)
        return None


def error(code: str, message: str, status: int, **more: Any) -> web.Response:
    """Give an error as ICAT words it."""
    return web.json_response({"code": code, "message": message} | more, status=status)


if __name__ == "__main__":
    main(lambda: Icat().app(), __doc__ or "")
