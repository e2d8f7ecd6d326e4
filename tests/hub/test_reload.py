"""Applications and sizes are read again while the hub runs: checked first, as a whole, and not for running sessions."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hub.operator import Operator
from tests.hub.shown_output import require_as_shown
from tests.live_portal import new_state, plain_text, remove, start_portal

pytestmark = pytest.mark.sandbox

#: Without the demo's own applications.
CONFIG = """
c.Facility.catalogue = [{!r}]
c.Quotas.roles = {{"guest": {{"sizes": ["small"]}}}}
"""
SIZES = "sizes:\n  small: {title: Small, memory: 1 GiB, cpus: 1, processes: 500, hours: 1}\n"
LIGHT = """\
name: {name}
title: {title}
kind: desktop
command: [sleep, infinity]
"""


@pytest.fixture(scope="module")
def operator(sandbox_works: None) -> Iterator[Operator]:
    state = new_state()
    applications = state / "applications"
    applications.mkdir()
    (applications / "sizes.yaml").write_text(SIZES)
    write(applications, "light", "Light")
    portal = start_portal(applications, state=state, more_config=CONFIG.format(str(applications)))
    yield Operator(portal)
    portal.stop()
    remove(portal)


def write(folder: Path, name: str, title: str, more: str = "") -> Path:
    file = folder / f"{name}.yaml"
    file.write_text(LIGHT.format(name=name, title=title) + more)
    return file


@pytest.fixture
def folder(operator: Operator) -> Iterator[Path]:
    """The folder of the applications; afterwards it is as it was, and the hub knows it."""
    found = operator.portal.state / "applications"
    before = {one: one.read_text() for one in found.iterdir()}
    yield found
    for one in found.iterdir():
        one.unlink()
    for one, text in before.items():
        one.write_text(text)
    assert operator.run("reload").returncode == 0


def audited(operator: Operator) -> list[tuple[str, str]]:
    file = operator.portal.state / "audit" / "audit.jsonl"
    found = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    return [(one["action"], one["user"]) for one in found if one.get("action") == "RELOAD catalogue"]


def test_a_new_application_is_on_the_page_and_can_be_launched(operator: Operator, folder: Path) -> None:
    anna = operator.portal.login("anna")
    running = anna.launch("light")
    assert "Fresh" not in anna.get("/hub/home").text
    write(folder, "fresh", "Fresh")
    write(folder, "light", "Lighter")
    assert "Fresh" not in anna.get("/hub/home").text, "a file alone changes nothing"
    ended = operator.run("reload")
    assert (ended.returncode, ended.stdout) == (0, "added:    fresh\nchanged:  light\n")
    page = anna.get("/hub/home").text
    assert "Fresh" in page
    assert "Lighter" in page
    new = anna.launch("fresh")
    assert operator.asked("reload") == {"added": [], "changed": [], "removed": []}
    assert ("RELOAD catalogue", "service:daas-hub-operators") in audited(operator)

    (folder / "light.yaml").unlink()
    assert operator.run("reload").stdout == "removed:  light\n"
    servers = anna.get(f"/hub/api/users/{anna.name}").json()["servers"]
    assert servers[running]["ready"], "a session whose application was removed runs on"
    assert anna.get(f"/hub/sessions/{running}").ok
    # at once, or on the page of its progress
    answer = anna.post("/hub/launch", {"application": "light"})
    until = time.monotonic() + 30
    while "There is no such application here." not in plain_text(answer):
        assert time.monotonic() < until, plain_text(answer)
        time.sleep(0.2)
        answer = anna.session.get(answer.url)
    for name in (running, new):
        anna.stop(name)


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("broken.yaml", "name: [", "broken.yaml"),
        ("broken.yaml", LIGHT.format(name="broken", title="Broken") + "kinds: none\n", "kinds"),
        ("broken.yaml", LIGHT.format(name="broken", title="Broken") + "sizes: [huge]\n", "huge"),
        # no size "small", which a quota names
        ("sizes.yaml", SIZES.replace("small:", "little:"), "Quotas.roles['guest']['sizes']"),
    ],
)
def test_a_bad_file_changes_nothing(operator: Operator, folder: Path, name: str, text: str, words: str) -> None:
    anna = operator.portal.login("anna")
    write(folder, "good", "A good one")
    (folder / name).write_text(text)
    before = len(audited(operator))
    ended = operator.run("reload")
    assert ended.returncode == 1
    assert words in ended.stderr
    assert ended.stderr.endswith("nothing was changed\n")
    assert words in json.loads(operator.run("reload", "--json").stdout)["problems"][0]
    assert "A good one" not in anna.get("/hub/home").text
    assert len(audited(operator)) == before
    anna.stop(anna.launch("light"))


def test_the_page_shows_what_it_prints(operator: Operator, folder: Path) -> None:
    written = write(folder, "idle", "Idle")
    require_as_shown("reload", operator.run("reload").stdout)
    written.write_text(LIGHT.format(name="idle", title="Idle").replace("kind: desktop", "kind: dektop"))
    require_as_shown("reload", operator.run("reload").stderr, **{"/etc/daas-hub/applications": str(folder)})


def test_no_application_is_left(operator: Operator, folder: Path) -> None:
    (folder / "light.yaml").unlink()
    assert "contains no application" in operator.run("reload").stderr


def test_a_signal_reloads_and_logs_what_is_wrong(operator: Operator, folder: Path) -> None:
    """`systemctl reload` sends it."""
    anna = operator.portal.login("anna")
    bad = write(folder, "signalled", "By a signal", "kinds: none\n")
    operator.portal.process.send_signal(signal.SIGHUP)
    assert operator.portal.wait_for_log("The applications were not read again.")
    bad.unlink()
    write(folder, "signalled", "By a signal")
    operator.portal.process.send_signal(signal.SIGHUP)
    until = time.monotonic() + 30
    while ("RELOAD catalogue", "signal:SIGHUP") not in audited(operator):
        assert time.monotonic() < until
        time.sleep(0.1)
    assert "By a signal" in anna.get("/hub/home").text


def test_who_is_no_operator_cannot(operator: Operator) -> None:
    anna = operator.portal.login("anna")
    assert anna.api("POST", "daas/catalogue").status_code == 403
