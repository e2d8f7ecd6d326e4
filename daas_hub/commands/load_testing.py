"""Starts sessions of one person through JupyterHub's API, measures how long each takes, and removes exactly these."""

from __future__ import annotations

import asyncio
import contextlib
import math
import secrets
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from daas_hub.commands.running_hub import RunningHub
from daas_hub.errors import DaasError, SourceUnavailable
from daas_hub.services.http import Reply, Service, ServiceClient
from daas_hub.services.urls import tls_context

#: How often the hub is asked for the states of the sessions: a duration is exact to this.
POLL_S = 0.25
#: How long all sessions together may take to end, after those that are starting.
_REMOVE_S = 120.0
_REQUEST_S = 60.0


@dataclass(frozen=True)
class Wanted:
    """What is launched; "" for the default."""

    application: str
    size: str = ""
    proposal: str = ""
    place: str = ""

    def as_options(self) -> dict[str, str]:
        """Return the options of a launch."""
        given = {"application": self.application, "size": self.size, "proposal": self.proposal, "place": self.place}
        return {name: value for name, value in given.items() if value}


@dataclass
class Outcome:
    """What was measured.

    Attributes:
        durations_s: of the starts that succeeded.
        took_s: from the first request to the last session that was ready.
        errors: how many there were, by their words.
        left: names of sessions that could not be removed.
    """

    sessions: int
    durations_s: list[float] = field(default_factory=list)
    took_s: float = 0.0
    errors: Counter[str] = field(default_factory=Counter)
    left: list[str] = field(default_factory=list)
    is_interrupted: bool = False

    def as_document(self) -> dict[str, Any]:
        """Return the figures; None for one that nothing was measured for."""
        return {
            "sessions": self.sessions,
            "started": len(self.durations_s),
            "errors": dict(self.errors),
            "starts_per_s": len(self.durations_s) / self.took_s if self.took_s else 0.0,
            "p50_s": percentile(self.durations_s, 50),
            "p95_s": percentile(self.durations_s, 95),
            "longest_s": max(self.durations_s, default=None),
            "left": self.left,
            "interrupted": self.is_interrupted,
        }


def percentile(values: Sequence[float], percent: float) -> float | None:
    """Return a percentile by the nearest rank; None without values."""
    if not values:
        return None
    return sorted(values)[max(0, math.ceil(len(values) * percent / 100) - 1)]


class LoadTest:
    """Sessions of one person, started, measured and removed.

    Args:
        hub: with the person's own token.
        user: the person's name in the hub.
    """

    def __init__(
        self, hub: RunningHub, user: str, wanted: Wanted, *, count: int, at_once: int, timeout_s: float
    ) -> None:
        self._hub = hub
        self._user = user
        self._wanted = wanted
        self._timeout_s = timeout_s
        self._places = asyncio.Semaphore(at_once)
        # at random: what has one of these names is ours
        run = secrets.token_hex(4)
        self._names = [f"scale-{run}-{number}" for number in range(count)]
        self._asked: list[str] = []
        self._ready: dict[str, asyncio.Event] = {}
        self._interrupted = asyncio.Event()
        self.outcome = Outcome(count)
        #: Called when a start has ended, either way.
        self.on_progress: Callable[[], None] = lambda: None

    def interrupt(self) -> None:
        """End the test; `run` returns what was measured. Requests under way are answered first: they may start one."""
        self.outcome.is_interrupted = True
        self._interrupted.set()

    async def run(self) -> Outcome:
        """Start all sessions, and return the figures once each is ready or has failed."""
        began = time.monotonic()
        async with self._client() as client:
            watching = asyncio.create_task(self._watch(client))
            try:
                await asyncio.gather(*(self._start(client, name, began) for name in self._names))
            finally:
                watching.cancel()
        return self.outcome

    async def remove(self) -> None:
        """Stop and remove what `run` started; what is left after a while is in `Outcome.left`."""
        until = time.monotonic() + self._timeout_s + _REMOVE_S
        left, quiet = list(self._asked), 0
        async with self._client() as client:
            # seen twice to be gone: what was asked for last may come a moment later
            while self._asked and quiet < 2 and time.monotonic() < until:
                with contextlib.suppress(DaasError, TimeoutError):
                    there = await self._servers(client)
                    left = [name for name in self._asked if name in there]
                    # one that is starting cannot be stopped, and one that is stopping is removed already
                    idle = [name for name in left if not there[name].get("pending")]
                    await asyncio.gather(*(self._delete(client, name) for name in idle))
                quiet = 0 if left else quiet + 1
                await asyncio.sleep(2 * POLL_S)
        self.outcome.left = left

    @contextlib.asynccontextmanager
    async def _client(self) -> AsyncIterator[ServiceClient]:
        tls = tls_context("--ca-file", self._hub.ca_file)
        async with Service("hub", "The hub", self._hub.url, timeout_s=_REQUEST_S, tls=tls).client() as client:
            yield client

    async def _call(self, method: Callable[..., Any], path: str, document: Any = None) -> Reply:
        headers = {"Authorization": f"token {self._hub.token}"}
        address = f"{self._hub.url}/api/users/{quote(self._user, safe='')}{path}"
        reply: Reply = await method(address, "its sessions", headers=headers, require_json=False, document=document)
        return reply

    async def _start(self, client: ServiceClient, name: str, began: float) -> None:
        async with self._places:
            if self._interrupted.is_set():
                return
            ready = self._ready[name] = asyncio.Event()
            started = time.monotonic()
            try:
                await self._ask_for(client, name)
                async with asyncio.timeout(self._timeout_s):
                    await self._either(ready)
            except TimeoutError:
                self.outcome.errors[f"not ready within {self._timeout_s:.0f} s"] += 1
            except _NotStarted as problem:
                self.outcome.errors[str(problem)] += 1
            except SourceUnavailable as problem:
                self.outcome.errors[problem.detail.rpartition(", got ")[2] or problem.message] += 1
            else:
                if ready.is_set():
                    now = time.monotonic()
                    self.outcome.durations_s.append(now - started)
                    self.outcome.took_s = now - began
            self.on_progress()

    async def _either(self, ready: asyncio.Event) -> None:
        """Wait until a session is ready, or the test is interrupted."""
        waiting = [asyncio.ensure_future(one.wait()) for one in (ready, self._interrupted)]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waiting:
                one.cancel()

    async def _ask_for(self, client: ServiceClient, name: str) -> None:
        # before the request: whatever becomes of it, the session may exist
        self._asked.append(name)
        reply = await self._call(client.post, f"/servers/{name}", self._wanted.as_options())
        if reply.status >= 400:
            raise _NotStarted(str((reply.object or {}).get("message", "")) or f"status {reply.status}")

    async def _watch(self, client: ServiceClient) -> None:
        """Set the events of the sessions that are ready."""
        while True:
            with contextlib.suppress(DaasError, TimeoutError):
                for name, server in (await self._servers(client)).items():
                    if server.get("ready") and name in self._ready:
                        self._ready[name].set()
            await asyncio.sleep(POLL_S)

    async def _servers(self, client: ServiceClient) -> dict[str, Any]:
        """Return the person's sessions, as the hub has them.

        Raises:
            SourceUnavailable: the hub does not answer.
        """
        reply = await self._call(client.get, "?include_stopped_servers=1")
        if reply.status >= 300:
            client.fail_on_status(reply)
        found: dict[str, Any] = (reply.object or {}).get("servers") or {}
        return found

    async def _delete(self, client: ServiceClient, name: str) -> None:
        # without an answer it is asked again
        with contextlib.suppress(DaasError, TimeoutError):
            await self._call(client.delete, f"/servers/{name}", {"remove": True})


class _NotStarted(Exception):
    """The hub refused a start, with its words."""
