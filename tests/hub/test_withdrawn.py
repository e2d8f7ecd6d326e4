"""An account is withdrawn while a browser is open, and the last check of the login is not long ago."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.hub.logins import LoginPortal, start_login_portal
from tests.live_portal import plain_text

pytestmark = pytest.mark.sandbox


@pytest.fixture(scope="module")
def login_portal(sandbox_works: None) -> Iterator[LoginPortal]:
    running = start_login_portal(recheck_s=600, more_config="c.Authenticator.auth_refresh_age = 300\n")
    yield running
    running.stop()


@pytest.fixture
def _account_is_back(login_portal: LoginPortal) -> Iterator[None]:
    yield
    login_portal.write_accounts()


@pytest.mark.usefixtures("_account_is_back")
def test_a_launch_ends_at_the_login_page_which_says_why(login_portal: LoginPortal) -> None:
    person = login_portal.login("facility", "anna")
    token = person.xsrf
    login_portal.write_accounts("anna")
    fields = {"_xsrf": token, "application": "terminal"}
    answer = person.session.post(f"{login_portal.portal.url}/hub/launch", data=fields, allow_redirects=False)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/hub/login"), plain_text(answer)
    page = plain_text(person.get("/hub/login"))
    assert "no account" in page, page
    assert person.get("/hub/home").url.startswith(f"{login_portal.portal.url}/hub/login")
    assert "Traceback" not in login_portal.portal.log.read_text()


@pytest.mark.usefixtures("_account_is_back")
def test_the_api_starts_nothing(login_portal: LoginPortal) -> None:
    person = login_portal.login("facility", "anna")
    name = person.name
    headers = {"X-XSRFToken": person.xsrf}
    login_portal.write_accounts("anna")
    answer = person.session.post(
        f"{login_portal.portal.url}/hub/api/users/{name}/servers/terminal-1",
        json={"application": "terminal"},
        headers=headers,
    )
    assert answer.status_code == 403, answer.text
    assert "Traceback" not in login_portal.portal.log.read_text()
