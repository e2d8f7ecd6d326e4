"""Which tests share a process where `make test` runs them in several (pytest-xdist).

The tests of one file stay together, because they share a portal. So do the tests of the container engine and of the
cluster, which count what is left there and end some of it.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
#: The folders whose tests need a server of which this machine has only one.
ON_ONE_SERVER = ("docker", "images", "compose", "cluster")
ONE_SERVER = "one server"

#: The ports that the portals of this process may have; those of two processes never meet.
_FIRST_PORT, _LAST_PORT = 18000, 30000


def group_of(file: Path) -> str:
    """Return the name of the group that the tests of a file belong to."""
    path = file.relative_to(TESTS)
    return ONE_SERVER if path.parts[0] in ON_ONE_SERVER else path.as_posix()


def ports_of(worker: str, count: int) -> range:
    """Return the ports of one of ``count`` workers: "gw0", "gw1", ...; "" is a run in one process."""
    share = (_LAST_PORT - _FIRST_PORT) // max(count, 1)
    first = _FIRST_PORT + share * int(worker.removeprefix("gw") or 0)
    return range(first, first + share)


def own_ports() -> range:
    """Return the ports of this process."""
    return ports_of(os.environ.get("PYTEST_XDIST_WORKER", ""), int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the group that takes longest begin first."""
    items.sort(key=lambda item: group_of(item.path) != ONE_SERVER)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """Return a scheduler that gives whole groups to the workers, in the order of the tests."""
    from xdist.scheduler import LoadScopeScheduling

    class Groups(LoadScopeScheduling):  # type: ignore[misc]
        def _split_scope(self, nodeid: str) -> str:
            return group_of(config.rootpath / nodeid.partition("::")[0])

    config.option.loadscopereorder = False
    return Groups(config, log)
