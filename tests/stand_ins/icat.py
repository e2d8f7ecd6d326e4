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

_TEXT = r"'(?:[^']|'')*'"
_LIKE = rf"LOWER\((?:i\.name|i\.title|i\.summary|sn\.name)\) LIKE {_TEXT}(?: ESCAPE '!')?"
_CONDITION = rf"(?:LOWER\(i\.name\) = {_TEXT}|i\.name IN \({_TEXT}(?:, {_TEXT})*\)|\({_LIKE}(?: OR {_LIKE})*\))"
#: What the portal asks, and nothing else: a server's own grammar is larger, ours is not.
QUERY = re.compile(
    r"SELECT (?P<what>DISTINCT i|COUNT\(DISTINCT i\.name\)|DISTINCT i\.name|i\.name) FROM Investigation i "
    r"(?P<joins>(?:JOIN [a-z]+\.\w+ [a-z]+ ?)+)(?P<instruments>"
    r"LEFT JOIN i\.investigationInstruments si LEFT JOIN si\.instrument sn )?"
    rf"WHERE u\.name = (?P<name>{_TEXT})(?P<more>(?: AND {_CONDITION})*)"
    r"(?: ORDER BY i\.id INCLUDE i\.investigationInstruments ii, ii\.instrument"
    r"| ORDER BY i\.name (?P<by_name>ASC|DESC)"
    r"| GROUP BY i\.name ORDER BY MAX\(i\.startDate\) (?P<by_start>ASC|DESC), i\.name)?"
    r"(?: LIMIT (?P<start>\d+), ?(?P<count>\d+))?"
)
#: Ways from an investigation to a user, by the relations of ICAT's schema.
RELATIONS = {
    ("investigationUsers", "user"): "users",
    ("investigationGroups", "grouping", "userGroups", "user"): "groups",
    ("investigationInstruments", "instrument", "instrumentScientists", "user"): "scientists",
}


def investigation(number: int, name: str, visit: str, instrument: str = "ID21", **more: Any) -> dict[str, Any]:
    """Return an investigation as ICAT writes it: nulls left out, to-one relations bare objects, lists never null."""
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
    #: membership -> user's name -> ids of investigations
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
    max_entities: int = 10_000
    #: an account without any rule may log in and sees nothing it asks for
    may_read: bool = True
    #: whether its version knows GROUP BY
    groups: bool = True
    sessions: dict[str, float] = field(default_factory=dict)
    logins: int = 0

    def app(self) -> web.Application:
        """Return the server as an application."""
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
        ids = self.people[RELATIONS[steps]].get(_text(match["name"]), [])
        conditions = re.findall(_CONDITION, match["more"])
        found = sorted(
            (one for one in self.investigations if one["id"] in ids and all(_holds(one, said) for said in conditions)),
            key=lambda one: int(one["id"]),
        )
        if match["by_start"] and not self.groups:
            return error("BAD_PARAMETER", "An error occurred while parsing the query", 400, offset=0)
        answer: list[Any] = [{"Investigation": one} for one in found]
        if match["what"] != "DISTINCT i":
            answer = _names(found, match)
        if match["what"].startswith("COUNT"):
            return web.json_response([len(answer)])
        start, count = int(match["start"]), int(match["count"])
        page = answer[start : start + count]
        if len(page) > self.max_entities:
            return error("VALIDATION", f"attempt to return more than {self.max_entities} entities", 412)
        return web.json_response(page)

    def _refusal(self, session: str) -> web.Response | None:
        if not session:
            return error("SESSION", "Session Id cannot be null or empty.", 403)
        if session not in self.sessions:
            return error("SESSION", f"Unable to find user by sessionid: {session}", 403)
        if self.sessions[session] < time.monotonic():
            return error("SESSION", f"Session id:{session} has expired", 403)
        return None


def _text(literal: str) -> str:
    return literal[1:-1].replace("''", "'")


def _holds(one: dict[str, Any], condition: str) -> bool:
    """Return whether a condition of a query is true of an investigation."""
    texts = [_text(literal) for literal in re.findall(_TEXT, re.sub(r" ESCAPE '!'", "", condition))]
    if condition.startswith("LOWER"):
        return str(one["name"]).lower() == texts[0]
    if condition.startswith("i.name"):
        return one["name"] in texts
    instruments = [ii["instrument"]["name"] for ii in one["investigationInstruments"]]
    values = [one["name"], one["title"], one.get("summary", ""), *instruments]
    return any(_like(text, str(value).lower(), "ESCAPE" in condition) for text in set(texts) for value in values)


def _like(pattern: str, value: str, escapes: bool) -> bool:
    parts, rest = [], iter(pattern)
    for letter in rest:
        if letter == "!" and escapes:
            parts.append(re.escape(next(rest)))
        else:
            parts.append({"%": ".*", "_": "."}.get(letter, re.escape(letter)))
    return re.fullmatch("".join(parts), value, re.DOTALL) is not None


def _names(found: list[dict[str, Any]], match: re.Match[str]) -> list[Any]:
    """Return the names of investigations, each once, in the order of a query."""
    latest: dict[str, str] = {}
    for one in found:
        latest[one["name"]] = max(latest.get(one["name"], ""), str(one.get("startDate", "")))
    names = sorted(latest, reverse=match["by_name"] == "DESC")
    if match["by_start"]:
        names.sort(key=lambda name: latest[name], reverse=match["by_start"] == "DESC")
    return names


def error(code: str, message: str, status: int, **more: Any) -> web.Response:
    """Return an error as ICAT words it."""
    return web.json_response({"code": code, "message": message} | more, status=status)


if __name__ == "__main__":
    main(lambda: Icat().app(), __doc__ or "")
