"""Take the pictures of the documentation from a real portal: `python -m scripts.screenshots`, from the checkout.

It starts the demo on free ports, walks through it in Chromium as anna, writes docs/pictures/, and ends everything.
"""

from __future__ import annotations

import re
import sys
import time
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.live_portal import Portal, remove, start_portal  # noqa: E402

PICTURES = ROOT / "docs" / "pictures"
CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SCREEN = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 844}
PROPOSAL = "/hub/proposals/MA-4242"
LAUNCH_TIMEOUT_MS = 90_000
#: A desktop without a window compresses to less than this; PyMca's window comes some seconds after the first frame.
EMPTY_DESKTOP_BYTES = 30_000
STILL_MS = 2_000
#: Where things stand in PyMca's maximised window on a screen of this size.
SECOND_SCAN = (160, 214)
LOGARITHMIC = (682, 124)


def main() -> None:
    """Take every picture."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    portal = start_portal()
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
            take_pictures(browser, portal)
            browser.close()
    finally:
        portal.stop()
        remove(portal)


def take_pictures(browser: Browser, portal: Portal) -> None:
    """Walk through the portal as anna."""
    page = browser.new_page(viewport=SCREEN, color_scheme="light")
    page.goto(portal.url)
    keep(page, "login")
    log_in(page, "anna")
    keep(page, "home")
    page.goto(portal.url + PROPOSAL)
    keep(page, "proposal")
    phone = browser.new_context(
        viewport=PHONE, color_scheme="light", storage_state=page.context.storage_state(), has_touch=True
    )
    on_phone = phone.new_page()
    on_phone.goto(portal.url + PROPOSAL)
    keep(on_phone, "phone")
    phone.close()
    page.goto(portal.url + PROPOSAL)
    press(page, "PyMca")
    first_frame(page)
    open_spectrum(page)
    keep(page, "pymca")
    page.goto(portal.url + PROPOSAL)
    press(page, "JupyterLab")
    # a notebook server takes seconds to start: time enough for a picture of the waiting
    page.wait_for_selector("#launch-steps li:nth-child(3)")
    keep(page, "pending")
    page.wait_for_selector(".jp-LauncherCard", timeout=LAUNCH_TIMEOUT_MS)
    page.wait_for_selector("#jupyterlab-splash", state="detached")
    page.set_viewport_size({"width": 1280, "height": 1000})  # so that the desktops of its launcher are in the picture
    wait_until_still(page)
    keep(page, "lab")


def log_in(page: Page, subject: str) -> None:
    """Go through the identity provider's own page, as a person does."""
    page.get_by_role("link", name="Sign in with").click()
    page.locator(f"button[name=sub][value={subject}]").click()
    page.wait_for_url("**/hub/home*")


def press(page: Page, application: str) -> None:
    """Press an application's button of the newest visit."""
    page.get_by_role("button", name=f"Launch {application}").first.click(no_wait_after=True)
    page.wait_for_url(re.compile("/(hub/sessions|user)/"))


def first_frame(page: Page) -> None:
    """Wait until the desktop is seen, and its application's window stands."""
    page.wait_for_selector("html[data-frame]", timeout=LAUNCH_TIMEOUT_MS)
    wait_until_still(page)


def wait_until_still(page: Page) -> None:
    """Wait until a window is drawn and nothing changes any more, however busy the machine is."""
    until = time.monotonic() + LAUNCH_TIMEOUT_MS / 1000
    before = b""
    while True:
        page.wait_for_timeout(STILL_MS)
        now = page.screenshot(animations="disabled", caret="hide")
        if now == before and len(now) > EMPTY_DESKTOP_BYTES:
            return
        if time.monotonic() > until:
            raise SystemExit("the desktop shows no window, or does not come to rest")
        before = now


def open_spectrum(page: Page) -> None:
    """Open ~/data/XRFSpectrum.mca in PyMca by its own menu and dialog, and show its spectrum."""
    page.keyboard.press("Control+o")
    wait_until_still(page)
    for key in ("ArrowDown", "ArrowDown", "Enter"):  # the menu's second entry, "Data Source"
        page.keyboard.press(key)
    wait_until_still(page)
    page.keyboard.type("/home/anna/data/XRFSpectrum.mca", delay=20)
    page.keyboard.press("Enter")
    wait_until_still(page)
    page.mouse.click(*SECOND_SCAN)
    wait_until_still(page)
    page.mouse.click(*LOGARITHMIC)
    wait_until_still(page)


def keep(page: Page, name: str) -> None:
    """Write one picture; nothing moves in it."""
    page.wait_for_timeout(500)
    page.screenshot(path=PICTURES / f"{name}.png", animations="disabled", caret="hide")
    print(f"{name}.png  {(PICTURES / name).with_suffix('.png').stat().st_size // 1000} kB")


if __name__ == "__main__":
    main()
