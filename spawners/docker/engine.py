"""A container engine as the hub uses it: calls that never block the event loop, pulls that are shared, news of ends.

The client library waits for its answers, so every call runs in a thread; a client belongs to one thread, because the
connections below it do. The stock spawner's single thread let one pull stop every other question of the hub.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import docker
import requests
from docker.errors import APIError, DockerException, NotFound
from docker.tls import TLSConfig

from daas_hub.errors import ConfigurationError, SessionFailed
from daas_hub.spawners.docker.container_spec import HUB_LABEL
from daas_hub.spawners.docker.pulls import Pulls
from daas_hub.spawners.docker.remote.ssh import SshConnection

#: Questions of the hub to one engine at a time.
THREADS = 12
CALL_TIMEOUT_S = 60.0
#: Recursive read-only mounts came with this version of the engine's interface (Docker 25).
LEAST_API = (1, 44)
#: On another machine generated files are parts of a volume (Docker 26).
LEAST_API_ELSEWHERE = (1, 45)
#: Polls of many sessions within this time share one answer.
LISTING_S = 1.0
_WATCH_AGAIN_S = 1.0

_log = logging.getLogger("jupyterhub.daas")


class EngineUnreachable(SessionFailed):
    """The engine does not answer: nothing is known of its sessions, and nothing is changed."""

    reason = "engine"

    def __init__(self) -> None:
        super().__init__(
            "The machine that runs the sessions does not answer.",
            remedy="Please try again in a few minutes; sessions that run go on.",
        )


@dataclass(frozen=True)
class Address:
    """Where an engine is, and the folder with ca.pem, cert.pem and key.pem for it ("" for none)."""

    url: str
    certificates: str = ""

    @property
    def is_remote(self) -> bool:
        """Return whether the engine is on another machine, which sees none of the hub's files."""
        return urlsplit(self.url).scheme != "unix"

    def require_safe(self) -> None:
        """Refuse an address at which anybody could start anything (AL31).

        Raises:
            ConfigurationError: plain TCP, certificates missing, or nothing we know.
        """
        setting = "ProposalDockerSpawner.engine"
        scheme = urlsplit(self.url).scheme
        if scheme in ("unix", "ssh"):
            return
        if scheme not in ("tcp", "https"):
            raise ConfigurationError(
                setting,
                self.url,
                "is no address of an engine",
                remedy="Write unix:///run/docker.sock, tcp:// or ssh://.",
            )
        if not self.certificates:
            raise ConfigurationError(
                setting,
                self.url,
                "is an engine without a password: whoever reaches the port is root on that machine",
                remedy="Give the engine TLS with client certificates and set ProposalDockerSpawner.certificates, "
                "or use ssh://.",
            )
        lacking = [name for name in ("ca.pem", "cert.pem", "key.pem") if not (Path(self.certificates) / name).is_file()]
        if lacking:
            raise ConfigurationError(
                "ProposalDockerSpawner.certificates",
                self.certificates,
                f"lacks {', '.join(lacking)}",
                remedy="Put the engine's CA, and a certificate and key for this hub, into that folder.",
            )


@dataclass(frozen=True)
class State:
    """What the engine says of a container: "running", "paused", "exited", ..., and "" for none."""

    status: str = ""


class Engine:
    """One engine and one hub's containers on it."""

    _known: dict[tuple[Address, str], Engine] = {}

    def __init__(self, address: Address, hub: str) -> None:
        address.require_safe()
        self.address = address
        self.hub = hub
        self.pulls = Pulls(self._pull)
        self._way = SshConnection(address.url) if urlsplit(address.url).scheme == "ssh" else None
        self._executor = ThreadPoolExecutor(THREADS, thread_name_prefix="engine")
        self._clients = threading.local()
        self._listing: tuple[float, asyncio.Task[dict[str, State]]] | None = None
        self._listeners: dict[str, Callable[[str], None]] = {}
        self._watching = False
        self._checked = False
        self._said_away = ""

    @classmethod
    def of(cls, address: Address, hub: str) -> Engine:
        """Return the one object for an engine and a hub.

        Raises:
            ConfigurationError: the address is not one a hub may use.
        """
        if (address, hub) not in cls._known:
            cls._known[address, hub] = cls(address, hub)
        return cls._known[address, hub]

    # -- calls ---------------------------------------------------------------------------------------------------

    async def call(self, method: str, *args: Any, **kwargs: Any) -> Any:
        """Call a method of the client library's `APIClient`.

        Raises:
            EngineUnreachable: it did not answer.
            docker.errors.APIError: it answered that it could not.
        """
        await self.find()
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, lambda: self.call_here(method, *args, **kwargs))

    async def find(self) -> None:
        """Have a way to the engine, where it takes one.

        Raises:
            EngineUnreachable: there is none.
        """
        if self._way is not None:
            try:
                await self._way.open()
            except OSError as problem:
                raise EngineUnreachable from problem

    @property
    def socket(self) -> Path | None:
        """The socket file of this machine at which the engine answers; None for an engine with TLS."""
        if self._way is not None:
            return self._way.path
        url = urlsplit(self.address.url)
        return Path(url.path) if url.scheme == "unix" else None

    def call_here(self, method: str, *args: Any, **kwargs: Any) -> Any:
        """Do the same in this thread."""
        try:
            return getattr(self._client(), method)(*args, **kwargs)
        except APIError as error:
            if error.status_code is not None and error.status_code in (502, 503, 504):
                raise EngineUnreachable from error
            raise
        except (requests.RequestException, DockerException, OSError) as error:
            self._clients.client = None
            self._tell_away(error)
            raise EngineUnreachable from error

    def _tell_away(self, error: Exception) -> None:
        """Say in the log why the engine does not answer; once for a reason, and not at every poll."""
        said = str(error)
        if said != self._said_away:
            _log.error("the engine at %s does not answer: %s", self.address.url, said)
        self._said_away = said

    def _client(self) -> docker.APIClient:
        client = getattr(self._clients, "client", None)
        if client is None:
            client = self._clients.client = self.new_client()
        return client

    def new_client(self, timeout_s: float | None = CALL_TIMEOUT_S) -> docker.APIClient:
        """Return a client of its own, for a stream or a thread."""
        address = self.address
        tls: Any = False
        if address.certificates:
            folder = Path(address.certificates)
            tls = TLSConfig(
                client_cert=(str(folder / "cert.pem"), str(folder / "key.pem")),
                ca_cert=str(folder / "ca.pem"),
                verify=True,
            )
        client = docker.APIClient(
            base_url=f"unix://{self.socket}" if self.socket else address.url,
            version=self.interface,
            timeout=timeout_s,
            tls=tls,
        )
        # REQUESTS_CA_BUNDLE would take the place of the engine's own authority, and a web proxy that of its machine
        client.trust_env = False
        return client

    @property
    def interface(self) -> str:
        """The version of the engine's interface that is spoken with it."""
        return ".".join(map(str, LEAST_API_ELSEWHERE if self.address.is_remote else LEAST_API))

    async def require_able(self) -> None:
        """Check once that this engine can do what is promised of it.

        Raises:
            ConfigurationError: it is too old to mount read-only all the way down, confines nothing, or maps uids.
        """
        if self._checked:
            return
        version = await self.call("version", api_version=False)
        told = str(version.get("ApiVersion", "0.0"))
        least = LEAST_API_ELSEWHERE if self.address.is_remote else LEAST_API
        if tuple(map(int, told.split(".")[:2])) < least:
            raise ConfigurationError(
                "ProposalDockerSpawner.engine",
                self.address.url,
                f"is Docker {version.get('Version')}, which cannot do what sessions need there (file systems below raw "
                "data read-only, parts of volumes)",
                remedy="Update it to Docker 26 or newer."
                if self.address.is_remote
                else "Update it to Docker 25 or newer.",
            )
        info = await self.call("info")
        options = " ".join(info.get("SecurityOptions") or [])
        if "seccomp" not in options or "profile=unconfined" in options:
            raise ConfigurationError(
                "ProposalDockerSpawner.engine",
                self.address.url,
                "runs containers without a filter of system calls",
                remedy="Use a kernel with seccomp, and do not set the engine's seccomp-profile to unconfined.",
            )
        mapping = [word for word in ("rootless", "userns") if f"name={word}" in options]
        if mapping:
            raise ConfigurationError(
                "ProposalDockerSpawner.engine",
                self.address.url,
                f"gives containers other uids than the storage knows ({mapping[0]})",
                remedy="Use an engine that runs as root, without userns-remap.",
            )
        self._checked = True

    # -- what there is -------------------------------------------------------------------------------------------

    async def state_of(self, name: str) -> State:
        """Return the state of one of this hub's containers. Many who ask at once are answered by one listing.

        Raises:
            EngineUnreachable: nobody knows.
        """
        now = time.monotonic()
        if self._listing is None or now - self._listing[0] > LISTING_S or _failed(self._listing[1]):
            self._listing = (now, asyncio.ensure_future(self._list()))
        return (await asyncio.shield(self._listing[1])).get(name, State())

    def forget_listing(self) -> None:
        """Ask the engine at the next question: something changed."""
        self._listing = None

    async def _list(self) -> dict[str, State]:
        try:
            containers = await self.call("containers", all=True, filters={"label": f"{HUB_LABEL}={self.hub}"})
        except APIError as error:
            raise EngineUnreachable from error
        return {one["Names"][0].lstrip("/"): State(one["State"]) for one in containers if one.get("Names")}

    async def inspect(self, name: str) -> dict[str, Any] | None:
        """Return what the engine knows of a container; None if there is none of this name."""
        try:
            found: dict[str, Any] = await self.call("inspect_container", name)
        except NotFound:
            return None
        return found

    async def remove(self, name: str) -> None:
        """Remove a container and what it wrote; one that is gone already is no error (DI03)."""
        with contextlib.suppress(NotFound):
            try:
                await self.call("remove_container", name, v=True, force=True)
            except APIError as error:
                if error.status_code != 409:  # being removed already
                    raise

    # -- news ----------------------------------------------------------------------------------------------------

    def listen(self, name: str, tell: Callable[[str], None]) -> None:
        """Have `tell` called, in the event loop, with each action of a container: "die", "oom", "pause", ..."""
        self._listeners[name] = tell
        if not self._watching:
            self._watching = True
            loop = asyncio.get_running_loop()
            threading.Thread(target=self._watch, args=(loop,), name="engine news", daemon=True).start()

    def listen_no_more(self, name: str) -> None:
        """Stop it."""
        self._listeners.pop(name, None)

    def _watch(self, loop: asyncio.AbstractEventLoop) -> None:
        filters = {"type": "container", "label": f"{HUB_LABEL}={self.hub}"}
        while not loop.is_closed():
            try:
                client = self.new_client(timeout_s=None)
                for event in client.events(decode=True, filters=filters):
                    name = event.get("Actor", {}).get("Attributes", {}).get("name", "")
                    loop.call_soon_threadsafe(self._told, name, str(event.get("Action", "")))
            except (requests.RequestException, DockerException, OSError, RuntimeError) as problem:
                _log.info("news of the engine end: %s", problem)
            # polls find what was missed meanwhile
            time.sleep(_WATCH_AGAIN_S)

    def _told(self, name: str, action: str) -> None:
        self.forget_listing()
        if name in self._listeners:
            self._listeners[name](action)

    # -- images --------------------------------------------------------------------------------------------------

    async def image(self, reference: str) -> dict[str, Any] | None:
        """Return what the engine knows of an image; None if it does not have it."""
        try:
            found: dict[str, Any] = await self.call("inspect_image", reference)
        except NotFound:
            return None
        return found

    def _pull(self, reference: str, tell: Callable[[dict[str, Any]], None]) -> None:
        """Pull exactly one tag or digest, in this thread (DI01)."""
        repository, _, tag = reference.rpartition("@") if "@" in reference else reference.rpartition(":")
        if "@" in reference and ":" in repository.rpartition("/")[2]:
            repository = repository.rpartition(":")[0]  # name:tag@digest: the digest says it all
        client = self.new_client(timeout_s=None)
        for line in client.pull(repository, tag=tag, stream=True, decode=True):
            tell(line)


def _failed(task: asyncio.Task[Any]) -> bool:
    return task.done() and (task.cancelled() or task.exception() is not None)
