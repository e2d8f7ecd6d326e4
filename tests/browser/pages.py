"""What people do on the portal's pages, in a browser: sign in, read data in a notebook, save a result."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.conftest import SessionUser
from tests.browser.windows import Screen
from tests.live_portal import Portal

#: A script that asks the notebook server as JupyterLab does.
ASK = """async url => {
    const token = document.cookie.match(/(?:^|; )_xsrf=([^;]*)/)[1];
    const answer = await fetch(url, {headers: {"X-XSRFToken": token}});
    return {status: answer.status, body: await answer.json()};
}"""

#: A script that returns the texts of a page that are too pale (WCAG AA).
CONTRAST = (Path(__file__).parent / "contrast.js").read_text()


def flaws_of(page: Page, *, without: str = "") -> list[str]:
    """Return what axe finds on a page, each with the elements; `without` is a selector of what is not ours."""
    context = {"exclude": [[without]]} if without else None
    found = Axe().run(page, context=context).response["violations"]
    return [f"{one['id']}: {[node['target'] for node in one['nodes']][:5]}" for one in found]


def sign_in(person: SessionUser, button: str, name: str, *, at: str = "/hub/home") -> None:
    """Press the provider's button on the login page, then the person's at the provider."""
    person.page.goto(f"{person.portal.url}{at}")
    person.page.get_by_role("link", name=f"Sign in with {button}").click()
    person.page.get_by_role("button", name=name).click()
    person.page.wait_for_url(f"{person.portal.url}/hub/**")


#: The page of a desktop without scripts, whoever sent it: the session, or the portal, which is left at its own address.
DESKTOP_PAGE = re.compile(r"/user/|/hub/sessions/[^/]+/desktop$")

#: LocalFiles in PyMca's window when it fills a screen of 1400 x 900.
OPEN_BUTTON = (576, 123)


FIRST_SPECTRUM = (60, 215)


#: Where PyOpenGL is installed beside PyMca, and where it is not: then there is nothing at the first place.
SAVE_CURVE_BUTTONS = ((1033, 123), (949, 120))


def save_a_curve(anna: SessionUser, screen: Screen, portal: Portal, picture: str) -> Path:
    """Open the proposal's spectrum in PyMca, see its curve, and save it to `processed`."""
    title = "Open a new source file"
    for _ in range(5):
        # a window that is still being made takes no clicks
        if click_opens(anna, screen, OPEN_BUTTON, title):
            break
    # the first type of files is HDF5, and PyMca 5.9.7 reads a file as what is chosen there; the last one is all files
    answer_dialog(anna, screen, title, "/home/anna/data/XRFSpectrum.mca", first=("Tab", "End", "Shift+Tab"))
    anna.page.wait_for_timeout(1500)
    for _ in range(10):
        anna.page.mouse.click(*FIRST_SPECTRUM)
        anna.page.wait_for_timeout(1500)
        anna.keep_picture(picture)
        if dark_pixels_of_the_plot(anna) > 200:
            break
    else:
        raise AssertionError(f"no curve is drawn; see test-output/{picture}.png")
    title = "Output File Selection"
    for button in SAVE_CURVE_BUTTONS:
        if click_opens(anna, screen, button, title):
            break
    answer_dialog(anna, screen, title, "/home/anna/processed/glass.mca")
    saved = portal.state / "processed" / "MA-4242" / "glass.mca"
    screen.wait_for(saved.exists, "the saved file")
    return saved


def click_opens(anna: SessionUser, screen: Screen, place: tuple[int, int], title: str) -> bool:
    """Click, and return whether a dialog of this title has the keyboard within ten seconds."""
    anna.page.mouse.click(*place)
    for _ in range(50):
        if title in screen.active():
            return True
        anna.page.wait_for_timeout(200)
    return False


def read_in_lab(ben: SessionUser, picture: str) -> None:
    """Read in JupyterLab what a colleague saved."""
    ben.page.wait_for_url("**/user/**/lab**", timeout=60_000)
    ben.page.goto(re.sub(r"/lab.*", "/lab/tree/processed/glass.mca", ben.page.url))
    expect(ben.page.locator(".cm-content:visible").first).to_contain_text("#S 1", timeout=40_000)
    ben.keep_picture(picture)


def require_extensions(ben: SessionUser, limits: list[int]) -> None:
    """Check that JupyterLab shows the session's memory limit, has git, and opens an HDF5 file at the first request."""
    base = re.sub(r"/lab.*", "", ben.page.url)

    def answer(path: str) -> dict[str, Any]:
        found: dict[str, Any] = ben.page.evaluate(ASK, f"{base}/{path}")
        assert found["status"] == 200, found
        body: dict[str, Any] = found["body"]
        return body

    assert answer("api/metrics/v1")["limits"]["memory"]["rss"] in limits
    assert answer("git/settings")["gitVersion"]
    sample = "/usr/local/share/daas/samples/notebook/diffraction.h5"
    for _ in range(2):
        meta = answer(f"h5web/meta?file={sample}&path=/entry/detector/images")
        assert meta["shape"] == [10, 256, 256]


def launch_in(person: SessionUser, place: str, application: str, proposal: str = "") -> None:
    """Choose a place by its title, and launch there: on the newest visit of a proposal, or without one.

    The same may run in another place: the portal offers it first.
    """
    person.page.goto(f"{person.portal.url}/hub/home")
    if proposal:
        person.page.locator("table.proposals tr", has_text=proposal).get_by_role("link").first.click()
    person.page.get_by_role("link", name=f"Choose where to launch {application}", exact=True).first.click()
    choice = person.page.get_by_role("group", name="Place")
    choice.get_by_label(place, exact=True).check()
    expect(choice.get_by_role("radio")).to_have_count(3)
    with person.page.expect_navigation():
        person.page.get_by_role("button", name="Launch").click()
    if person.page.locator("#refused").count():
        person.page.get_by_role("button", name="Start another").first.click()


def write_notebook(portal: Portal, name: str, cells: list[str]) -> None:
    """Put a notebook into ben's home, from outside."""
    document = {
        "cells": [
            {"cell_type": "code", "id": f"cell-{number}", "execution_count": None, "metadata": {}, "outputs": [],
             "source": source}
            for number, source in enumerate(cells)
        ],
        "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }  # fmt: skip
    path = portal.state / "homes" / "ben" / name
    path.write_text(json.dumps(document))
    if os.geteuid() == 0:
        os.chown(path, 25002, 25002)


def open_notebook(ben: SessionUser, name: str) -> None:
    """Open a notebook of his home in JupyterLab, and nothing that was open earlier."""
    base = ben.page.url.partition("/lab")[0]
    ben.page.goto(f"{base}/lab/workspaces/{name.partition('.')[0]}/tree/{name}")


def run_cell(ben: SessionUser, number: int, output: str) -> None:
    """Run a cell of the notebook that is open, and read what it printed."""
    # before its kernel answers, a cell is run without anything
    expect(ben.page.get_by_role("button", name=re.compile(r"\| Idle$"))).to_be_visible(timeout=40_000)
    cell = ben.page.locator(".jp-Notebook:visible .jp-CodeCell").nth(number)
    cell.locator(".cm-content").click()
    ben.page.keyboard.press("Shift+Enter")
    expect(cell.locator(".jp-OutputArea-output")).to_contain_text(output)


def require_closed_to(ben: SessionUser, anna: SessionUser) -> None:
    """Check that her screen is not his."""
    hers = ben.context.new_page()
    answer = hers.goto(anna.page.url)
    assert answer is not None
    assert answer.status in (403, 404)
    hers.close()


def answer_dialog(person: SessionUser, screen: Screen, title: str, path: str, first: Sequence[str] = ()) -> None:
    """Type a path into a file dialog once it has the keyboard, as a person does who looks at it.

    Args:
        first: keys to press before.
    """
    screen.wait_for(lambda: title in screen.active(), f"{title!r} has the keyboard")
    person.page.wait_for_timeout(500)
    for key in first:
        person.page.keyboard.press(key)
        person.page.wait_for_timeout(300)
    person.page.keyboard.type(path, delay=30)
    person.page.wait_for_timeout(500)
    person.keep_picture("dialog")
    person.page.keyboard.press("Enter")
    screen.wait_for_window(title, gone=True)


def dark_pixels_of_the_plot(person: SessionUser) -> int:
    """Count the curve's pixels: dark ones inside the plot, away from its frame and grid, read from the canvas."""
    script = """canvas => {
        const area = canvas.getContext('2d').getImageData(790, 190, 20, 300).data;
        let dark = 0;
        for (let i = 0; i < area.length; i += 4) dark += area[i] < 90 && area[i + 1] < 90 && area[i + 2] < 90;
        return dark;
    }"""
    return int(person.page.locator("canvas").first.evaluate(script))
