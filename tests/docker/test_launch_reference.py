"""One id from the click to the container: in the answer, the container, the audit and systemd's journal."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import docker
import pytest

from daas_hub.spawners.docker.container_spec import LAUNCH_LABEL
from tests.docker.engine import containers, prepare
from tests.journal import Journal, running_journal
from tests.live_portal import Portal, new_state, plain_text, remove, start_portal
from tests.waiting import wait_for

pytestmark = pytest.mark.docker

CONFIG = """
from daas_hub.hub_log import JSON_LOGGING
c.JupyterHub.logging_config = JSON_LOGGING
"""
HOW_TO = Path(__file__).parents[2] / "docs" / "how-to" / "monitor-the-portal.md"
#: The reference in the commands of the page.
EXAMPLE = "1a2b3c4d"


@dataclass(frozen=True)
class Logged:
    """A portal whose log is in a journal, as that of the unit daas-hub."""

    portal: Portal
    journal: Journal

    def messages(self, reference: str) -> list[str]:
        """Return the messages of a launch, by the command of the page on monitoring."""
        (command,) = re.findall(r"^journalctl .* jq .*$", HOW_TO.read_text(), re.MULTILINE)
        printed = self.journal.run(command.replace(EXAMPLE, reference)).splitlines()
        return [json.loads(line)[2] for line in printed]

    def wait_for(self, reference: str, words: str) -> None:
        """Wait until the journal says so of a launch."""
        wait_for(lambda: any(words in one for one in self.messages(reference)), f"{words!r} in the journal")

    def audited(self, reference: str) -> list[str]:
        """Return the actions that the audit has of a launch."""
        (file,) = self.portal.state.rglob("audit.jsonl")
        return [
            one["action"] for one in map(json.loads, file.read_text().splitlines()) if one.get("launch") == reference
        ]


@pytest.fixture(scope="module")
def logged(engine: docker.APIClient) -> Iterator[Logged]:
    state = new_state()
    applications = state / "applications"
    prepare(state, applications, {})
    config = (state / "docker_config.py").read_text() + CONFIG
    with running_journal() as journal, journal.output_of("daas-hub") as output:
        portal = start_portal(applications, state=state, more_config=config, output=output)
        try:
            yield Logged(portal, journal)
        finally:
            portal.stop()
            remove(portal)


def test_one_id_from_the_click_to_the_container(engine: docker.APIClient, logged: Logged) -> None:
    anna = logged.portal.login("anna")
    name = anna.launch("terminal")
    (container,) = containers(engine, logged.portal)
    reference = container["Labels"][LAUNCH_LABEL]
    assert re.fullmatch("[0-9a-f]{8}", reference)
    # the session's own log
    assert f"launch {reference}\n" in engine.logs(container["Id"]).decode()
    # the click, what was decided, and JupyterHub's own line
    for words in ("303 POST /hub/launch", "authorised account=anna", f":{name} took"):
        logged.wait_for(reference, words)
    wait_for(lambda: logged.audited(reference) == ["requested", "started"], "the start in the audit")
    # none of them belongs to another launch
    again = anna.launch("terminal")
    (other,) = {one["Labels"][LAUNCH_LABEL] for one in containers(engine, logged.portal)} - {reference}
    logged.wait_for(other, f":{again} took")
    assert not any(again in one for one in logged.messages(reference))
    # the command for a log of lines
    assert "authorised" in logged.journal.run(f"journalctl -u daas-hub | grep {reference}")


def test_the_id_of_an_answer_finds_the_failure_in_the_journal(logged: Logged) -> None:
    anna = logged.portal.login("anna")
    answer = plain_text(anna.post("/hub/launch", {"application": "absent", "session_name": "absent"}))
    reference = wait_for(
        lambda: (
            re.search(r"Reference: ([0-9a-f]{8})", answer)
            or re.search(r"Reference: ([0-9a-f]{8})", plain_text(anna.get("/hub/sessions/absent")))
        )
    )[1]
    for words in ("POST /hub/launch", "authorised account=anna", "Not starting"):
        logged.wait_for(reference, words)
    wait_for(lambda: logged.audited(reference) == ["requested", "failed"], "the failure in the audit")
