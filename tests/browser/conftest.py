"""Chromium, and people who use the portal with it."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, TimeoutError, expect, sync_playwright

from tests.live_portal import Portal
from tests.not_tried import missing

FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
OUTPUT = Path(__file__).parents[2] / "test-output"

# Playwright itself waits five seconds, which a busy machine may need for one answer of the hub
expect.set_options(timeout=30_000)

#: Messages that are not ours: noVNC's hint about its own canvas, JupyterLab's own remarks, and Chromium's about an
#: interface of a pod that appears on this machine.
KNOWN_MESSAGES = re.compile(
    r"willReadFrequently|ERR_NETWORK_CHANGED|/lab|/notebooks|/static/|/api/|/lsp|hub-extension|Starting application"
)


@dataclass
class SessionUser:
    """Somebody with a browser; remembers every request that left it, and every complaint of it."""

    portal: Portal
    context: BrowserContext
    page: Page
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def watch(self, page: Page) -> Page:
        """Listen to a page."""
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("console", self._take)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        return page

    def _take(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not KNOWN_MESSAGES.search(message.text):
            self.complaints.append(f"{message.text} ({message.location.get('url', '')})")

    def login(self, subject: str) -> None:
        """Sign in by the buttons a person presses."""
        self.page.goto(self.portal.url)
        self.page.get_by_role("link", name="Sign in").click()
        self.page.locator(f"button[value={subject}]").click()
        self.page.wait_for_load_state()

    def launch(self, application: str, proposal: str) -> None:
        """Go to the proposal and press the application's button of its newest visit, or start another session."""
        self.page.goto(f"{self.portal.url}/hub/home")
        self.page.locator("table.proposals tr", has_text=proposal).get_by_role("link").first.click()
        launch, another = (
            self.page.locator(".application").get_by_role("button", name=f"{word} {application}", exact=True)
            for word in ("Launch", "Start another")
        )
        launch.or_(another).first.click()

    def wait_for_picture(self, page: Page | None = None) -> None:
        """Wait until the desktop's first picture is painted."""
        page = page or self.page
        try:
            page.wait_for_selector('html[data-frame="1"]', state="attached", timeout=45_000)
        except TimeoutError:
            kept = self.keep_picture("no-picture", page)
            print(f"{page.url} shows no desktop, see {kept}: {page.inner_text('body')}\n{self.complaints}")
            raise

    def keep_picture(self, name: str, page: Page | None = None) -> Path:
        """Keep a screenshot among the run's output."""
        OUTPUT.mkdir(exist_ok=True)
        path = OUTPUT / f"{name}.png"
        (page or self.page).screenshot(path=path)
        return path

    def require_quiet(self) -> None:
        """Check that nothing left this machine, and that no page complained."""
        hosts = {urlsplit(url).hostname for url in self.requests if url.startswith(("http", "ws"))}
        assert hosts <= {"127.0.0.1"}, hosts
        assert self.complaints == []


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One Chromium for a file's tests; its event loop must have ended before the next asynchronous test."""
    program = shutil.which("chromium")
    if program is None:
        missing("browser", "chromium is not installed")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield running
        running.close()


@pytest.fixture
def guest(browser: Browser, portal: Portal) -> Iterator[Callable[..., SessionUser]]:
    """Return people with a browser of their own; their sessions are stopped at the end."""
    people: list[SessionUser] = []

    def arrive(subject: str = "", *, width: int = 1400, height: int = 900) -> SessionUser:
        context = browser.new_context(viewport={"width": width, "height": height})
        person = SessionUser(portal, context, context.new_page())
        person.watch(person.page)
        people.append(person)
        if subject:
            person.login(subject)
        return person

    yield arrive
    for person in people:
        person.page.goto(f"{portal.url}/hub/home")
        stop_all(person.page)
        person.context.close()


def stop_first(page: Page) -> None:
    """Stop the first session of the list, and confirm it; remove one that has ended."""
    form = page.locator("#sessions form", has=page.locator("button[id^=stop-]")).first
    asks = form.get_attribute("method") == "get"
    form.get_by_role("button").click()
    if asks:
        page.get_by_role("button", name="Stop", exact=True).click()
    page.wait_for_url("**/hub/home")


def stop_all(page: Page) -> None:
    """Stop every session of the list."""
    while page.locator("#sessions form").count():
        stop_first(page)


@contextmanager
def visitors(browser: Browser, portal: Portal) -> Iterator[Callable[..., SessionUser]]:
    """Let people arrive with a browser of their own at a portal that a file of tests started itself."""
    people: list[SessionUser] = []

    def arrive(*, width: int = 1280, height: int = 900) -> SessionUser:
        context = browser.new_context(viewport={"width": width, "height": height})
        person = SessionUser(portal, context, context.new_page())
        person.watch(person.page)
        people.append(person)
        return person

    yield arrive
    for person in people:
        person.context.close()
