"""Eight callers of the hub's addresses, and what each is answered: the scene of the access matrix."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

import requests

from tests.live_portal import Person, Portal

#: Writes the hub's routes to a file: the regular expression of each, and the methods that its handler has.
DUMP_ROUTES = """
c.RoleRules.admin_groups = ["staff-id21"]
c.Facility.sessions_per_person = 10


def _dump_routes(path):
    import json
    from jupyterhub.app import JupyterHub
    from tornado.web import RequestHandler
    original = JupyterHub.init_tornado_application

    def init_tornado_application(self):
        original(self)
        methods = ("get", "post", "put", "patch", "delete")
        routes = {}
        for rule in self.handlers:
            pattern, handler = rule[0], rule[1]
            has = [m for m in methods if getattr(handler, m) is not getattr(RequestHandler, m)]
            routes.setdefault(pattern, [handler.__name__, has])  # the first rule wins
        with open(path, "w") as file:
            json.dump(routes, file)

    JupyterHub.init_tornado_application = init_tornado_application


_dump_routes(ROUTES)
"""

CALLERS = ("nobody", "signed out", "owner", "colleague", "administrator", "token", "session", "revoked token")


@dataclass(frozen=True)
class Caller:
    """Somebody who sends requests: with the cookies of a login, with a token, or with nothing."""

    portal: Portal
    person: Person | None = None
    token: str = ""

    def ask(self, method: str, path: str) -> int:
        """Return the status of one request that asks for nothing that can be done.

        API calls have a body that is no JSON, so that who may call is answered 400 and nothing happens.
        """
        headers = {"X-Requested-With": "tests"}
        if self.token:
            headers["Authorization"] = f"token {self.token}"
        is_api = "/api/" in path and "oauth2" not in path
        data: object = "[" if is_api else {}
        if self.person is not None:
            cookies = self.person.session.cookies
            xsrf = next((c.value or "" for c in cookies if c.name == "_xsrf" and c.path == "/hub/"), "")
            headers["X-XSRFToken"] = xsrf
            data = data if is_api else {"_xsrf": xsrf}
        else:
            cookies = requests.cookies.RequestsCookieJar()
        if method == "GET":
            data = None
        with requests.Session() as session:
            session.cookies.update(cookies)
            answer = session.request(
                method,
                self.portal.url + path,
                headers=headers,
                data=data,
                allow_redirects=False,
                timeout=20,
                stream=True,
            )
            answer.close()
        return answer.status_code


def make_token(person: Person) -> tuple[str, str]:
    """Return the id and the secret of a new API token with everything that the person may do."""
    answer = person.api("POST", f"users/{person.name}/tokens", {"note": "access matrix", "expires_in": 3600})
    assert answer.status_code == 201, answer.text
    return answer.json()["id"], answer.json()["token"]


def read_routes(file: Path) -> dict[str, tuple[str, list[str]]]:
    """Return the hub's routes: the pattern, the handler's name, and its methods."""
    return {pattern: (name, methods) for pattern, (name, methods) in json.loads(file.read_text()).items()}


def session_token(portal: Portal, session: str) -> str:
    """Return the token that a running session has in its environment; only root and its account can read it."""
    for process in Path("/proc").glob("[0-9]*/environ"):
        try:
            variables = dict(line.split(b"=", 1) for line in process.read_bytes().split(b"\0") if b"=" in line)
        except OSError:
            continue
        if variables.get(b"JUPYTERHUB_SERVER_NAME", b"").decode() == session:
            return variables[b"JUPYTERHUB_API_TOKEN"].decode()
    raise AssertionError(f"no process of {session}")


#: What stands in an address for each group of a route's pattern.
_FILLED = (
    (r"/user/(?P<user_name>[^/]+)(?P<user_path>/.*)?", "/user/{user}/none/"),
    (r"/users/([^/]+)", "/users/{user}"),
    (r"/servers/([^/]*)", "/servers/none"),
    (r"/tokens/([^/]*)", "/tokens/none"),
    (r"/shares/([^/]+)/([^/]*)", "/shares/{user}/none"),
    (r"/shares/([^/]+)", "/shares/{user}"),
    (r"/share-codes/([^/]+)/([^/]*)", "/share-codes/{user}/none"),
    (r"/share-codes/([^/]+)", "/share-codes/{user}"),
    (r"/shared/([^/]+)/([^/]*)", "/shared/none/none"),
    (r"/groups/([^/]+)", "/groups/none"),
    (r"/services/([^/]+)", "/services/none"),
    (r"/proposals/(.+)", "/proposals/MA-4242"),
    (r"/unknown-sessions/([^/]+)", "/unknown-sessions/none"),
    (r"/sessions/([^/]+)/stop", "/sessions/none/stop"),
    (r"/sessions/([^/]+)/desktop", "/sessions/{session}/desktop"),
    (r"/sessions/([^/]+)", "/sessions/{session}"),
    (r"/spawn(?:/.*)?", "/spawn"),
    (r"/spawn-pending/[^/]+/([^/]+)", "/spawn-pending/{user}/{session}"),
    (r"/spawn-pending/[^/]+", "/spawn-pending/{user}"),
    (r"/spawn/([^/]+)/([^/]+)", "/spawn/{user}/none"),
    (r"/spawn/([^/]+)", "/spawn/{user}"),
    (r"/spawn-pending/([^/]+)/([^/]+)", "/spawn-pending/{user}/none"),
    (r"/spawn-pending/([^/]+)", "/spawn-pending/{user}"),
    (r"/error/(\d+)", "/error/503"),
    (r"/notices/(\d+)", "/notices/7"),
    (r"/icons/([^/]+)", "/icons/pymca"),
    (r"/static/(.*)", "/static/none"),
    (r"/session/(early\.js|desktop\.css|desktop\.js)", "/session/early.js"),
    (r"/user-redirect/(.*)?", "/user-redirect/none"),
    (r"/(user|services)/([^/]+)", "/user/none"),
    (r"(?!/hub/).*", "/elsewhere"),
    (r"/hub/api/(.*)", "/hub/api/none"),
    (r"/token/([^/]+)", "/token/none"),
    (r"/cookie/([^/]+)(?:/([^/]+))?", "/cookie/none/none"),
    (r"/authorizations/.*", "/authorizations/token"),
    (r"/api/?", "/api/"),
    (r"(.*)", "/hub/none"),
)


def address_of(pattern: str) -> str:
    """Return an address that matches a route's pattern, with {user} and {session} left to fill in."""
    address = pattern.removesuffix("$")
    for group, filled in _FILLED:
        if address == group or (group.startswith("/") and group in address):
            address = address.replace(group, filled)
    return address


def reachable(routes: dict[str, tuple[str, list[str]]], fill: dict[str, str]) -> dict[str, str]:
    """Return pattern and address of each route that no earlier one hides."""
    patterns = [re.compile(pattern if pattern.endswith("$") else pattern + "$") for pattern in routes]
    found = {}
    for pattern in routes:
        address = address_of(pattern).format(**fill)
        first = next(one for one in patterns if one.match(address))
        if first.pattern.removesuffix("$") == pattern.removesuffix("$"):
            found[pattern] = address
    return found
