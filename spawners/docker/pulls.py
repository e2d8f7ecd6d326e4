"""Images on their way: one pull an image however many wait for it, and it goes on when one of them leaves (DI04)."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Callable
from typing import Any

import requests
from docker.errors import APIError, DockerException

from daas_hub.errors import SessionFailed

#: Seconds between two words to whoever waits.
TELL_EVERY_S = 1.0


class Pulls:
    """The pulls of one engine that go on now."""

    def __init__(self, pull: Callable[[str, Callable[[dict[str, Any]], None]], None]) -> None:
        """Take what pulls one image in the calling thread, and tells the engine's words one after the other."""
        self._pull = pull
        self._going: dict[str, tuple[asyncio.Future[None], Progress]] = {}

    async def wait_for(self, reference: str, tell: Callable[[str], None]) -> None:
        """Pull an image, or wait for the pull that goes on; tell how far it is.

        Raises:
            SessionFailed: it cannot be had, with the reason.
        """
        if reference not in self._going:
            progress = Progress(reference)
            self._going[reference] = (self._begin(reference, progress), progress)
        done, progress = self._going[reference]
        told = ""
        while not done.done():
            if progress.words() != told:
                told = progress.words()
                tell(told)
            await asyncio.wait([done], timeout=TELL_EVERY_S)
        done.result()

    def _begin(self, reference: str, progress: Progress) -> asyncio.Future[None]:
        """Pull in a thread of its own: a pull takes minutes, and the engine's other threads answer polls."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        # one who left must not be told of a failure nobody waits for
        done.add_done_callback(lambda ended: ended.exception())

        def finish(problem: SessionFailed | None) -> None:
            del self._going[reference]
            if problem is not None:
                done.set_exception(problem)
            else:
                done.set_result(None)

        def work() -> None:
            problem: SessionFailed | None = None
            try:
                self._pull(reference, progress.take)
            except (APIError, DockerException, requests.RequestException, OSError) as error:
                problem = _failure(reference, getattr(error, "explanation", None) or str(error))
            if problem is None and progress.error:
                problem = _failure(reference, progress.error)
            loop.call_soon_threadsafe(finish, problem)

        threading.Thread(target=work, name="pull", daemon=True).start()
        return done


class Progress:
    """How far a pull is, from the engine's words about each layer."""

    def __init__(self, reference: str) -> None:
        self._reference = reference
        self._layers: dict[str, tuple[int, int]] = {}
        self.error = ""

    def take(self, line: dict[str, Any]) -> None:
        """Take one word of the engine."""
        if "error" in line:
            self.error = str(line["error"])
        detail = line.get("progressDetail") or {}
        if line.get("status") == "Downloading" and "total" in detail and "id" in line:
            self._layers[str(line["id"])] = (int(detail.get("current", 0)), int(detail["total"]))
        elif line.get("status") in ("Download complete", "Pull complete") and str(line.get("id")) in self._layers:
            total = self._layers[str(line["id"])][1]
            self._layers[str(line["id"])] = (total, total)

    def words(self) -> str:
        """Say how far it is, for whoever waits."""
        layers = list(self._layers.values())  # another thread adds to it
        done, total = sum(one for one, _ in layers), sum(one for _, one in layers)
        if not total:
            return "Fetching the application, which was not used here before"
        return f"Fetching the application: {_megabytes(done)} of {_megabytes(total)} MB"


def _megabytes(count: int) -> str:
    return f"{count / 1e6:.0f}" if count >= 10e6 else f"{count / 1e6:.1f}"


_REASONS = (
    (r"no space left on device", "there is no room left for it on the machine that runs the sessions"),
    (r"manifest unknown|not found|does not exist|pull access denied|repository name", "no registry has it"),
    (r"unauthorized|authentication required|denied", "the registry does not give it to this portal"),
    (r"certificate|x509|tls", "the registry's certificate is not trusted there"),
    (r"timeout|connection refused|no such host|dial tcp|EOF|reset by peer", "the registry does not answer"),
)


def _failure(reference: str, words: str) -> SessionFailed:
    """Word why an image could not be had; what the engine said is for the log."""
    reason = next(
        (text for pattern, text in _REASONS if re.search(pattern, words, re.IGNORECASE)), "it could not be fetched"
    )
    problem = SessionFailed(
        f"The image {reference} is not here, and {reason}.", remedy="Please tell the administrators."
    )
    problem.add_note(words[:500])
    return problem
