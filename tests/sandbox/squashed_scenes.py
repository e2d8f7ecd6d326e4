"""Sessions on storage that squashes root: tests that hold for every backend's portal."""

from __future__ import annotations

import stat
import time

import pytest

from tests.live_portal import Portal, plain_text
from tests.sandbox.probe import probing
from tests.sandbox.squashed_site import ANNA, GROUP

#: Prints what a session has of its directories, and what it may do there.
LOOK = """\
cd $HOME
find data -name scan.h5 | sort
cat "$(find data -name scan.h5 | head -n 1)"; echo
touch data/x 2>&1 | sed 's/.*: //'
find data -mindepth 1 -maxdepth 1 -type d -exec touch {}/x \\; 2>&1 | sed 's/.*: //'
echo results > processed/result && cat processed/result
stat -c '%u %a' . processed
"""


@pytest.mark.parametrize(("visit", "files"), [("1", ["data/scan.h5"]), ("2", ["data/more data", "data/raw"])])
def test_session_works_where_only_the_account_may_enter(squashed: Portal, visit: str, files: list[str]) -> None:
    """Raw data below a directory of the group, a home for the account alone, results made at the first launch."""
    with probing(squashed.login("anna"), "anna", LOOK, proposal="TS-0002", visit=visit) as probe:
        said = probe.output()
    for name in files:
        assert name in said
    assert "counts\n" in said
    assert said.count("Read-only file system") >= len(files)
    assert f"results\n{ANNA} 700\n" in said
    made = (squashed.state / "real" / "results" / "TS-0002" / visit).stat()
    assert (made.st_uid, made.st_gid, stat.S_IMODE(made.st_mode)) == (ANNA, GROUP, 0o2770)
    assert (squashed.state / "real" / "results" / "TS-0002" / visit / "result").read_text() == "results\n"


REFUSED = {
    "3": "cannot be read by your account",
    "4": "stale file handle",
    "5": "symbolic link",
    "6": "did not respond within 8 seconds",
}


@pytest.mark.parametrize(("visit", "words"), REFUSED.items(), ids=REFUSED.values())
def test_storage_that_is_ill_or_closed_is_refused_in_words(squashed: Portal, visit: str, words: str) -> None:
    person = squashed.login("anna")
    began = time.monotonic()
    answer = person.post("/hub/launch", {"application": "terminal", "proposal": "TS-0002", "visit": visit})
    while words not in plain_text(answer):
        assert time.monotonic() - began < 45, plain_text(answer)
        # the hub itself waits for nothing
        asked = time.monotonic()
        answer = person.get(answer.url.removeprefix(squashed.url))
        assert time.monotonic() - asked < 8
        time.sleep(0.2)
    assert str(squashed.state) not in answer.text


def test_home_that_nobody_here_may_create_is_refused_with_the_command(squashed: Portal) -> None:
    person = squashed.login("ben")
    answer = person.post("/hub/launch", {"application": "terminal"})
    words = "does not exist, and neither your account nor the portal may create it"
    until = time.monotonic() + 30
    while words not in plain_text(answer) and time.monotonic() < until:
        time.sleep(0.2)
        answer = person.get(answer.url.removeprefix(squashed.url))
    assert words in plain_text(answer)
    assert squashed.wait_for_log(f"install -d -o 25002 -g 25002 -m 700 {squashed.state}/store/homes/ben")
