"""Who is answered what at which address: every route of ours and of the hub, every method, eight callers.

The table is in access_matrix.txt. A route or a method without a row fails, and so does a row without a route.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from tests.hub.access import CALLERS, DUMP_ROUTES, Caller, make_token, reachable, read_routes, session_token
from tests.live_portal import new_state, remove, start_portal

pytestmark = pytest.mark.sandbox

TABLE = Path(__file__).with_name("access_matrix.txt")
#: They would end the callers' logins; what they end is in test_sign_out.py.
NOT_ASKED = {("GET", "/hub/logout"), ("POST", "/hub/daas/sign-out")}
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


@dataclass
class Scene:
    """A portal with a running session, and everybody who asks it."""

    callers: dict[str, Caller]
    addresses: dict[str, str]
    methods: dict[str, list[str]]


@pytest.fixture(scope="module")
def scene(sandbox_works: None) -> Iterator[Scene]:
    state = new_state()
    file = state / "routes.json"
    portal = start_portal(state=state, more_config=f"ROUTES = {str(file)!r}\n{DUMP_ROUTES}")
    try:
        owner, colleague, administrator = (portal.login(name) for name in ("anna", "ben", "carla"))
        session = owner.launch("terminal", proposal="MA-4242", visit="2")
        (_, token), (revoked_id, revoked) = make_token(owner), make_token(owner)
        assert owner.api("DELETE", f"users/{owner.name}/tokens/{revoked_id}").status_code == 204
        signed_out = portal.login("anna")
        copy = requests.cookies.RequestsCookieJar()
        copy.update(signed_out.session.cookies)
        signed_out.get("/hub/logout")
        signed_out.session.cookies = copy
        callers = (
            Caller(portal),
            Caller(portal, signed_out),
            Caller(portal, owner),
            Caller(portal, colleague),
            Caller(portal, administrator),
            Caller(portal, token=token),
            Caller(portal, token=session_token(portal, session)),
            Caller(portal, token=revoked),
        )
        routes = read_routes(file)
        addresses = reachable(routes, {"user": owner.name, "session": session})
        methods = {pattern: [name.upper() for name in routes[pattern][1]] for pattern in addresses}
        yield Scene(dict(zip(CALLERS, callers, strict=True)), addresses, methods)
    finally:
        portal.stop()
        remove(portal)


def read_table() -> dict[tuple[str, str], list[int]]:
    lines = [line.split() for line in TABLE.read_text().splitlines() if line and not line.startswith("#")]
    return {(method, pattern): [int(status) for status in statuses] for method, pattern, *statuses in lines}


def test_every_route_has_a_row(scene: Scene) -> None:
    routes = {(method, pattern) for pattern, methods in scene.methods.items() for method in methods}
    assert routes - NOT_ASKED == set(read_table())


@pytest.mark.parametrize("row", read_table(), ids=" ".join)
def test_row(scene: Scene, row: tuple[str, str]) -> None:
    method, pattern = row
    address = scene.addresses[pattern]
    statuses = {name: caller.ask(method, address) for name, caller in scene.callers.items()}
    assert statuses == dict(zip(CALLERS, read_table()[row], strict=True))
    assert max(statuses.values()) < 500


def test_no_other_method_does_anything(scene: Scene) -> None:
    done = [
        (method, pattern, name, status)
        for pattern, address in scene.addresses.items()
        for method in METHODS
        if method not in scene.methods[pattern]
        for name, caller in scene.callers.items()
        if (status := caller.ask(method, address)) not in (403, 404, 405)
    ]
    assert done == []
