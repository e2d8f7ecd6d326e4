"""A login that the identity provider has ended, in a running portal."""

from __future__ import annotations

import pytest
import requests

from tests.live_portal import plain_text, remove, start_portal

pytestmark = pytest.mark.sandbox


def test_a_login_that_the_demos_provider_ends_is_over_with_the_next_launch(sandbox_works: None) -> None:
    """The provider is asked to renew it, which it does not refuse to the portal itself."""
    portal = start_portal()
    try:
        anna = portal.login("anna")
        requests.post(f"http://127.0.0.1:{portal.port + 1}/users/anna/revoke-tokens", timeout=30).raise_for_status()
        answer = anna.post("/hub/launch", {"application": "terminal"})
        assert "The login provider has ended this login." in plain_text(answer)
        assert "does not accept this portal" not in portal.log.read_text()
    finally:
        portal.stop()
        remove(portal)
