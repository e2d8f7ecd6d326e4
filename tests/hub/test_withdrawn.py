"""An account is withdrawn while a browser is open, and the last check of the login is not long ago."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.hub.logins import Doors, open_doors
from tests.live_portal import plain_text

pytestmark = pytest.mark.sandbox


@pytest.fixture(scope="module")
def doors(sandbox_works: None) -> Iterator[Doors]:
    running = open_doors(recheck_s=600, more_config="c.Authenticator.auth_refresh_age = 300\n")
    yield running
    running.stop()


@pytest.fixture
def _account_is_back(doors: Doors) -> Iterator[None]:
    yield
    doors.write_accounts()


@pytest.mark.usefixtures("_account_is_back")
def test_a_launch_ends_at_the_login_page_which_says_why(doors: Doors) -> None:
    person = doors.login("facility", "anna")
    token = person.xsrf
    doors.write_accounts("anna")
    fields = {"_xsrf": token, "application": "terminal"}
    answer = person.session.post(f"{doors.portal.url}/hub/launch", data=fields, allow_redirects=False)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/hub/login"), plain_text(answer)
    page = plain_text(person.get("/hub/login"))
    assert "no account" in page, page
    assert person.get("/hub/home").url.startswith(f"{doors.portal.url}/hub/login")
    assert "Traceback" not in doors.portal.log.read_text()


@pytest.mark.usefixtures("_account_is_back")
def test_the_api_starts_nothing(doors: Doors) -> None:
    person = doors.login("facility", "anna")
    name = person.name
    headers = {"X-XSRFToken": person.xsrf}
    doors.write_accounts("anna")
    answer = person.session.post(
        f"{doors.portal.url}/hub/api/users/{name}/servers/terminal-1", json={"application": "terminal"}, headers=headers
    )
    assert answer.status_code == 403, answer.text
    assert "Traceback" not in doors.portal.log.read_text()
