"""`DAAS_HOST=daas.localhost docker compose up`: each session has a host name of its own, behind nginx with TLS.

Chromium resolves every name below `localhost` to this machine.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser

from tests.compose.conftest import Stack, running_stack
from tests.names_here import NAME, find_names_here

pytestmark = [pytest.mark.docker, pytest.mark.browser]


@pytest.fixture(scope="module")
def named(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The compose project with names for sessions."""
    with pytest.MonkeyPatch.context() as patch:
        find_names_here(patch)
        with running_stack(tmp_path_factory.mktemp("trust"), NAME) as running:
            yield running


def test_a_desktop_has_a_name_of_its_own(named: Stack, browser: Browser) -> None:
    """Login under the portal's name, a picture under the session's."""
    anna = named.arrive(browser, "anna")
    anna.launch("Terminal", "MA-4242")
    anna.wait_for_picture()
    address = urlsplit(anna.page.url)
    assert re.fullmatch(rf"s-[0-9a-f]{{24}}\.{re.escape(NAME)}:{named.port}", address.netloc)
    assert address.path.startswith("/daas/user/")
    portal = {one["name"] for one in anna.context.cookies(named.url + "/hub/home")}
    session = {one["name"] for one in anna.context.cookies(anna.page.url)}
    assert "jupyterhub-hub-login" in portal - session
    anna.context.close()
