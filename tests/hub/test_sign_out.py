"""Signing out ends the login on the server: a copied cookie, its tokens and its streams end with it; others do not."""

from __future__ import annotations

import copy
import re
import time
from urllib.parse import urlsplit

import pytest
import requests

from tests.live_portal import Person, Portal, plain_text

pytestmark = pytest.mark.sandbox

COOKIE = "jupyterhub-hub-login"


def copied(person: Person) -> Person:
    """Return somebody else's browser with a copy of this one's cookies."""
    session = requests.Session()
    session.cookies = copy.deepcopy(person.session.cookies)
    return Person(person.portal, session, person.answer)


def is_signed_in(person: Person) -> bool:
    """Return whether the home page opens."""
    return person.get("/hub/home", allow_redirects=False).status_code == 200


def token_of(person: Person, **fields: object) -> requests.Response:
    """Ask for an access token, as the page does."""
    return person.api("POST", f"users/{person.name}/tokens", {"note": "test", **fields})


def test_a_copied_cookie_ends_with_the_sign_out(portal: Portal) -> None:
    person, elsewhere = portal.login("anna"), portal.login("anna")
    thief = copied(person)
    assert is_signed_in(thief)
    person.get("/hub/logout")
    assert not is_signed_in(person)
    assert not is_signed_in(thief), "the copy works after the sign-out"
    assert thief.session.get(f"{portal.url}/hub/api/user").status_code == 403
    assert is_signed_in(elsewhere), "another login of the same person ended as well"


def test_the_hubs_cookies_are_lax_and_last_a_day(portal: Portal) -> None:
    session = requests.Session()
    form = session.get(f"{portal.url}/hub/oauth_login")
    answer = session.post(form.url, data={"sub": "anna"}, allow_redirects=False)
    set_cookies: list[str] = []
    while answer.is_redirect:
        answer = session.get(requests.compat.urljoin(answer.url, answer.headers["Location"]), allow_redirects=False)
        set_cookies += answer.raw.headers.getlist("Set-Cookie")
    hubs = {one.partition("=")[0]: one for one in set_cookies if not re.search(r'=""|=;', one)}
    assert {COOKIE, "jupyterhub-session-id"} <= set(hubs)
    for name, one in hubs.items():
        assert "SameSite=Lax" in one, one
        assert name == "_xsrf" or "HttpOnly" in one, one
    login = next(cookie for cookie in session.cookies if cookie.name == COOKIE)
    assert login.expires is not None
    assert 0 < login.expires - time.time() <= 86_400


def test_the_database_has_no_cookie_in_it(portal: Portal) -> None:
    person = portal.login("anna")
    value = next(cookie.value or "" for cookie in person.session.cookies if cookie.name == COOKIE)
    rows = portal.rows("SELECT session_id FROM daas_logins")
    assert rows
    assert not any(row[0] in value for row in rows)


def test_a_session_opened_with_a_copied_cookie_ends_too(portal: Portal) -> None:
    """The tokens for sessions belong to the login, whatever session id the copy came with."""
    person = portal.login("anna")
    name = person.launch("terminal")
    thief = copied(person)
    thief.session.cookies.set("jupyterhub-session-id", "planted", path="/")
    assert thief.get(f"/user/{thief.name}/{name}/").status_code == 200
    # the page of a launch comes before the hub's answer
    assert thief.get(f"/user/{thief.name}/{name}/status").status_code == 200
    of_browsers = "SELECT count(*) FROM api_tokens WHERE session_id IS NOT NULL"
    ((before,),) = portal.rows(of_browsers)
    person.get("/hub/logout")
    ((after,),) = portal.rows(of_browsers)
    assert before - after == 1
    portal.login("anna").stop(name)


def test_signing_out_everywhere_ends_every_login_and_token(portal: Portal) -> None:
    person, elsewhere, other = portal.login("anna"), portal.login("anna"), portal.login("ben")
    token, kept = token_of(person).json()["token"], token_of(other).json()["token"]
    name = person.launch("terminal")
    page = person.get("/hub/daas/sign-out")
    assert page.status_code == 200
    assert is_signed_in(person), "showing the page ends nothing"
    assert elsewhere.session.post(f"{portal.url}/hub/daas/sign-out").status_code == 403, "a form without its token"
    answer = person.post("/hub/daas/sign-out", allow_redirects=False)
    target = urlsplit(answer.headers["Location"])
    # at the provider as well; the form of the page may lead there
    assert f"form-action 'self' {target.scheme}://{target.netloc};" in page.headers["Content-Security-Policy"]
    assert "You are signed out" in plain_text(person.get("/hub/logged-out"))
    assert not is_signed_in(person)
    assert not is_signed_in(elsewhere)
    assert is_signed_in(other)

    def status(token: str) -> int:
        return requests.get(f"{portal.url}/hub/api/user", headers={"Authorization": f"token {token}"}).status_code

    assert (status(token), status(kept)) == (403, 200)
    again = portal.login("anna")
    again.wait_ready(name)
    # the session still asks the hub with its own token, who opens it
    assert again.get(f"/user/{again.name}/{name}/").status_code == 200
    again.stop(name)


@pytest.mark.parametrize(
    ("wanted", "status"), [(None, 201), (3600, 201), (30 * 86_400, 201), (30 * 86_400 + 1, 400), (10**9, 400)]
)
def test_access_tokens_have_a_longest_life(portal: Portal, wanted: int | None, status: int) -> None:
    person = portal.login("anna")
    answer = token_of(person, expires_in=wanted)
    assert answer.status_code == status, answer.text
    if status == 201:
        assert answer.json()["expires_at"]
    options = re.findall(r'<option[^>]*value="(\d*)"', person.get("/hub/token").text)
    assert options
    assert all(0 < int(option) <= 30 * 86_400 for option in options)


def test_codes_and_states_are_in_no_log_line(portal: Portal) -> None:
    """Also of what fails: warnings, headers, addresses inside addresses."""
    person = portal.login("anna")
    secrets = [f"hidden{number}value" for number in range(8)]
    paths = [
        f"/hub/oauth_callback?code={secrets[0]}&state={secrets[1]}",
        f"/hub/home?next=%2Fhub%2Foauth_callback%3Fcode%3D{secrets[2]}%26state%3D{secrets[3]}",
        f"/hub/api/users/x/servers/y/progress?_xsrf={secrets[4]}",
        f"/hub/nothing?id_token={secrets[5]}&session_state={secrets[6]}",
        f"/hub/api/user?access_token={secrets[7]}",
    ]
    for path in paths:
        person.session.get(portal.url + path, headers={"Referer": portal.url + path})
        requests.get(portal.url + path, headers={"Referer": portal.url + path}, allow_redirects=False)
    person.session.get(f"{portal.url}/hub/nothing?last=line")
    assert portal.wait_for_log("last=line")
    log = portal.log.read_text(errors="replace")
    assert [secret for secret in secrets if secret in log] == []
    assert "code=[secret]" in log
