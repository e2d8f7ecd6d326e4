"""Sign-ins that one browser begins in several tabs."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlencode

import pytest
import requests

from daas_hub.authenticators.oidc.begun_logins import MAX_BEGUN
from tests.live_portal import Portal, new_state, remove, start_portal


@pytest.fixture(scope="module")
def portal() -> Iterator[Portal]:
    portal = start_portal(state=new_state())
    yield portal
    portal.stop()
    remove(portal)


def begin(portal: Portal, browser: requests.Session, then: str = "/hub/home") -> str:
    """Open a tab and go to the provider; return the address of its form."""
    return browser.get(f"{portal.url}/hub/oauth_login?{urlencode({'next': then})}").url


def finish(browser: requests.Session, form: str) -> requests.Response:
    """Sign in as anna at the provider."""
    return browser.post(form, data={"sub": "anna"})


def callback_in(answer: requests.Response) -> str:
    """Return the address that the provider led the browser to."""
    return next(
        one.headers["Location"] for one in answer.history if "oauth_callback" in one.headers.get("Location", "")
    )


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2)])
def test_each_tab_ends_where_it_began(portal: Portal, order: tuple[int, ...]) -> None:
    browser = requests.Session()
    pages = ["/hub/home", "/hub/applications", "/hub/proposals"]
    forms = [begin(portal, browser, page) for page in pages]

    ends = {tab: finish(browser, forms[tab]) for tab in order}

    assert {tab: end.url for tab, end in ends.items()} == {tab: portal.url + page for tab, page in enumerate(pages)}


def test_a_used_callback_leads_home_only_whoever_is_signed_in(portal: Portal) -> None:
    browser = requests.Session()
    callback = callback_in(finish(browser, begin(portal, browser)))

    assert browser.get(callback).url == f"{portal.url}/hub/home"
    assert requests.get(callback).status_code == 400


def test_a_refusal_by_the_provider_leads_on_whoever_is_signed_in(portal: Portal) -> None:
    browser = requests.Session()
    finish(browser, begin(portal, browser))
    refused = callback_in(finish(browser, begin(portal, browser))).replace("code=", "error=access_denied&was=")
    assert browser.get(refused).url == f"{portal.url}/hub/home"

    begin(portal, stranger := requests.Session())
    answer = stranger.get(f"{portal.url}/hub/oauth_callback?error=access_denied&state=forged")
    assert answer.status_code == 400


def test_sixty_begun_logins_leave_the_newest(portal: Portal) -> None:
    """A browser that restores its tabs: its cookies stay below what servers take of headers."""
    browser = requests.Session()
    forms = [begin(portal, browser) for _ in range(60)]

    assert len([one for one in browser.cookies if "state" in one.name]) == MAX_BEGUN
    assert finish(browser, forms[60 - MAX_BEGUN]).url == f"{portal.url}/hub/home"


def test_the_cookies_of_logins_do_not_go_to_sessions(portal: Portal) -> None:
    """They hold what a callback is checked against."""
    browser = requests.Session()
    begin(portal, browser)

    assert {one.path for one in browser.cookies if "state" in one.name} == {"/hub/"}


@pytest.mark.parametrize("then", ["https://evil.example/", "//evil.example", "/\\evil.example", "/hub/../../evil"])
def test_a_callback_that_was_not_begun_leads_nowhere_else(portal: Portal, then: str) -> None:
    """The address is anybody's: another site may link to it, for somebody who is signed in."""
    browser = requests.Session()
    finish(browser, begin(portal, browser))
    address = f"{portal.url}/hub/oauth_callback?{urlencode({'state': 'x', 'code': 'y', 'next': then})}"

    answer = browser.get(address, allow_redirects=False)

    assert answer.status_code == 302
    assert answer.headers["Location"] == "/hub/home"
