"""What a start reports while it is in progress: its steps, and where its session already accepts connections."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

from traitlets import HasTraits


class StartProgressMixin(HasTraits):
    """A spawner whose starts report their progress."""

    #: Where the session of this start accepts connections, although it may not have responded yet; "" for nowhere.
    early_address = ""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._steps: list[str] = []
        self._stepped = asyncio.Event()
        self._accepting = asyncio.Event()

    def clear_steps(self) -> None:
        """Forget the steps of an earlier start."""
        self._steps = []
        self.early_address = ""
        self._accepting.clear()

    def report_accepting(self, address: str) -> None:
        """Report that connections to this address wait for the session: a browser may be sent there now."""
        self.early_address = address
        self._accepting.set()

    async def wait_accepting(self) -> None:
        """Wait until the backend reports that the session accepts connections."""
        await self._accepting.wait()

    def report_progress(self, step: str) -> None:
        """Report a step of this start to its owner. The text is shown as it is: no paths, no host names."""
        self._steps.append(step)
        self._stepped.set()
        self._stepped = asyncio.Event()

    @property
    def steps(self) -> tuple[str, ...]:
        """The steps of the current start so far."""
        return tuple(self._steps)

    async def progress(self) -> AsyncGenerator[dict[str, Any], None]:
        """Yield every step of this start, beginning with the first."""
        seen = 0
        while True:
            news = self._stepped
            for step in self._steps[seen:]:
                seen += 1
                yield {"progress": min(90, 15 * seen), "message": step}
            await news.wait()
