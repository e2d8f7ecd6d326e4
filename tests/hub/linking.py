"""A portal where people connect their login with the account they have: a real directory, two certified providers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import requests

from tests.hub.logins import LoginPortal, start_login_portal
from tests.live_portal import Person
from tests.not_tried import missing
from tests.stand_ins.directory import SLAPD, SUFFIX, make_directory, person

#: A password of a test.
RIGHT = "Correct-Horse 7"

MORE = """
c.UmbrellaAuthenticator.linking = "ldap"
c.Facility.accounts = ["ldap", "links"]
c.LdapAccounts.servers = ["{servers}"]
c.LdapAccounts.ca_file = "{ca}"
c.LdapAccounts.person_base = "ou=people,{suffix}"
c.PasswordLogin.issuer = "ldap:facility"
c.LdapAccounts.issuers = ["ldap:facility"]
c.LdapAccounts.person_filter = "(&(objectClass=posixAccount)(!(displayName=blocked))(uid={subject}))"
c.LinkedAccounts.max_per_account = 2
"""


@dataclass
class LinkedDoors:
    """The portal: no login has an account before it is connected."""

    login_portal: LoginPortal

    @property
    def url(self) -> str:
        """The portal's address."""
        return self.login_portal.portal.url

    def arrive(self, subject: str, *, wanted: str = "") -> Walker:
        """Sign in with EGI, where nobody has an account yet."""
        someone = self.login_portal.login("egi", subject, wanted=wanted)
        return Walker(self.url, someone.session, someone.answer)

    def person(self, walker: Walker) -> Person:
        """Return somebody who is signed in."""
        return Person(self.login_portal.portal, walker.browser, walker.answer)


@dataclass
class Walker:
    """A browser on the way to a link: `answer` is the page it shows."""

    url: str
    browser: requests.Session
    answer: requests.Response

    def field(self, name: str, page: str | None = None) -> str:
        """Return a hidden field of the page."""
        found = re.search(rf'name="{name}" value="([^"]*)"', self.answer.text if page is None else page)
        return found[1] if found else ""

    def open(self) -> Walker:
        """Open the page of the walk."""
        self.answer = self.browser.get(f"{self.url}/hub/link")
        return self

    def send(self, path: str, **fields: str) -> Walker:
        """Send a form of the page that is shown."""
        token = {"_xsrf": self.field("_xsrf")}
        self.answer = self.browser.post(f"{self.url}/hub/{path}", data=token | fields)
        return self

    def prove(self, name: str, password: str) -> Walker:
        """Type the account's name and password."""
        return self.send("link", username=name, password=password)

    def confirm(self) -> Walker:
        """Say yes to what is shown."""
        return self.send("link/confirm", shown=self.field("shown"))


@contextmanager
def linked_login_portal(folder: object) -> Iterator[LinkedDoors]:
    """Run it."""
    if SLAPD is None:
        missing("ldap", "OpenLDAP's server is not installed")
    people = [
        person(name, uid, userPassword=RIGHT, displayName=f"{name.title()} at the Facility")
        for name, uid in [("anna", 25001), ("ben", 25002), ("clara", 25003)]
    ]
    people.append(person("barred", 25004, userPassword=RIGHT, displayName="blocked"))
    directory = make_directory(folder, people)  # type: ignore[arg-type]
    directory.start()
    try:
        more = MORE.replace("{servers}", directory.tls).replace("{ca}", directory.ca).replace("{suffix}", SUFFIX)
        login_portal = start_login_portal(more_config=more)
        yield LinkedDoors(login_portal)
        login_portal.stop()
    finally:
        directory.stop()
