"""Kills the hub at a chosen point of a start. A test's configuration imports this; the product has no such hook.

Each point is a function, and whether the hub dies before or after its call. A point is armed by naming it in a file, so
that the hub which is checked after one kill can be killed at the next point.
"""

from __future__ import annotations

import functools
import inspect
import os
import signal
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

_BASE = "daas_hub.spawners."
_COMMON_BEFORE = (
    ("daas_hub.spawners.recorded:RecordedSessionMixin.record_start", "before"),
    ("daas_hub.spawners.session_records:SessionRecords._store", "before"),
    ("daas_hub.spawners.session_records:SessionRecords._store", "after"),
)
_COMMON_AFTER = (
    ("daas_hub.spawners.session_records:SessionRecords.mark_ready", "before"),
    ("daas_hub.spawners.recorded:RecordedSessionMixin.start", "after"),
    ("jupyterhub.user:User._wait_up", "before"),
    ("jupyterhub.user:User._wait_up", "after"),
    ("jupyterhub.proxy:Proxy.add_user", "before"),
    ("jupyterhub.proxy:Proxy.add_user", "after"),
)
SANDBOX = (
    *_COMMON_BEFORE,
    (_BASE + "sandbox.spawner:SandboxSpawner._prepare_session_dir", "before"),
    (_BASE + "sandbox.spawner:SandboxSpawner._prepare_session_dir", "after"),
    (_BASE + "sandbox.spawner:open_listener", "after"),
    (_BASE + "sandbox.spawner:SandboxSpawner._make_group", "after"),
    (_BASE + "sandbox.spawner:build_sandbox", "before"),
    (_BASE + "sandbox.launch:_first_process", "before"),
    (_BASE + "sandbox.launch:_first_process", "after"),
    (_BASE + "sandbox.launch:_require_granted", "before"),
    (_BASE + "sandbox.spawner:SandboxSpawner._apply_limits", "after"),
    (_BASE + "sandbox.launch:_require_granted", "after"),
    (_BASE + "sandbox.spawner:SandboxSpawner._save_process", "before"),
    (_BASE + "sandbox.spawner:SandboxSpawner._save_process", "after"),
    (_BASE + "sandbox.spawner:build_sandbox", "after"),
    (_BASE + "sandbox.spawner:require_answer", "before"),
    (_BASE + "sandbox.spawner:require_answer", "after"),
    *_COMMON_AFTER,
)
_DOCKER = _BASE + "docker.spawner:ProposalDockerSpawner."
DOCKER = (
    (_DOCKER + "prepare", "after"),
    *_COMMON_BEFORE,
    (_DOCKER + "_prepare_session_dir", "before"),
    (_DOCKER + "_prepare_session_dir", "after"),
    (_DOCKER + "_run_container", "before"),
    (_DOCKER + "_create", "before"),
    (_BASE + "docker.spawner:create_body", "after"),
    (_BASE + "docker.spawner:differences", "before"),
    (_DOCKER + "_create", "after"),
    (_BASE + "docker.engine:Engine.start", "before"),
    (_BASE + "docker.engine:Engine.start", "after"),
    (_DOCKER + "_start_container", "after"),
    (_BASE + "docker.spawner:require_answer", "before"),
    (_BASE + "docker.spawner:require_answer", "after"),
    *_COMMON_AFTER,
)
_REMOTE = _BASE + "docker.remote.session:"
ELSEWHERE = (
    *_COMMON_BEFORE,
    (_DOCKER + "_prepare_session_dir", "before"),
    (_DOCKER + "_prepare_session_dir", "after"),
    (_REMOTE + "send_files", "before"),
    (_BASE + "docker.remote.volume:_archive", "before"),
    (_REMOTE + "send_files", "after"),
    (_DOCKER + "_create", "before"),
    (_DOCKER + "_create", "after"),
    (_BASE + "docker.engine:Engine.start", "after"),
    (_REMOTE + "RemoteSession._connect", "after"),
    (_REMOTE + "admit", "before"),
    (_REMOTE + "admit", "after"),
    (_BASE + "docker.spawner:require_answer", "before"),
    (_BASE + "docker.spawner:require_answer", "after"),
    *_COMMON_AFTER,
)
_POD = _BASE + "kubernetes.spawner:"
KUBERNETES = (
    *_COMMON_BEFORE,
    (_POD + "create_pod", "before"),
    (_POD + "create_pod", "after"),
    (_POD + "create_secret", "after"),
    (_POD + "open_gate", "before"),
    (_POD + "open_gate", "after"),
    (_POD + "require_answer", "before"),
    (_POD + "require_answer", "after"),
    *_COMMON_AFTER,
)
#: Of the sign-in of a launch: the session's two questions.
SIGN_IN = (
    ("jupyterhub.apihandlers.auth:OAuthTokenHandler.post", "before"),
    ("jupyterhub.apihandlers.users:SelfAPIHandler.get", "before"),
)


def arm(switch: Path, points: tuple[tuple[str, str], ...]) -> None:
    """Wrap the functions of these points; the hub dies at the one that `switch` names, once."""
    for target in dict.fromkeys(target for target, _ in points):
        module, _, path = target.partition(":")
        *owners, name = path.split(".")
        owner = functools.reduce(getattr, owners, import_module(module))
        setattr(owner, name, _mortal(getattr(owner, name), target, switch))


def point_id(point: tuple[str, str]) -> str:
    """Return a point as a switch names it."""
    return " ".join(point)


def _mortal(function: Callable[..., Any], target: str, switch: Path) -> Callable[..., Any]:
    def die_if_armed(when: str) -> None:
        if switch.exists() and switch.read_text() == f"{target} {when}":
            switch.unlink()
            os.kill(os.getpid(), signal.SIGKILL)

    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def mortal_coroutine(*args: Any, **kwargs: Any) -> Any:
            die_if_armed("before")
            result = await function(*args, **kwargs)
            die_if_armed("after")
            return result

        return mortal_coroutine

    @functools.wraps(function)
    def mortal(*args: Any, **kwargs: Any) -> Any:
        die_if_armed("before")
        result = function(*args, **kwargs)
        die_if_armed("after")
        return result

    return mortal
