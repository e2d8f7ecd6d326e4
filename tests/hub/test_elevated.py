"""Administrators only with a second factor and from the right network, with a certified provider (EL15)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests

from tests.hub.logins import LoginPortal, is_out, start_login_portal
from tests.live_portal import Person
from tests.waiting import wait_for

MORE = """
c.RoleRules.admin_groups = ["ma-4242"]
c.RoleRules.elevated_acr = ["https://refeds.org/profile/mfa"]
c.RoleRules.elevated_networks = ["127.0.0.0/8"]
"""


@pytest.fixture(scope="module")
def login_portal() -> Iterator[LoginPortal]:
    running = start_login_portal(more_config=MORE)
    yield running
    running.stop()


def is_admin(person: Person) -> bool:
    return bool(person.get("/hub/api/user").json()["admin"])


def step_up(person: Person) -> Person:
    form = person.session.get(f"{person.portal.url}/hub/oauth_login/facility?step_up=1")
    assert "/interaction/" in form.url, form.text[:500]
    return Person(person.portal, person.session, person.session.post(form.url, data={"sub": "anna"}))


def test_a_second_factor_gives_the_role_and_its_lack_is_reported(login_portal: LoginPortal) -> None:
    weak = login_portal.login("facility", "anna")
    assert not is_admin(weak)
    page = weak.get("/hub/home").text
    assert "a second factor at the sign-in" in page
    assert 'href="/hub/oauth_login/facility?step_up=1"' in page
    elsewhere = login_portal.login("facility", "anna")
    strong = step_up(weak)
    assert is_admin(strong)
    assert "second factor" not in strong.get("/hub/home").text
    # a browser that was left open elsewhere does not come by the right
    assert is_out(elsewhere)
    # it is held over refreshes, and gone with the next login that is not good enough
    wait_for(lambda: is_admin(strong), "the role stays")
    again = login_portal.login("facility", "anna")
    assert not is_admin(again)
    assert not is_admin(strong)


@pytest.fixture(scope="module")
def short() -> Iterator[LoginPortal]:
    more = 'c.RoleRules.admin_groups = ["ma-4242"]\nc.RoleRules.elevated_hours = 0.003\n'
    running = start_login_portal(more_config=more)
    yield running
    running.stop()


def test_who_has_to_sign_in_again_reads_why_once(short: LoginPortal) -> None:
    """The hours of an administrator are over (11 s here): the login page says so, and once."""
    person = short.login("facility", "anna")
    assert is_admin(person)
    wait_for(lambda: is_out_quietly(person), "the hours are over")
    login = f"{short.portal.url}/hub/login"
    # the page that stood open asks first, by itself; the person sees it at the next one
    page = open_home(person)
    assert page.url.startswith(login)
    assert "You were signed out. Administrator sign-ins expire after a while" in page.text
    assert "You were signed out" not in person.session.get(login, headers=BROWSER).text
    # who signs in is not stopped on the way, and has no sentence left over (the provider still knows who it is)
    back = person.session.get(f"{short.portal.url}/hub/oauth_login/facility", headers=BROWSER)
    assert back.url == f"{short.portal.url}/hub/home"
    assert "daas-ended" not in person.session.cookies


BROWSER = {"Accept": "text/html,application/xhtml+xml"}


def open_home(person: Person) -> requests.Response:
    return person.session.get(f"{person.portal.url}/hub/home", headers=BROWSER)


def is_out_quietly(person: Person) -> bool:
    """Return whether what a page asks by itself leads to the login, without going there."""
    return person.get("/hub/home", headers={"Accept": "*/*"}, allow_redirects=False).status_code == 302


@pytest.mark.parametrize("planted", ["x", "2|1:0|10:1790000000|10:daas-ended|4:SGk=|0000"])
def test_a_sentence_nobody_signed_is_not_shown(login_portal: LoginPortal, planted: str) -> None:
    browser = requests.Session()
    browser.cookies.set("daas-ended", planted)
    assert "You were signed out" not in browser.get(f"{login_portal.portal.url}/hub/login").text


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[LoginPortal]:
    running = start_login_portal(more_config=MORE.replace("127.0.0.0/8", "192.0.2.0/24"))
    yield running
    running.stop()


@pytest.mark.parametrize("header", ["X-Forwarded-For", "X-Real-IP", "Forwarded"])
def test_an_address_cannot_be_claimed(elsewhere: LoginPortal, header: str) -> None:
    """The office's address in a header of the client gives no role: what the hub's own proxy saw counts."""
    browser = requests.Session()
    browser.headers[header] = "192.0.2.1"
    form = browser.get(f"{elsewhere.portal.url}/hub/oauth_login/facility?step_up=1")
    person = Person(elsewhere.portal, browser, browser.post(form.url, data={"sub": "anna"}))
    assert not is_admin(person)
    page = person.get("/hub/home").text
    assert "a sign-in from the facility&#39;s own network" in page
    assert "step_up" not in page, "another factor would not help"


def test_a_portal_that_leads_to_its_provider_by_itself_does_not_go_in_circles() -> None:
    """`auto_login`: the login page is never shown, so nothing waits for it."""
    more = (
        'c.UmbrellaAuthenticator.providers.pop("egi")\nc.UmbrellaAuthenticator.auto_login = True\n'
        'c.RoleRules.admin_groups = ["ma-4242"]\nc.RoleRules.elevated_hours = 0.003\n'
    )
    login_portal = start_login_portal(more_config=more)
    try:
        person = login_portal.login("facility", "anna")
        wait_for(lambda: is_out_quietly(person), "the hours are over")
        page = open_home(person)
        assert page.status_code == 200
        assert page.url.startswith((login_portal.facility.issuer, f"{login_portal.portal.url}/hub/home")), page.url
    finally:
        login_portal.stop()
