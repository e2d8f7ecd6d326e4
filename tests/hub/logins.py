"""A portal with two certified providers on its login page, for the tests of logins."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import requests

from tests.live_portal import Person, Portal, free_ports, new_state, remove, start_portal
from tests.stand_ins.openid import CertifiedProvider, start_provider

#: A login is asked about again after this, and everybody with a session as often.
AGAIN_S = 1

CONFIG = """
c.UmbrellaAuthenticator.oidc_issuer = ""
c.UmbrellaAuthenticator.client_id = ""
c.UmbrellaAuthenticator.client_secret = ""
c.UmbrellaAuthenticator.login_service = ""
c.UmbrellaAuthenticator.scope = []
c.UmbrellaAuthenticator.providers = {{
    "facility": {{
        "profile": "keycloak", "title": "your facility account", "issuer": "{facility}",
        "client_id": "daas-hub", "client_secret": "not-a-secret",
    }},
    "egi": {{
        "profile": "egi", "issuer": "{egi}", "client_id": "daas-hub", "client_secret": "not-a-secret",
        "basic_auth": True,
    }},
}}
c.Authenticator.auth_refresh_age = {again}
c.UmbrellaAuthenticator.recheck_s = {recheck}
c.Facility.accounts_file = "{accounts}"
"""

ACCOUNTS = """
accounts:
  - name: anna
    uid: 25001
    gid: 25001
    groups: {{ma-4242: 26001}}
    display_name: Anna Lindqvist
    logins: [{{issuer: "{facility}", subject: anna}}, {{issuer: "{egi}", subject: anna0123456789abcdef@egi.eu}}]
  - name: ben
    uid: 25002
    gid: 25002
    groups: {{ma-4242: 26001}}
    display_name: Ben Okafor
    logins: [{{issuer: "{facility}", subject: ben}}]
"""


@dataclass
class LoginPortal:
    """The portal and its two providers."""

    portal: Portal
    facility: CertifiedProvider
    egi: CertifiedProvider
    accounts: Path
    #: The lines of the configuration, without those of one test.
    config: str = ""

    def provider(self, method: str) -> CertifiedProvider:
        """Return a provider by its name."""
        return self.facility if method == "facility" else self.egi

    def login(self, method: str, sub: str, *, wanted: str = "") -> Person:
        """Sign somebody in through one of them, as a browser does."""
        browser = requests.Session()
        form = browser.get(f"{self.portal.url}/hub/oauth_login/{method}", params={"next": wanted} if wanted else None)
        assert "/interaction/" in form.url, form.text[:500]
        return Person(self.portal, browser, browser.post(form.url, data={"sub": sub}))

    def write_accounts(self, *without: str) -> None:
        """Write the accounts of the facility, all but these."""
        head, *accounts = ACCOUNTS.format(facility=self.facility.issuer, egi=self.egi.issuer).split("  - name: ")
        kept = [one for one in accounts if one.split("\n")[0] not in without]
        self.accounts.write_text(head.replace("accounts:", "accounts:" if kept else "accounts: []") + "".join(
            f"  - name: {one}" for one in kept
        ))  # fmt: skip

    def stop(self) -> None:
        """End everything."""
        self.portal.stop()
        self.facility.stop()
        self.egi.stop()
        remove(self.portal)


def start_login_portal(
    *,
    recheck_s: int = 6,
    more_config: str = "",
    more_config_of: Callable[[str], str] = lambda _issuer: "",
    people: Iterable[str] = (),
) -> LoginPortal:
    """Start a portal with two providers; whoever starts it stops it.

    Args:
        more_config_of: returns lines that name the issuer of the first provider.
        people: subjects that the first provider knows in addition to its own.
    """
    port = free_ports(4)
    url = f"http://127.0.0.1:{port}"
    facility = start_provider("keycloak", portal=url, name="facility", people={sub: {} for sub in people})
    egi = start_provider("egi", portal=url, name="egi", access_token_s=2, basic_auth=True)
    state = new_state()
    accounts = state / "accounts.yaml"
    login_portal = LoginPortal(None, facility, egi, accounts)  # type: ignore[arg-type]  # the portal reads the accounts
    login_portal.write_accounts()
    login_portal.config = CONFIG.format(
        facility=facility.issuer, egi=egi.issuer, again=AGAIN_S, recheck=recheck_s, accounts=accounts
    )
    more = more_config + more_config_of(facility.issuer)
    try:
        login_portal.portal = start_portal(state=state, port=port, more_config=login_portal.config + more)
    except BaseException:
        facility.stop()
        egi.stop()
        raise
    return login_portal


def is_out(person: Person) -> bool:
    """Return whether this browser is sent to the login page."""
    return person.get("/hub/home").url.startswith(f"{person.portal.url}/hub/login")


def running(person: Person, name: str) -> bool:
    return bool(person.get(f"/hub/api/users/{person.name}").json()["servers"].get(name, {}).get("ready"))
