"""What an engine tells of a session's container, as it happens and at its end, worded for its owner and for the log."""

from __future__ import annotations

import asyncio
from abc import abstractmethod

from docker.errors import APIError

from daas_hub.spawners.docker.engine import Engine, EngineUnreachable
from daas_hub.spawners.docker.messages import ending_of
from daas_hub.spawners.session_output import failure_in, last_output
from daas_hub.spawners.sockets import SocketSessionMixin


class ContainerEventsMixin(SocketSessionMixin):
    """A session that is a container, whose engine tells what becomes of it."""

    #: the container's name on the engine
    object_name: str

    _over: asyncio.Future[str] | None = None

    @property
    @abstractmethod
    def runner(self) -> Engine:
        """The engine."""

    def listen_to_engine(self) -> None:
        """Have the engine's news of this container, also after a restart of the hub."""
        self.runner.listen(self.object_name, self._news)

    def wait_for_end(self) -> asyncio.Future[str]:
        """Listen, and give what is done when the session ends before it is ready, with the sentence that says why."""
        self._over = asyncio.get_running_loop().create_future()
        self.listen_to_engine()
        return self._over

    async def ended(self) -> int:
        """Find out how a session ended, for its owner and for the log."""
        found = await self.runner.inspect(self.object_name)
        if found is None:
            self.ending = self.ending or "It was removed by other means than this portal."
            return 0
        state = found["State"]
        code = int(state.get("ExitCode") or 0)
        words = await self._output()
        self.ending = self.ending or ending_of(state, code, words, int(found["HostConfig"].get("Memory") or 0))
        self.log.info("%s ended with %s: %s; last output: %s", self._log_name, code, self.ending, last_output(words))
        return code

    async def _output(self) -> str:
        """Return the end of what the session printed; "" where nobody can tell."""
        try:
            said: bytes = await self.runner.call("logs", self.object_name, tail=40)
        except (APIError, EngineUnreachable):
            return ""
        return said.decode(errors="replace")[-4000:]

    def _news(self, action: str) -> None:
        """Take what the engine tells of the container, as it happens."""
        if action == "oom":
            self.notice = "A program used up the session's memory and was ended."
        elif action in ("pause", "unpause"):
            self.note_pause(action == "pause")
        elif action in ("die", "destroy"):
            asyncio.ensure_future(self._tell_end()).add_done_callback(_retrieve)

    def note_pause(self, is_paused: bool) -> None:
        """Tell the owner that it is paused, or no more."""
        paused = "It is paused, by other means than this portal; nothing is lost."
        if is_paused:
            self.notice = paused
        elif self.notice == paused:
            self.notice = ""

    async def _tell_end(self) -> None:
        """Tell whoever waits for the start, or else the hub, that the session ended."""
        over, self._over = self._over, None
        if over is not None and self._spawn_pending and not over.done():
            words = await self._output()
            self.log.error("%s ended before it was ready; last output: %s", self._log_name, last_output(words))
            if not over.done():
                over.set_result(failure_in(words))
        # the hub listens for an end only when the start is over
        while self._spawn_pending:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
        if not self._stop_pending and self.active:
            await self.poll_and_notify()

    async def state_or_unknown(self) -> str:
        """Return what the engine says now (see `State`), or "unknown" where it does not answer."""
        self.runner.forget_listing()
        try:
            return (await self.runner.state_of(self.object_name)).status
        except EngineUnreachable:
            return "unknown"


def _retrieve(task: asyncio.Future[None]) -> None:
    """Look at the end of a task nobody waits for."""
    if not task.cancelled():
        task.exception()
