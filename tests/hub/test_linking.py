"""Connecting a login with the account one has (AL60), and everything somebody else may try meanwhile."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from tests.hub.linking import RIGHT, LinkedDoors, Walker, linked_login_portal
from tests.hub.logins import (
    is_out,
    running,
)
from tests.live_portal import Person, plain_text


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LinkedDoors]:
    with linked_login_portal(tmp_path_factory.mktemp("linking")) as running:
        yield running


@pytest.fixture(autouse=True)
def nothing_connected(site: LinkedDoors) -> Iterator[None]:
    yield
    path = site.login_portal.portal.state / "private" / "links.sqlite"
    if path.exists():
        with sqlite3.connect(path) as links:
            links.execute("DELETE FROM links")
        links.close()


def links_of(site: LinkedDoors) -> list[tuple[str, str]]:
    path = site.login_portal.portal.state / "private" / "links.sqlite"
    if not path.exists():
        return []
    links = sqlite3.connect(path)
    rows = links.execute("SELECT subject, account FROM links ORDER BY subject").fetchall()
    links.close()
    return [(str(subject).partition("0123")[0], str(account)) for subject, account in rows]


def connected(site: LinkedDoors, subject: str = "anna", account: str = "anna", *, wanted: str = "") -> Walker:
    return site.arrive(subject, wanted=wanted).open().prove(account, RIGHT).confirm()


def test_step_by_step(site: LinkedDoors) -> None:
    walker = site.arrive("anna", wanted="/hub/proposals/MA-4242")
    assert walker.answer.status_code == 403
    assert 'href="/hub/link"' in walker.answer.text
    walker.open()
    assert "Anna Lindqvist" in plain_text(walker.answer)
    assert walker.field("shown") == "", "nothing can be agreed to yet"
    walker.prove("ANNA", RIGHT)
    shown = plain_text(walker.answer)
    assert (walker.answer.status_code, "Anna at the Facility" in shown, "25001" in shown) == (200, True, True)
    assert links_of(site) == [], "a password alone connects nothing"
    walker.confirm()
    # to where the person wanted to go before; the proposal is not this account's here
    assert walker.answer.url == f"{site.url}/hub/proposals/MA-4242"
    assert links_of(site) == [("anna", "anna")]
    # from now on the login is enough
    assert (
        "Anna at the Facility" in site.arrive("anna").answer.text or "Anna Lindqvist" in site.arrive("anna").answer.text
    )
    log = site.login_portal.portal.log.read_text()
    assert RIGHT not in log
    assert re.search(r"login u\w+ \('anna0123.*was connected with account anna \(uid 25001\)", log)
    # the walk is over: its number is worth nothing
    assert walker.open().answer.status_code == 404


def test_a_wrong_password_says_nothing_and_connects_nothing(site: LinkedDoors) -> None:
    walker = site.arrive("anna").open()
    told = [plain_text(walker.prove(name, "wrong").answer) for name in ("ben", "nobody-of-that-name")]
    assert told[0] == told[1]
    assert "wrong" in told[0]
    assert walker.answer.status_code == 401
    assert walker.send("link/confirm", shown="").answer.status_code == 409
    assert walker.prove("", "").answer.status_code == 401
    assert links_of(site) == []


def test_guesses_are_slowed_down_also_over_many_logins(site: LinkedDoors) -> None:
    """The count is of the account's name: another login, another browser, and it goes on."""
    codes = []
    for subject in ("anna", "ben"):
        walker = site.arrive(subject).open()
        codes += [walker.prove("victim", f"guess {number}").answer.status_code for number in range(5)]
    assert 429 in codes
    assert set(codes) == {401, 429}
    assert int(walker.answer.headers["Retry-After"]) >= 1
    # and the owner of another name is not held up
    assert walker.prove("clara", RIGHT).answer.status_code == 200


def test_sixty_guesses_at_the_same_moment_are_three(site: LinkedDoors) -> None:
    walker = site.arrive("anna").open()
    token, cookies = walker.field("_xsrf"), walker.browser.cookies.copy()

    def guess(number: int) -> int:
        fields = {"_xsrf": token, "username": "target", "password": f"guess {number}"}
        return requests.post(f"{site.url}/hub/link", data=fields, cookies=cookies).status_code

    with ThreadPoolExecutor(20) as pool:
        codes = list(pool.map(guess, range(60)))
    assert (codes.count(401), codes.count(429)) == (3, 57)


@pytest.mark.parametrize("path", ["link", "link/confirm", "link/cancel"])
def test_a_form_of_another_page_does_nothing(site: LinkedDoors, path: str) -> None:
    walker = site.arrive("anna").open().prove("anna", RIGHT)
    fields = {"username": "ben", "password": RIGHT, "shown": walker.field("shown")}
    for token in ({}, {"_xsrf": "forged"}):
        answer = walker.browser.post(
            f"{site.url}/hub/{path}", data=token | fields, headers={"Sec-Fetch-Site": "cross-site"}
        )
        assert answer.status_code == 403
    assert links_of(site) == []
    # and the walk stands where it was
    assert "Anna at the Facility" in plain_text(walker.open().answer)


def test_a_link_of_another_site_changes_nothing(site: LinkedDoors) -> None:
    walker = site.arrive("anna").open().prove("anna", RIGHT)
    for path in ("link/confirm", "link/cancel", f"link/confirm?shown={walker.field('shown')}"):
        assert walker.browser.get(f"{site.url}/hub/{path}").status_code == 405
    assert links_of(site) == []


def test_another_browser_has_no_part_in_it(site: LinkedDoors) -> None:
    """Neither a stranger's nor one whose own walk is going on can use what is shown here."""
    walker = site.arrive("anna").open().prove("anna", RIGHT)
    stranger = Walker(site.url, requests.Session(), walker.answer)
    stranger.browser.get(f"{site.url}/hub/login")
    assert stranger.open().answer.status_code == 404
    other = site.arrive("ben").open().prove("ben", RIGHT)
    other.send("link/confirm", shown=walker.field("shown"))
    assert other.answer.status_code == 409
    assert links_of(site) == []


def test_two_numbers_in_one_browser_are_none(site: LinkedDoors) -> None:
    """A page elsewhere on this host can plant a cookie beside the real one; then nobody knows which is which."""
    attacker = site.arrive("ben")
    planted = next(cookie.value for cookie in attacker.browser.cookies if cookie.name == "daas-link")
    victim = site.arrive("anna").open()
    own = next(cookie.value for cookie in victim.browser.cookies if cookie.name == "daas-link")
    for header in (f"daas-link={planted}; daas-link={own}", f"daas-link={own}; daas-link={planted}"):
        answer = requests.get(f"{site.url}/hub/link", headers={"Cookie": header})
        assert answer.status_code == 404


def test_a_planted_number_shows_whose_login_it_is(site: LinkedDoors) -> None:
    """Fixation: the victim would see the attacker's name and identifier on both pages."""
    attacker = site.arrive("ben")
    planted = next(cookie.value for cookie in attacker.browser.cookies if cookie.name == "daas-link")
    victim = Walker(site.url, requests.Session(), attacker.answer)
    victim.browser.cookies.set("daas-link", planted, path="/hub/link")
    for page in (victim.open(), victim.prove("anna", RIGHT)):
        words = plain_text(page.answer)
        assert "Ben Okafor" in words
        assert "ben0123456789abcdef@egi.eu" in words


def test_a_later_sign_in_takes_the_place_of_the_one_before(site: LinkedDoors) -> None:
    """Somebody else signs in in the same browser meanwhile: what was proved before is not theirs."""
    walker = site.arrive("anna").open().prove("anna", RIGHT)
    shown, token = walker.field("shown"), walker.field("_xsrf")
    form = walker.browser.get(f"{site.url}/hub/oauth_login/facility")
    assert "/interaction/" in form.url
    walker.answer = walker.browser.post(form.url, data={"sub": "ben"})
    answer = walker.browser.post(f"{site.url}/hub/link/confirm", data={"_xsrf": token, "shown": shown})
    assert answer.status_code == 409
    assert "Ben Okafor" in plain_text(answer)
    assert links_of(site) == []


def test_cancel_and_another_account(site: LinkedDoors) -> None:
    walker = site.arrive("anna").open().prove("anna", RIGHT)
    walker.send("link/cancel", only="account")
    assert walker.answer.url == f"{site.url}/hub/link"
    assert walker.field("shown") == ""
    walker.send("link/cancel")
    assert walker.answer.url.startswith(f"{site.url}/hub/login")
    assert walker.open().answer.status_code == 404
    assert links_of(site) == []


def test_the_wanted_page_is_one_of_ours(site: LinkedDoors) -> None:
    for wanted in ("https://evil.example.org/", "//evil.example.org/hub/", "/\\evil.example.org"):
        walker = connected(site, wanted=wanted)
        assert walker.answer.url.startswith(f"{site.url}/hub/"), wanted
        with sqlite3.connect(site.login_portal.portal.state / "private" / "links.sqlite") as links:
            links.execute("DELETE FROM links")
        links.close()


def test_what_is_connected_is_seen_and_removed(site: LinkedDoors) -> None:
    anna = site.person(connected(site))
    page = anna.get("/hub/daas/logins")
    assert "EGI Check-in" in plain_text(page)
    assert "in use now" in plain_text(page)
    assert 'href="/hub/daas/logins"' in anna.get("/hub/home").text
    ben = site.person(connected(site, "ben", "ben"))
    issuer = site.login_portal.egi.issuer
    # somebody else's is not theirs to remove, and does not exist for them
    answer = ben.post("/hub/daas/logins", {"issuer": issuer, "subject": "anna0123456789abcdef@egi.eu"})
    assert answer.status_code == 404
    assert links_of(site) == [("anna", "anna"), ("ben", "ben")]
    forged = anna.session.post(f"{site.url}/hub/daas/logins", data={"issuer": issuer, "_xsrf": "x"})
    assert forged.status_code == 403
    answer = anna.post("/hub/daas/logins", {"issuer": issuer, "subject": "anna0123456789abcdef@egi.eu"})
    assert answer.url == f"{site.url}/hub/logged-out"
    assert links_of(site) == [("ben", "ben")]
    assert is_out(anna)
    # and the login alone is none any more
    assert site.arrive("anna").answer.status_code == 403
    assert not is_out(ben)


def test_removing_the_login_of_another_browser_ends_it_and_its_sessions(site: LinkedDoors, sandbox_works: None) -> None:
    """Anna connects two; with one of them she removes the other, which somebody uses just now."""
    first = site.person(connected(site, "anna", "anna"))
    second = site.person(connected(site, "ben", "anna"))
    hers, other = first.launch("terminal"), second.launch("terminal")
    subject = "ben0123456789abcdef@egi.eu"
    answer = first.post("/hub/daas/logins", {"issuer": site.login_portal.egi.issuer, "subject": subject})
    assert answer.url == f"{site.url}/hub/daas/logins"
    assert is_out(second)
    assert not is_out(first)
    assert running(first, hers)
    again = site.person(connected(site, "ben", "anna"))
    assert not running(again, other)
    first.stop(hers)


def test_an_account_has_so_many_logins(site: LinkedDoors) -> None:
    connected(site, "anna", "clara")
    connected(site, "ben", "clara")
    third = site.login_portal.login("facility", "anna")
    walker = Walker(site.url, third.session, third.answer).open().prove("clara", RIGHT).confirm()
    assert walker.answer.status_code == 409
    assert "limit" in plain_text(walker.answer)
    assert len(links_of(site)) == 2


def test_nobody_who_is_signed_out_sees_logins(site: LinkedDoors) -> None:
    answer = requests.get(f"{site.url}/hub/daas/logins")
    assert answer.url.startswith(f"{site.url}/hub/login")


def test_a_page_that_is_not_private_to_the_browser_is_kept_nowhere(site: LinkedDoors) -> None:
    walker = site.arrive("anna")
    for answer in (walker.answer, walker.open().answer, walker.prove("anna", RIGHT).answer):
        assert answer.headers["Cache-Control"] == "no-store"
        assert "form-action 'self'" in answer.headers["Content-Security-Policy"]
    cookie = next(one for one in walker.browser.cookies if one.name == "daas-link")
    assert (cookie.path, cookie.has_nonstandard_attr("HttpOnly")) == ("/hub/link", True)
    assert is_out(Person(site.login_portal.portal, walker.browser, walker.answer)), "half a walk is no login"


def test_every_other_login_of_the_account_is_reported(site: LinkedDoors) -> None:
    """Whoever had the password for a moment must not have the account in secret."""
    first = site.person(connected(site, "anna", "anna"))
    assert "another login was connected to your account" not in first.get("/hub/home").text
    second = site.person(connected(site, "ben", "anna"))
    page = first.get("/hub/home").text
    assert "another login was connected to your account" in page
    assert "ben0123456789abcdef@egi.eu" in page
    assert "anna0123456789abcdef@egi.eu" in second.get("/hub/home").text


def test_who_the_directory_keeps_out_is_not_let_in_by_a_link(site: LinkedDoors) -> None:
    """A condition in person_filter holds for a connected login, as for a password."""
    walker = site.arrive("anna").open().prove("barred", RIGHT)
    assert walker.answer.status_code == 403
    assert "cannot be connected" in plain_text(walker.answer)
    assert walker.field("shown") == ""
    assert links_of(site) == []
