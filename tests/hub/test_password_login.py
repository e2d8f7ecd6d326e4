"""The password form of a real login page, with a real directory behind it (AL10, SO07)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import requests

from tests.hub.logins import ACCOUNTS, LoginPortal, is_out, start_login_portal
from tests.live_portal import Person
from tests.not_tried import missing
from tests.stand_ins.directory import SLAPD, SUFFIX, make_directory, person

RIGHT = "Correct-Horse 7"
MORE = """
c.UmbrellaAuthenticator.passwords = "ldap"
c.PasswordLogin.issuer = "ldap:facility"
c.PasswordLogin.title = "a password"
c.LdapAccounts.servers = ["{servers}"]
c.LdapAccounts.ca_file = "{ca}"
c.LdapAccounts.person_base = "ou=people,{suffix}"
c.LdapAccounts.issuers = ["ldap:facility"]
"""
CLARA = """
  - name: clara
    uid: 25003
    gid: 25003
    display_name: Clara Novak
    logins: [{issuer: "ldap:facility", subject: Clara}]
"""


@dataclass
class Form:
    """A browser at the login page."""

    login_portal: LoginPortal
    browser: requests.Session

    def send(self, name: str, password: str, *, token: str | None = None) -> requests.Response:
        page = self.browser.get(f"{self.login_portal.portal.url}/hub/login", params={"next": "/hub/home"})
        form = re.search(r'<form class="password".*?</form>', page.text, re.DOTALL)
        assert form, page.text
        found = re.search(r'name="_xsrf" value="([^"]+)"', form.group())
        action = re.search(r'action="([^"]+)"', form.group())
        assert found, form.group()
        assert action, form.group()
        fields = {"username": name, "password": password, "_xsrf": found.group(1) if token is None else token}
        return self.browser.post(f"{self.login_portal.portal.url}{action.group(1)}", data=fields)


@pytest.fixture(scope="module")
def login_portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LoginPortal]:
    if SLAPD is None:
        missing("ldap", "OpenLDAP's server is not installed")
    people = [person("Clara", 25003, userPassword=RIGHT), person("dora", 25004, userPassword=RIGHT)]
    directory = make_directory(tmp_path_factory.mktemp("passwords"), people)
    directory.start()
    running = start_login_portal(more_config=MORE.format(servers=directory.tls, ca=directory.ca, suffix=SUFFIX))
    text = ACCOUNTS.format(facility=running.facility.issuer, egi=running.egi.issuer)
    running.accounts.write_text(text.rstrip() + CLARA)
    yield running
    running.stop()
    directory.stop()


@pytest.fixture
def form(login_portal: LoginPortal) -> Form:
    return Form(login_portal, requests.Session())


def test_a_name_and_a_password_are_a_login(login_portal: LoginPortal, form: Form) -> None:
    answer = form.send("clara", RIGHT)
    assert answer.url == f"{login_portal.portal.url}/hub/home", answer.text[:2000]
    assert "Clara Novak" in answer.text
    log = login_portal.portal.log.read_text()
    assert RIGHT not in log
    # providers stand beside it
    assert login_portal.login("facility", "anna").answer.status_code == 200


def test_a_form_of_another_page_signs_nobody_in(form: Form) -> None:
    answer = form.send("clara", RIGHT, token="forged")
    assert answer.status_code == 403
    assert is_out(Person(form.login_portal.portal, form.browser, answer))


def test_who_is_right_and_has_no_account_is_reported(form: Form) -> None:
    answer = form.send("dora", RIGHT)
    assert answer.status_code == 403
    assert "no account here yet" in answer.text


def test_wrong_ones_are_reported_the_same_and_then_have_to_wait(form: Form) -> None:
    answers = [form.send(name, "wrong") for name in ("clara", "nobody")]
    assert [one.status_code for one in answers] == [401, 401]
    told = [re.findall(r'role="alert">(.*?)</div>', one.text) for one in answers]
    assert told[0] == told[1]
    assert "wrong" in told[0][0]
    for _ in range(6):
        last = form.send("somebody", "wrong")
    last = form.send("somebody", "wrong")
    assert last.status_code == 429
    assert int(last.headers["Retry-After"]) >= 1
    assert "too many attempts" in last.text
