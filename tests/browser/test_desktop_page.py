"""What the desktop's page says when something goes wrong, and what it does with keys, sizes and large texts."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, Route, expect

from daas_hub.session.desktop.first_picture import Size, first_requests
from tests.browser.conftest import SessionUser, stop_first
from tests.browser.troubles import frozen, leave_by_keyboard
from tests.browser.windows import Screen
from tests.live_portal import Portal

pytestmark = [pytest.mark.browser, pytest.mark.sandbox]

SET_DESKTOP_SIZE = b"\xfb\0"


def test_a_session_stopped_elsewhere_is_not_a_sign_out(portal: Portal, guest: Callable[..., SessionUser]) -> None:
    anna = guest("anna")
    anna.launch("Terminal", "MA-4242")
    anna.wait_for_picture()
    other = anna.context.new_page()
    other.goto(f"{portal.url}/hub/home")
    stop_first(other)

    veil = anna.page.locator("#veil")
    expect(veil).to_contain_text("This session is no longer running.")
    expect(veil).to_contain_text("Launch the application again from the portal.")
    # and it stays so: nothing of it was a guess
    anna.page.wait_for_timeout(5000)
    expect(veil).to_contain_text("This session is no longer running.")
    expect(veil.get_by_role("button", name="Sign in again")).to_be_hidden()
    anna.keep_picture("stopped-elsewhere")


def test_a_proxy_without_routes_is_not_the_end_of_a_session(guest: Callable[..., SessionUser]) -> None:
    """A proxy or load balancer that was restarted answers 404 for everything; only the hub knows the session's end."""
    anna = guest("anna")
    anna.launch("Terminal", "MA-4242")
    anna.wait_for_picture()
    page, veil = anna.page, anna.page.locator("#veil")
    asked: list[str] = []

    def answer(route: Route) -> None:
        asked.append(route.request.url)
        route.fulfill(status=404, body="Not Found")

    page.route("**/status", answer)
    page.add_init_script(
        "window.WebSocket = new Proxy(WebSocket,"
        " { construct: (kind, [address]) => new kind(address.replace(/rfb.*/, 'nothing')) })"
    )
    page.reload()
    for _ in range(3):
        with page.expect_request("**/status"):
            pass
        expect(veil).not_to_contain_text("no longer running")
    assert len(asked) >= 3
    anna.keep_picture("no-routes")
    page.unroute("**/status")
    page.route(
        "**/status", lambda route: route.fulfill(status=404, headers={"X-JupyterHub-Version": "6.1.1"}, body="{}")
    )
    expect(veil).to_contain_text("This session is no longer running.")


def test_a_frozen_network_is_reported_and_mends_itself(portal: Portal, guest: Callable[..., SessionUser]) -> None:
    """No connection closes: only an unanswered question shows it."""
    anna = guest("anna")
    anna.launch("Terminal", "MA-4242")
    anna.wait_for_picture()
    Screen("Terminal, MA-4242 visit 2").wait_for_window("LXTerminal")
    veil = anna.page.locator("#veil")
    with frozen(portal):
        expect(veil).to_contain_text("The connection does not respond.")
        expect(veil).to_contain_text("What you type now may not arrive.")
        anna.keep_picture("frozen")
    expect(veil).to_be_hidden()
    anna.page.mouse.click(600, 400)
    anna.page.keyboard.type("id > ~/after-the-freeze; exit\n", delay=15)
    expect(anna.page.get_by_role("dialog")).to_contain_text("Terminal was closed")
    assert "anna" in (portal.state / "homes" / "anna" / "after-the-freeze").read_text()


def test_a_desktop_that_nothing_changes_is_not_frozen(guest: Callable[..., SessionUser]) -> None:
    anna = guest("anna")
    anna.launch("Terminal", "MA-4242")
    anna.wait_for_picture()
    anna.page.evaluate(
        "new MutationObserver(() => (window.seen = [...(window.seen ?? []), document.body.dataset.state]))"
        ".observe(document.body, { attributeFilter: ['data-state'] })"
    )
    anna.page.wait_for_timeout(12_000)
    assert "frozen" not in (anna.page.evaluate("window.seen") or [])


def test_the_keyboard_can_leave_the_desktop(guest: Callable[..., SessionUser]) -> None:
    """WCAG 2.1.2: no keyboard trap; the page says how."""
    anna = guest("anna")
    anna.launch("Terminal", "MA-4242")
    anna.wait_for_picture()
    screen = Screen("Terminal, MA-4242 visit 2")
    screen.wait_for_window("LXTerminal")
    page = anna.page
    page.mouse.click(600, 400)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.tagName") == "CANVAS"

    leave_by_keyboard(page)

    assert page.evaluate("document.activeElement.id") == "handle"
    expect(page.locator("#way-out")).to_be_visible()
    anna.keep_picture("tools-by-keyboard")
    page.keyboard.press("Tab")
    assert page.evaluate("document.getElementById('tools').contains(document.activeElement)")
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.tagName") == "CANVAS"
    screen.wait_for(lambda: "LXTerminal" in screen.active(), "the terminal has the keyboard")
    # the three keys are not held down in the desktop: plain letters arrive
    page.keyboard.type("exit\n", delay=15)
    expect(page.get_by_role("dialog")).to_contain_text("Terminal was closed")


def test_the_size_comes_back_after_a_phone_has_left(guest: Callable[..., SessionUser]) -> None:
    anna = guest("anna")
    anna.launch("Terminal", "MA-4242")
    anna.wait_for_picture()
    screen = Screen("Terminal, MA-4242 visit 2")
    screen.wait_for(lambda: screen.size() == (1400, 900), "the size of the laptop")
    phone = anna.context.new_page()
    phone.set_viewport_size({"width": 390, "height": 780})
    phone.goto(anna.page.url)
    anna.wait_for_picture(phone)
    screen.wait_for(lambda: screen.size() == (390, 780), "the size of the phone")

    phone.close()

    screen.wait_for(lambda: screen.size() == (1400, 900), "the size of the laptop again")


def test_a_sharp_screen_can_have_its_own_pixels(portal: Portal, browser: Browser) -> None:
    context = browser.new_context(viewport={"width": 1000, "height": 700}, device_scale_factor=2)
    anna = SessionUser(portal, context, context.new_page())
    anna.login("anna")
    anna.launch("Terminal", "MA-4242")
    anna.wait_for_picture()
    screen = Screen("Terminal, MA-4242 visit 2")
    screen.wait_for(lambda: screen.size() == (1000, 700), "the size of the page")
    leave_by_keyboard(anna.page)
    anna.page.get_by_role("button", name="Sharp picture").click()

    screen.wait_for(lambda: screen.size() == (2000, 1400), "the size in the screen's pixels")
    screen.wait_for(lambda: "Xft.dpi:\\t192" in screen.resources(), "the resolution for programs")
    canvas = anna.page.locator("#screen canvas").bounding_box()
    assert canvas is not None
    assert (round(canvas["width"]), round(canvas["height"])) == (1000, 700)
    anna.keep_picture("sharp")
    # it is remembered, and can be undone
    anna.page.reload()
    anna.wait_for_picture()
    screen.wait_for(lambda: screen.size() == (2000, 1400), "the same after a reload")
    leave_by_keyboard(anna.page)
    anna.page.get_by_role("button", name="Sharp picture").click()
    screen.wait_for(lambda: screen.size() == (1000, 700), "the size of the page again")
    anna.page.goto(f"{portal.url}/hub/home")
    stop_first(anna.page)
    context.close()


def test_too_large_a_text_is_refused_in_words(guest: Callable[..., SessionUser]) -> None:
    anna = guest("anna")
    anna.launch("Terminal", "MA-4242")
    anna.wait_for_picture()
    page = anna.page
    leave_by_keyboard(page)
    page.locator("#clipboard-tool").click()
    page.evaluate("document.getElementById('clipboard-text').value = 'z'.repeat(4_000_001)")
    page.locator("#clipboard-send").click()
    expect(page.locator("#clipboard-words")).to_have_text(
        "Not sent: the text has 4,000,001 characters, and the desktop takes 4,000,000. Use a file instead."
    )
    page.evaluate("document.getElementById('clipboard-text').value = 'z'.repeat(300_000)")
    page.locator("#clipboard-send").click()
    expect(page.locator("#clipboard-words")).to_have_text("Sent. Paste it in the desktop.")


def test_a_terminal_says_who_and_where(portal: Portal, guest: Callable[..., SessionUser]) -> None:
    """It starts where the data are, and its prompt names account and directory."""
    anna = guest("anna")
    anna.launch("Terminal", "MA-4242")
    anna.wait_for_picture()
    screen = Screen("Terminal, MA-4242 visit 2")
    screen.wait_for_window("LXTerminal")
    anna.page.mouse.click(600, 400)
    screen.wait_for(lambda: "LXTerminal" in screen.active(), "the terminal has the keyboard")
    anna.page.keyboard.type('echo "${PS1@P} in $PWD" > ~/prompt; exit\n', delay=15)
    expect(anna.page.get_by_role("dialog")).to_contain_text("Terminal was closed")
    assert (portal.state / "homes" / "anna" / "prompt").read_text() == "anna@session:~/data$  in /home/anna/data\n"


def test_windows_open_side_by_side(guest: Callable[..., SessionUser]) -> None:
    """The demo's desktop has two; its file manager has the session's directories at hand."""
    anna = guest("anna")
    anna.launch("Desktop", "MA-4242")
    anna.wait_for_picture()
    screen = Screen("Desktop, MA-4242 visit 2")
    for title in ("LXTerminal", "data"):
        screen.wait_for(lambda title=title: title in screen.titles(), title)  # type: ignore[misc]

    def covered() -> float:
        """Return the share of the narrower window's width that the other one has, too."""
        (left, right), (begin, end) = (screen.span(one) for one in ("LXTerminal", "data"))
        return (min(right, end) - max(left, begin)) / min(right - left, end - begin)

    # two that open at the same moment may share an edge
    screen.wait_for(lambda: covered() < 0.5, "neither covers the other")
    anna.page.wait_for_timeout(1500)
    anna.keep_picture("side-by-side")


def test_a_browser_waits_for_no_answer_of_the_x_server(guest: Callable[..., SessionUser]) -> None:
    """The first picture, at the size of the window, needs no message of the browser: each would cross a distance."""
    anna = guest("anna", width=1403, height=877)
    received: list[bytes] = []
    anna.page.on("websocket", lambda screen: screen.on("framereceived", lambda piece: received.append(bytes(piece))))
    anna.page.add_init_script(
        "window.unsent = []; WebSocket.prototype.send = (piece) => window.unsent.push(...new Uint8Array(piece))"
    )
    anna.launch("Terminal", "MA-4242")
    anna.wait_for_picture()
    screen = anna.page.locator("canvas").first
    assert screen.evaluate("(canvas) => [canvas.width, canvas.height]") == [1403, 877]
    assert received[0] == b"RFB 003.008\n"
    assert received[1].startswith(b"\x01\x01\0\0\0\0")
    assert received[1].endswith(b"Terminal, MA-4242 visit 2")
    # what was sent for it is what it would have sent, and no other size
    unsent = bytes(anna.page.evaluate("window.unsent"))
    assert unsent.startswith(b"RFB 003.008\n\x01\x01" + first_requests(Size(1403, 877)))
    assert SET_DESKTOP_SIZE not in unsent
