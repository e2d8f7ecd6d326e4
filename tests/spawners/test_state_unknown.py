"""A backend that raises does not end a session: JupyterHub would forget one that runs (K1, DI02)."""

from __future__ import annotations

import logging
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest
from aiodocker import DockerError
from jupyterhub.spawner import Spawner

from daas_hub.launch import Plan
from daas_hub.spawners.base import ProposalSessionMixin
from daas_hub.spawners.docker.spawner import ProposalDockerSpawner
from daas_hub.spawners.sandbox.spawner import SandboxSpawner

PROBLEMS = [
    OSError(24, "Too many open files"),
    MemoryError(),
    RuntimeError("can't start new thread"),
    ValueError("nonsense"),
    DockerError(500, "no room"),
]


class ThirdBackend(ProposalSessionMixin, Spawner):
    """A backend of somebody else, that trusts what it calls."""

    problem: Exception | None = None

    async def start_session(self, plan: Plan) -> str:
        raise AssertionError("no test starts it")

    async def stop(self, now: bool = False) -> None:
        """Do nothing."""

    async def poll(self) -> int | None:
        if self.problem is not None:
            raise self.problem
        return 7


class OfAnAdministrator(SandboxSpawner):
    """A subclass in a configuration file."""

    async def poll(self) -> int | None:
        await super().poll()
        raise AttributeError("a slip")


def of(cls: type[Any], **attributes: Any) -> Any:
    spawner = cls()
    spawner.user = SimpleNamespace(name="anna")
    for name, value in attributes.items():
        setattr(spawner, name, value)
    return spawner


def failing(problem: Exception) -> Any:
    def fail(*_: Any, **__: Any) -> Any:
        raise problem

    return fail


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda one: type(one).__name__)
async def test_sandbox_that_raises_is_unknown(problem: Exception) -> None:
    spawner = of(SandboxSpawner, keep_sockets_open=lambda: None)
    spawner.process = SimpleNamespace(is_running=failing(problem), pid=2)
    assert await spawner.poll() is None


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda one: type(one).__name__)
async def test_container_that_raises_is_unknown(problem: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = SimpleNamespace(state_of=failing(problem))
    monkeypatch.setattr(ProposalDockerSpawner, "docker_engine", engine)
    assert await of(ProposalDockerSpawner, keep_sockets_open=lambda: None).poll() is None


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda one: type(one).__name__)
async def test_any_backend_that_raises_is_unknown(problem: Exception) -> None:
    spawner = of(ThirdBackend, problem=problem)
    assert await spawner.poll() is None
    spawner.problem = None
    assert await spawner.poll() == 7, "what it says is what counts"


async def test_subclass_of_the_configuration_is_guarded_too() -> None:
    assert await of(OfAnAdministrator, keep_sockets_open=lambda: None).poll() is None


async def test_problem_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    spawner = of(ThirdBackend, problem=PROBLEMS[0])
    with caplog.at_level(logging.ERROR, spawner.log.name):
        spawner.log.propagate = True
        for _ in range(50):
            await spawner.poll()
        assert [one.getMessage() for one in caplog.records if "unknown" in one.getMessage()] == [
            "anna: its state is unknown: OSError: [Errno 24] Too many open files"
        ]
        # it recovered: the next outage is news
        spawner.problem = None
        await spawner.poll()
        spawner.problem = PROBLEMS[0]
        await spawner.poll()
        assert sum("unknown" in one.getMessage() for one in caplog.records) == 2


#: Polls a process that runs and one that is gone, with no descriptor left.
EMFILE = """\
import asyncio, logging, os, resource, subprocess
from types import SimpleNamespace
from daas_hub.spawners.sandbox.processes import ProcessId
from daas_hub.spawners.sandbox.spawner import SandboxSpawner

async def main():
    with subprocess.Popen(["sleep", "60"]) as sleeper:
        logging.basicConfig()
        spawner = SandboxSpawner()
        spawner.log = logging.getLogger("hub")
        spawner.user, spawner.process = SimpleNamespace(name="anna"), ProcessId.of(sleeper.pid)
        spawner.log.error("the hub has its log open")
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
        taken = []
        try:
            while True:
                taken.append(os.open("/dev/null", os.O_RDONLY))
        except OSError:
            pass
        statuses = [await spawner.poll()]
        for fd in taken:
            os.close(fd)
        statuses.append(await spawner.poll())
        sleeper.kill()
        sleeper.wait()
        statuses.append(await spawner.poll())
        print(statuses)

asyncio.run(main())
"""


def test_sandbox_without_a_descriptor_is_unknown() -> None:
    ran = subprocess.run([sys.executable, "-c", EMFILE], cwd="/", capture_output=True, text=True, check=False)
    assert ran.stdout == "[None, None, 0]\n", ran.stderr
    assert ran.stderr.count("its state is unknown") == 1
