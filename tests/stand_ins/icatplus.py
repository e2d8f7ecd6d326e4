"""ICAT+: a session by an access token, and the investigations of the person whose session it is.

    python -m tests.stand_ins.icatplus --port 9000
    curl -H 'Content-Type: application/json' -d '{"plugin":"esrf","password":"token-of-anna"}' http://127.0.0.1:9000/session

The access tokens are token-of-anna (two proposals, three visits) and token-of-ben (one).
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.stand_ins.running import REQUESTS, main


def investigation(number: int, name: str, visit: str, instrument: str = "ID21", **more: Any) -> dict[str, Any]:
    """Return an investigation as ICAT+ writes it."""
    return {
        "id": number,
        "name": name,
        "title": f"Title of {name}",
        "startDate": "2024-05-01T06:00:00.000Z",
        "endDate": "2024-05-04T06:00:00.000Z",
        "releaseDate": "2027-05-04T06:00:00.000Z",
        "visitId": visit,
        "type": {"id": 1, "name": name[:2]},
        "instrument": {"id": 7, "name": instrument},
        "parameters": {"__volume": "12", "__datasetCount": "3", "Id": str(number)},
    } | more


@dataclass
class IcatPlus:
    """A server; a test changes what it knows and which version it is."""

    #: filter -> person -> investigations
    investigations: dict[str, dict[str, list[dict[str, Any]]]] = field(
        default_factory=lambda: {
            "participant": {
                "anna": [
                    investigation(101, "MA-4242", "1", summary="Roman glass"),
                    investigation(102, "MA-4242", "2", parameters={"__actualStartDate": "2024-06-01T06:00:00.000Z"}),
                    investigation(103, "LS-1007", "1", "BM23"),
                ],
                "ben": [investigation(101, "MA-4242", "1")],
            },
            "instrumentscientist": {"carla": [investigation(101, "MA-4242", "1")]},
            "released": {"": [investigation(900, "PU-0001", "1")]},
        }
    )
    plugin: str = "esrf"
    #: the server of 2019 boxed each record, and had no pages
    boxed: bool = False
    has_pages: bool = True
    sessions: dict[str, str] = field(default_factory=dict)
    #: access tokens of a real provider, and whose they are
    people_by_token: dict[str, str] = field(default_factory=dict)

    def app(self) -> web.Application:
        """Return the server as an application."""
        app = web.Application()
        app[REQUESTS] = []
        app.add_routes(
            [
                web.post("/session", self.open),
                web.get("/session/{session}", self.show_session),
                web.get("/catalogue/{session}/investigation", self.list_investigations),
            ]
        )
        return app

    async def open(self, request: web.Request) -> web.Response:
        """Log in by an access token."""
        said = await request.json()
        token = str(said.get("password", ""))
        name = self.people_by_token.get(token) or token.removeprefix("token-of-")
        if said.get("plugin") != self.plugin or name == token:
            return web.json_response({"message": f"Invalid credentials {token}"}, status=403)
        session = str(uuid.uuid4())
        self.sessions[session] = name
        return web.json_response(self._session(session))

    async def show_session(self, request: web.Request) -> web.Response:
        """Whose session it is."""
        session = request.match_info["session"]
        if session not in self.sessions:
            return web.json_response({"message": "Session expired"}, status=403)
        return web.json_response(self._session(session))

    async def list_investigations(self, request: web.Request) -> web.Response:
        """The investigations of the person whose session it is; without a filter also what is public."""
        request.app[REQUESTS].append(request)
        session = request.match_info["session"]
        if session not in self.sessions:
            return web.json_response({"message": f"Session {session} expired"}, status=403)
        wanted = [request.query["filter"]] if "filter" in request.query else list(self.investigations)
        name = self.sessions[session]
        found = [one for kind in wanted for who in (name, "") for one in self.investigations.get(kind, {}).get(who, [])]
        if self.has_pages:
            skip = int(request.query.get("skip", 0))
            found = found[skip : skip + int(request.query.get("limit", len(found)))]
        return web.json_response([{"Investigation": one} for one in found] if self.boxed else found)

    def _session(self, session: str) -> dict[str, Any]:
        name = self.sessions[session]
        return {
            "sessionId": session,
            "name": name,
            "username": name,
            "fullName": name.title(),
            "isAdministrator": False,
            "isInstrumentScientist": name in self.investigations["instrumentscientist"],
            "lifeTimeMinutes": 120,
        }


if __name__ == "__main__":
    main(lambda: IcatPlus().app(), __doc__ or "")
