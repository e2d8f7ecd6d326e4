"""The hub's own lists of who may sign in, asked of a real hub with certified providers: by account, and by subject."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests

from tests.hub.logins import LoginPortal, is_out, start_login_portal
from tests.live_portal import Person, plain_text, start_portal
from tests.waiting import wait_for

REFUSAL = "This pilot is open to ten people. Ask pilot@facility.org to take part."

LISTS = """
c.Authenticator.allowed_users = {{"anna", ("{facility}", "ben")}}
c.Authenticator.admin_users = {{"{facility} anna"}}
c.Authenticator.blocked_users = {{"dora"}}
c.OAuthenticator.allowed_groups = {{"it"}}
c.OAuthenticator.admin_groups = {{"it-admins"}}
c.OAuthenticator.custom_403_message = "{refusal}"
c.OAuthenticator.logout_redirect_url = "/hub/login?signed-out=1"
c.Authenticator.manage_groups = True
"""

LATER = """
c.Authenticator.allowed_users = {{"anna"}}
c.Authenticator.blocked_users = {{"carla"}}
c.OAuthenticator.custom_403_message = "{refusal}"
"""

ACCOUNT = """
  - name: {name}
    uid: {uid}
    gid: {uid}
    groups: {groups}
    logins: [{{issuer: "{facility}", subject: {name}}}]
"""

#: Everybody has an account at the facility.
GROUPS = {
    "anna": "{ma-4242: 26001}",
    "ben": "{ma-4242: 26001}",
    "carla": "{it: 26100}",
    "dora": "{it: 26100}",
    "eve": "{ma-4242: 26001}",
    "fay": "{it-admins: 26101}",
}


@pytest.fixture(scope="module")
def login_portal() -> Iterator[LoginPortal]:
    """A portal with lists. It starts no session."""
    running = start_login_portal(
        people=GROUPS, more_config_of=lambda facility: LISTS.format(facility=facility, refusal=REFUSAL)
    )
    people = [
        ACCOUNT.format(name=name, uid=25001 + number, groups=groups, facility=running.facility.issuer)
        for number, (name, groups) in enumerate(GROUPS.items())
    ]
    running.accounts.write_text(f"accounts:{''.join(people)}")
    try:
        yield running
    finally:
        running.stop()


def own_user(person: Person) -> dict[str, object]:
    answer = person.get("/hub/api/user")
    assert answer.status_code == 200, answer.text
    return answer.json()  # type: ignore[no-any-return]


@pytest.mark.parametrize(("name", "admin"), [("anna", True), ("ben", False), ("carla", False), ("fay", True)], ids=str)
def test_who_is_on_a_list_signs_in(login_portal: LoginPortal, name: str, admin: bool) -> None:
    """By account, issuer and subject, group, and as an administrator; the groups are the hub's."""
    person = login_portal.login("facility", name)
    assert person.answer.status_code == 200, plain_text(person.answer)
    user = own_user(person)
    assert user["admin"] is admin
    assert user["groups"] == [GROUPS[name].partition(":")[0].strip("{")]
    assert user["name"] not in GROUPS


@pytest.mark.parametrize("name", ["dora", "eve"])
def test_everybody_else_is_refused_in_the_configured_words(login_portal: LoginPortal, name: str) -> None:
    """Dora is blocked although her group is allowed; Eve has an account, and is on no list."""
    person = login_portal.login("facility", name)
    assert person.answer.status_code == 403
    assert REFUSAL in plain_text(person.answer)
    assert is_out(person)


def test_the_hub_made_no_user_of_a_name_on_a_list(login_portal: LoginPortal) -> None:
    anna = login_portal.login("facility", "anna")
    names = {user["name"] for user in anna.get("/hub/api/users").json()}
    assert names
    assert not names & GROUPS.keys()


def test_signing_out_ends_where_the_setting_says(login_portal: LoginPortal) -> None:
    anna = login_portal.login("facility", "anna")
    assert anna.get("/hub/logged-out", allow_redirects=False).headers["Location"] == "/hub/login?signed-out=1"


def test_a_list_that_becomes_shorter_ends_logins(login_portal: LoginPortal) -> None:
    """After a restart, at the next request: Ben is off it, Carla blocked, Anna no administrator."""
    people = {name: login_portal.login("facility", name) for name in ("anna", "ben", "carla")}
    assert own_user(people["anna"])["admin"]
    token = people["carla"].api("POST", f"users/{people['carla'].name}/tokens", {}).json()["token"]
    login_portal.portal.stop()
    login_portal.portal = start_portal(
        state=login_portal.portal.state,
        port=login_portal.portal.port,
        more_config=login_portal.config + LATER.format(refusal=REFUSAL),
    )
    for person in people.values():
        person.portal = login_portal.portal
    assert is_out(people["ben"])
    assert is_out(people["carla"])
    bearer = {"Authorization": f"token {token}"}
    wait_for(
        lambda: requests.get(
            f"{login_portal.portal.url}/hub/api/user", headers=bearer, timeout=30
        ).status_code == 403,
        "a token of somebody who is blocked is worth nothing",
    )  # fmt: skip
    assert own_user(people["anna"])["admin"] is False
    assert login_portal.login("facility", "ben").answer.status_code == 403
