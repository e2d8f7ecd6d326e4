"""Fixtures that several rooms' tests share: one real portal for the whole run."""

from __future__ import annotations

import shutil
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from daas_hub.spawners.sandbox.checks import sandbox_problem
from tests.experiments import experiments
from tests.live_portal import Portal, free_ports, new_state, remove, start_portal
from tests.not_tried import missing, pytest_terminal_summary
from tests.repeats import Repeats
from tests.workers import pytest_collection_modifyitems, pytest_xdist_make_scheduler

__all__ = ["pytest_collection_modifyitems", "pytest_terminal_summary", "pytest_xdist_make_scheduler"]

# no test is about time: a busy machine is no failure
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

# a run in the background of a script ignores SIGINT, and so would every program that a test interrupts
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

#: An application whose script tests write; it runs inside the session as the person's account.
PROBE = """\
name: probe
title: Probe
kind: desktop
command: [sh, -c, 'sh "$HOME/probe.sh" > "$HOME/probe.out" 2>&1; echo $? > "$HOME/probe.done"; sleep 300']
"""

#: The same with the script among the results of the proposal, for a session whose home is empty.
RESULTS_PROBE = PROBE.replace("probe\ntitle: Probe", "results-probe\ntitle: Results probe").replace(
    "$HOME/probe", "$HOME/processed/probe"
)

#: The same, with a way out to one address: a licence server that a test runs.
LICENCE_HOST, LICENCE_PORT = socket.gethostname(), free_ports(1)
LICENSED = PROBE.replace("probe\ntitle: Probe", "licensed\ntitle: Licensed") + (
    f'egress: ["{LICENCE_HOST.lower()}:{LICENCE_PORT}"]\n'
)

#: A size whose hours are over after some ten seconds, and an application of that size.
SIZES = """\
sizes:
  brief: {title: Brief, memory: 1 GiB, cpus: 1, processes: 500, hours: 0.003}
"""
BRIEF = """\
name: brief
title: Brief
kind: desktop
command: [sleep, "300"]
sizes: [brief]
"""


#: An application that is in the catalogue and not on the machine.
ABSENT = """\
name: absent
title: Absent
kind: desktop
command: [no-such-program]
"""


def pytest_configure(config: pytest.Config) -> None:
    """Count second attempts where all reports arrive."""
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Repeats())


@pytest.fixture(scope="session")
def sandbox_works() -> None:
    """Skip where no sandbox can be built."""
    problem = sandbox_problem()
    if problem is not None:
        missing("sandbox", str(problem))


@pytest.fixture(scope="session")
def portal(sandbox_works: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Portal]:
    """The portal of the demo, with one application more, the probe, and a proposal with data of a hostile kind."""
    applications = Path(tmp_path_factory.mktemp("applications"))
    for name, text in {
        "probe": PROBE,
        "results": RESULTS_PROBE,
        "licensed": LICENSED,
        "sizes": SIZES,
        "brief": BRIEF,
        "absent": ABSENT,
    }.items():
        (applications / f"{name}.yaml").write_text(text)
    state = new_state()
    running = start_portal(applications, state=state, more_config=experiments(state))
    try:
        yield running
    finally:
        running.stop()
        remove(running)


@pytest.fixture(scope="session")
def hdf5_application() -> str:
    """The probe where h5py is."""
    return "probe"


@pytest.fixture(scope="session")
def notebook_application() -> str:
    """JupyterLab."""
    return "jupyterlab"


@pytest.fixture
def reachable() -> Iterator[Path]:
    """A folder that every account can reach: pytest closes its own when another run begins."""
    folder = new_state()
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(autouse=True)
def _log_on_failure(request: pytest.FixtureRequest) -> Iterator[None]:
    """Show the end of the hub's log beside a failure."""
    yield
    for name in {"portal", "squashed"} & set(request.fixturenames):
        if getattr(request.node, "failed", False):
            # as the test had it: a fixture of the test alone is torn down by now
            print(request.node.funcargs[name].log.read_text(errors="replace")[-6000:])


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Let fixtures know that their test failed."""
    outcome = yield
    report = outcome.get_result()  # type: ignore[attr-defined]
    if report.when == "call":
        item.failed = report.failed  # type: ignore[attr-defined]
