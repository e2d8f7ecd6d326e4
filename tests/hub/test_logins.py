"""Two providers on one login page, and all that ends a login, asked of a real hub with certified providers."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from tests.hub.logins import AGAIN_S, LoginPortal, is_out, running, start_login_portal
from tests.live_portal import Person, plain_text
from tests.waiting import wait_for

pytestmark = pytest.mark.sandbox


@pytest.fixture(scope="module")
def login_portal(sandbox_works: None) -> Iterator[LoginPortal]:
    running = start_login_portal()
    yield running
    running.stop()


def grown_old(person: Person) -> Person:
    """Let the login be asked about at the next request."""
    time.sleep(AGAIN_S + 0.2)
    return person


def test_the_login_page_offers_each_provider(login_portal: LoginPortal) -> None:
    """AL12, DI08, DE12: a button each, in the configured order, and the page that was wanted goes along."""
    page = requests.get(f"{login_portal.portal.url}/hub/proposals/MA-4242", timeout=30)
    text = plain_text(page)
    assert text.index("Sign in with your facility account") < text.index("Sign in with EGI Check-in")
    for way in ("facility", "egi"):
        assert f'href="/hub/oauth_login/{way}?next=%2Fhub%2Fproposals%2FMA-4242"' in page.text


@pytest.mark.parametrize("way", ["facility", "egi"])
def test_a_login_through_each(login_portal: LoginPortal, way: str) -> None:
    """SO03, DI08: to the page that was wanted, as the account the facility linked to this identity."""
    person = login_portal.login(way, "anna", wanted="/hub/proposals/MA-4242")
    assert person.answer.url == f"{login_portal.portal.url}/hub/proposals/MA-4242"
    assert person.answer.status_code == 200
    assert "Anna Lindqvist" in person.get("/hub/home").text


def test_two_issuers_are_two_identities(login_portal: LoginPortal) -> None:
    """C1, F7."""
    assert login_portal.login("facility", "anna").name != login_portal.login("egi", "anna").name
    # a subject of one is nobody at the other
    assert login_portal.login("egi", "ben").answer.status_code == 403


def test_an_answer_for_one_provider_is_none_for_another(login_portal: LoginPortal) -> None:
    """F3, F4: mix-up, another browser, a second use, another `iss`: no login comes of it."""
    hub = f"{login_portal.portal.url}/hub"
    browser = requests.Session()

    def begun() -> dict[str, str]:
        url = browser.get(f"{hub}/oauth_login/facility", allow_redirects=False).headers["Location"]
        return login_portal.facility.walk(url, "anna")

    attempts = {
        "at the other's callback": ("egi", {}, browser),
        "with the other's name": ("facility", {"iss": login_portal.egi.issuer}, browser),
        "with no name": ("facility", {"iss": None}, browser),
        "with an empty name": ("facility", {"iss": ""}, browser),
        "in another browser": ("facility", {}, requests.Session()),
        "with another state": ("facility", {"state": "x"}, browser),
    }
    for what, (way, change, where) in attempts.items():
        fields = {key: value for key, value in (begun() | change).items() if value is not None}
        answer = where.get(f"{hub}/oauth_callback/{way}", params=fields, allow_redirects=False)
        assert answer.status_code in (400, 403), what
        assert "Traceback" not in answer.text
        assert "in again" in plain_text(answer), what
        assert "jupyterhub-hub-login" not in where.cookies, what
    good = begun()
    assert browser.get(f"{hub}/oauth_callback/facility", params=good, allow_redirects=False).status_code == 302
    again = requests.Session()
    assert again.get(f"{hub}/oauth_callback/facility", params=good, allow_redirects=False).status_code == 400


def test_a_login_goes_on_when_its_access_token_is_over(login_portal: LoginPortal) -> None:
    """F7: refresh tokens are good for once here, and many requests at a time spoil none."""
    person = login_portal.login("egi", "anna")

    def ask(_: int) -> bool:
        answer = requests.get(f"{login_portal.portal.url}/hub/home", cookies=person.session.cookies, timeout=30)
        return answer.url.endswith("/hub/home")

    for _ in range(3):
        time.sleep(2.2)
        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(ask, range(8))) == [True] * 8


def test_a_login_that_is_revoked_ends_and_the_session_goes_on(login_portal: LoginPortal) -> None:
    """D6: the provider refuses the refresh token."""
    person = login_portal.login("egi", "anna")
    name = person.launch("terminal")
    login_portal.egi.control("revoke", "anna")
    wait_for(lambda: is_out(grown_old(person)), "the login ends")
    assert login_portal.portal.wait_for_log("The login provider has ended this login")
    person = login_portal.login("egi", "anna")
    assert running(person, name), "unsaved work is not lost"
    person.stop(name)


def test_a_provider_that_does_not_respond_neither_ends_a_login_nor_keeps_it_from_launching(
    login_portal: LoginPortal,
) -> None:
    """An outage of the federation's provider is none of the beamtime: account and proposals are the facility's."""
    person = login_portal.login("egi", "anna")
    login_portal.egi.process.send_signal(signal.SIGSTOP)
    try:
        assert not is_out(grown_old(person))
        assert login_portal.portal.wait_for_log(f"login of {person.name} could not be refreshed")
        name = person.launch("terminal")
        assert running(person, name)
        # neither this launch nor anybody's page waits for its timeout each time
        assert login_portal.portal.wait_for_log("did not answer 2 times in a row")
    finally:
        login_portal.egi.process.send_signal(signal.SIGCONT)
    person.stop(name)


def test_signing_out_at_the_provider_ends_every_browser(login_portal: LoginPortal) -> None:
    """D6, F9: told by the provider alone; sessions go on, other people's logins as well."""
    browsers = [login_portal.login("facility", "anna") for _ in range(2)]
    ben = login_portal.login("facility", "ben")
    elsewhere = login_portal.login("egi", "anna")
    name = browsers[0].launch("terminal")
    inside = f"/user/{browsers[0].name}/{name}/"
    assert browsers[0].get(inside).status_code == 200
    login_portal.facility.control("logout", "anna")
    assert [is_out(browser) for browser in browsers] == [True, True]
    assert not is_out(ben)
    assert not is_out(elsewhere)
    again = login_portal.login("facility", "anna")
    assert running(again, name)
    again.stop(name)


def test_a_logout_nobody_signed_is_ignored(login_portal: LoginPortal) -> None:
    """F9."""
    person = login_portal.login("facility", "anna")
    address = f"{login_portal.portal.url}/hub/oauth_backchannel_logout/facility"
    for form in ({}, {"logout_token": "x"}, {"logout_token": "e30.e30.e30"}, {"logout_token": ["a.b.c", "a.b.c"]}):
        answer = requests.post(address, data=form, timeout=30)
        assert answer.status_code == 400
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.json()["error"] == "invalid_request"
    assert requests.post(address, json={"logout_token": "x"}, timeout=30).status_code == 400
    assert requests.get(address, timeout=30).status_code == 405
    assert not is_out(person)


def test_signing_out_signs_out_at_the_provider_too(login_portal: LoginPortal) -> None:
    person = login_portal.login("facility", "anna")
    answer = person.get("/hub/logout")
    assert answer.url.startswith(f"{login_portal.facility.issuer}/session/end?"), answer.url
    asked = parse_qs(urlsplit(answer.url).query)
    assert asked["post_logout_redirect_uri"] == [f"{login_portal.portal.url}/hub/logged-out"]
    # whatever happens there: here it is over
    assert is_out(person)
    page = plain_text(person.get("/hub/logged-out"))
    assert "You are signed out" in page


def test_who_loses_the_account_loses_the_sessions(login_portal: LoginPortal) -> None:
    """D4, D6: also with the browser closed; and only they do."""
    anna, ben = login_portal.login("facility", "anna"), login_portal.login("facility", "ben")
    hers, his = anna.launch("terminal"), ben.launch("terminal")
    made = [one.api("POST", f"users/{one.name}/tokens", {"note": "test"}).json() for one in (anna, ben)]
    try:
        login_portal.write_accounts("anna")
        assert login_portal.portal.wait_for_log("are stopped, and the login is ended: the account is gone")
    finally:
        login_portal.write_accounts()
    assert running(ben, his)
    ben.stop(his)
    again = login_portal.login("facility", "anna")
    assert not running(again, hers)
    assert is_out(anna)
    # her access token is revoked, also when the account is back
    headers = [{"Authorization": f"token {one['token']}"} for one in made]
    user = f"{login_portal.portal.url}/hub/api/user"
    assert [requests.get(user, headers=one, timeout=30).status_code for one in headers] == [403, 200]
