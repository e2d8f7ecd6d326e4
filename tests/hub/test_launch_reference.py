"""One id from the click to the session: in the hub's log, in the session, and on the page of a failed start."""

from __future__ import annotations

import json
import re
import secrets
import time
from pathlib import Path

import pytest

from tests.live_portal import Person, Portal, plain_text
from tests.waiting import wait_for

pytestmark = pytest.mark.sandbox

REFERENCE = re.compile(r"Reference: ([0-9a-f]{8})\b")


def lines_with(portal: Portal, reference: str) -> str:
    lines = portal.log.read_text(errors="replace").splitlines()
    return "\n".join(line for line in lines if reference in line)


def failed_page(person: Person, fields: dict[str, str], words: str) -> str:
    """Launch what does not start; return the page that says so, at once or after the page of its progress."""
    name = f"failing-{secrets.token_hex(4)}"
    answer = person.post("/hub/launch", fields | {"session_name": name}, allow_redirects=False)
    until = time.monotonic() + 30
    while words not in plain_text(answer):
        assert time.monotonic() < until, plain_text(answer)
        time.sleep(0.2)
        # not where it leads: that may be the session, which is about to end
        answer = person.get(f"/hub/sessions/{name}", allow_redirects=False)
    return plain_text(answer)


def failed_launch(person: Person) -> str:
    """Return the reference that the page of a failed start shows."""
    page = failed_page(person, {"application": "absent"}, "is not installed")
    found = REFERENCE.search(page)
    assert found, page
    return found[1]


def test_a_failed_start_can_be_found_by_what_its_page_says(portal: Portal) -> None:
    reference = failed_launch(portal.login("anna"))
    assert portal.wait_for_log(f"launch {reference}]")
    lines = lines_with(portal, reference)
    # what was decided, what JupyterHub says of it, and what the session itself printed
    assert "authorised account=anna" in lines
    assert "Not starting" in lines
    assert f"daas-session: launch {reference}" in lines


def test_a_session_has_the_reference_of_its_launch(portal: Portal) -> None:
    anna = portal.login("anna")
    before = set(records(portal))
    name = anna.launch("terminal")
    (new,) = set(records(portal)) - before
    reference = new[:8]
    lines = lines_with(portal, reference)
    assert "authorised account=anna" in lines
    # JupyterHub's own line about it, from outside of the launch's task
    assert re.search(rf"took [0-9.]+ seconds to start \[launch {reference}\]", lines)
    assert any(f"DAAS_LAUNCH={reference}".encode() in environ(process) for process in Path("/proc").glob("[0-9]*"))
    anna.stop(name)


def test_a_refusal_that_needs_no_administrator_has_none(portal: Portal) -> None:
    fields = {"application": "terminal", "proposal": "XX-1"}
    assert "Reference" not in failed_page(portal.login("anna"), fields, "There is no proposal XX-1")


def test_a_start_over_the_api_has_one_as_well(portal: Portal) -> None:
    anna = portal.login("anna")
    before = portal.log.stat().st_size
    answer = anna.api("POST", f"users/{anna.name}/servers/by-api", {"application": "absent"})
    assert answer.status_code in (202, 500), answer.text
    wait_for(lambda: re.findall(r"Not starting .* \[launch ([0-9a-f]{8})\]", portal.log.read_text()[before:]))


def records(portal: Portal) -> list[str]:
    """Return the ids of the starts of which the portal has a record."""
    return [json.loads(one.read_text())["start"] for one in (portal.state / "run" / "records").glob("*.json")]


def environ(process: Path) -> bytes:
    try:
        return (process / "environ").read_bytes()
    except OSError:
        return b""
