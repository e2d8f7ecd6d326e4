"""A user office with the CALIPSOplus REST contract, complete: login, Umbrella hash, own resources, experiments.

    python -m tests.stand_ins.calipsoplus --port 9000
    curl -u portal:portal-password 'http://127.0.0.1:9000/services/experiments/calipso1/?page_size=2'

The people calipso1 to calipso3 have their name as password; calipso1 has five experiments, calipso2 one, calipso3 none.
"""

from __future__ import annotations

import base64
import secrets
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.stand_ins.running import REQUESTS, main

HASHES = {
    "b0744680-2aa3-4b12-8627-95d23e5e4af9": "calipso1",
    "5d3c1a9e-0f1b-4f7e-9a53-6b8f0a1c2d3e": "calipso2",
}
STAFF = ("calipso1",)
VOLUMES = "{'/data/results/S11': {'bind': '', 'mode': 'rw'}, '/data/visitor/S11/': {'bind': 'raw', 'mode': 'ro'}}"


def experiment(number: int, **more: Any) -> dict[str, Any]:
    """Return an experiment as the contract has it."""
    return {
        "proposal_id": f"2018{number:04}",
        "subject": f"Subject {number}",
        "body": f"Description {number}",
        "beam_line": "BL11",
        "uid": "25001",
        "gid": "26001",
        "sessions": [
            {
                "session_number": f"S{number:04}",
                "start_date": "2018-10-10T10:30:00Z",
                "end_date": "2018-10-11T18:00:00Z",
                "subject": f"Session of {number}",
                "body": None,
                "data_set_path": VOLUMES,
            }
        ],
    } | more


@dataclass
class UserOffice:
    """The office; a test changes what it knows and how it pages."""

    experiments: dict[str, list[dict[str, Any]]] = field(
        default_factory=lambda: {
            "calipso1": [experiment(number) for number in range(1, 6)],
            "calipso2": [experiment(9, beam_line="BL11, BL13")],
            "calipso3": [],
        }
    )
    user: str = "portal"
    password: str = "portal-password"
    #: what `next` says: "absolute", "relative", or an address of another host
    following: str = "absolute"
    #: a server that decides itself how much it gives at a time
    own_page_size: int = 0
    #: Django answers with a redirect where the slash at the end is missing
    wants_slash: bool = True

    def app(self) -> web.Application:
        """Return the office as an application."""
        app = web.Application()
        app[REQUESTS] = []
        app.add_routes(
            [
                web.post("/services/login/", self.login),
                web.post("/services/login/umbrella/", self.umbrella),
                web.post("/services/is_staff/", self.is_staff),
                web.get("/services/experiments/{name}/", self.list_experiments),
            ]
        )
        if self.wants_slash:
            app.router.add_get("/services/experiments/{name}", self.to_the_slash)
        return app

    async def login(self, request: web.Request) -> web.Response:
        """A local login: the name is the password."""
        said = await _fields(request, "username", "password")
        if said is None:
            return web.json_response("Bad request", status=400)
        right = said["username"] in self.experiments and secrets.compare_digest(said["username"], said["password"])
        return web.json_response("Login OK") if right else web.json_response("Unauthorized", status=401)

    async def umbrella(self, request: web.Request) -> web.Response:
        """Whose account an Umbrella hash is linked to."""
        said = await _fields(request, "eaa_hash")
        if said is None:
            return web.json_response("Bad request", status=400)
        name = HASHES.get(said["eaa_hash"])
        return web.json_response({"login": name}) if name else web.json_response("Not found", status=404)

    async def is_staff(self, request: web.Request) -> web.Response:
        """May this account have resources without an experiment?"""
        if not self._is_portal(request):
            return web.json_response("Forbidden", status=403)
        said = await _fields(request, "login")
        if said is None:
            return web.json_response("Bad request", status=400)
        if said["login"] not in self.experiments:
            return web.json_response("Not found", status=404)
        return web.json_response({"result": said["login"] in STAFF})

    async def to_the_slash(self, request: web.Request) -> web.Response:
        """Redirect, as Django does."""
        raise web.HTTPMovedPermanently(f"{request.path}/")

    async def list_experiments(self, request: web.Request) -> web.Response:
        """One page of an account's experiments."""
        request.app[REQUESTS].append(request)
        if self.user and not self._is_portal(request):
            return web.json_response({"detail": "Authentication credentials were not provided."}, status=403)
        name = request.match_info["name"]
        if name not in self.experiments:
            return web.json_response({"detail": "Not found."}, status=404)
        found = [one for one in self.experiments[name] if _matches(one, request.query.get("search", ""))]
        ordering = request.query.get("ordering", "")
        if ordering.lstrip("-") in ("proposal_id", "subject", "body", "beam_line"):
            found.sort(key=lambda one: str(one.get(ordering.lstrip("-"), "")), reverse=ordering.startswith("-"))
        size = self.own_page_size or int(request.query.get("page_size", 7))
        page = int(request.query.get("page", 1))
        start = (page - 1) * size
        if start and start >= len(found):
            return web.json_response({"detail": "Invalid page."}, status=404)
        return web.json_response(
            {
                "count": len(found),
                "next": self._address(request, page + 1) if start + size < len(found) else None,
                "previous": self._address(request, page - 1) if page > 1 else None,
                "results": found[start : start + size],
            }
        )

    def _is_portal(self, request: web.Request) -> bool:
        said = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        return request.headers.get("Authorization") == f"Basic {said}"

    def _address(self, request: web.Request, page: int) -> str:
        address = request.url.update_query(page=page)
        if self.following == "relative":
            return f"?{address.query_string}"
        return str(address) if self.following == "absolute" else f"{self.following}{address.path_qs}"


def _matches(one: dict[str, Any], words: str) -> bool:
    return any(words in str(one.get(key) or "") for key in ("subject", "body", "beam_line", "proposal_id"))


async def _fields(request: web.Request, *names: str) -> dict[str, str] | None:
    """Return the fields of a JSON object; None if one is missing."""
    try:
        said = await request.json()
    except ValueError:
        return None
    if not isinstance(said, dict) or not all(isinstance(said.get(name), str) for name in names):
        return None
    return {name: said[name] for name in names}


if __name__ == "__main__":
    main(lambda: UserOffice().app(), __doc__ or "")
