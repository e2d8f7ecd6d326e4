"""The example of each facility, examined where storage squashes root, and homes and data are for the account alone."""

from __future__ import annotations

import pytest

from tests.examples.site import FACILITIES, Site

pytestmark = pytest.mark.sandbox


@pytest.mark.parametrize("squashed_site", FACILITIES, indirect=True)
def test_everything_holds_on_squashed_storage(squashed_site: Site) -> None:
    """The doctor opens the directories as the account, and runs a session that sees the data read-only."""
    findings = squashed_site.examine()
    assert [one for one in findings if one["verdict"] in ("problem", "warning")] == []
    opened = [one for one in findings if one["check"].startswith("open the directories of")]
    assert opened
    shown = [one for one in findings if one["key"].startswith("sessions.~/data")]
    assert shown
    assert all("read-only" in one["result"] for one in shown)
    assert any(one["key"].startswith("sessions.~/processed") and one["verdict"] == "ok" for one in findings)
