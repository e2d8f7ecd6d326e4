"""A session's server that accepts connections and never responds ends after `http_timeout`, in words."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import PROBE
from tests.live_portal import Portal, new_state, plain_text, remove, start_portal
from tests.sandbox import silent_server
from tests.waiting import wait_for

pytestmark = pytest.mark.sandbox

HTTP_TIMEOUT_S = 4
#: JupyterHub's own client would wait 300 s.
LIMIT_S = 60


@pytest.fixture(scope="module")
def silent(sandbox_works: None) -> Iterator[Portal]:
    """A portal whose sessions run the silent server as `daas-session`."""
    state = new_state()
    programs = state / "environment" / "bin"
    programs.mkdir(parents=True)
    (programs / "python3").symlink_to("/usr/bin/python3")
    (state / "environment" / "lib").mkdir()
    shutil.copyfile(silent_server.__file__, programs / "daas-session")
    (programs / "daas-session").chmod(0o755)
    applications = state / "applications"
    applications.mkdir()
    (applications / "probe.yaml").write_text(PROBE)
    config = (
        f"c.SandboxSpawner.prefix = {str(programs.parent)!r}\n"
        f"c.Spawner.http_timeout = {HTTP_TIMEOUT_S}\nc.Spawner.start_timeout = 120\n"
    )
    running = start_portal(applications, state=state, more_config=config)
    try:
        yield running
    finally:
        running.stop()
        remove(running)


@pytest.mark.parametrize("answers", [0, 1], ids=["never", "to the first request only"])
def test_a_server_that_never_responds_ends_after_http_timeout(silent: Portal, answers: int) -> None:
    """The second waits for the hub's own request, after the backend's start is complete."""
    (silent.state / "environment" / "bin" / "answers").write_text(str(answers))
    anna = silent.login("anna")
    began = time.monotonic()
    name = anna.launch("probe", wait=False)
    words = f"The session did not respond within {HTTP_TIMEOUT_S} seconds."
    wait_for(lambda: words in plain_text(anna.get(f"/hub/sessions/{name}")), words, LIMIT_S)
    assert time.monotonic() - began >= HTTP_TIMEOUT_S
    # nothing of it runs any more
    wait_for(lambda: not processes_of(silent.state), "the end of its processes")
    anna.stop(name)


def processes_of(state: Path) -> list[str]:
    """Return the processes that run the silent server of this portal."""
    program = f"{state}/environment/bin/daas-session"
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            if program in path.read_text(errors="replace"):
                found.append(path.parent.name)
    return found
