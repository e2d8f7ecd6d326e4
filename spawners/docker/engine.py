"""A container engine as the hub uses it: bounded calls, one listing and one pull for all who ask, one stream of events.

Built on aiodocker; docs/explanations/decisions/0015-docker-client.md says what of it is used, and what is not.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import aiohttp
from aiodocker import Docker, DockerError
from aiodocker.containers import DockerContainer
from aiodocker.volumes import DockerVolume

from daas_hub.errors import ConfigurationError, SessionFailed
from daas_hub.spawners.docker.address import Address
from daas_hub.spawners.docker.container_spec import HUB_LABEL
from daas_hub.spawners.docker.pulls import Pulls, pull_image

if TYPE_CHECKING:
    from daas_hub.spawners.docker.ssh import SshConnection

CALL_TIMEOUT_S = 60.0
CONNECT_TIMEOUT_S = 15.0
#: Recursive read-only mounts came with this version of the API (Docker 25).
MIN_API = (1, 44)
#: On another machine generated files are parts of a volume (Docker 26).
MIN_API_REMOTE = (1, 45)
#: Polls of many sessions within this time share one answer.
LISTING_TTL_S = 1.0
#: A listing was seen to say "running" 34 ms after a container had stopped.
STALE_S = 2.0
_RECONNECT_S = 1.0
#: Gateways in front of an engine that is not there; 900 is aiodocker's own, for no connection.
_UNREACHABLE_STATUS = (502, 503, 504, 900)
#: What comes of no answer, or of one that is not an engine's.
_NO_ANSWER = (aiohttp.ClientError, OSError, ValueError, TypeError, KeyError)

_log = logging.getLogger("jupyterhub.daas")
_T = TypeVar("_T")


class EngineUnreachable(SessionFailed):
    """The engine does not answer: the state of its sessions is unknown, and nothing is changed."""

    reason = "engine"

    def __init__(self) -> None:
        super().__init__(
            "The machine that runs the sessions does not answer.",
            remedy="Please try again in a few minutes; running sessions continue.",
        )


@dataclass(frozen=True)
class State:
    """What the engine says of a container: "running", "paused", "exited", ..., and "" if there is no such container."""

    status: str = ""


class Engine:
    """One engine and one hub's containers on it."""

    _known: dict[tuple[Address, str], Engine] = {}
    #: a loop does not keep its tasks: these must last as long as it
    _background: set[asyncio.Future[None]] = set()

    def __init__(self, address: Address, hub_label: str) -> None:
        address.require_safe()
        self.address = address
        self.hub_label = hub_label
        self.pulls = Pulls(self._pull)
        self._ssh = _ssh_connection(address.url) if address.is_ssh else None
        self._docker: Docker | None = None
        self._closing: asyncio.Future[None] | None = None
        self._listing: tuple[float, asyncio.Task[dict[str, State]]] | None = None
        self._stopped: dict[str, float] = {}
        self._listeners: dict[str, Callable[[str], None]] = {}
        self._watching: asyncio.Future[None] | None = None
        #: held from the choice of a session's GPUs until the engine lists them as its
        self.choosing_gpus = asyncio.Lock()
        self._is_able = False
        self._last_failure = ""

    @classmethod
    def of(cls, address: Address, hub_label: str) -> Engine:
        """Return the one object for an engine and a hub.

        Raises:
            ConfigurationError: the address is not one a hub may use.
        """
        if (address, hub_label) not in cls._known:
            cls._known[address, hub_label] = cls(address, hub_label)
        return cls._known[address, hub_label]

    # -- calls ---------------------------------------------------------------------------------------------------

    async def call(self, request: Callable[[Docker], Awaitable[_T]], timeout_s: float = CALL_TIMEOUT_S) -> _T:
        """Make a request to the engine through its client.

        Raises:
            EngineUnreachable: no answer within `timeout_s`, or none that can be read.
            aiodocker.DockerError: the engine refused.
        """
        try:
            async with asyncio.timeout(timeout_s):
                answer = await request(await self._client())
        except DockerError as error:
            if error.status not in _UNREACHABLE_STATUS:
                raise
            self._log_failure(error)
            raise EngineUnreachable from error
        except _NO_ANSWER as error:
            self._log_failure(error)
            raise EngineUnreachable from error
        self._last_failure = ""
        return answer

    def _log_failure(self, error: Exception) -> None:
        """Log why the engine does not answer; once for a reason, and not at every poll."""
        reason = f"{type(error).__name__}: {error}"
        if reason != self._last_failure:
            _log.error("the engine at %s does not answer: %s", self.address.url, reason)
        self._last_failure = reason

    async def _client(self) -> Docker:
        if self._ssh is not None:
            await self._ssh.open()
        if self._docker is None or self._closing is None or self._closing.done():
            self._docker = self._new_client()
            self._closing = self._run_until_exit(self._close_at_exit(self._docker))
        return self._docker

    def _new_client(self) -> Docker:
        """Return a client. It ignores proxies and CAs of the hub's environment, as aiohttp does by default."""
        # each stream holds a connection for as long as it lives: they must not use up a pool
        connector: aiohttp.BaseConnector
        if self._ssh is not None:
            url, connector = "unix://engine", aiohttp.UnixConnector(str(self._ssh.path), limit=0)
        elif self.address.is_remote:
            url = self.address.tls_url
            connector = aiohttp.TCPConnector(ssl=self.address.tls_context(), limit=0)
        else:
            url, connector = "unix://engine", aiohttp.UnixConnector(urlsplit(self.address.url).path, limit=0)
        return Docker(
            url,
            connector=connector,
            api_version=f"v{'.'.join(map(str, self._min_api))}",
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT_S),
        )

    @classmethod
    def _run_until_exit(cls, work: Coroutine[Any, Any, None]) -> asyncio.Future[None]:
        task = asyncio.ensure_future(work)
        cls._background.add(task)
        task.add_done_callback(cls._background.discard)
        return task

    async def _close_at_exit(self, docker: Docker) -> None:
        """Close the client when the hub ends, which cancels every task of its event loop."""
        try:
            await asyncio.Event().wait()
        finally:
            await docker.close()
            await docker.connector.close()
            if self._ssh is not None:
                self._ssh.close()

    # -- what it can do ------------------------------------------------------------------------------------------

    @property
    def _min_api(self) -> tuple[int, int]:
        return MIN_API_REMOTE if self.address.is_remote else MIN_API

    async def require_able(self) -> None:
        """Check once that this engine can do what is promised of it.

        Raises:
            ConfigurationError: it is too old to mount read-only recursively, has no seccomp filter, or maps uids.
        """
        if self._is_able:
            return
        version = await self.call(_version)
        if tuple(map(int, str(version.get("ApiVersion", "0.0")).split(".")[:2])) < self._min_api:
            raise self._unsuitable(
                f"is Docker {version.get('Version')}, which cannot do what sessions need there (file systems below raw "
                "data read-only, parts of volumes)",
                f"Update it to Docker {26 if self.address.is_remote else 25} or newer.",
            )
        info = await self.call(lambda docker: docker.system.info())
        options = " ".join(info.get("SecurityOptions") or [])
        if "seccomp" not in options or "profile=unconfined" in options:
            raise self._unsuitable(
                "runs containers without a seccomp filter",
                "Use a kernel with seccomp, and do not set the engine's seccomp-profile to unconfined.",
            )
        mapping = [word for word in ("rootless", "userns") if f"name={word}" in options]
        if mapping:
            raise self._unsuitable(
                f"gives containers other uids than the storage knows ({mapping[0]})",
                "Use an engine that runs as root, without userns-remap.",
            )
        self._is_able = True

    def _unsuitable(self, why: str, remedy: str) -> ConfigurationError:
        return ConfigurationError("ProposalDockerSpawner.engine", self.address.url, why, remedy=remedy)

    # -- containers and images -----------------------------------------------------------------------------------

    async def state_of(self, name: str) -> State:
        """Return the state of one of this hub's containers. Simultaneous callers share one listing.

        Raises:
            EngineUnreachable: the state is unknown.
        """
        now = time.monotonic()
        if now - self._stopped.get(name, -STALE_S) < STALE_S:
            # a listing may still say that it runs
            return await self._state_now(name)
        if self._listing is None or now - self._listing[0] > LISTING_TTL_S or _failed(self._listing[1]):
            self._listing = (now, asyncio.ensure_future(self._list()))
        return (await asyncio.shield(self._listing[1])).get(name, State())

    def forget_listing(self) -> None:
        """Ask the engine again at the next question: something changed."""
        self._listing = None

    def note_stop(self, name: str) -> None:
        """Do not trust a listing about this container for a while: it was stopped just now."""
        now = time.monotonic()
        self._stopped = {one: at for one, at in self._stopped.items() if now - at < STALE_S} | {name: now}
        self.forget_listing()

    async def _state_now(self, name: str) -> State:
        try:
            found = await self.inspect(name)
        except DockerError as error:
            raise EngineUnreachable from error
        return State(found["State"]["Status"]) if found else State()

    async def all_names(self) -> list[tuple[str, str, str]]:
        """Return what this hub has on the engine: kind ("container" or "volume"), name, and what to end it by.

        Raises:
            EngineUnreachable: it is unknown.
        """
        containers = await self.containers()
        labels = {"label": [f"{HUB_LABEL}={self.hub_label}"]}
        try:
            volumes = await self.call(lambda docker: docker.volumes.list(filters=labels))
        except DockerError as error:
            raise EngineUnreachable from error
        found = [("container", one["Names"][0].lstrip("/"), one["Id"]) for one in containers if one["Names"]]
        return found + [("volume", one["Name"], one["Name"]) for one in volumes["Volumes"] or []]

    async def containers(self) -> list[DockerContainer]:
        """Return this hub's containers as the engine lists them, ended ones too.

        Raises:
            EngineUnreachable: they are unknown.
        """
        labels = {"label": [f"{HUB_LABEL}={self.hub_label}"]}
        try:
            return await self.call(lambda docker: docker.containers.list(all=True, filters=labels))
        except DockerError as error:
            raise EngineUnreachable from error

    async def _list(self) -> dict[str, State]:
        return {one["Names"][0].lstrip("/"): State(one["State"]) for one in await self.containers() if one["Names"]}

    async def inspect(self, name: str) -> dict[str, Any] | None:
        """Return what the engine knows of a container; None if there is no such container."""
        return await self._unless_missing(lambda docker: docker.containers.container(name).show())

    async def image(self, reference: str) -> dict[str, Any] | None:
        """Return what the engine knows of an image; None if it does not have it."""
        return await self._unless_missing(lambda docker: docker.images.inspect(reference))

    async def _unless_missing(self, request: Callable[[Docker], Awaitable[dict[str, Any]]]) -> dict[str, Any] | None:
        try:
            return await self.call(request)
        except DockerError as error:
            if error.status != 404:
                raise
            return None

    async def start(self, name: str) -> None:
        """Start a container."""
        await self.call(lambda docker: docker.containers.container(name).start())

    async def stop(self, name: str, grace_s: int) -> None:
        """Stop a container, which may be paused, before it is removed; one that has ended is no error."""
        try:
            await self.call(lambda docker: docker.containers.container(name).stop(t=grace_s))
        except DockerError as error:
            _log.info("container %s was not stopped, and is removed: %s", name, error)

    async def output(self, name: str, *, tail: int) -> str:
        """Return the last lines a container printed."""
        printed = await self.call(
            lambda docker: docker.containers.container(name).log(stdout=True, stderr=True, tail=tail)
        )
        return "".join(printed)

    async def remove(self, name: str) -> None:
        """Remove a container and what it wrote; one that is already gone is no error (DI03)."""
        try:
            await self.call(lambda docker: docker.containers.container(name).delete(force=True, v=True))
        except DockerError as error:
            if error.status not in (404, 409):  # 409: it is being removed already
                raise

    async def remove_volume(self, volume: str) -> None:
        """Remove a volume; one that is already gone is no error."""
        try:
            await self.call(lambda docker: DockerVolume(docker, volume).delete(force=True))
        except DockerError as error:
            if error.status != 404:
                raise

    async def _pull(self, reference: str) -> AsyncGenerator[dict[str, Any], None]:
        async for line in pull_image(await self._client(), reference):
            yield line

    # -- events --------------------------------------------------------------------------------------------------

    def listen(self, name: str, on_event: Callable[[str], None]) -> None:
        """Call `on_event` with each action of a container: "die", "oom", "pause", ..."""
        self._listeners[name] = on_event
        if self._watching is None or self._watching.done():
            self._watching = self._run_until_exit(self._watch())

    def stop_listening(self, name: str) -> None:
        """Undo `listen`."""
        self._listeners.pop(name, None)

    async def _watch(self) -> None:
        filters = {"type": ["container"], "label": [f"{HUB_LABEL}={self.hub_label}"]}
        while True:
            try:
                docker = await self._client()
                events = docker.events.subscribe(create_task=False)
                async with asyncio.TaskGroup() as group:
                    group.create_task(docker.events.run(filters=filters))
                    while (event := await events.get()) is not None:
                        name = event.get("Actor", {}).get("Attributes", {}).get("name", "")
                        self._dispatch(name, str(event.get("Action", "")))
            except* (DockerError, *_NO_ANSWER) as problems:
                _log.info("the stream of the engine's events ended: %s", problems.exceptions[0])
            # polls find what happened in between
            await asyncio.sleep(_RECONNECT_S)

    def _dispatch(self, name: str, action: str) -> None:
        self.forget_listing()
        if name in self._listeners:
            self._listeners[name](action)


def _ssh_connection(url: str) -> SshConnection:
    # the extra daas-hub[remote]
    from daas_hub.spawners.docker.ssh import SshConnection

    return SshConnection(url)


async def _version(docker: Docker) -> dict[str, Any]:
    """Return the engine's version, without naming one in the request: an older engine refuses what it cannot speak."""
    async with docker.session.get(f"{docker.docker_host}/version") as answer:
        answer.raise_for_status()
        found: dict[str, Any] = await answer.json()
        return found


def _failed(task: asyncio.Task[Any]) -> bool:
    return task.done() and (task.cancelled() or task.exception() is not None)
