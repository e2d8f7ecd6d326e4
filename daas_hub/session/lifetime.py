"""Reports the use of a session to the hub, and ends the session itself if the hub does not; hears what is announced.

The hub decides, by the same rules (`daas_hub.lifetime`). The session's own end is for the time while the hub is away:
then it ends at the limits that it knows. It prints why, so that a hub that returns can say it on the session's card.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from daas_hub.disk_space import Space
from daas_hub.lifetime import Limits, Outlook, Reason, Use, Verdict, decide
from daas_hub.session import clock
from daas_hub.session.activity import Activity
from daas_hub.session.disk_use import DiskUse
from daas_hub.session.hubclient import HubClient
from daas_hub.session.notices import SessionNotice, disk_view, notice_views, read_notices
from daas_hub.session.processor_use import ProcessorUse
from daas_hub.session.settings import Settings

#: The first report waits until the browser is there: the hub and this server have other work during a launch.
FIRST_REPORT_AFTER_S = 5.0
#: Seconds that a hub which answers has to end the session, before the session ends itself.
HUB_ENDS_WITHIN_S = 30.0
#: Seconds between two attempts to reach the hub when the end has come.
_AT_THE_END_S = 2.0
#: Prefix of the line that says why the session ended itself (`daas_hub.spawners.session_output`).
END_MARK = "daas-session: ended: "
#: Seconds between SIGTERM and SIGKILL for the programs of a sandbox.
_PROGRAMS_GRACE_S = 2.0

_log = logging.getLogger("daas-session")


class Lifetime:
    """The life of this session, as its own server sees it.

    Args:
        report: sends a report, and returns the hub's answer; raises OSError while the hub is away.
    """

    def __init__(
        self,
        limits: Limits,
        activity: Activity,
        report: Callable[[dict[str, Any]], Awaitable[dict[str, Any]]],
        *,
        processors: ProcessorUse | None = None,
        disk: DiskUse | None = None,
        now: Callable[[], float] = clock.now,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._limits, self._activity, self._report = limits, activity, report
        self._now, self._sleep = now, sleep
        self._processors = processors or ProcessorUse(limits.busy_processors, limits.window_s)
        self._disk = disk or DiskUse({})
        self._full_reported: tuple[Space, ...] = ()
        self._ends = now() + limits.longest_s if limits.longest_s else 0.0
        self._kept = 0.0
        self._reported: float | None = None
        self._hub_answers = False
        self._is_shown = False
        self._notices: tuple[SessionNotice, ...] = ()
        #: Whether the hub would extend the time limit.
        self.can_extend = limits.max_extensions > 0 and limits.extension_s > 0

    @property
    def limits(self) -> Limits:
        """The limits of this session."""
        return self._limits

    def outlook(self) -> Outlook:
        """Return when and why this session ends, as far as that is known now."""
        now = self._now()
        last = max(self._activity.last_use, self._kept)
        return decide(now, ends=self._ends, limits=self._limits, use=Use(last, self._processors.last, now))

    def remaining_s(self, outlook: Outlook) -> float:
        """Return how many seconds are left until an end."""
        return max(0.0, outlook.ends - self._now())

    def notices(self) -> list[dict[str, str]]:
        """Return what the pages of this session show: directories that are almost full, and announcements."""
        announced = notice_views(self._notices, self._now(), limit=self._ends, warning_s=self._limits.warning_s)
        return [*map(disk_view, self._disk.full), *announced]

    def note_page(self) -> None:
        """Note that a page of the session asks what to show: the next report asks the hub what is announced."""
        self._is_shown = True

    async def run(self) -> Reason:
        """Report until the session has to end by itself; return why."""
        await self._sleep(min(FIRST_REPORT_AFTER_S, self._limits.window_s))
        while True:
            self._look()
            await self._disk.look()
            await self._report_if_new()
            outlook = self.outlook()
            if outlook.verdict is Verdict.END and outlook.reason is not None:
                overdue_s = self._now() - outlook.ends
                if not self._hub_answers or overdue_s >= HUB_ENDS_WITHIN_S:
                    return outlook.reason
            await self._sleep(self._pause_s(outlook))

    async def keep_or_extend(self) -> None:
        """Keep an idle session, or ask the hub to extend its time limit: what its next end needs.

        Raises:
            OSError: the hub is away.
        """
        is_idle = self.outlook().reason is Reason.IDLE
        if is_idle:
            self._activity.note()
        await self.report(extend=not is_idle)

    def _look(self) -> None:
        self._activity.look()
        if self._limits.idle_s:
            self._processors.look()

    def _pause_s(self, outlook: Outlook) -> float:
        """Return how long to wait: at the end itself, the hub is asked first whether it was extended."""
        left_s = outlook.ends - self._now()
        if outlook.reason is None or left_s >= self._limits.window_s:
            return self._limits.window_s
        return max(left_s, _AT_THE_END_S)

    async def _report_if_new(self) -> None:
        """Report where the hub needs it: a use that it does not know, an idle session, an end that comes near.

        And where a page is shown, or shows a notice that may have been withdrawn.
        """
        is_new = self._activity.last_use != self._reported or self._is_shown
        is_new = is_new or self._disk.full != self._full_reported
        if is_new or self._notices or self._limits.idle_s or self.outlook().verdict is not Verdict.KEEP:
            with contextlib.suppress(OSError):
                await self.report()

    async def report(self, *, extend: bool = False) -> None:
        """Report now; with `extend`, ask for an extension of the time limit.

        Raises:
            OSError: the hub does not answer.
        """
        now, last = self._now(), self._activity.last_use
        use = {"unused_s": now - last, "quiet_s": now - self._processors.last}
        more: dict[str, Any] = {"extend": True} if extend else {}
        if round_trips := self._activity.round_trips.take():
            more["round_trips_s"] = round_trips
        if full := self._disk.full:
            more["full"] = [one.as_report() for one in full]
        try:
            answer = await self._report({"use": use} | more)
        except OSError as problem:
            self._hub_answers = False
            _log.info("activity not reported: %s", problem)
            raise
        self._reported, self._hub_answers, self._is_shown = last, True, False
        self._full_reported = full
        self._take(answer)

    def _take(self, answer: dict[str, Any]) -> None:
        """Take the hub's answer; a hub of another release, or without the portal's pages, says nothing."""
        remaining, kept = answer.get("remaining_s"), answer.get("kept_s")
        if isinstance(remaining, int | float):
            self._ends = self._now() + remaining
        if isinstance(kept, int | float):
            self._kept = self._now() - kept
        if "can_extend" in answer:
            self.can_extend = answer["can_extend"] is True
        self._notices = read_notices(answer.get("notices"), self._now())


def lifetime_of(settings: Settings, hub: HubClient, activity: Activity) -> Lifetime:
    """Return the life of a session with these settings."""

    async def report(more: dict[str, Any]) -> dict[str, Any]:
        when = activity.last.isoformat()
        return await hub.report_activity(settings.user, settings.server_name, when, settings.api_token, more)

    return Lifetime(settings.limits, activity, report, disk=DiskUse(limits=settings.disk_limits))


def announce_end(reason: Reason) -> None:
    """Print why the session ends itself."""
    print(f"{END_MARK}{reason.value}", flush=True)


def end_programs(first: Path = Path("/proc/1/comm")) -> None:
    """End every program of a sandbox, whose first process waits for them; a container ends with its first program."""
    try:
        if first.read_text().strip() != "bwrap":
            return
    except OSError:
        return
    # Linux does not send it to the caller
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(-1, number)
        if number is signal.SIGTERM:
            time.sleep(_PROGRAMS_GRACE_S)
