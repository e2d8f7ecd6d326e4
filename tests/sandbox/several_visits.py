"""Several visits in one session, tried in a whole portal and from inside: tests that hold for every backend."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import pytest
import yaml

from tests.live_portal import Person, Portal, plain_text
from tests.sandbox.probe import Probe
from tests.waiting import wait_for

LOOK = r"""
cd ~/Proposals && find . -maxdepth 2 | LC_ALL=C sort
for place in */*; do (: > $place/written-by-anna) 2> /dev/null && echo "writable $place"; done
for place in . MA-4242; do mkdir $place/new 2> /dev/null && echo "writable $place"; done
ls MA-4242/2 | grep -c XRFSpectrum.mca; ls LS-1007/1 | grep -c Ac.mat; ls -d ~/data ~/processed 2>&1 | grep -c "No such"
"""
FIELDS = {"visits": ["2:MA-4242", "1:LS-1007"]}


def launch_on_several(person: Person, application: str, **fields: object) -> str:
    """Launch through the form; give the session's name."""
    answer = person.post("/hub/launch", {"application": application} | FIELDS | fields, allow_redirects=False)  # type: ignore[arg-type]
    assert answer.status_code == 303, plain_text(answer)
    name = answer.headers["Location"].rstrip("/").rpartition("/")[2]
    person.wait_ready(name)
    return name


def test_two_proposals_side_by_side(portal: Portal) -> None:
    """ES23: each visit read-only, each proposal's results in its own directory, and nothing else."""
    person = portal.login("anna")
    home = portal.state / "homes" / "anna"
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name in ("probe.done", "probe.out"):
        (home / name).unlink(missing_ok=True)
    for name in ("data", "processed"):
        if (home / name).is_dir():
            (home / name).rmdir()
    (home / "probe.sh").write_text(LOOK)
    if os.geteuid() == 0:
        for path in (home, home / "probe.sh"):
            os.chown(path, 25001, 25001)
    session = launch_on_several(person, "probe")
    try:
        said = Probe(person, session, home).output().splitlines()
        card = plain_text(person.get("/hub/home"))
        of_glass, of_foils = (plain_text(person.get(f"/hub/proposals/{one}")) for one in ("MA-4242", "LS-1007"))
    finally:
        person.stop(session)
    assert said == [
        ".", "./LS-1007", "./LS-1007/1", "./LS-1007/processed", "./MA-4242", "./MA-4242/2", "./MA-4242/processed",
        "writable LS-1007/processed", "writable MA-4242/processed",
        "1", "1", "2",
    ]  # fmt: skip
    for proposal in ("MA-4242", "LS-1007"):
        written = portal.state / "processed" / proposal / "written-by-anna"
        assert written.exists()
        written.unlink()
    words = "MA-4242 , visit 2 ; LS-1007 , visit 1"
    assert words in card, card
    assert words in of_glass
    assert words in of_foils


@pytest.fixture
def withdrawn(portal: Portal) -> Iterator[None]:
    """Take anna out of LS-1007 while the test runs."""
    file = portal.state / "proposals.yaml"
    text = file.read_text()
    document = yaml.safe_load(text)
    for one in document["proposals"]:
        if one["id"] == "LS-1007":
            one["members"] = ["carla"]

    def take_out() -> None:
        file.write_text(yaml.safe_dump(document))

    yield take_out  # type: ignore[misc]
    file.write_text(text)


def test_rights_to_one_of_them_are_withdrawn(portal: Portal, withdrawn: object) -> None:
    """As for one proposal: the session runs on, and neither restarts nor starts again, whoever asks, and however."""
    person = portal.login("anna")
    session = launch_on_several(person, "terminal")
    assert callable(withdrawn)
    withdrawn()
    time.sleep(0.1)
    servers = person.get(f"/hub/api/users/{person.name}").json()["servers"]
    assert servers[session]["ready"]
    path = f"users/{person.name}/servers/{session}"
    assert person.api("DELETE", path).status_code in (202, 204)
    until = time.monotonic() + 30
    while person.get(f"/hub/api/users/{person.name}").json()["servers"].get(session, {}).get("ready"):
        assert time.monotonic() < until
        time.sleep(0.1)
    both = [{"proposal": "MA-4242", "visit": 2}, {"proposal": "LS-1007", "visit": 1}]
    for body in (None, {"application": "terminal", "visits": both}):
        answer = person.api("POST", path, body)
        assert answer.status_code == 403, answer.text
        assert "LS-1007" in answer.text or "application" in answer.text, answer.text
    answer = person.post("/hub/launch", {"application": "terminal"} | FIELDS)  # type: ignore[arg-type]
    page = answer.url.removeprefix(portal.url)

    def is_refused() -> bool:
        said = plain_text(answer) + plain_text(person.get(page))
        return "There is no proposal LS-1007 among yours." in said or "You have no such proposal" in said

    wait_for(is_refused, "the refusal, at once or on the page of its progress")
    person.stop(session)
