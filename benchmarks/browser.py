"""One launch as a user sees it: a cold browser context, a click, the first frame, the application's window, a stop."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, sync_playwright

from .processes import Process, descendants, end_all, find_xvnc, read_process
from .windows import has_window

HERE = Path(__file__).resolve().parent
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SCREEN_WIDTH, SCREEN_HEIGHT = 1680, 1050
#: Forks the processes that open directories as the account; it ends with the hub.
STORAGE_SERVER = "daas_hub.as_account"
BROWSER_NAMES = ("chromium", "node", "chrome_crashpad")
LAUNCH_TIMEOUT_S = 120


class Site(Protocol):
    """A hub with one user who can launch; it runs inside its context."""

    name: str
    url: str
    port: int

    @property
    def pid(self) -> int:
        """The hub's process."""

    @property
    def below(self) -> int:
        """The process below which its sessions run."""

    def __enter__(self) -> object:
        """Start the hub."""

    def __exit__(self, *_: object) -> None:
        """End it and its sessions."""

    def log_in(self, page: Page) -> None:
        """Log the demo user in."""

    def launch_button(self, page: Page) -> Locator:
        """Go to the page a launch starts from; return what is to be clicked."""

    def screen_path(self, address: str) -> str:
        """Where the websocket of the session that stands at ``address`` is."""

    def stop_session(self, page: Page, address: str) -> None:
        """Ask the hub to stop the session that stands at ``address``."""


@dataclass(frozen=True)
class Launch:
    """What one launch took, in seconds from the click, and which processes outlived the stop."""

    frame_s: float
    window_s: float
    steps: tuple[tuple[str, float], ...] = ()
    left: tuple[str, ...] = ()
    #: When it was clicked, on the machine's clock.
    clicked: float = 0.0


@contextmanager
def chromium(program: str | Path = "/usr/bin/chromium", *flags: str) -> Iterator[Browser]:
    """A headless Chromium; each launch takes a fresh context in it."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=[*FLAGS, *flags])
        try:
            yield browser
        finally:
            browser.close()


class _Marks:
    """The events of `probe.js`: (seconds on the machine's clock, name)."""

    def __init__(self) -> None:
        self.events: list[tuple[float, str]] = []

    def take(self, message: ConsoleMessage) -> None:
        """Keep a console message when it is the probe's."""
        words = message.text.split(" ", 2)
        if words[0] == "bench":
            self.events.append((int(words[1]) / 1000, words[2]))

    def first(self, what: str) -> float | None:
        """When ``what`` was first reported."""
        return next((at for at, event in self.events if event == what), None)


@contextmanager
def _signed_in(browser: Browser, site: Site) -> Iterator[tuple[Page, _Marks]]:
    """A fresh context in which the demo user has signed in, and what its pages report."""
    context = browser.new_context(viewport={"width": SCREEN_WIDTH, "height": SCREEN_HEIGHT})
    marks = _Marks()
    context.on("console", marks.take)
    context.add_init_script(path=HERE / "probe.js")
    try:
        page = context.new_page()
        site.log_in(page)
        yield page, marks
    finally:
        context.close()


def measure_opening(browser: Browser, site: Site, address: str) -> Launch:
    """Open the session at ``address``, which runs already, from the home page; it is left running."""
    with _signed_in(browser, site) as (page, marks):
        page.goto(f"{site.url}/hub/home")
        link = page.locator(f"a[href$='{urlsplit(address).path}']").first
        marks.events.clear()
        link.click(no_wait_after=True)
        clicked, frame = _wait_for_frame(page, marks)
    return Launch(frame - clicked, frame - clicked, _steps(marks, clicked, frame))


def measure_page(browser: Browser, site: Site, ending: str) -> Launch:
    """Launch once on ``site``, wait for a page whose path has this ending, stop the session again."""
    with _signed_in(browser, site) as (page, marks):
        button = site.launch_button(page)
        marks.events.clear()
        button.click(no_wait_after=True)
        deadline = time.monotonic() + LAUNCH_TIMEOUT_S
        while not (found := [at for at, what in marks.events if what.startswith("page ") and what.endswith(ending)]):
            if time.monotonic() > deadline:
                raise RuntimeError(f"no page {ending!r}, but {page.url}: {page.inner_text('body')[:400]}")
            page.wait_for_timeout(20)
        clicked = marks.first("click")
        if clicked is None:
            raise RuntimeError("the click was not seen")
        site.stop_session(page, page.url)
    return Launch(found[0] - clicked, found[0] - clicked, _steps(marks, clicked, found[0]))


def measure(browser: Browser, site: Site, title: str, *, watch: Callable[[Page], None] | None = None) -> Launch:
    """Launch once on ``site``, wait for the frame and for a window with ``title``, stop the session again.

    Without a title, stop as soon as the frame is there. ``watch`` is called with the page before the click.
    """
    root = site.below
    with _signed_in(browser, site) as (page, marks):
        button = site.launch_button(page)
        before = {process.pid for process in _started(root)}
        marks.events.clear()
        if watch:
            watch(page)
        button.click(no_wait_after=True)
        clicked, frame = _wait_for_frame(page, marks)
        window = _wait_for_window(title, root) if title else frame
        session = [process for process in _started(root) if process.pid not in before]
        site.stop_session(page, page.url)
    steps = _steps(marks, clicked, frame)
    return Launch(frame - clicked, max(window, frame) - clicked, steps, _outlived(session), clicked)


def _started(root: int) -> list[Process]:
    """Every process below ``root`` that is not the browser's, nor the hub's own that begins with the first launch."""
    if root == 1:
        # containers: the machine's other processes are not ours to look at, and the engine ends what is in one
        return []
    return [
        process
        for process in descendants(root)
        if not process.name.startswith(BROWSER_NAMES) and STORAGE_SERVER not in process.line
    ]


def _wait_for_frame(page: Page, marks: _Marks) -> tuple[float, float]:
    deadline = time.monotonic() + LAUNCH_TIMEOUT_S
    while (frame := marks.first("frame")) is None:
        if time.monotonic() > deadline:
            raise RuntimeError(f"no frame at {page.url}: {page.inner_text('body')[:400]}")
        page.wait_for_timeout(20)
    clicked = marks.first("click")
    if clicked is None:
        raise RuntimeError("the click was not seen")
    return clicked, frame


def _wait_for_window(title: str, root: int) -> float:
    """The time on the clock when the newest display shows a window with ``title``."""
    deadline = time.monotonic() + LAUNCH_TIMEOUT_S
    xvnc = find_xvnc(root)
    while xvnc is None or not has_window(xvnc.pid, title):
        if time.monotonic() > deadline:
            raise RuntimeError(f"no window with {title!r} in its title")
        time.sleep(0.03)
        xvnc = xvnc or find_xvnc(root)
    return time.time()


def _steps(marks: _Marks, clicked: float, frame: float) -> tuple[tuple[str, float], ...]:
    """When each page on the way began, by path, with names of users and sessions left out."""
    steps = []
    for at, what in marks.events:
        if what.startswith("page ") and clicked <= at <= frame:
            path = re.sub(r"/user/[^/]+(/(?!desktop|oauth_callback)[^/]+)?", "/user/..", what[5:])
            steps.append((re.sub(r"(spawn-pending|sessions)/.*", r"\1/..", path), at - clicked))
    return tuple(steps)


def _outlived(session: list[Process], patience_s: float = 8) -> tuple[str, ...]:
    """The names of the processes of a stopped ``session`` that still run after ``patience_s``; they are ended."""
    deadline = time.monotonic() + patience_s
    while session and time.monotonic() < deadline:
        session = [process for process in session if read_process(process.pid)]
        time.sleep(0.1)
    end_all(session)
    return tuple(sorted(process.name for process in session))


def delete_server(page: Page, address: str, hub_url: str, *, has_name: bool = True) -> None:
    """Stop the server at ``address`` through the hub's API, with the user's own cookies, and wait until it is gone.

    Args:
        has_name: whether it is a named server; a stock hub without them has a page of the server there.
    """
    _, user, *rest = urlsplit(address).path.strip("/").split("/")
    page.goto(f"{hub_url}/hub/home")
    token = page.evaluate("window.jhdata?.xsrf_token || document.querySelector('input[name=_xsrf]')?.value")
    name = rest[0] if rest and has_name else ""
    where = f"{hub_url}/hub/api/users/{user}/" + (f"servers/{name}" if name else "server")
    answer = page.request.delete(where, headers={"X-XSRFToken": token or "", "Referer": f"{hub_url}/hub/home"})
    if not answer.ok:
        raise RuntimeError(f"the hub did not stop {where}: {answer.status} {answer.text()[:200]}")
    # 202: it is still stopping, and the next launch would find it
    deadline = time.monotonic() + 15
    while name in page.request.get(f"{hub_url}/hub/api/users/{user}").json().get("servers", {}):
        if time.monotonic() > deadline:
            raise RuntimeError(f"{where} is still there")
        time.sleep(0.1)
