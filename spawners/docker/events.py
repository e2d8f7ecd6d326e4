"""The events of a session's container, as they happen and at its end, worded for its owner and for the log."""

from __future__ import annotations

import asyncio
import time
from abc import abstractmethod

from aiodocker import DockerError

from daas_hub.spawners.docker.engine import Engine, EngineUnreachable
from daas_hub.spawners.docker.messages import ending_of, time_in
from daas_hub.spawners.session_output import failure_in, last_output, own_end_in
from daas_hub.spawners.sockets import SocketSessionMixin


class ContainerEventsMixin(SocketSessionMixin):
    """A session that is a container, whose engine reports what becomes of it."""

    #: the container's name on the engine
    object_name: str

    _ended: asyncio.Future[str] | None = None

    @property
    @abstractmethod
    def docker_engine(self) -> Engine:
        """The engine."""

    def listen_to_engine(self) -> None:
        """Listen to the events of this container, also after a restart of the hub."""
        self.docker_engine.listen(self.object_name, self._on_event)

    def wait_for_end(self) -> asyncio.Future[str]:
        """Listen; return what is done when the session ends before it is ready, with the sentence that says why."""
        self._ended = asyncio.get_running_loop().create_future()
        self.listen_to_engine()
        return self._ended

    async def ended(self) -> int:
        """Find out how a session ended, for its owner and for the log."""
        found = await self.docker_engine.inspect(self.object_name)
        if found is None:
            self.ending = self.ending or "It was removed from outside this portal."
            return 0
        state = found["State"]
        code = int(state.get("ExitCode") or 0)
        output = await self._output()
        self.ending = self.ending or self.own_end_words(own_end_in(output)) or failure_in(output)
        if not self.ending and state.get("OOMKilled"):
            self.note_memory_end(int(found["HostConfig"].get("Memory") or 0), time_in(state.get("FinishedAt")))
        self.ending = self.ending or ending_of(code)
        self.log.info("%s ended with %s: %s; last output: %s", self._log_name, code, self.ending, last_output(output))
        return code

    async def _output(self) -> str:
        """Return the end of what the session printed; "" if the engine cannot say."""
        try:
            return (await self.docker_engine.output(self.object_name, tail=40))[-4000:]
        except (DockerError, EngineUnreachable):
            return ""

    def _on_event(self, action: str) -> None:
        """Handle an event of the container."""
        if action == "oom":
            self.notice = self.memory_notice(time.time())
        elif action in ("pause", "unpause"):
            self.note_pause(action == "pause")
        elif action in ("die", "destroy"):
            asyncio.ensure_future(self._report_end()).add_done_callback(_retrieve)

    def note_pause(self, is_paused: bool) -> None:
        """Say on its card that it is paused, or no longer."""
        paused = "It was paused from outside this portal; nothing is lost."
        if is_paused:
            self.notice = paused
        elif self.notice == paused:
            self.notice = ""

    async def _report_end(self) -> None:
        """Report the end of the session to the start that waits for it, or else to the hub."""
        ended, self._ended = self._ended, None
        if ended is not None and self._spawn_pending and not ended.done():
            output = await self._output()
            self.log.error("%s ended before it was ready; last output: %s", self._log_name, last_output(output))
            if not ended.done():
                ended.set_result(failure_in(output))
        # the hub listens for an end only when the start is over
        while self._spawn_pending:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
        if not self._stop_pending and self.active:
            await self.poll_and_notify()

    async def state_or_unknown(self) -> str:
        """Return what the engine says now (see `State`), or "unknown" if it does not answer."""
        self.docker_engine.forget_listing()
        try:
            return (await self.docker_engine.state_of(self.object_name)).status
        except EngineUnreachable:
            return "unknown"


def _retrieve(task: asyncio.Future[None]) -> None:
    """Retrieve the exception of a task nobody waits for."""
    if not task.cancelled():
        task.exception()
