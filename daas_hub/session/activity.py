"""The time of the last human input, reported to the hub whenever it has changed."""

from __future__ import annotations

import asyncio
import datetime
import logging

from daas_hub.session.hubclient import HubClient
from daas_hub.session.settings import Settings

REPORT_EVERY_S = 60.0
#: The first report waits until the browser is there: the hub and this server have other work during a launch.
FIRST_REPORT_AFTER_S = 5.0

_log = logging.getLogger("daas-session")


class Activity:
    """The time of the last human input; the start counts as one."""

    def __init__(self) -> None:
        self._last = datetime.datetime.now(datetime.UTC)

    @property
    def last(self) -> datetime.datetime:
        """The time of the last input, in UTC."""
        return self._last

    def note(self) -> None:
        """Record human input now."""
        self._last = datetime.datetime.now(datetime.UTC)

    async def report(self, hub: HubClient, settings: Settings) -> None:
        """Report every new time to the hub, for ever; retry later while the hub is away."""
        reported: datetime.datetime | None = None
        await asyncio.sleep(FIRST_REPORT_AFTER_S)
        while True:
            if self._last != reported:
                try:
                    await hub.report_activity(
                        settings.user, settings.server_name, self._last.isoformat(), settings.api_token
                    )
                    reported = self._last
                except OSError as problem:
                    _log.info("activity not reported: %s", problem)
            await asyncio.sleep(REPORT_EVERY_S)
