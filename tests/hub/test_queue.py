"""A portal with room for two: five people press, the hub is killed, and each starts once, in order."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
import requests

from daas_hub.spawners.sandbox.processes import marked_processes
from tests.hub.operator import Operator
from tests.hub.shown_output import require_as_shown
from tests.live_portal import Person, plain_text, remove
from tests.places import kill, kill_rest
from tests.queue_portal import QueuePortal, press, state_of, with_limits
from tests.waiting import wait_for

pytestmark = pytest.mark.sandbox

PEOPLE = ["anna", "ben", "carla", "dora", "emil"]


@pytest.fixture
def queue(sandbox_works: None) -> Iterator[QueuePortal]:
    """A portal with room for two."""
    made = QueuePortal(PEOPLE, 2)
    yield made
    made.portal.stop()
    kill_rest(made.portal)
    remove(made.portal)


def line_of(people: dict[str, Person]) -> dict[str, str]:
    """What each person's page says of their place in line."""
    found = {}
    for name, person in people.items():
        words = re.search(r"You are (\w+) in line", plain_text(person.get("/hub/sessions/one")))
        found[name] = words[1] if words else state_of(person)
    return found


def start_by_api(person: Person) -> str:
    """Start another session by JupyterHub's API; return the words of the refusal."""
    answer = person.api("POST", f"users/{person.name}/servers/by-api", {"application": "terminal"})
    assert answer.status_code == 403, answer.text
    return str(answer.json()["message"])


def test_five_people_press_and_the_hub_is_killed(queue: QueuePortal) -> None:
    people = {name: queue.sign_in(name) for name in PEOPLE}
    for name in ("anna", "ben"):
        press(people[name])
        people[name].wait_ready("one")
    # a start by the API does not wait: it is refused with the numbers
    full = "The portal is full: 2 of 2 sessions are in use. Try again later."
    assert start_by_api(people["emil"]) == full
    for name in ("carla", "dora", "emil"):
        assert "is waiting" in press(people[name])
    # pressed twice: one ticket
    press(people["dora"])
    expected = {"anna": "running", "ben": "running", "carla": "first", "dora": "second", "emil": "third"}
    assert line_of(people) == expected
    assert start_by_api(people["emil"]).startswith("3 launches wait for a free session.")
    require_as_shown("queue", Operator(queue.portal).run("queue").stdout)
    assert f"queue: {people['emil'].name}:one takes its place in line" in queue.portal.log.read_text()

    kill(queue.portal)
    queue.start_again()
    for person in people.values():
        person.portal = queue.portal
    assert line_of(people) == expected, "order and age are kept, and nobody has started"

    # a stopped session lets the next one in, by itself
    people["anna"].stop("one")
    people["carla"].wait_ready("one")
    assert line_of({name: people[name] for name in ("dora", "emil")}) == {"dora": "first", "emil": "second"}

    # seen and left from another browser
    elsewhere = queue.sign_in("dora")
    assert "You are first in line" in plain_text(elsewhere.get("/hub/sessions/one"))
    assert elsewhere.stop("one").status_code == 303
    assert state_of(people["dora"]) == ""

    # killed in the middle of a start: it starts once, and nobody else takes its room
    people["ben"].stop("one")
    wait_for(lambda: state_of(people["emil"]) in ("starting", "running"))
    kill(queue.portal)
    queue.start_again()
    for person in people.values():
        person.portal = queue.portal
    people["emil"].wait_ready("one")
    running = marked_processes(queue.portal.state / "run" / "sessions")
    assert len(running) == 2, "carla and emil, and nobody twice"
    assert [state_of(people[name]) for name in PEOPLE] == ["", "", "running", "", "running"]


def test_a_launch_that_may_not_wait_is_counted_and_recorded(sandbox_works: None) -> None:
    """As one that its spawner refuses, where there is no queue."""
    limits = 'c.Quotas.person = {"sessions": 1}\nc.JupyterHub.authenticate_prometheus = False\n'
    with with_limits(limits) as queue:
        anna, portal = queue.sign_in("anna"), queue.portal
        press(anna)
        anna.wait_ready("one")
        assert "You are using 1 of 1 sessions, and this session needs 1." in press(anna, "two")
        assert "There is no proposal XX-1 among yours." in press(anna, "two", proposal="XX-1")

        file = portal.state / "audit" / "audit.jsonl"

        def refused() -> list[dict[str, str]]:
            events = [json.loads(line) for line in file.read_text().splitlines()]
            return [one for one in events if one.get("session") == "two"]

        wait_for(lambda: len(refused()) == 4, refused)
        found = [(one["action"], one["account"], one["proposals"], one["reason"]) for one in refused()]
        assert found == [
            ("requested", "", [], ""),
            ("refused", "anna", [], "quota: refused"),
            ("requested", "", ["XX-1"], ""),
            ("refused", "", ["XX-1"], "refused: refused"),
        ]
        for one in refused():
            assert re.search(rf"launch of .* refused: .*\[launch {one['launch']}\]", portal.log.read_text())
        metrics = requests.get(f"{portal.url}/hub/metrics", timeout=30).text
        for reason in ("quota", "refused"):
            assert f'daas_launch_refusals_total{{kind="refused",reason="{reason}"}} 1.0' in metrics


def test_a_maintenance_lets_launches_wait_in_their_order(queue: QueuePortal) -> None:
    """None is tried meanwhile, and whoever waited comes before those who press afterwards, at once."""
    operator, people = Operator(queue.portal), {name: queue.sign_in(name) for name in PEOPLE}
    press(people["anna"])
    people["anna"].wait_ready("one")
    assert operator.run("maintenance", "begin", "--text", "New disks.").returncode == 0
    for name in ("ben", "carla"):
        waits = press(people[name])
        assert "No session starts before the maintenance has ended." in waits
    assert not wait_for_turn(queue, people["ben"], 5)
    assert line_of({name: people[name] for name in ("ben", "carla")}) == {"ben": "first", "carla": "second"}
    assert operator.run("maintenance", "end").returncode == 0
    press(people["dora"])
    people["ben"].wait_ready("one", 20)
    assert line_of({name: people[name] for name in ("carla", "dora")}) == {"carla": "first", "dora": "second"}
    refused = [line for line in queue.portal.log.read_text().splitlines() if "did not start: The portal is in" in line]
    assert refused == []


def wait_for_turn(queue: QueuePortal, person: Person, timeout_s: float) -> bool:
    """Return whether a session's turn comes within this time."""
    return queue.portal.wait_for_log(f"the turn of {person.name}:one", timeout_s)
