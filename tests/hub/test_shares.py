"""A session is its owner's: neither the hub's sharing nor its scopes open it to others, members of the proposal or not.

Everybody in this hub may share, and has the scope `access:servers`, which a share gives for one server.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
import requests

from tests.live_portal import Person, Portal, plain_text, remove, start_portal

pytestmark = pytest.mark.sandbox

CONFIG = """
c.JupyterHub.load_roles = [{
    "name": "user",
    "scopes": ["self", "shares", "read:users:name", "list:users", "access:servers", "read:shares"],
}]
"""
REFUSAL = "Sessions are personal and cannot be shared."


@pytest.fixture(scope="module")
def sharing(sandbox_works: None) -> Iterator[Portal]:
    """A portal whose administrator lets everybody share."""
    running = start_portal(more_config=CONFIG)
    yield running
    running.stop()
    remove(running)


@pytest.fixture(scope="module")
def anna(sharing: Portal) -> Person:
    return sharing.login("anna")


@pytest.fixture(scope="module")
def sessions(anna: Person) -> dict[str, str]:
    """Her sessions on MA-4242: one with a screen, one with notebooks."""
    return {
        application: anna.launch(application, proposal="MA-4242", visit="2")
        for application in ("terminal", "jupyterlab")
    }


def opened(person: Person, owner: Person, name: str) -> requests.Response:
    """Open a session as a browser does, agreeing to whatever the hub asks."""
    answer = person.get(f"/user/{owner.name}/{name}/")
    if "/oauth2/authorize" not in answer.url:
        return answer
    fields = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', answer.text)
    assert dict(fields)["_xsrf"]
    return person.session.post(answer.url, data=fields, headers={"Referer": answer.url})


def test_the_consent_page_names_people(sharing: Portal, anna: Person, sessions: dict[str, str]) -> None:
    """It comes first: the hub asks once."""
    ben = sharing.login("ben")
    page = plain_text(ben.get(f"/user/{anna.name}/{sessions['terminal']}/"))
    assert "Terminal of Anna Lindqvist asks for access to your account, Ben Okafor" in page
    assert anna.name not in page.partition("Returns to")[0]


@pytest.mark.parametrize("application", ["terminal", "jupyterlab"])
@pytest.mark.parametrize("subject", ["ben", "carla"])
def test_a_session_opens_for_its_owner_only(
    sharing: Portal, anna: Person, sessions: dict[str, str], subject: str, application: str
) -> None:
    """Ben is a member of her proposal, Carla its beamline's scientist."""
    name = sessions[application]
    assert opened(anna, anna, name).status_code == 200
    refused = opened(sharing.login(subject), anna, name)
    assert refused.status_code == 403
    assert refused.url.startswith(f"{sharing.url}/user/{anna.name}/{name}/"), "it is the session that refuses"


@pytest.mark.parametrize("kind", ["shares", "share-codes"])
def test_no_share_can_be_made(sharing: Portal, anna: Person, sessions: dict[str, str], kind: str) -> None:
    ben = sharing.login("ben")
    body = {"user": ben.name} if kind == "shares" else {}
    answer = anna.api("POST", f"{kind}/{anna.name}/{sessions['terminal']}", body)
    assert (answer.status_code, answer.json()["message"]) == (403, REFUSAL)
    listed = anna.api("GET", f"{kind}/{anna.name}/{sessions['terminal']}")
    assert listed.status_code == 200
    assert listed.json()["items"] == []


def test_no_share_can_be_accepted(anna: Person) -> None:
    page = anna.get("/hub/accept-share?code=abc")
    assert page.status_code == 403
    assert "cannot be shared" in plain_text(page)
    assert anna.post("/hub/accept-share", {"code": "abc"}).status_code == 403
