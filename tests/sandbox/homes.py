"""Homes from which no session can start, and the way out of each: scenes that hold for every backend's portal."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.live_portal import Person, Portal, plain_text
from tests.waiting import wait_for

UID = 25003
#: What a home that is broken must not be asked for: each starts on a proposal with data and results.
LAUNCH = {"proposal": "MA-4242", "visit": "2"}
NO_DIRECTORY = "Your home directory is not a directory, or contains a symbolic link, which is not followed."
OFFER = "Until then, you can launch with a temporary home."


def give(path: Path, owner: int = UID) -> None:
    """Make it the account's, as the portal would have."""
    if os.geteuid() == 0:
        os.chown(path, owner, owner, follow_symlinks=False)


def new_home(portal: Portal) -> Path:
    """Return carla's home, empty."""
    home = portal.state / "homes" / "carla"
    if home.is_symlink() or home.is_file():
        home.unlink()
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(mode=0o700, parents=True)
    give(home)
    return home


def a_file_in_the_way(home: Path) -> None:
    (home / "data").write_text("mine")
    give(home / "data")


def a_link_in_the_way(home: Path) -> None:
    (home / "data").symlink_to("/etc")
    give(home / "data")


def not_ones_own(home: Path) -> None:
    give(home, 25099)


def unreadable(home: Path) -> None:
    home.chmod(0)


def full(home: Path) -> None:
    # without a free inode: a directory takes no block of a tmpfs
    options = f"size=64k,nr_inodes=2,mode=0700,uid={UID},gid={UID}"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "full", home], check=True)
    with (home / "filled").open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"x" * 4096)


def a_link_in_its_place(home: Path) -> None:
    home.rmdir()
    home.symlink_to("/etc")


def a_file_in_its_place(home: Path) -> None:
    home.rmdir()
    home.write_text("x")


#: How it is broken, and what the page says. Those that only root can make are left out without it.
BROKEN: dict[str, tuple[Callable[[Path], None], str]] = {
    "a file named data": (a_file_in_the_way, "Your home has a file or link named 'data', where a directory must be."),
    "a link named data": (a_link_in_the_way, "Rename 'data' in your home, then launch again."),
    "a link in its place": (a_link_in_its_place, NO_DIRECTORY),
    "a file in its place": (a_file_in_its_place, NO_DIRECTORY),
}
ONLY_ROOT: dict[str, tuple[Callable[[Path], None], str]] = {
    "somebody else's": (
        not_ones_own,
        "Your home directory belongs to somebody else: uid 25099, and yours is 25003. Ask the administrators",
    ),
    "unreadable": (
        unreadable,
        "Your home directory has mode 0000, so that you cannot read it. Ask the administrators",
    ),
    "full": (full, "Your home directory is full, so that 'data' cannot be created in it. Delete something in it"),
}


@pytest.fixture(params=[*BROKEN, *ONLY_ROOT])
def broken_home(portal: Portal, request: pytest.FixtureRequest) -> Iterator[tuple[Path, str]]:
    """Break carla's home; give it, and what the page must say."""
    if request.param in ONLY_ROOT and os.geteuid() != 0:
        pytest.skip("only root makes such a home")
    break_home, words = (BROKEN | ONLY_ROOT)[request.param]
    home = new_home(portal)
    break_home(home)
    try:
        yield home, words
    finally:
        subprocess.run(["umount", "-l", home], check=False, capture_output=True)
        new_home(portal)


def launched(portal: Portal, person: Person, fields: dict[str, str], words: str) -> str:
    """Launch by the form, and return the text of the page once it has these words."""
    answer = person.post("/hub/launch", {"application": "terminal"} | fields)
    until = time.monotonic() + 30
    while words not in (said := plain_text(answer).replace("&#39;", "'")) and time.monotonic() < until:
        time.sleep(0.2)
        answer = person.get(answer.url.removeprefix(portal.url))
    assert words in said
    return answer.text


#: Run from the proposal's results: a temporary home has no script.
INSIDE = """\
cd ~; id -un; ls; stat -c '%a %U %F' .; df -B1 --output=fstype,size . | tail -1
touch new && echo "new: $(ls new)"; ls data; touch data/x 2>&1 | grep -o 'Read-only.*'
cat THIS-HOME-IS-TEMPORARY.txt
"""


def run_inside(portal: Portal, person: Person, **fields: str) -> tuple[str, str]:
    """Run `INSIDE` in a session of `results-probe`; give what it said, and the session's name."""
    results = portal.state / "processed" / "MA-4242"
    if not results.exists():
        # as the portal makes it at the first launch
        results.mkdir(parents=True)
        if os.geteuid() == 0:
            os.chown(results, -1, 26001)
        results.chmod(0o2770)
    for name in ("probe.out", "probe.done"):
        (results / name).unlink(missing_ok=True)
    (results / "probe.sh").write_text(INSIDE)
    answer = person.post(
        "/hub/launch",
        {"application": "results-probe", "temporary_home": "1"} | LAUNCH | fields,
        allow_redirects=False,
    )
    assert answer.status_code == 303, plain_text(answer)
    name = answer.headers["Location"].rstrip("/").rpartition("/")[2]
    person.wait_ready(name)
    wait_for((results / "probe.done").exists, "the probe did not end", timeout_s=60)
    return (results / "probe.out").read_text(errors="replace"), name


def require_temporary(said: str, memory: int) -> None:
    """Check what a session found in its temporary home."""
    lines = said.splitlines()
    assert lines[:1] == ["carla"], said
    assert {"data", "processed", "THIS-HOME-IS-TEMPORARY.txt"} == set(lines[1:4]), said
    assert lines[4] == "700 carla directory", said
    assert lines[5].split()[0] == "tmpfs", said
    assert int(lines[5].split()[1]) == memory // 2, said
    assert "new: new" in said
    assert "Read-only file system" in said
    assert "deleted when the session ends" in said


def listing(home: Path) -> list[tuple[str, int, int]]:
    """Return what is in a home, with its owners and modes."""
    found = [home, *home.iterdir()] if home.is_dir() and not home.is_symlink() else [home]
    return sorted((path.name, path.lstat().st_uid, path.lstat().st_mode) for path in found)


def test_a_broken_home_is_named_and_a_temporary_one_offered(portal: Portal, broken_home: tuple[Path, str]) -> None:
    """The page says what is wrong, its button starts without this home, and nothing in it is changed."""
    home, words = broken_home
    before = listing(home)
    person = portal.login("carla")
    page = launched(portal, person, LAUNCH, words)
    assert OFFER in plain_text_of(page)
    assert 'name="temporary_home" value="1"' in page
    said, name = run_inside(portal, person)
    try:
        require_temporary(said, memory_of(portal))
        card = plain_text(person.get("/hub/home"))
        assert "Temporary home: files in it are deleted when the session ends." in card
        assert "temporary home" in person.get(f"/user/{person.name}/{name}/").text
    finally:
        person.stop(name)
    assert listing(home) == before


def test_with_an_intact_home_it_is_a_choice(portal: Portal) -> None:
    """Advanced on the launch page, a key of the API; several visits have it, too; only true is true."""
    home = new_home(portal)
    (home / "mine").write_text("x")
    person = portal.login("carla")
    page = person.get("/hub/launch?application=terminal&proposal=MA-4242&visit=2").text
    assert '<input type="checkbox" name="temporary_home" value="1">' in page
    server = f"users/{person.name}/servers/temporary"
    options = {"application": "terminal", "proposal": "MA-4242", "visit": 2}
    for wrong in ("1", 1, "true", []):
        refused = person.api("POST", server, options | {"temporary_home": wrong})
        assert refused.status_code == 403, wrong
        assert "temporary_home is either true or false" in refused.text
    assert person.api("POST", server, options | {"temporary_home": True}).status_code in (201, 202)
    person.wait_ready("temporary")
    try:
        assert person.get(f"/hub/api/{server.rpartition('/servers')[0]}").json()["servers"]["temporary"][
            "user_options"
        ] == options | {"temporary_home": True}
    finally:
        person.stop("temporary")
    # nothing was created in the home, not even a directory for the data
    assert [one.name for one in home.iterdir()] == ["mine"]


def plain_text_of(page: str) -> str:
    """Return a page's text with its apostrophes."""
    return " ".join(page.replace("&#39;", "'").split())


def memory_of(portal: Portal) -> int:
    """Return the memory of the probe's size: containers of the tests have 1 GiB."""
    return 2**30 if (portal.state / "docker_config.py").exists() else 4 * 2**30


BROKEN_JUPYTER = {
    "a setting that is no JSON": (".jupyter/jupyter_server_config.d/x.json", "{broken"),
    "a configuration that is no JSON": (".jupyter/jupyter_server_config.json", "{broken"),
    "a configuration that is no Python": (".jupyter/jupyter_server_config.py", "this is (not python"),
    "a file in its place": (".jupyter", "x"),
    "a file named .local": (".local", "x"),
}


@pytest.mark.parametrize(("path", "text"), BROKEN_JUPYTER.values(), ids=BROKEN_JUPYTER.keys())
def test_a_broken_jupyter_folder_does_not_stop_the_notebook(
    portal: Portal, notebook_application: str, path: str, text: str
) -> None:
    """So that its owner can mend it there."""
    home = portal.state / "homes" / "carla"
    file = home / path
    shutil.rmtree(home, ignore_errors=True)
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    file.write_text(text)
    if os.geteuid() == 0:
        for one in (home, *home.rglob("*")):
            os.chown(one, 25003, 25003)
    person = portal.login("carla")
    session = person.launch(notebook_application)
    try:
        assert person.get(f"/user/{person.name}/{session}/lab").status_code == 200
    finally:
        person.stop(session)
        shutil.rmtree(home)
