"""The example of each facility, examined on a site that speaks its sources' wire format: everything holds (EL24)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.examples.site import FACILITIES, Site

pytestmark = pytest.mark.sandbox

#: What must have been found at each, besides that nothing is wrong.
HELD = (
    "configuration.file", "site.cookies", "site.secrets", "login.discovery", "login.keys", "login.client",
    "login.callback", "login.issuers", "accounts.used", "sees.proposal", "sessions.identity", "sessions.~/processed",
)  # fmt: skip


def findings_text(findings: list[dict[str, str]], *verdicts: str) -> str:
    """Return findings of these verdicts as text."""
    return "\n".join(str(one) for one in findings if one["verdict"] in verdicts)


@pytest.mark.parametrize("name", FACILITIES)
def test_everything_holds(sites: Callable[[str], Site], name: str) -> None:
    """The doctor asks provider, directory, catalogue and storage, and runs a session that sees the data read-only."""
    findings = sites(name).examine()
    assert findings_text(findings, "problem", "warning") == ""
    held = {one["key"] for one in findings if one["verdict"] == "ok"}
    assert set(HELD) - held == set(), findings_text(findings, "not checked")
    contract = {
        one["key"].split(".")[2] for one in findings if one["key"].startswith("proposals.") and one["verdict"] == "ok"
        if one["key"].count(".") == 2
    }  # fmt: skip
    assert contract >= ({"asked", "fields"} if sites(name).facility.service else {"names"})
    shown = [one for one in findings if one["key"].startswith("sessions.~/data")]
    assert shown
    assert all("read-only" in one["result"] for one in shown)


@pytest.mark.parametrize("name", FACILITIES)
def test_a_monitor_needs_no_person(sites: Callable[[str], Site], name: str) -> None:
    """PS09: without --as nobody's directories are opened, and everything else is asked."""
    findings = sites(name).examine(nobody=True)
    assert findings_text(findings, "problem", "warning") == ""
    assert any(one["key"] == "directories.asked" and one["verdict"] == "not checked" for one in findings)
