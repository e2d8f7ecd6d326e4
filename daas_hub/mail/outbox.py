"""Queue of outgoing e-mail: limited in number and rate, kept over a restart, sent one by one; nothing waits for it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from email.message import EmailMessage

from daas_hub.errors import DaasError
from daas_hub.mail.kept import KeptMessages, Waiting
from daas_hub.mail.message import Notification, compose, is_address, new_message_id
from daas_hub.mail.smtp import MailError
from daas_hub.metrics.mail import count_mail

HOUR_S = 3600.0
#: Seconds until a message that could not be sent is tried again; after the last one it is dropped.
RETRY_S = (60.0, 300.0)
#: Age from which a message is out of date, and dropped.
STALE_S = 2 * HOUR_S

_log = logging.getLogger("jupyterhub.daas")


@dataclass(frozen=True)
class MailLimits:
    """How much is sent.

    Attributes:
        per_person: messages to one person in an hour; more are dropped.
        per_hour: messages to all in an hour; more wait.
        waiting: messages that wait at most; more are dropped.
    """

    per_person: int = 6
    per_hour: int = 500
    waiting: int = 5000


class Outbox:
    """The messages of one hub.

    Args:
        send: sends a message; it runs in a thread, and raises `MailError`.
        address_of: returns the address of the person a notification is for; "" for none, None if it is not for them.
        kept: the messages in the hub's database; what an earlier hub has not sent is sent now.
        sender, reply_to: the addresses in the header.
        clock: seconds since 1970.
        sleep: waits that many seconds.
    """

    def __init__(
        self,
        send: Callable[[EmailMessage], None],
        address_of: Callable[[Notification], Awaitable[str | None]],
        kept: KeptMessages,
        *,
        sender: str,
        reply_to: str = "",
        limits: MailLimits | None = None,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._send = send
        self._address_of = address_of
        self._kept = kept
        self._sender, self._reply_to = sender, reply_to
        self._limits = limits or MailLimits()
        self._clock, self._sleep = clock, sleep
        self._waiting: deque[Waiting] = deque(kept.waiting())
        self._arrived = asyncio.Event()
        self._to_person: dict[str, deque[float]] = {}
        for message in self._waiting:
            self._to_person.setdefault(message.notification.person, deque()).append(message.posted)
            self._arrived.set()
        self._sent: deque[float] = deque()
        self._is_failing = False

    def post(self, *notifications: Notification) -> int:
        """Queue notifications, and return how many; the others are dropped because of the limits.

        Raises:
            SQLAlchemyError: they cannot be stored, and none is queued.
        """
        now = self._clock()
        accepted: list[tuple[Notification, str]] = []
        for one in notifications:
            recent = self._to_person.setdefault(one.person, deque())
            _forget(recent, now - HOUR_S)
            waiting = len(self._waiting) + len(accepted)
            if len(recent) >= self._limits.per_person or waiting >= self._limits.waiting:
                count_mail("dropped")
                _log.warning("e-mail to %s dropped: limit reached", one.person)
                continue
            recent.append(now)
            accepted.append((one, new_message_id(self._sender)))
        self._waiting += self._kept.add(accepted, now)
        self._arrived.set()
        return len(accepted)

    @property
    def size(self) -> int:
        """The number of waiting messages."""
        return len(self._waiting)

    async def run(self) -> None:
        """Send what is posted, until the hub ends."""
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            await self.send_all()

    async def send_all(self) -> None:
        """Send what waits now."""
        while self._waiting:
            message = self._waiting.popleft()
            try:
                await self._keep_rate()
                await self._deliver(message)
            except Exception:
                # whatever it is: the next message must be sent
                count_mail("failed")
                _log.exception("e-mail to %s could not be sent", message.notification.person)
            self._kept.note_done(message, self._clock())
        self._to_person = {name: times for name, times in self._to_person.items() if times}

    async def _keep_rate(self) -> None:
        _forget(self._sent, self._clock() - HOUR_S)
        while len(self._sent) >= self._limits.per_hour:
            await self._sleep(max(1.0, self._sent[0] + HOUR_S - self._clock()))
            _forget(self._sent, self._clock() - HOUR_S)

    async def _deliver(self, waiting: Waiting) -> None:
        notification = waiting.notification
        if self._clock() - waiting.posted > STALE_S:
            count_mail("dropped")
            return
        address = await self._address_of(notification)
        if address is None:
            return
        if not is_address(address):
            count_mail("no_address")
            return
        for wait_s in (*RETRY_S, None):
            self._sent.append(self._clock())
            message = compose(
                notification,
                sender=self._sender,
                to=address,
                reply_to=self._reply_to,
                message_id=waiting.message_id,
                now=self._clock(),
            )
            try:
                await asyncio.to_thread(self._send, message)
            except DaasError as problem:
                if isinstance(problem, MailError) and problem.is_temporary and wait_s is not None:
                    self._note_failure(problem)
                    await self._sleep(wait_s)
                    continue
                count_mail("failed")
                self._note_failure(problem)
                _log.warning("e-mail to %s is given up: %s", notification.person, problem)
                return
            count_mail("sent")
            if self._is_failing:
                _log.warning("e-mail can be sent again")
            self._is_failing = False
            return

    def _note_failure(self, problem: DaasError) -> None:
        if not self._is_failing:
            _log.error("e-mail cannot be sent: %s", problem)
        self._is_failing = True


def _forget(times: deque[float], before: float) -> None:
    while times and times[0] <= before:
        times.popleft()
