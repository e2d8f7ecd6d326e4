"""Two places behind one hub: chosen by page, link and API, authorised at every start, and kept apart over a restart."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from daas_hub.spawners.sandbox.processes import marked_processes
from tests.live_portal import Person, Portal, new_state, plain_text, remove, start_portal
from tests.places import TWO, kill, kill_rest, sandboxes, start_with, with_changes
from tests.waiting import wait_for

pytestmark = pytest.mark.sandbox


@pytest.fixture
def opened(sandbox_works: None) -> Iterator[Callable[..., Portal]]:
    """Start portals with places, or one again with others; each is stopped at the end."""
    portals: list[Portal] = []

    def start(places: dict[str, dict[str, Any]], *, before: Portal | None = None, more: str = "") -> Portal:
        portal = start_with(places, before=before, more=more)
        if before is not None:
            before.process = portal.process
            return before
        portals.append(portal)
        return portal

    yield start
    for portal in portals:
        portal.stop()
        kill_rest(portal)
        remove(portal)


def start_by_api(person: Person, name: str, **options: Any) -> requests.Response:
    """Start a session by JupyterHub's API."""
    return person.api("POST", f"users/{person.name}/servers/{name}", {"application": "terminal"} | options)


def words_of(answer: requests.Response) -> str:
    """Return the reason of a refusal by the API."""
    return str(answer.json()["message"])


def card_of(person: Person, name: str) -> str:
    """Return the text of a session's card."""
    text = person.get("/hub/home").text
    begin = text.index(f'id="session-{name}"')
    return plain_text(type("Part", (), {"text": text[begin : text.index("</article>", begin)]})())


def is_running(person: Person, name: str) -> bool:
    """Return whether the session itself answers."""
    answer = person.get(f"/user/{person.name}/{name}/status")
    return answer.ok and answer.json()["state"] == "running"


def test_chosen_by_form_link_and_api(opened: Callable[..., Portal]) -> None:
    portal = opened(with_changes("large", default_for={"applications": ["desktop"]}))
    anna = portal.login("anna")
    # a link of another site, with a place
    page = anna.get("/hub/daas/open?proposal=MA-4242&visit=2&app=terminal&place=large")
    assert "place=large" in page.url
    chosen = page.text.partition('value="large"')[2].partition(">")[0]
    assert "checked" in chosen
    fields = {"application": "terminal", "place": "large", "session_name": "by-form"}
    assert anna.post("/hub/launch", fields, allow_redirects=False).status_code == 303
    anna.wait_ready("by-form")
    assert start_by_api(anna, "by-default").status_code in (201, 202)
    anna.wait_ready("by-default")
    assert start_by_api(anna, "of-desktop", application="desktop").status_code in (201, 202)
    anna.wait_ready("of-desktop")
    assert "Large nodes" in card_of(anna, "by-form")
    assert "This machine" in card_of(anna, "by-default")
    assert "Large nodes" in card_of(anna, "of-desktop")
    assert len(sandboxes(portal, "large")) == 2
    assert len(sandboxes(portal, "here")) == 1
    for name in ("by-form", "by-default", "of-desktop"):
        assert is_running(anna, name)
        assert anna.stop(name).status_code == 303
    assert sandboxes(portal, "large") == sandboxes(portal, "here") == []


#: Places at which a launch of Terminal is refused, each for one reason, and one that takes it.
REFUSING: dict[str, dict[str, Any]] = {
    name: {"spawner": "sandbox", "title": name.capitalize()} | keys
    for name, keys in {
        "group": {"groups": ["staff-id21"]},
        "role": {"roles": ["admin"]},
        "application": {"applications": ["pymca"]},
        "size": {"sizes": ["large"]},
        "beamline": {"beamlines": ["ID99"]},
        "draining": {"state": "draining"},
        "down": {"state": "down", "notice": "back on Monday."},
        "storage": {"lacks_storage": ["/usr/share"]},
        "open": {},
    }.items()
}
ON_A_PROPOSAL = {"proposal": "MA-4242", "visit": 2}


@pytest.fixture(scope="module")
def refusing(sandbox_works: None) -> Iterator[Portal]:
    """One portal for all refusals."""
    portal = start_with(REFUSING)
    yield portal
    portal.stop()
    kill_rest(portal)
    remove(portal)


@pytest.mark.parametrize(
    ("place", "options", "words"),
    [
        ("nowhere", {}, "There is no place nowhere that you may use."),
        ("group", {}, "There is no place group that you may use."),
        ("role", {}, "There is no place role that you may use."),
        ("application", {}, "Application does not offer Terminal."),
        ("size", {}, "Size does not offer Terminal in that size."),
        ("beamline", {}, "Beamline is for proposals of ID99 only."),
        ("beamline", ON_A_PROPOSAL, "Beamline is for proposals of ID99 only, and MA-4242 is not one of them."),
        ("draining", {}, "Draining takes no new sessions at the moment."),
        ("down", {}, "Down is down: back on Monday."),
        ("storage", ON_A_PROPOSAL, "Storage does not have the storage of ~/data."),
    ],
)
def test_refused_at_the_moment_of_use(refusing: Portal, place: str, options: dict[str, Any], words: str) -> None:
    """By the API, for which no page was shown; and nothing was started."""
    anna = refusing.login("anna")
    answer = start_by_api(anna, "refused", place=place, **options)
    assert answer.status_code == 403, answer.text
    assert words_of(answer).startswith(words), answer.text
    assert all(sandboxes(refusing, one) == [] for one in REFUSING)


def test_launched_where_nothing_is_against_it(refusing: Portal) -> None:
    """Without a place in the request; and the page hides places from people they are not for."""
    anna = refusing.login("anna")
    assert start_by_api(anna, "default", **ON_A_PROPOSAL).status_code in (201, 202)
    anna.wait_ready("default")
    assert "Open" in card_of(anna, "default")
    assert len(sandboxes(refusing, "open")) == 1
    assert anna.stop("default").status_code == 303
    of_anna = anna.get("/hub/launch?application=terminal").text
    of_carla = refusing.login("carla").get("/hub/launch?application=terminal").text
    assert 'value="group"' in of_carla
    assert 'value="group"' not in of_anna
    assert 'value="role"' not in of_anna + of_carla
    assert 'value="down" disabled' in of_anna


def test_full_is_refused_with_both_numbers(opened: Callable[..., Portal]) -> None:
    """Also if all come at once; and a place is free again when the session has ended."""
    portal = opened(with_changes("large", capacity=2))
    people = [portal.login(one) for one in ("anna", "ben", "carla")]
    names = [(person, f"s-{number}") for person in people for number in (1, 2)]
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda one: start_by_api(*one, place="large"), names))
    refused = [one for one in answers if one.status_code == 403]
    assert len(refused) == 4, [one.status_code for one in answers]
    assert {words_of(one) for one in refused} == {
        "Large nodes is full: 2 of 2 sessions are in use. Choose another place, or try again later."
    }
    started = [one for one, answer in zip(names, answers, strict=True) if answer.status_code != 403]
    for person, name in started:
        person.wait_ready(name)
    assert len(sandboxes(portal, "large")) == 2
    assert "Full: 2 of 2 sessions are in use." in people[0].get("/hub/launch?application=terminal").text
    person, name = started[0]
    person.stop(name)
    assert start_by_api(person, "next", place="large").status_code in (201, 202)


def test_restart_keeps_sessions_of_both(opened: Callable[..., Portal]) -> None:
    portal = opened(TWO)
    anna = portal.login("anna")
    for place in TWO:
        assert start_by_api(anna, f"in-{place}", place=place).status_code in (201, 202)
        anna.wait_ready(f"in-{place}")
    before = {place: sandboxes(portal, place) for place in TWO}
    kill(portal)
    opened(TWO, before=portal)
    anna = portal.login("anna")
    assert {place: sandboxes(portal, place) for place in TWO} == before
    for place, keys in TWO.items():
        name = f"in-{place}"
        assert is_running(anna, name)
        assert keys["title"] in card_of(anna, name)
        assert "Running" in card_of(anna, name)
        assert anna.stop(name).status_code == 303
        assert sandboxes(portal, place) == []


def test_another_place_is_a_stop_and_a_start(opened: Callable[..., Portal]) -> None:
    """Of the same name: it is refused while the first one runs, and nothing of it is left in the other place."""
    portal = opened(TWO)
    anna = portal.login("anna")
    assert start_by_api(anna, "one", place="here").status_code in (201, 202)
    anna.wait_ready("one")
    assert start_by_api(anna, "one", place="large").status_code == 400
    assert anna.api("DELETE", f"users/{anna.name}/servers/one").status_code in (202, 204)
    wait_for(lambda: sandboxes(portal, "here") == [])
    assert start_by_api(anna, "one", place="large").status_code in (201, 202)
    anna.wait_ready("one")
    assert sandboxes(portal, "here") == []
    assert len(sandboxes(portal, "large")) == 1
    assert "Large nodes" in card_of(anna, "one")


def test_removed_place_keeps_its_sessions_as_not_known(opened: Callable[..., Portal]) -> None:
    portal = opened(TWO)
    anna = portal.login("anna")
    for place in TWO:
        assert start_by_api(anna, f"in-{place}", place=place).status_code in (201, 202)
        anna.wait_ready(f"in-{place}")
    kill(portal)
    opened({"here": TWO["here"]}, before=portal)
    anna = portal.login("anna")
    card = card_of(anna, "in-large")
    assert "Not known" in card
    assert "It was started in the place large, which is not configured now. It may still run" in card
    assert "Stop" not in card
    assert len(sandboxes(portal, "large")) == 1
    assert "Running" in card_of(anna, "in-here")
    # neither the page nor the API stops what nothing is known of
    assert anna.stop("in-large").status_code == 409
    anna.api("DELETE", f"users/{anna.name}/servers/in-large")
    assert "Not known" in card_of(anna, "in-large")
    assert len(sandboxes(portal, "large")) == 1
    # also if it does not answer while the hub starts
    kill(portal)
    for one in sandboxes(portal, "large"):
        (portal.state / "run" / "places" / "large" / "sessions" / one / "http.sock").rename(portal.state / "kept.sock")
    opened({"here": TWO["here"]}, before=portal)
    anna = portal.login("anna")
    wait_for(lambda: "Not known" in card_of(anna, "in-large"))
    # the place comes back
    kill(portal)
    for one in sandboxes(portal, "large"):
        (portal.state / "kept.sock").rename(portal.state / "run" / "places" / "large" / "sessions" / one / "http.sock")
    opened(TWO, before=portal)
    anna = portal.login("anna")
    assert "Running" in card_of(anna, "in-large")
    assert is_running(anna, "in-large")
    assert anna.stop("in-large").status_code == 303
    assert sandboxes(portal, "large") == []


def test_a_renamed_place_ends_no_session(opened: Callable[..., Portal]) -> None:
    """It has the directory of the former one, so that its reconciler sees the session, which the hub cannot place."""
    state = new_state()
    settings = {"settings": {"runtime_dir": str(state / "r")}}
    portal = opened({"here": TWO["here"], "large": TWO["large"] | settings}, more=RECONCILED)
    anna = portal.login("anna")
    assert start_by_api(anna, "one", place="large").status_code in (201, 202)
    anna.wait_ready("one")
    kill(portal)
    renamed = {"here": TWO["here"], "big": TWO["large"] | settings}
    began = time.time()
    opened(renamed, before=portal, more=RECONCILED)
    report = state / "r" / "reconciliation.json"
    wait_for(lambda: report.stat().st_mtime > began + 2, timeout_s=30)
    anna = portal.login("anna")
    assert "It was started in the place large, which is not configured now." in card_of(anna, "one")
    assert len(marked_processes(state / "r" / "sessions")) == 1
    # a start in the place of the new name is not kept from its own room
    assert start_by_api(anna, "two", place="big").status_code in (201, 202)
    kill(portal)
    opened({"here": TWO["here"], "large": TWO["large"] | settings}, before=portal)
    anna = portal.login("anna")
    assert is_running(anna, "one")
    assert anna.stop("one").status_code == 303
    # no place that is configured now has the other one
    for processes in marked_processes(state / "r" / "sessions").values():
        for process in processes:
            process.kill()
    shutil.rmtree(state, ignore_errors=True)


def test_draining_while_a_start_is_under_way(opened: Callable[..., Portal]) -> None:
    """The start was interrupted by the restart, and is not repeated; what runs stays."""
    slow = (
        "import asyncio\nc.Spawner.pre_spawn_hook = lambda spawner: asyncio.sleep(60 if spawner.name == 'slow' else 0)"
    )
    portal = opened(TWO, more=slow)
    anna = portal.login("anna")
    assert start_by_api(anna, "runs", place="large").status_code in (201, 202)
    anna.wait_ready("runs")
    with ThreadPoolExecutor(1) as pool:
        starting = pool.submit(lambda: start_by_api(anna, "slow", place="large"))
        wait_for(lambda: "slow" in anna.get(f"/hub/api/users/{anna.name}").json()["servers"])
        kill(portal)
        with contextlib.suppress(requests.RequestException):
            starting.result()
    opened(with_changes("large", state="draining"), before=portal)
    anna = portal.login("anna")
    assert is_running(anna, "runs")
    assert not anna.get(f"/hub/api/users/{anna.name}").json()["servers"].get("slow", {}).get("ready")
    assert len(sandboxes(portal, "large")) == 1
    again = start_by_api(anna, "slow", place="large")
    assert words_of(again).startswith("Large nodes takes no new sessions at the moment.")


def test_sessions_of_a_retired_place_count_as_ended(opened: Callable[..., Portal]) -> None:
    portal = opened(TWO)
    anna = portal.login("anna")
    assert start_by_api(anna, "in-large", place="large").status_code in (201, 202)
    anna.wait_ready("in-large")
    kill(portal)
    opened({"here": TWO["here"]}, before=portal, more='c.Places.retired = ["large"]')
    anna = portal.login("anna")
    wait_for(lambda: "Ended" in card_of(anna, "in-large"))
    # what really runs there is not touched by another place
    assert len(sandboxes(portal, "large")) == 1
    kill(portal)
    opened(with_changes("large"), before=portal, more=RECONCILED)
    wait_for(lambda: sandboxes(portal, "large") == [], timeout_s=30)


#: What the hub does not know is ended at once.
RECONCILED = "c.SandboxSpawner.reconcile_interval_s = 0.5\nc.SandboxSpawner.orphan_grace_s = 0"


def test_reconciler_of_one_place_leaves_the_other_alone(opened: Callable[..., Portal]) -> None:
    """Each ends what the hub does not know in its own place, at once, and nothing else."""
    portal = opened(TWO, more=RECONCILED)
    anna = portal.login("anna")
    for place in TWO:
        assert start_by_api(anna, f"in-{place}", place=place).status_code in (201, 202)
        anna.wait_ready(f"in-{place}")
    began = time.time()
    for place in TWO:
        report = portal.state / "run" / "places" / place / "reconciliation.json"
        wait_for(lambda report=report: report.is_file() and report.stat().st_mtime > began + 1)
        assert '"running": 1' in report.read_text()
        assert '"ended": []' in report.read_text()
        assert is_running(anna, f"in-{place}")


def test_earlier_sessions_become_those_of_a_place(opened: Callable[..., Portal]) -> None:
    """A hub with one spawner gets places while somebody works."""
    portal = start_portal(state=new_state())
    try:
        anna = portal.login("anna")
        name = anna.launch("terminal")
        kill(portal)
        opened(with_changes("large", earlier_sessions=True), before=portal)
        anna = portal.login("anna")
        assert is_running(anna, name)
        assert "Large nodes" in card_of(anna, name)
        assert start_by_api(anna, "another", place="here").status_code in (201, 202)
        anna.wait_ready("another")
        assert anna.stop(name).status_code == 303
        assert not (portal.state / "run" / "sessions").exists() or not any(
            (portal.state / "run" / "sessions").iterdir()
        )
        assert "another" in anna.get("/hub/home").text
    finally:
        portal.stop()
        kill_rest(portal)
        remove(portal)


def test_earlier_sessions_without_such_a_place_are_not_known(opened: Callable[..., Portal]) -> None:
    portal = start_portal(state=new_state())
    try:
        anna = portal.login("anna")
        name = anna.launch("terminal")
        kill(portal)
        opened(TWO, before=portal)
        anna = portal.login("anna")
        assert "Not known" in card_of(anna, name)
        assert "before this portal had several places" in card_of(anna, name)
        kill(portal)
        portal.process = start_portal(state=portal.state, port=portal.port).process
        anna = portal.login("anna")
        assert anna.stop(name).status_code == 303
    finally:
        portal.stop()
        kill_rest(portal)
        remove(portal)


def test_hub_does_not_start_with_a_wrong_place(sandbox_works: None) -> None:
    """The sentence names the place, and what to do."""
    with pytest.raises(AssertionError) as refusal:
        start_with(with_changes("large", settings={"bwarp": "x"}))
    assert "is not a setting of SandboxSpawner. Did you mean 'bwrap'?" in str(refusal.value)
    with pytest.raises(AssertionError, match=r"has no place, and JupyterHub.spawner_class is 'places'"):
        start_with({})
