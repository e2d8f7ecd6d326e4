"""Sessions under host names of their own: a page that a session serves cannot act on the portal, nor in other sessions.

Chromium resolves every name below `localhost` to this machine.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.conftest import SessionUser, visitors
from tests.live_portal import Portal, free_ports, new_state, remove, start_portal

pytestmark = [pytest.mark.browser, pytest.mark.sandbox, pytest.mark.timeout(240)]

NAME = "daas.localhost"
HOSTILE = Path(__file__).with_name("hostile.html")

CONFIG = """
c.JupyterHub.subdomain_host = {address!r}
c.UmbrellaAuthenticator.oauth_callback_url = {address!r} + "/hub/oauth_callback"
c.Facility.sessions_per_person = 10
{more}
"""

MODES = {
    "a name for each session": "",
    "a name for all sessions": "c.SandboxSpawner.host_for_each_session = False",
}


#: Everything under one name, as without the setting: the risk that the names are for.
SHARED = "c.JupyterHub.subdomain_host = ''"


@contextmanager
def portal_named(more: str) -> Iterator[Portal]:
    port = free_ports(4)
    address = f"http://{NAME}:{port}"
    running = start_portal(state=new_state(), port=port, more_config=CONFIG.format(address=address, more=more))
    try:
        yield dataclasses.replace(running, url=address)
    finally:
        running.stop()
        remove(running)


@pytest.fixture(scope="module", params=MODES)
def hosts(sandbox_works: None, request: pytest.FixtureRequest) -> Iterator[Portal]:
    """A portal on a name of its own, and its sessions on others."""
    with portal_named(MODES[request.param]) as portal:
        yield portal


@pytest.fixture
def anna(browser: Browser, hosts: Portal) -> Iterator[SessionUser]:
    """Anna, signed in."""
    with visitors(browser, hosts) as arrive:
        person = arrive()
        person.login("anna")
        yield person


def api(person: SessionUser, path: str) -> Any:
    """Read the hub's API as the person, from the home page."""
    page = person.context.new_page()
    page.goto(f"{person.portal.url}/hub/home")
    answer = page.evaluate(
        """async path => {
          const xsrf = document.querySelector("[data-xsrf]").dataset.xsrf;
          return (await fetch("/hub/api/" + path, {headers: {"X-XSRFToken": xsrf}})).json();
        }""",
        path,
    )
    page.close()
    return answer


def serve_hostile_page(person: SessionUser, lab: Page) -> str:
    """Let code in a notebook session serve a page of its own; return the page's address."""
    home = person.portal.state / "homes" / "anna"
    (home / "hostile.html").write_text(HOSTILE.read_text())
    os.chmod(home / "hostile.html", 0o644)
    base = lab.url.partition("/lab")[0] + "/"
    lab.evaluate(
        """async base => {
          const xsrf = document.cookie.match(/_xsrf=([^;]*)/)[1];
          const made = await fetch(base + "api/terminals", {method: "POST", headers: {"X-XSRFToken": xsrf}});
          const name = (await made.json()).name;
          const line = new WebSocket(base.replace("http", "ws") + "terminals/websocket/" + name);
          await new Promise(done => line.onopen = done);
          line.send(JSON.stringify(["stdin", "cd && python3 -m http.server -b 127.0.0.1 8100\\r"]));
          for (let i = 0; i < 100; i++) {
            await new Promise(done => setTimeout(done, 100));
            const page = await fetch(base + "proxy/8100/hostile.html");
            if (page.ok) return;
          }
          throw new Error("the page is not served");
        }""",
        base,
    )
    return f"{base}proxy/8100/hostile.html"


def test_a_session_has_another_host_name(anna: SessionUser) -> None:
    anna.launch("Terminal", "MA-4242")
    anna.wait_for_picture()
    host = urlsplit(anna.page.url).hostname or ""
    assert host != NAME
    assert host.endswith(f".{NAME}")
    anna.page.goto(f"{anna.portal.url}/hub/home")
    opened = anna.page.locator("#sessions a", has_text="Open").first
    assert urlsplit(opened.get_attribute("href") or "").hostname == host
    opened.click()
    anna.wait_for_picture()
    cookies = {cookie["name"]: cookie["domain"] for cookie in anna.context.cookies()}
    assert cookies["jupyterhub-hub-login"] == NAME
    assert cookies["_xsrf"] == NAME
    assert cookies["daas-session"] == host
    # the portal has no page for a desktop that it cannot lead to its own address
    name = urlsplit(anna.page.url).path.rstrip("/").rpartition("/")[2]
    anna.page.goto(f"{anna.portal.url}/hub/sessions/{name}/desktop")
    anna.wait_for_picture()
    assert urlsplit(anna.page.url).hostname == host


@pytest.mark.parametrize("path", ["login", "home", "launch", "token", "admin", "daas/sign-out", "api/oauth2/authorize"])
def test_forms_may_end_at_a_session(anna: SessionUser, path: str) -> None:
    """Browsers apply the policy to redirects: a launch, or a login by a password, would stop in the middle."""
    if path == "login":
        anna.context.clear_cookies()
    answer = anna.page.goto(f"{anna.portal.url}/hub/{path}")
    assert answer is not None
    policy = answer.headers["content-security-policy"]
    assert f"form-action 'self' http://*.{NAME}:{anna.portal.port}" in policy


@dataclass
class Reached:
    """What a hostile page did: what it says it reached, and what it changed."""

    results: dict[str, bool]
    servers: int
    tokens: int


def attack(anna: SessionUser) -> Reached:
    """Serve the hostile page from a session, open it as the session's owner, and let it try everything."""
    anna.launch("Terminal", "MA-4242")
    anna.wait_for_picture()
    other = anna.page.url
    anna.launch("JupyterLab", "LS-1007")
    anna.page.wait_for_url("**/lab**", timeout=60_000)
    me = api(anna, "user")["name"]
    servers, tokens = set(api(anna, f"users/{me}")["servers"]), len(api(anna, f"users/{me}/tokens")["api_tokens"])

    page = anna.context.new_page()
    page.goto(serve_hostile_page(anna, anna.page))
    where = {"portal": f"{anna.portal.url}/hub/", "user": me, "other": other}
    results = page.evaluate("where => attack(where)", where)
    page.wait_for_timeout(1500)
    more_servers = set(api(anna, f"users/{me}")["servers"]) - servers
    more_tokens = len(api(anna, f"users/{me}/tokens")["api_tokens"]) - tokens
    return Reached(results, len(more_servers), more_tokens)


def test_a_hostile_page_of_a_session(anna: SessionUser, request: pytest.FixtureRequest) -> None:
    reached = attack(anna)
    if "for all sessions" in request.node.name:
        # documented: it reaches the same person's other sessions
        assert reached.results.pop("read the other session")
    assert not any(reached.results.values()), reached
    assert (reached.servers, reached.tokens) == (0, 0)


def test_the_hostile_page_is_one(browser: Browser, sandbox_works: None) -> None:
    """Without host names of their own it reads the portal and the other session: the test above could fail."""
    with portal_named(SHARED) as portal, visitors(browser, portal) as arrive:
        anna = arrive()
        anna.login("anna")
        results = attack(anna).results
    assert results["read the home page"]
    assert results["read the token page"]
    assert results["open the portal"]
    assert results["read the other session"]
