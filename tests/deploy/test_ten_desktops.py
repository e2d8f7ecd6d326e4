"""Ten desktops of one browser behind nginx: what a reload of nginx and a killed proxy cost them (F3, F6)."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.conftest import SessionUser, browser
from tests.deploy import saml_walk
from tests.deploy.site import NGINX, Site, running_site
from tests.live_portal import Person
from tests.not_tried import missing

__all__ = ["browser"]

COUNT = 10
#: How often the proxy is killed.
KILLS = 3
#: nginx's workers of before a reload end after this; an administrator's nginx may let them live longer.
SHUTDOWN_S = 3
#: Notes every state of a page, and how long it was without its desktop's picture.
WATCH = """() => {
  window.seen = []; window.gaps = []; let lost = 0;
  new MutationObserver(() => {
    const state = document.body.dataset.state;
    seen.push(state);
    if (state !== "connected") lost ||= performance.now();
    else if (lost) { gaps.push((performance.now() - lost) / 1000); lost = 0; }
  }).observe(document.body, { attributes: true, attributeFilter: ["data-state"] });
}"""

pytestmark = [pytest.mark.browser, pytest.mark.sandbox]


class ReloadedSite(Site):
    """A portal whose nginx can be reloaded, and whose people may have ten sessions."""

    def write(self) -> None:
        """Write the configuration of every part."""
        super().write()
        with (self.folder / "etc" / "jupyterhub_config.py").open("a") as config:
            config.write(f"c.Facility.sessions_per_person = {COUNT}\n")
        nginx = self.folder / "nginx" / "nginx.conf"
        text = nginx.read_text()
        assert "master_process off;" in text
        nginx.write_text(text.replace("master_process off;", f"worker_shutdown_timeout {SHUTDOWN_S}s;"))


@dataclass
class Ten:
    """Anna, and the pages of her ten desktops."""

    site: Site
    user: SessionUser
    person: Person
    pages: list[Page]

    def started(self) -> dict[str, str]:
        """Return when each of her sessions was started."""
        servers = self.person.get(f"/hub/api/users/{self.person.name}").json()["servers"]
        return {name: server["started"] for name, server in servers.items()}

    def wait_back(self, times: int) -> list[float]:
        """Wait until each desktop was lost and came back so often; return how long the last time took each."""
        until = time.monotonic() + 60
        for page in self.pages:
            while page.evaluate("document.body.dataset.state === 'connected' ? gaps.length : 0") < times:
                assert time.monotonic() < until, page.evaluate("[document.body.dataset.state, ...seen]")
                page.wait_for_timeout(50)
        return [page.evaluate("gaps.at(-1)") for page in self.pages]


@pytest.fixture(scope="module")
def site(sandbox_works: None) -> Iterator[Site]:
    if NGINX is None:
        missing("nginx", "nginx is not installed")
    with running_site(kind=ReloadedSite) as running:
        yield running


@pytest.fixture
def ten(site: Site, browser: Browser) -> Iterator[Ten]:
    person = site.portal.login("anna")
    names = [person.launch("terminal", proposal="MA-4242", visit="1", wait=False) for _ in range(COUNT)]
    for name in names:
        person.wait_ready(name, 120)
    with saml_walk.visitor(browser, site, width=900, scheme="light") as user:
        user.login("anna")
        pages = [user.page, *(user.watch(user.context.new_page()) for _ in names[1:])]
        for page, name in zip(pages, names, strict=True):
            page.goto(f"{site.portal.url}/user/{person.name}/{name}/")
            user.wait_for_picture(page)
        for page in pages:
            page.wait_for_selector('body[data-state="connected"]')
            page.evaluate(WATCH)
        user.requests.clear()
        yield Ten(site, user, person, pages)
    for name in names:
        person.stop(name)


def test_a_reload_of_nginx_shows_the_same_desktops_again(ten: Ten) -> None:
    """Without a login; what is typed meanwhile goes nowhere, and the page says so."""
    before, page = ten.started(), ten.pages[0]
    page.bring_to_front()
    page.locator("canvas").click()
    page.keyboard.type("cat > ~/typed.txt\nbefore\n", delay=20)
    os.kill(ten.site.running["nginx"].pid, signal.SIGHUP)
    page.wait_for_selector('body:not([data-state="connected"])')
    page.keyboard.type("during\n")
    said = page.locator("#veil").inner_text()
    gaps = ten.wait_back(1)
    print(f"without a picture for {max(gaps):.1f} s at most: {', '.join(f'{one:.1f}' for one in gaps)}")
    page.keyboard.type("after\n", delay=20)
    typed = _wait_for_text(ten.site, "after")
    assert typed == "before\nafter\n"
    assert "What you type now does not arrive." in said
    assert max(gaps) < 30
    assert ten.started() == before
    assert [one for one in ten.user.requests if "oauth" in one or "login" in one] == []


def _wait_for_text(site: Site, words: str) -> str:
    until = time.monotonic() + 30
    while True:
        found = [one.read_text() for one in site.folder.rglob("typed.txt")]
        if found and words in found[0]:
            return found[0]
        assert time.monotonic() < until, found
        time.sleep(0.1)


def test_a_killed_proxy_has_its_routes_again_within_seconds(ten: Ten) -> None:
    """It remembers none; without `RouteWatch` everybody waits for the next comparison, a minute at most."""
    before = ten.started()
    for number in range(1, KILLS + 1):
        ten.site.stop("proxy", signal.SIGKILL)
        ten.site.start("proxy")
        began = time.monotonic()
        ten.wait_back(number)
        took_s = time.monotonic() - began
        print(f"all desktops are back {took_s:.1f} s after the proxy")
        assert took_s < 40
    assert all("gone" not in page.evaluate("seen") for page in ten.pages)
    assert ten.started() == before
