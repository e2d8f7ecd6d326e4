"""The arrival of a session: what it must prove before anything of the user runs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from daas_hub.errors import DaasError, SessionFailed
from daas_hub.spawners.mount_handshake import GrantedDirectory, SeenDirectory, require_granted
from daas_hub.spawners.readiness import no_answer

_WALL_OPEN = "The network of this session is not closed, so it was not started."


class Arrival:
    """What a session must prove before it may start.

    Args:
        granted: the directories as they must appear in it.
        closed: returns the addresses, "host:port", that it must not be able to connect to; only known once it arrives.
        note_contact: called when its first program is heard of, with `address`.

    Attributes:
        address: from where it arrived before the API server had reported its address; "" if it did not.
    """

    address = ""

    def __init__(
        self,
        granted: Sequence[GrantedDirectory],
        closed: Callable[[], Sequence[str]],
        *,
        note_contact: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.granted = granted
        self.closed = closed
        self._note_contact = note_contact
        #: Done when the session was let in; its exception says why it was not.
        self.admitted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        # nobody may wait any more when it is refused
        self.admitted.add_done_callback(lambda done: done.cancelled() or done.exception())

    def note_contact(self) -> None:
        """Note that its first program was heard of: its pod runs."""
        self._note_contact(self.address)

    async def is_admitted(self, over: asyncio.Future[str], timeout_s: float) -> bool:
        """Wait until the session was let in; return False if it ended before.

        Raises:
            DaasError: it was refused, or took too long.
        """
        await asyncio.wait((self.admitted, over), timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        if self.admitted.done():
            self.admitted.result()
            return True
        if not over.done():
            raise no_answer(timeout_s)
        return False

    def judge(self, report: Any) -> None:
        """Compare what a session reports with what was granted.

        Raises:
            DaasError: it may not start; worded for its owner, and also raised for whoever waits.
            ValueError, TypeError, KeyError, IndexError: this is no report.
        """
        seen = [SeenDirectory(int(one[0]), int(one[1]), one[2] is True) for one in report["directories"]]
        still_open = [str(one) for one in report["open"]][:20]
        try:
            require_granted(self.granted, seen)
            if still_open:
                detail = f"it could connect to {', '.join(still_open)}: are network policies enforced?"
                raise SessionFailed(_WALL_OPEN, remedy="Please tell the administrators.", detail=detail)
        except DaasError as problem:
            if not self.admitted.done():
                self.admitted.set_exception(problem)
            raise
        if not self.admitted.done():
            self.admitted.set_result(None)
